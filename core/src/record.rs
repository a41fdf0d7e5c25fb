//! A record as the application hands it in.

use crate::id::Topic;

/// One record to send, borrowed from the caller for the length of the call.
///
/// A null key or value (`None`) is distinct from an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The topic, by handle from [`ProducerCore::topic`](crate::ProducerCore::topic).
    pub topic: Topic,
    /// The partition, or `None` to let the key decide, or the sticky partitioner if there is no key.
    pub partition: Option<i32>,
    /// CreateTime: milliseconds since the Unix epoch, taken from a wall clock by the adapter. A negative one is refused.
    pub timestamp: i64,
    /// The key; its murmur2 hash chooses the partition, as Java's producer does.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers, in order; names may repeat.
    pub headers: &'a [Header<'a>],
}

/// A record header: a name and a value that may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, which is text in Kafka's protocol and may not be null.
    pub name: &'a str,
    /// The value; null is distinct from empty.
    pub value: Option<&'a [u8]>,
}
