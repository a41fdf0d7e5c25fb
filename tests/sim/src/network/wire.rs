//! One connection: what its two ends see, and what is on its way between them.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::framer::Framer;
use super::machine::Dialling;
use super::{Arrival, Network, Tamper, socket};
use crate::Chance;
use crate::world::Fact;

/// A connection, from the dial until both ends are gone.
pub(crate) struct Wire {
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    /// The broker that answers on it; 0 before it is up.
    pub(crate) broker: i32,
    dial: Option<socket::Pending<u64>>,
    end: Option<End>,
    /// The producer's end is closed by itself.
    left: bool,
    /// The broker's end is closed.
    hung_up: bool,
    /// What was written and has not arrived.
    buffered: usize,
    busy_to: Duration,
    busy_from: Duration,
    /// A hole in the stream: nothing comes through any more.
    deaf: bool,
    mute: bool,
    /// An answer was changed.
    tampered: bool,
    /// An answer that the next one overtakes.
    overtaken: Option<Bytes>,
    pub(crate) inbox: BytesMut,
    arrived: VecDeque<Bytes>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    requests: Framer,
    answers: Framer,
    /// The Produce requests among those that are written and not answered, as the producer sees it.
    unanswered: VecDeque<i16>,
    /// The socket has taken a part of a request only, and that is known.
    choked: bool,
    /// When the producer last wrote, and last read.
    wrote: Duration,
    read: Duration,
}

/// How a connection ended for the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Closed,
    Reset,
    Refused,
}

impl Wire {
    pub(crate) fn is_open(&self) -> bool {
        self.end.is_none() && !self.left
    }
}

/// The producer's end.
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

    /// The producer lets go of a connection, whatever its state.
    pub(crate) fn leave(&mut self, serial: u64) {
        let Some(wire) = self.wires.get_mut(&serial) else {
            return;
        };
        wire.left = true;
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
        self.hang_up_later(serial);
        self.forget_dead(serial);
    }

    fn hang_up_later(&mut self, serial: u64) {
        let wire = &self.wires[&serial];
        let latency = self
            .machines
            .get(&wire.address)
            .map_or(Duration::ZERO, |m| m.one_way());
        if !wire.deaf {
            let at = wire.busy_to.max(self.now + latency);
            self.schedule(at, Arrival::Hangup { wire: serial });
        }
    }
}

/// The broker's end.
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
        let length = usize::try_from(i32::from_be_bytes(*head)).map_err(|_| ())?;
        if length > MOST_OF_A_REQUEST {
            return Err(());
        }
        if wire.inbox.len() < 4 + length {
            return Ok(None);
        }
        let mut frame = wire.inbox.split_to(4 + length);
        Ok(Some(frame.split_off(4).freeze()))
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
        while !rest.is_empty() {
            let piece = rest.split_to(size.min(rest.len()));
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
        if let Some(wire) = self.wires.get_mut(&serial).filter(|wire| wire.is_open()) {
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

    fn forget_dead(&mut self, serial: u64) {
        if self
            .wires
            .get(&serial)
            .is_some_and(|wire| wire.left && wire.hung_up)
        {
            self.wires.remove(&serial);
        }
    }
}

/// The key of Metadata.
const METADATA: i16 = 3;

/// The longest request that a broker takes (`socket.request.max.bytes` is 100 MiB).
const MOST_OF_A_REQUEST: usize = 100 << 20;

impl Wire {
    fn new(address: Ipv4Addr, port: u16, dial: socket::Pending<u64>, now: Duration) -> Wire {
        Wire {
            address,
            port,
            broker: 0,
            dial: Some(dial),
            end: None,
            left: false,
            hung_up: false,
            buffered: 0,
            busy_to: Duration::ZERO,
            busy_from: Duration::ZERO,
            deaf: false,
            mute: false,
            tampered: false,
            overtaken: None,
            inbox: BytesMut::new(),
            arrived: VecDeque::new(),
            reader: None,
            writer: None,
            requests: Framer::default(),
            answers: Framer::default(),
            unanswered: VecDeque::new(),
            choked: false,
            wrote: now,
            read: now,
        }
    }
}

impl End {
    fn kind(self) -> io::ErrorKind {
        match self {
            End::Closed => io::ErrorKind::BrokenPipe,
            End::Reset => io::ErrorKind::ConnectionReset,
            End::Refused => io::ErrorKind::ConnectionRefused,
        }
    }
}

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
