//! What a test reads off the cluster: logs, leaders, counters, the journal and broken rules.

use std::time::Duration;

use bytes::Bytes;

use super::codec;
use super::described::Described;
use super::log::Stored;
use super::records::Records;
use super::topics::Partition;
use super::versions::Api;
use super::{Model, Produced};

/// A record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// Its place in the log.
    pub offset: i64,
    /// The producer's time, or the broker's if the topic asks for that, in milliseconds since 1970.
    pub timestamp: i64,
    /// The key; null is `None`.
    pub key: Option<Bytes>,
    /// The value; null is `None`.
    pub value: Option<Bytes>,
    /// Names and values in their order, repeated names included.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub epoch: i16,
    /// The record's own sequence; -1 without idempotence.
    pub sequence: i32,
    /// The number of the codec that it stands under; 0 for none.
    pub codec: i16,
}

impl Model {
    /// The records of a partition's leader in the order of their offsets; empty if there is no such partition.
    pub fn log(&self, topic: &str, partition: i32) -> impl Iterator<Item = LogRecord> {
        let topic = self.topics.get(topic);
        records(topic.and_then(|topic| topic.partition(partition)))
    }

    /// The offset before which all replicas in sync have everything; 0 if there is no such partition.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> i64 {
        self.topics
            .get(topic)
            .and_then(|topic| topic.partition(partition))
            .map_or(0, Partition::high_watermark)
    }

    /// The offset that the next record of a partition gets; 0 if there is no such partition.
    pub fn log_end(&self, topic: &str, partition: i32) -> i64 {
        self.topics
            .get(topic)
            .and_then(|topic| topic.partition(partition))
            .map_or(0, |found| found.log.end())
    }

    /// The first offset of a partition that is still there.
    pub fn log_start(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition).log.start()
    }

    /// The broker that leads a partition; `None` without a leader or without such a partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.topics.get(topic)?.partition(partition)?.leader
    }

    /// The cluster says that there is no such topic, or there is none.
    pub(crate) fn is_hidden(&self, topic: &str) -> bool {
        self.topics.get(topic).is_none_or(|topic| topic.hidden)
    }

    /// The epoch of the partition's leader, which counts its elections.
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> i32 {
        self.partition(topic, partition).leader_epoch
    }

    /// The topic's id as it goes over the wire; `None` if there is no such topic.
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        Some(self.topics.get(topic)?.id.into_bytes())
    }

    /// The names of all topics, hidden ones included.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| &*topic.name)
    }

    /// How many partitions a topic has; 0 if there is no such topic.
    pub fn partitions(&self, topic: &str) -> i32 {
        let count = self
            .topics
            .get(topic)
            .map_or(0, |topic| topic.partitions.len());
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    /// The ids of all brokers, those that are down included.
    pub fn brokers(&self) -> impl Iterator<Item = i32> {
        self.brokers.keys().copied()
    }

    /// Where clients find a broker. Panics if there is none with this id.
    pub fn address(&self, broker: i32) -> (&str, u16) {
        let broker = self.broker(broker);
        (&broker.host, broker.port)
    }

    /// [`address`](Self::address) as one text, an IPv6 host in brackets.
    pub(crate) fn host_and_port(&self, broker: i32) -> String {
        match self.address(broker) {
            (host, port) if host.contains(':') => format!("[{host}]:{port}"),
            (host, port) => format!("{host}:{port}"),
        }
    }

    /// Whether a broker is there and takes requests.
    pub fn is_up(&self, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| broker.up)
    }

    /// From when to when a broker has told the client of a connection to be silent.
    pub(crate) fn throttled(&self, broker: i32, connection: u64) -> Option<(Duration, Duration)> {
        self.links.muted(broker, connection)
    }

    /// How many requests of an API have come in, those refused or lost to a fault included.
    pub fn requests(&self, api: Api) -> u64 {
        self.journal.requests.get(&api).copied().unwrap_or(0)
    }

    /// The last 65,536 batches that reached a broker, in order.
    pub fn produce_journal(
        &self,
    ) -> impl DoubleEndedIterator<Item = &Produced> + ExactSizeIterator {
        self.journal.produced.iter()
    }

    /// The batches that reached a broker after the first `seen` ones, as far as they are kept.
    pub fn produced_since(&self, seen: u64) -> impl ExactSizeIterator<Item = &Produced> {
        let fresh = usize::try_from(self.journal.noted - seen).unwrap_or(usize::MAX);
        let kept = self.journal.produced.len();
        self.journal.produced.range(kept.saturating_sub(fresh)..)
    }

    /// The last answer to Metadata, once.
    pub(crate) fn take_described(&mut self) -> Option<Described> {
        self.journal.described.take()
    }

    /// How long a broker asks its clients to be silent after each answer.
    pub(crate) fn throttle_of(&self, broker: i32) -> Duration {
        let own = self.brokers.get(&broker).and_then(|broker| broker.throttle);
        own.unwrap_or(self.settings.throttle)
    }

    /// Whether there is such a broker and it offers the version.
    pub(crate) fn offers(&self, broker: i32, api: Api, version: i16) -> bool {
        let broker = self.brokers.get(&broker);
        broker.is_some_and(|broker| broker.versions.serves(api, version))
    }

    /// Faults that still wait for their request.
    pub fn planned_faults(&self) -> usize {
        self.faults.len()
    }

    /// How often each kind of planned fault has struck, by its [name](super::Fault::name), in the order of the names.
    pub fn faults_struck(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.faults.struck()
    }

    /// Rules that a producer broke and that a real broker might not notice, each with the name of the rule in front; at most
    /// the first 1,024. One that repeats the last one is left out.
    ///
    /// - `I8:` a stamp (producer id, epoch, base sequence, partition of a topic id) came again on other bytes, and was not
    ///   answered with a code for "too large". The last 262,144 stamps are remembered.
    /// - `I13:` a request came on a throttled connection ([`set_throttle_grace`](Model::set_throttle_grace)).
    /// - `format:` offset deltas are not the records' indexes, the maximum timestamp is not the maximum, or there are bytes
    ///   behind a batch or a request.
    /// - `request:` a Produce request names a partition twice, or a stamped batch asks for less than acks=all.
    /// - `topic id:` a Produce request has a topic id that the cluster never handed out.
    /// - `malformed:` the bytes are no request of the version they say. A network that flips bits makes such requests too.
    pub fn violations(&self) -> &[String] {
        &self.journal.violations
    }

    /// The throttle time that answers name.
    pub fn throttle(&self) -> Duration {
        self.settings.throttle
    }
}

/// The records of a partition in the order of their offsets.
pub(crate) fn records(partition: Option<&Partition>) -> impl Iterator<Item = LogRecord> {
    let log = partition.map(|found| &found.log);
    let start = log.map_or(0, |log| log.start());
    let batches = log.into_iter().flat_map(|log| log.batches());
    batches
        .flat_map(decode)
        .filter(move |record| record.offset >= start)
}

/// The records of a batch.
pub(crate) fn decode(batch: &Stored) -> Vec<LogRecord> {
    let head = batch.head;
    let body = match head.codec() {
        0 => batch.body(),
        codec => match codec::open(codec, &batch.body()) {
            Some(opened) => opened.into_owned().into(),
            None => unreachable!("the records were opened when they came in"),
        },
    };
    let append_time = head.attributes & (1 << 3) != 0;
    let own = |bytes: &[u8]| body.slice_ref(bytes);
    let records = Records::new(&body)
        .map(|record| record.expect("the records were checked when they came in"));
    let decoded = records.zip(0i32..).map(|(record, index)| LogRecord {
        timestamp: match append_time {
            true => head.max_timestamp,
            false => head.base_timestamp.wrapping_add(record.timestamp_delta),
        },
        key: record.key.map(own),
        value: record.value.map(own),
        headers: record
            .headers()
            .map(|(name, value)| (own(name), value.map(own)))
            .collect(),
        ..LogRecord::bare(batch, index)
    });
    decoded.collect()
}

impl LogRecord {
    /// What the head of a batch says of its record with this index.
    fn bare(batch: &Stored, index: i32) -> LogRecord {
        let head = batch.head;
        LogRecord {
            offset: batch.base_offset + i64::from(index),
            timestamp: head.max_timestamp,
            key: None,
            value: None,
            headers: Vec::new(),
            producer_id: head.producer_id,
            epoch: head.producer_epoch,
            sequence: match head.is_idempotent() {
                true => head.base_sequence.wrapping_add(index) & i32::MAX,
                false => -1,
            },
            codec: head.codec(),
        }
    }
}
