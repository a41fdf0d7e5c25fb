//! The broker's end of a wire.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::End;
use crate::network::{Arrival, Dialling, Network, Tamper};
use crate::world::Fact;

impl Network {
    /// A dial has come to its end: the connection is up, if `broker` answers there.
    pub(crate) fn dialled(&mut self, serial: u64, broker: Option<i32>) {
        let Some(wire) = self.wires.get_mut(&serial) else {
            return;
        };
        let dialling = self
            .machines
            .get(&wire.address)
            .map(|machine| machine.dialling);
        let Some(dial) = wire.dial.take() else {
            return;
        };
        match (dialling, broker) {
            (Some(Dialling::Accepted), Some(broker)) => {
                wire.broker = broker;
                self.facts.push(Fact::Up {
                    wire: serial,
                    broker,
                });
                dial.end(Ok(serial));
            }
            (Some(Dialling::Closed), _) => {
                dial.end(Ok(serial));
                wire.hung_up = true;
                let at = self.now;
                self.schedule(
                    at,
                    Arrival::Ended {
                        wire: serial,
                        end: End::Closed,
                    },
                );
            }
            // Whoever dials while the path is being lost hears nothing.
            (Some(Dialling::Lost), _) => wire.dial = Some(dial),
            _ => {
                wire.end = Some(End::Refused);
                self.facts.push(Fact::Refused);
                dial.end(Err(io::ErrorKind::ConnectionRefused.into()));
            }
        }
    }

    /// Bytes have arrived at the broker's end; false if nobody is there any more.
    pub(crate) fn at_broker(&mut self, serial: u64, bytes: &[u8]) -> bool {
        let Some(wire) = self.wires.get_mut(&serial) else {
            return false;
        };
        wire.buffered -= bytes.len();
        if let Some(writer) = wire.writer.take() {
            writer.wake();
        }
        if wire.hung_up {
            return false;
        }
        wire.inbox.extend_from_slice(bytes);
        true
    }

    /// Takes a whole request out of what has arrived, without its length; `Err` if what came can't be one.
    pub(crate) fn take_request(&mut self, serial: u64) -> Result<Option<Bytes>, ()> {
        let Some(wire) = self.wires.get_mut(&serial).filter(|wire| !wire.hung_up) else {
            return Ok(None);
        };
        let Some(head) = wire.inbox.first_chunk() else {
            return Ok(None);
        };
        if wire.reads_from > self.now {
            return Ok(None);
        }
        let length = usize::try_from(i32::from_be_bytes(*head)).map_err(|_| ())?;
        if length > MOST_OF_A_REQUEST {
            return Err(());
        }
        if wire.inbox.len() < 4 + length {
            return Ok(None);
        }
        let mut frame = wire.inbox.split_to(4 + length);
        let pause = self.machines.get(&wire.address).map(|m| m.read_pause);
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            wire.reads_from = self.now + pause;
            let at = wire.reads_from;
            self.schedule(at, Arrival::ReadsOn { wire: serial });
        }
        Ok(Some(frame.split_off(4).freeze()))
    }

    /// The producer has written its last byte, and that has arrived.
    pub(crate) fn input_ends(&mut self, serial: u64) {
        if let Some(wire) = self.wires.get_mut(&serial) {
            wire.input_ended = true;
        }
    }

    /// The broker has read all that will ever come, and whether the producer still listens; `None` before that.
    pub(crate) fn is_read_to_its_end(&self, serial: u64) -> Option<bool> {
        let wire = self.wires.get(&serial)?;
        let is_read = wire.input_ended && !wire.hung_up && wire.reads_from <= self.now;
        is_read.then_some(!wire.left)
    }

    /// The broker sends an answer; `tampered` if something may happen to it on the way.
    pub(crate) fn answer(&mut self, serial: u64, frame: Bytes, tampered: bool) {
        let Some(wire) = self.wires.get_mut(&serial).filter(|wire| !wire.hung_up) else {
            return;
        };
        let machine = self
            .machines
            .get_mut(&wire.address)
            .expect("its machine is there");
        wire.mute |= machine.loses_answers;
        if wire.mute {
            return;
        }
        if tampered && wire.overtaken.is_none() && std::mem::take(&mut machine.swaps) {
            wire.overtaken = Some(frame);
            return;
        }
        let frame = match wire.overtaken.take() {
            Some(overtaken) => Bytes::from([frame, overtaken].concat()),
            None => frame,
        };
        let tamper = machine.tampers.pop_front_if(|_| tampered);
        let bytes = tamper.map_or_else(|| frame.clone(), |t| t.apply(&frame, &mut self.chance));
        let (size, pause) = machine.drip.unwrap_or((usize::MAX, Duration::ZERO));
        let jitter = self.chance.duration(Duration::ZERO..machine.jitter);
        let mut at = wire.busy_from.max(self.now + machine.one_way() + jitter);
        let mut rest = bytes;
        let mut pieces = Vec::new();
        let mut most = size.min(machine.first_piece);
        while !rest.is_empty() {
            let piece = rest.split_to(most.min(rest.len()));
            most = size;
            at += machine.time_for(piece.len());
            pieces.push((at, piece));
            at += pause;
        }
        wire.busy_from = at;
        wire.mute |= tamper == Some(Tamper::Stop);
        wire.tampered |= tamper.is_some();
        for (at, bytes) in pieces {
            self.schedule(
                at,
                Arrival::AtProducer {
                    wire: serial,
                    bytes,
                },
            );
        }
        if let Some(tamper) = tamper {
            self.facts.push(Fact::Tampered {
                wire: serial,
                tamper,
            });
        }
        if tamper == Some(Tamper::Cut) {
            self.hang_up(serial);
        }
    }

    /// The connections on which an answer was changed.
    pub(crate) fn tampered(&self) -> Vec<u64> {
        let tampered = self.wires.iter().filter(|(_, wire)| wire.tampered);
        tampered.map(|(&serial, _)| serial).collect()
    }

    /// The broker closes a connection.
    pub(crate) fn hang_up(&mut self, serial: u64) {
        let Some(wire) = self.wires.get_mut(&serial).filter(|wire| !wire.hung_up) else {
            return;
        };
        wire.hung_up = true;
        wire.inbox.clear();
        let latency = self
            .machines
            .get(&wire.address)
            .map_or(Duration::ZERO, |m| m.one_way());
        if !wire.mute {
            let at = wire.busy_from.max(self.now + latency);
            self.schedule(
                at,
                Arrival::Ended {
                    wire: serial,
                    end: End::Closed,
                },
            );
        }
    }

    /// The broker's end learns that the producer's is gone.
    pub(crate) fn hung_up(&mut self, serial: u64) {
        if let Some(wire) = self.wires.get_mut(&serial) {
            wire.hung_up = true;
            wire.inbox.clear();
            self.forget_dead(serial);
        }
    }

    /// Bytes have arrived at the producer's end.
    pub(crate) fn at_producer(&mut self, serial: u64, bytes: Bytes) {
        let wire = self.wires.get_mut(&serial);
        if wire.as_ref().is_some_and(|wire| wire.left && !wire.hung_up) {
            return self.reset_later(serial);
        }
        if let Some(wire) = wire.filter(|wire| wire.is_open()) {
            wire.arrived.push_back(bytes);
            if let Some(reader) = wire.reader.take() {
                reader.wake();
            }
        }
    }

    /// The producer's end learns that the connection is over.
    pub(crate) fn end(&mut self, serial: u64, end: End) {
        let Some(wire) = self.wires.get_mut(&serial).filter(|wire| wire.is_open()) else {
            return;
        };
        wire.end = Some(end);
        if let Some(dial) = wire.dial.take() {
            dial.end(Err(end.kind().into()));
        }
        for waker in [wire.reader.take(), wire.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }

    /// Breaks a connection: both ends learn it at once, and what is on its way is lost.
    pub(crate) fn reset(&mut self, serial: u64) {
        let lost = |arrival: &Arrival| match arrival {
            Arrival::AtBroker { wire, .. } | Arrival::AtProducer { wire, .. } => *wire == serial,
            _ => false,
        };
        self.agenda.retain(|_, arrival| !lost(arrival));
        if let Some(wire) = self.wires.get_mut(&serial) {
            wire.hung_up = true;
            wire.inbox.clear();
        }
        self.end(serial, End::Reset);
    }
}

/// The longest request that a broker takes (`socket.request.max.bytes` is 100 MiB).
const MOST_OF_A_REQUEST: usize = 100 << 20;
