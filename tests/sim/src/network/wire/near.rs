//! The producer's end of a wire.

use std::io;
use std::net::Ipv4Addr;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{End, Wire};
use crate::Chance;
use crate::network::{Arrival, Dialling, Network, socket};
use crate::world::Fact;

impl Network {
    /// Begins to dial; what comes of it goes to `dial`.
    pub(crate) fn dial(&mut self, address: Ipv4Addr, port: u16, dial: socket::Pending<u64>) -> u64 {
        self.serials += 1;
        let serial = self.serials;
        let machine = self.machines.get(&address);
        let round_trip = machine.map_or(Duration::from_millis(1), |m| 2 * m.one_way());
        let (wire, now) = (serial, self.now);
        self.facts.push(Fact::Dials { wire, address });
        self.wires
            .insert(serial, Wire::new(address, port, dial, now));
        if machine.is_none_or(|machine| machine.dialling != Dialling::Lost) {
            self.schedule(self.now + round_trip, Arrival::Dialled { wire: serial });
        }
        serial
    }

    pub(crate) fn write(
        &mut self,
        serial: u64,
        cx: &Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&serial) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let begins = !wire.requests.is_within();
        if let Some(end) = wire.end {
            if begins && is_produce(&gather(slices, 6)) {
                self.facts.push(Fact::Unwritten { wire: serial });
            }
            return Poll::Ready(Err(end.kind().into()));
        }
        let machine = self
            .machines
            .get_mut(&wire.address)
            .expect("its machine is there");
        let room = machine.room().saturating_sub(wire.buffered);
        if room == 0 {
            wire.writer = Some(cx.waker().clone());
            if wire.requests.is_within() && !std::mem::replace(&mut wire.choked, true) {
                let broker = wire.broker;
                self.facts.push(Fact::Choked {
                    wire: serial,
                    broker,
                });
            }
            return Poll::Pending;
        }
        let mut bytes = gather(slices, room);
        let cut = machine.cut.take_if(|_| begins && is_produce(&bytes));
        if let Some(permille) = cut {
            let whole = slices.iter().map(|slice| slice.len()).sum::<usize>();
            bytes.truncate(whole * permille / 1000);
        }
        if begins && is_produce(&bytes) && machine.flips && flip(&mut bytes, &mut self.chance) {
            machine.flips = false;
        }
        let written = bytes.len();
        let latency = machine.one_way() + self.chance.duration(Duration::ZERO..machine.jitter);
        wire.busy_to = wire.busy_to.max(now + latency) + machine.time_for(written);
        wire.buffered += written;
        let vanishes = machine.loses_requests && !wire.deaf;
        if vanishes && begins && wire.unanswered.is_empty() {
            let idle = now - wire.wrote.max(wire.read);
            self.facts.push(Fact::Vanishes { wire: serial, idle });
        }
        wire.wrote = now;
        wire.unanswered.extend(wire.requests.pass(&bytes));
        wire.choked &= wire.requests.is_within();
        wire.deaf |= machine.loses_requests;
        if !wire.deaf && written > 0 {
            let (at, bytes) = (wire.busy_to, bytes.into());
            self.schedule(
                at,
                Arrival::AtBroker {
                    wire: serial,
                    bytes,
                },
            );
        }
        if cut.is_some() {
            self.end(serial, End::Reset);
            self.hang_up_later(serial);
            if written == 0 {
                self.facts.push(Fact::Unwritten { wire: serial });
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
        Poll::Ready(Ok(written))
    }

    pub(crate) fn read(
        &mut self,
        serial: u64,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&serial) else {
            return Poll::Ready(Ok(0));
        };
        if wire.end == Some(End::Reset) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let Some(first) = wire.arrived.front_mut() else {
            return match wire.end {
                Some(_) => Poll::Ready(Ok(0)),
                None => {
                    wire.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        let piece = first.split_to(first.len().min(buffer.len()));
        if first.is_empty() {
            wire.arrived.pop_front();
        }
        buffer[..piece.len()].copy_from_slice(&piece);
        wire.read = now;
        for _ in wire.answers.pass(&piece) {
            if wire.unanswered.pop_front() == Some(0) {
                self.facts.push(Fact::Heard { wire: serial });
            }
        }
        Poll::Ready(Ok(piece.len()))
    }

    /// The producer writes no more, and reads on.
    pub(crate) fn shut_down(&mut self, serial: u64) {
        if let Some(wire) = self.wires.get_mut(&serial)
            && !std::mem::replace(&mut wire.is_shut, true)
        {
            self.facts.push(Fact::ShutDown { wire: serial });
            self.hang_up_later(serial);
        }
    }

    /// The producer lets go of a connection, whatever its state. One with unread input is reset.
    pub(crate) fn leave(&mut self, serial: u64) {
        let Some(wire) = self.wires.get_mut(&serial) else {
            return;
        };
        wire.left = true;
        let (was_shut, is_unread) = (wire.is_shut, !wire.arrived.is_empty());
        (wire.reader, wire.writer, wire.dial) = (None, None, None);
        let fact = Fact::Left {
            wire: serial,
            broker: wire.broker,
            unanswered: wire.unanswered.iter().filter(|&&key| key == 0).count(),
            metadata: wire.unanswered.contains(&METADATA),
            within: wire.requests.is_within(),
            within_answer: wire.answers.is_within(),
            ended: wire.end.is_some(),
            lost: wire.deaf || wire.mute,
            silent: self.now - wire.read,
        };
        self.facts.push(fact);
        if is_unread {
            self.reset_later(serial);
        } else if !was_shut {
            self.hang_up_later(serial);
        }
        self.forget_dead(serial);
    }

    fn hang_up_later(&mut self, serial: u64) {
        self.tell_broker(serial, Arrival::Hangup { wire: serial });
    }

    /// Bytes came that nobody reads any more: the broker loses what it has not read yet.
    pub(super) fn reset_later(&mut self, serial: u64) {
        self.tell_broker(serial, Arrival::Reset { wire: serial });
    }

    /// Something reaches the broker's end behind all that was written.
    fn tell_broker(&mut self, serial: u64, arrival: Arrival) {
        let wire = &self.wires[&serial];
        let latency = self
            .machines
            .get(&wire.address)
            .map_or(Duration::ZERO, |m| m.one_way());
        if !wire.deaf {
            let at = wire.busy_to.max(self.now + latency);
            self.schedule(at, arrival);
        }
    }
}

/// The key of Metadata.
const METADATA: i16 = 3;

/// The first bytes of a request are those of a Produce request.
fn is_produce(bytes: &[u8]) -> bool {
    bytes.get(4..6) == Some(&[0, 0])
}

fn gather(slices: &[io::IoSlice<'_>], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for slice in slices {
        let take = slice.len().min(most - bytes.len());
        bytes.extend_from_slice(&slice[..take]);
    }
    bytes
}

/// Flips a bit of the request in front, if all of it is there and ends with a batch: one near its end, where nothing but
/// records can be, which the batch's checksum covers.
fn flip(bytes: &mut [u8], chance: &mut Chance) -> bool {
    let Some(head) = bytes.first_chunk() else {
        return false;
    };
    let end = 4 + u32::from_be_bytes(*head) as usize;
    if end > bytes.len() || end < LEAST_WITH_A_BATCH {
        return false;
    }
    bytes[end - chance.within(4..12)] ^= 1 << chance.below(8);
    true
}

/// A Produce request that is shorter has no batch.
const LEAST_WITH_A_BATCH: usize = 90;
