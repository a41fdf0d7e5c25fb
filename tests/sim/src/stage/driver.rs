//! The driver's part: it does what the core asks for, and tells it what happened.

use ottla_core::{Command, ConnectionId, Disconnect, Event};

use super::link::{Cut, TICK, is_produce, take_bytes};
use super::network::Delivery;
use super::{Stage, duration, instant};

/// How often the core may be due again at once without any output.
const IDLE_WAKES: usize = 3;
/// How often the core may have output again at one instant.
const BUSY_WAKES: usize = 10_000;

impl Stage {
    /// Drains the core until it has nothing more to do now.
    pub(crate) fn turn(&mut self) {
        let (mut idle, mut busy) = (0, 0);
        loop {
            let had_output = self.drain();
            let is_due = self
                .core
                .poll_timeout()
                .is_some_and(|at| duration(at) <= self.now);
            if !had_output && (!is_due || self.is_aside) {
                return;
            }
            if had_output {
                busy += 1;
            } else {
                idle += 1;
                self.core.handle_timeout(instant(self.now));
            }
            assert!(
                idle <= IDLE_WAKES && busy <= BUSY_WAKES,
                "H043: the core spins: due at once, for {:?}",
                self.core.timeout_reason(),
            );
        }
    }

    /// Polls everything once, in the order that the core asks for; whether anything came.
    fn drain(&mut self) -> bool {
        let mut had_output = false;
        while let Some(command) = self.core.poll_command() {
            had_output = true;
            self.carry_out(command);
        }
        let mut to_write = Vec::new();
        while let Some(connection) = self.core.poll_link() {
            if let Some(mut transmit) = self.core.poll_transmit(instant(self.now), connection) {
                transmit.prepare();
                let link = self
                    .network
                    .links
                    .get_mut(&connection)
                    .expect("a transmit is for a link that is up");
                assert!(
                    link.transmit.is_none(),
                    "one transmit per link is outstanding"
                );
                link.transmit = Some(transmit);
                to_write.push(connection);
            }
        }
        for connection in to_write {
            had_output = true;
            self.write(connection);
        }
        while !self.is_aside
            && let Some(event) = self.core.poll_event()
        {
            had_output = true;
            self.take(event);
        }
        had_output
    }

    fn carry_out(&mut self, command: Command) {
        self.trace.line(self.now, format_args!("{command:?}"));
        match command {
            Command::Resolve { lookup, host, port } => {
                self.network
                    .schedule(self.now + TICK, Delivery::Resolved { lookup, host, port });
            }
            Command::Connect {
                connection,
                address,
            } => {
                let broker = self.broker_at(address);
                self.network.open(connection, broker);
                let round_trip = 2 * self.network.path(broker).latency;
                self.network
                    .schedule(self.now + round_trip, Delivery::Dialled { connection });
            }
            Command::Shutdown { connection } => self.shut_down(connection),
            Command::Disconnect { connection } => self.lose(connection, Disconnect::Requested),
            Command::Work(work) => {
                let at = self.now + self.work_time;
                self.network.schedule(at, Delivery::Worked(work));
            }
            other => panic!("the stage does not know {other:?}"),
        }
    }

    /// Lets a link's socket take what it takes now.
    pub(crate) fn write(&mut self, connection: ConnectionId) {
        let Some(link) = self.network.links.get_mut(&connection) else {
            return;
        };
        let Some(mut transmit) = link.transmit.take() else {
            return;
        };
        let broker = link.broker;
        let path = self.network.path(broker);
        let cut = path.cut.take_if(|_| is_produce(&transmit));
        let most = match cut {
            Some(Cut::Untouched) => 0,
            Some(Cut::After(bytes)) => bytes,
            Some(Cut::Whole) => usize::MAX,
            None => path.writes.unwrap_or(usize::MAX),
        };
        let bytes = take_bytes(&mut transmit, most);
        self.trace.line(
            self.now,
            format_args!(
                "to {broker}: {} bytes, {} left",
                bytes.len(),
                transmit.len()
            ),
        );
        self.network.send_request(self.now, connection, bytes);
        let is_whole = transmit.is_empty();
        if cut.is_some() || !is_whole {
            self.network
                .links
                .get_mut(&connection)
                .expect("it was there")
                .transmit = Some(transmit);
        } else {
            drop(transmit);
        }
        if cut.is_some() {
            self.lose(connection, Disconnect::Reset);
        } else if is_whole {
            self.core.handle_written(instant(self.now), connection);
        } else {
            self.network
                .schedule(self.now + TICK, Delivery::Writable { connection });
        }
    }

    /// The producer writes no more on a link: the broker, which has read everything, closes its end.
    fn shut_down(&mut self, connection: ConnectionId) {
        let Some(link) = self.network.links.get(&connection) else {
            return;
        };
        let (broker, serial) = (link.broker, link.serial);
        let at = link
            .busy_to
            .max(self.now + self.network.path(broker).latency);
        let link = &self.network.links[&connection];
        if !link.is_deaf {
            self.network.schedule(at, Delivery::Shutdown { serial });
        }
    }

    /// The producer's end of a link is gone: the core gets its transmit back, the broker sees it later.
    pub(crate) fn lose(&mut self, connection: ConnectionId, why: Disconnect) {
        let Some(link) = self.network.links.remove(&connection) else {
            return;
        };
        self.trace.line(
            self.now,
            format_args!("link to {} ends: {why:?}", link.broker),
        );
        let path = self.network.path(link.broker);
        if !link.is_deaf && !path.loses_requests {
            let at = link.busy_to.max(self.now + path.latency);
            self.network.schedule(
                at,
                Delivery::Hangup {
                    serial: link.serial,
                },
            );
        }
        self.core
            .handle_disconnected(instant(self.now), connection, why, link.transmit);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Completed {
                batch,
                records,
                outcome,
                last,
                ..
            } => {
                self.trace
                    .line(self.now, format_args!("{batch:?} {records:?}: {outcome:?}"));
                let followers = self
                    .outcomes
                    .complete(batch, records, &outcome, last, self.now);
                followers.into_iter().for_each(|n| self.hand_in(n));
            }
            Event::Admitted(waiter) => self.hand_in_waited(waiter),
            Event::WaitFailed(waiter, error) => {
                if let Some(n) = self.outcomes.waited(waiter) {
                    self.outcomes.refuse(n, error, self.now);
                }
            }
            Event::Flushed(flush) => {
                assert!(self.flushed.insert(flush), "a flush ends once");
            }
            Event::Closed(why) => {
                assert!(self.closed.replace(why).is_none(), "a producer ends once");
            }
            Event::Warning(warning) => {
                self.trace.line(self.now, format_args!("{warning:?}"));
                self.warnings.push(warning);
            }
            _ => {}
        }
    }
}
