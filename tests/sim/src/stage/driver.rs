//! The driver's part: it does what the core asks for, and tells it what happened.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use ottla_core::{Command, ConnectionId, Disconnect, Event, ResolveError, SendError};

use super::link::{Cut, TICK, is_produce, take_bytes};
use super::network::{Delivery, Dial, Lookup};
use super::{Stage, duration, instant, record};
use crate::Answer;

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
            if !had_output && !is_due {
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
        while let Some(event) = self.core.poll_event() {
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
            Command::Disconnect { connection } => self.lose(connection, Disconnect::Requested),
            other => panic!("the stage does not know {other:?}"),
        }
    }

    /// The broker at an address; 0, which no broker has, if there is none.
    fn broker_at(&self, address: SocketAddr) -> i32 {
        let is_there = |id: &i32| {
            address.ip() == Ipv4Addr::LOCALHOST && self.model.address(*id).1 == address.port()
        };
        self.model.brokers().find(is_there).unwrap_or(0)
    }

    /// Lets a link's socket take what it takes now.
    fn write(&mut self, connection: ConnectionId) {
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
        if !path.loses_requests {
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
                self.outcomes
                    .complete(batch, records, &outcome, last, self.now);
            }
            Event::Admitted(waiter) => {
                let Some(n) = self.outcomes.waited(waiter) else {
                    return;
                };
                match self.core.send_waited(
                    instant(self.now),
                    waiter,
                    &record(self.outcomes.sent(n)),
                ) {
                    Ok(ticket) => self.outcomes.accept(n, ticket, self.now),
                    Err(SendError::Full | SendError::TopicNotReady) => self.hand_in(n),
                    Err(error) => self.outcomes.refuse(n, error, self.now),
                }
            }
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

    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Resolved { lookup, host, port } => {
                let found = match self.network.lookups.get(&*host) {
                    Some(Lookup::Found(addresses)) => Ok(addresses.clone()),
                    Some(Lookup::Failed(why)) => Err(*why),
                    Some(Lookup::Silent) => return,
                    None => self.look_up(&host, port),
                };
                let found = found.as_deref().map_err(|why| *why);
                self.core.handle_resolved(instant(self.now), lookup, found);
            }
            Delivery::Dialled { connection } => self.dialled(connection),
            Delivery::Writable { connection } => self.write(connection),
            Delivery::Request { serial, bytes } => self.at_broker(serial, &bytes),
            Delivery::Hangup { serial } => self.forget(serial),
            Delivery::AnswerIsDue { serial, frame } => self.answer(serial, frame),
            Delivery::Answer { connection, bytes } => {
                if self.network.links.contains_key(&connection) {
                    self.core
                        .handle_input(instant(self.now), connection, &bytes);
                }
            }
            Delivery::Closed { connection } => self.lose(connection, Disconnect::Closed),
        }
    }

    /// The broker of this name, at 127.0.0.1.
    fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let is_known = self
            .model
            .brokers()
            .any(|id| self.model.address(id).0 == host);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if is_known {
            Ok(vec![address])
        } else {
            Err(ResolveError::NotFound)
        }
    }

    fn dialled(&mut self, connection: ConnectionId) {
        let Some(link) = self.network.links.get(&connection) else {
            return;
        };
        let broker = link.broker;
        match self.network.path(broker).dial {
            Dial::Accept if self.model.is_up(broker) => {
                self.trace
                    .line(self.now, format_args!("link to {broker} is up"));
                self.core.handle_connected(instant(self.now), connection);
            }
            Dial::Accept | Dial::Refuse => self.lose(connection, Disconnect::Refused),
            Dial::BlackHole => {}
        }
    }

    /// Bytes reach a broker, whether or not the producer's end is still there.
    fn at_broker(&mut self, serial: u64, bytes: &[u8]) {
        let Some(inbox) = self.network.inboxes.get_mut(&serial) else {
            return;
        };
        let broker = inbox.broker;
        for request in inbox.take(bytes) {
            let is_produce = request.starts_with(&[0, 0]);
            let answer = self.model.handle(self.now, broker, serial, request);
            self.trace
                .line(self.now, format_args!("at {broker}: {}", describe(&answer)));
            match answer {
                Answer::Reply(frame) => {
                    let frame = if is_produce {
                        self.tampered(broker, frame)
                    } else {
                        frame
                    };
                    self.answer(serial, frame);
                }
                Answer::Later { due, frame } => {
                    self.network
                        .schedule(due, Delivery::AnswerIsDue { serial, frame });
                }
                Answer::Disconnect => return self.hang_up(serial),
                _ => {}
            }
        }
    }

    fn tampered(&mut self, broker: i32, frame: Bytes) -> Bytes {
        match self.network.path(broker).tamper.take() {
            Some(change) => {
                let mut bytes = frame.to_vec();
                change(&mut bytes);
                bytes.into()
            }
            None => frame,
        }
    }

    /// A broker sends an answer, or keeps it back.
    fn answer(&mut self, serial: u64, frame: Bytes) {
        let Some(inbox) = self.network.inboxes.get(&serial) else {
            return;
        };
        let (broker, connection) = (inbox.broker, inbox.connection);
        if self.network.path(broker).is_held {
            if let Some(link) = self.network.links.get_mut(&connection) {
                link.held.push(frame);
            }
        } else {
            self.network.send_answer(self.now, connection, frame);
        }
    }

    /// The broker closes a link.
    pub(crate) fn hang_up(&mut self, serial: u64) {
        let Some(inbox) = self.network.inboxes.get(&serial) else {
            return;
        };
        let (broker, connection) = (inbox.broker, inbox.connection);
        self.forget(serial);
        let path = self.network.path(broker);
        let is_silent = path.answers_left == Some(0);
        let at = self.now + path.latency;
        if let Some(link) = self.network.links.get(&connection).filter(|_| !is_silent) {
            let at = link.busy_from.max(at);
            self.network.schedule(at, Delivery::Closed { connection });
        }
    }

    /// The broker's end of a link is gone.
    pub(crate) fn forget(&mut self, serial: u64) {
        if let Some(inbox) = self.network.inboxes.remove(&serial) {
            self.model.closed(inbox.broker, serial);
        }
    }
}

fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Reply(frame) => format!("a request, answered in {} bytes", frame.len()),
        Answer::Later { due, .. } => format!("a request, to be answered at {due:?}"),
        other => format!("a request, {other:?}"),
    }
}
