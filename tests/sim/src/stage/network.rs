//! What is on its way, in the order of its arrival.
//!
//! The [world's network](crate::World) ends in sockets, as whole producers see it. This one ends at the core's surface: it
//! holds transmits, breaks them before their first byte or after their last, and lets a story hold back a single answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_core::{ConnectionId, LookupId, ResolveError, Work};

use super::link::{Link, Path};

/// What becomes of a dial to a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dial {
    /// The link comes up, if the broker is up.
    #[default]
    Accept,
    /// Nobody listens.
    Refuse,
    /// Nothing ever comes back.
    BlackHole,
}

/// What a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// These addresses. `127.0.0.1` with a broker's port leads to that broker, everything else nowhere.
    Found(Vec<SocketAddr>),
    /// An error.
    Failed(ResolveError),
    /// No answer ever.
    Silent,
}

/// Something that arrives somewhere.
#[derive(Debug)]
pub(crate) enum Delivery {
    Resolved {
        lookup: LookupId,
        host: Box<str>,
        port: u16,
    },
    Dialled {
        connection: ConnectionId,
    },
    /// Work on a batch is done.
    Worked(Work),
    /// The producer's socket takes more.
    Writable {
        connection: ConnectionId,
    },
    Request {
        serial: u64,
        bytes: Bytes,
    },
    /// The producer writes no more.
    Shutdown {
        serial: u64,
    },
    /// The producer's end is closed.
    Hangup {
        serial: u64,
    },
    /// The broker lets go of an answer that it delayed.
    AnswerIsDue {
        serial: u64,
        frame: Bytes,
    },
    Answer {
        connection: ConnectionId,
        bytes: Bytes,
    },
    /// The broker's end is closed.
    Closed {
        connection: ConnectionId,
    },
}

/// Links, paths, and all that is on its way between them.
#[derive(Default)]
pub(crate) struct Network {
    queue: BTreeMap<(Duration, u64), Delivery>,
    count: u64,
    serials: u64,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    /// What each broker has got of each link, and has not taken yet.
    pub(crate) inboxes: BTreeMap<u64, Inbox>,
    paths: BTreeMap<i32, Path>,
    pub(crate) lookups: BTreeMap<String, Lookup>,
}

/// The broker's end of a link.
pub(crate) struct Inbox {
    pub(crate) broker: i32,
    pub(crate) connection: ConnectionId,
    bytes: BytesMut,
}

impl Network {
    /// Has `delivery` arrive at `at`, behind everything else that arrives then.
    pub(crate) fn schedule(&mut self, at: Duration, delivery: Delivery) {
        self.queue.insert((at, self.count), delivery);
        self.count += 1;
    }

    /// When the next delivery arrives.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|(&(at, _), _)| at)
    }

    /// The next delivery that has arrived by `now`.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Delivery> {
        let entry = self
            .queue
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Nothing is on its way, and nothing is half written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty() && self.links.values().all(|link| link.transmit.is_none())
    }

    /// A new link to a broker.
    pub(crate) fn open(&mut self, connection: ConnectionId, broker: i32) {
        self.serials += 1;
        self.links
            .insert(connection, Link::new(broker, self.serials));
        let bytes = BytesMut::new();
        self.inboxes.insert(
            self.serials,
            Inbox {
                broker,
                connection,
                bytes,
            },
        );
    }

    /// The links to a broker.
    pub(crate) fn links_to(&self, broker: i32) -> Vec<ConnectionId> {
        self.links
            .iter()
            .filter(|(_, link)| link.broker == broker)
            .map(|(&id, _)| id)
            .collect()
    }

    pub(crate) fn path(&mut self, broker: i32) -> &mut Path {
        self.paths.entry(broker).or_default()
    }

    /// Sends bytes from the producer to the broker.
    pub(crate) fn send_request(&mut self, now: Duration, connection: ConnectionId, bytes: Vec<u8>) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let path = self.paths.entry(link.broker).or_default();
        link.is_deaf |= path.loses_requests;
        if link.is_deaf || bytes.is_empty() {
            return;
        }
        link.busy_to = link.busy_to.max(now + path.latency);
        let (at, serial) = (link.busy_to, link.serial);
        self.schedule(
            at,
            Delivery::Request {
                serial,
                bytes: bytes.into(),
            },
        );
    }

    /// Sends bytes from the broker to the producer, as the path lets them through.
    pub(crate) fn send_answer(
        &mut self,
        now: Duration,
        connection: ConnectionId,
        mut bytes: Bytes,
    ) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        if link.is_mute {
            return;
        }
        let path = self.paths.entry(link.broker).or_default();
        if let Some(left) = &mut path.answers_left {
            link.is_mute = *left < bytes.len();
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        let (size, pause) = path.pieces.unwrap_or((usize::MAX, Duration::ZERO));
        let mut at = link.busy_from.max(now + path.latency);
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            pieces.push((at, bytes.split_to(size.min(bytes.len()))));
            at += pause;
        }
        link.busy_from = at;
        for (at, bytes) in pieces {
            self.schedule(at, Delivery::Answer { connection, bytes });
        }
    }
}

impl Inbox {
    /// Takes bytes in; returns the requests that they complete, without their lengths.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Bytes> {
        self.bytes.extend_from_slice(bytes);
        let mut requests = Vec::new();
        while let Some(head) = self.bytes.first_chunk() {
            let len = usize::try_from(i32::from_be_bytes(*head))
                .expect("a request's length is not negative");
            if self.bytes.len() < 4 + len {
                break;
            }
            let mut frame = self.bytes.split_to(4 + len);
            requests.push(frame.split_off(4).freeze());
        }
        requests
    }
}
