//! What arrives at the producer's end of a link and at the broker's, and what the brokers do about it.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use ottla_core::{ConnectionId, Disconnect, ResolveError};

use super::network::{Delivery, Dial, Lookup};
use super::{Stage, instant};
use crate::Answer;

impl Stage {
    /// The broker at an address; 0, which no broker has, if there is none.
    pub(crate) fn broker_at(&self, address: SocketAddr) -> i32 {
        let is_there = |id: &i32| {
            address.ip() == Ipv4Addr::LOCALHOST && self.model.address(*id).1 == address.port()
        };
        self.model.brokers().find(is_there).unwrap_or(0)
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
            Delivery::Worked(mut work) => {
                if !self.leaves_work {
                    work.run();
                }
                self.core.handle_work(instant(self.now), work);
            }
            Delivery::Writable { connection } => self.write(connection),
            Delivery::Request { serial, bytes } => self.at_broker(serial, &bytes),
            Delivery::Shutdown { serial } => self.hang_up(serial),
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
                    let frame = self.tampered(broker, frame, is_produce);
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

    fn tampered(&mut self, broker: i32, frame: Bytes, is_produce: bool) -> Bytes {
        let path = self.network.path(broker);
        let of_produce = path.tamper.take_if(|_| is_produce);
        match of_produce.or_else(|| path.tamper_any.take()) {
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
        let link = self.network.links.get(&connection);
        if let Some(link) = link.filter(|link| !link.is_mute && !is_silent) {
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
