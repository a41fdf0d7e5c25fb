//! One connection: what its two ends see, and what is on its way between them.

mod far;
mod near;

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::task::Waker;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::framer::Framer;
use super::{Network, socket};

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
    /// The producer writes no more.
    is_shut: bool,
    /// The broker's end has all that the producer ever wrote.
    input_ended: bool,
    /// The broker's end is closed.
    hung_up: bool,
    /// The broker reads no request before this.
    reads_from: Duration,
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

impl Network {
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

impl Wire {
    fn new(address: Ipv4Addr, port: u16, dial: socket::Pending<u64>, now: Duration) -> Wire {
        Wire {
            address,
            port,
            broker: 0,
            dial: Some(dial),
            end: None,
            left: false,
            is_shut: false,
            input_ended: false,
            hung_up: false,
            reads_from: Duration::ZERO,
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
