//! A record as the application writes it down.

use std::{borrow::Cow, time::SystemTime};

use ottla_core as core;

use crate::clock::millis;
pub use ottla_core::Header;

/// One record to send, borrowed from the caller: ottla copies it once, into the batch that goes out.
///
/// A record without a key or a value has a null one, which is distinct from an empty one.
///
/// ```
/// # use ottla::Record;
/// let record = Record::to("payments").key("customer-7").value(b"42.00 EUR").header("trace", Some(b"a1"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a record does nothing until it is sent"]
pub struct Record<'a> {
    pub(crate) topic: TopicRef<'a>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Cow<'a, [Header<'a>]>,
}

/// A topic by handle, from [`Producer::topic`](crate::Producer::topic): saves looking the name up for every
/// record. Good for the producer that gave it and its clones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    pub(crate) id: core::Topic,
    /// The number of the producer in this process, so that another one's handle is refused.
    pub(crate) producer: u32,
}

/// A topic as a record names it: a `&str`, or a [`Topic`] handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef<'a> {
    /// By name.
    Name(&'a str),
    /// By handle.
    Handle(Topic),
}

/// CreateTime as Kafka keeps it: milliseconds since the Unix epoch. Made from an `i64`, or from a [`SystemTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl<'a> Record<'a> {
    /// A record for `topic`, a name or a [`Topic`] handle, with a null key, a null value and no headers.
    pub fn to(topic: impl Into<TopicRef<'a>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: Cow::Borrowed(&[]),
        }
    }

    /// Chooses the partition. Otherwise the key does, as with Java's producer, or without one the sticky partitioner.
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the key.
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    /// Sets the value.
    pub fn value(mut self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.value = Some(value.as_ref());
        self
    }

    /// Adds a header after those there are. Names may repeat; `None` is a null value.
    pub fn header<V: AsRef<[u8]> + ?Sized>(mut self, name: &'a str, value: Option<&'a V>) -> Self {
        self.headers.to_mut().push(Header {
            name,
            value: value.map(AsRef::as_ref),
        });
        self
    }

    /// Sets all headers at once, without the allocation that [`header`](Self::header) needs.
    pub fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = Cow::Borrowed(headers);
        self
    }

    /// Sets the time of the record. Without one it has the time at which it was sent. One before 1970 is refused when the
    /// record is sent ([`SendError::InvalidTimestamp`](crate::SendError::InvalidTimestamp)).
    pub fn timestamp(mut self, timestamp: impl Into<Timestamp>) -> Self {
        self.timestamp = Some(timestamp.into().0);
        self
    }

    /// The bytes of key, value and headers.
    pub(crate) fn size(&self) -> usize {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.iter().map(|h| h.name.len() + len(h.value));
        len(self.key) + len(self.value) + headers.sum::<usize>()
    }

    /// The core's form of it; `wall` is the time if it has none of its own.
    #[inline]
    pub(crate) fn resolved(&self, topic: core::Topic, wall: i64) -> core::Record<'_> {
        core::Record {
            topic,
            partition: self.partition,
            timestamp: self.timestamp.unwrap_or(wall),
            key: self.key,
            value: self.value,
            headers: &self.headers,
        }
    }
}

impl<'a> From<&'a str> for TopicRef<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl<'a> From<&'a String> for TopicRef<'a> {
    fn from(name: &'a String) -> Self {
        Self::Name(name)
    }
}

impl From<Topic> for TopicRef<'_> {
    fn from(topic: Topic) -> Self {
        Self::Handle(topic)
    }
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(millis(time))
    }
}

/// A copy of a record that has to wait for its turn.
#[derive(Debug)]
pub(crate) struct OwnedRecord {
    topic: core::Topic,
    partition: Option<i32>,
    timestamp: i64,
    key: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
    headers: Vec<OwnedHeader>,
}

type OwnedHeader = (Box<str>, Option<Box<[u8]>>);

impl OwnedRecord {
    pub(crate) fn copy(record: &core::Record<'_>) -> Self {
        let copy = |bytes: Option<&[u8]>| bytes.map(Box::from);
        Self {
            topic: record.topic,
            partition: record.partition,
            timestamp: record.timestamp,
            key: copy(record.key),
            value: copy(record.value),
            headers: (record.headers.iter())
                .map(|h| (Box::from(h.name), copy(h.value)))
                .collect(),
        }
    }

    /// Lends the record in the core's form.
    pub(crate) fn lend<T>(&self, to: impl FnOnce(&core::Record<'_>) -> T) -> T {
        let headers: Vec<_> = (self.headers.iter())
            .map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            })
            .collect();
        to(&core::Record {
            topic: self.topic,
            partition: self.partition,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
        })
    }
}
