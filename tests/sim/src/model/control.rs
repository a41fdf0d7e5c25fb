//! The control surface: what a test does to the cluster behind the producer's back.

use std::sync::Arc;
use std::time::Duration;

use super::topics::{Partition, Topic};
use super::{Fault, Model, On};

/// Settings for the whole cluster.
impl Model {
    /// Partitions of topics that are created on demand; 1 by default (Kafka's `num.partitions`).
    pub fn set_default_partitions(&mut self, partitions: i32) {
        self.settings.partitions = partitions.max(1);
    }

    /// Replicas of topics created from now on, at most one per broker; 3 by default.
    pub fn set_replication(&mut self, replicas: usize) {
        self.settings.replication = replicas.max(1);
    }

    /// Replicas that must be in sync for `acks=all`; 1 by default (Kafka's `min.insync.replicas`).
    pub fn set_min_insync_replicas(&mut self, replicas: usize) {
        self.settings.min_insync_replicas = replicas;
    }

    /// Whether Metadata requests create topics; they do by default (Kafka's `auto.create.topics.enable`).
    pub fn set_auto_create(&mut self, on: bool) {
        self.settings.auto_create = on;
    }

    /// The largest batch, for all topics there are and will be; 1,048,588 by default (Kafka's `message.max.bytes`).
    pub fn set_max_message_bytes(&mut self, bytes: usize) {
        self.settings.max_message_bytes = bytes;
        self.topics
            .iter_mut()
            .for_each(|topic| topic.max_message_bytes = bytes);
    }

    /// The throttle time in every answer that has the field; zero by default.
    pub fn set_throttle(&mut self, time: Duration) {
        self.settings.throttle = time;
    }

    /// Watches that clients obey the throttle times they are told (KIP-219): a request that comes on a throttled connection
    /// is a violation ("I13: ...") if it comes later than `grace` after the answer was sent, and before the throttle time
    /// after that is over. `None`, the default, watches nothing.
    ///
    /// The model sees when answers leave and requests arrive, not the client's end: the grace must be the longest time that
    /// an answer and a request can be on their way together, slow writing and stalls included, so that no client is
    /// blamed that had not read the answer.
    pub fn set_throttle_grace(&mut self, grace: Option<Duration>) {
        self.settings.throttle_grace = grace;
    }

    /// Whether a broker goes on answering on a connection whose client it has told to be silent. By default it does not, as
    /// since KIP-219: it looks at what was on its way when the throttle time is over.
    pub fn set_listens_while_throttling(&mut self, on: bool) {
        self.settings.listens_while_throttling = on;
    }

    /// Whether Produce is answered under acks=0 too, against the protocol, as Tansu's broker does.
    pub fn set_answers_unacknowledged(&mut self, on: bool) {
        self.settings.answers_unacknowledged = on;
    }

    /// Whether NOT_LEADER_OR_FOLLOWER names the leader and its address (KIP-951, Produce 10 and newer); it does by default.
    pub fn set_leader_hints(&mut self, on: bool) {
        self.settings.leader_hints = on;
    }

    /// Whether brokers serve, and name, only what producers ask for, and Fetch and ListOffsets: no groups, and nothing that
    /// administrators ask; off by default.
    pub fn set_serves_producers_alone(&mut self, on: bool) {
        self.settings.serves_producers_alone = on;
    }

    /// Brokers find a duplicate among so many of a producer's newest batches (5) only, as if others of the same producer
    /// had come since.
    pub fn set_remembered_batches(&mut self, batches: usize) {
        self.settings.producer_rules.remembered = batches;
    }

    /// Whether a duplicate from before the last five batches is DUPLICATE_SEQUENCE_NUMBER, as brokers before Kafka 1.1
    /// answer, and not OUT_OF_ORDER_SEQUENCE_NUMBER, as today's do; off by default.
    pub fn set_names_old_duplicates(&mut self, on: bool) {
        self.settings.producer_rules.names_old_duplicates = on;
    }

    /// Whether a producer without any record in the log left is unknown and has to begin at sequence 0, as with brokers
    /// before Kafka 2.5, which answer UNKNOWN_PRODUCER_ID otherwise, and OUT_OF_ORDER_SEQUENCE_NUMBER below version 5 of
    /// Produce; off by default.
    pub fn set_names_unknown_producers(&mut self, on: bool) {
        self.settings.producer_rules.names_unknown_producers = on;
    }

    /// What all logs may hold together before the oldest batches go; 1 GiB by default.
    pub fn set_retention_bytes(&mut self, bytes: u64) {
        self.retention.set_limit(bytes);
        self.enforce_retention();
    }

    /// What the clock on the wall shows, as time since 1970, when the time since the start is zero.
    pub fn set_wall_clock_at_start(&mut self, time: Duration) {
        self.settings.wall_clock_at_start = time;
    }

    /// How many milliseconds a record's time may be ahead of the broker's (`message.timestamp.after.max.ms`, 1 h).
    pub fn set_timestamp_lead(&mut self, millis: i64) {
        self.settings.timestamp_lead = millis;
    }

    /// The producer id and epoch that the next InitProducerId hands out; later ones count up from there with epoch 0.
    pub fn set_next_producer(&mut self, id: i64, epoch: i16) {
        self.ids.next_producer = id;
        self.ids.next_epoch = epoch;
    }

    /// Plans a fault for the next matching request that no fault waits for yet.
    pub fn inject(&mut self, on: On, fault: Fault) {
        self.faults.plan(on, fault);
    }

    /// Drops all planned faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }
}

/// Topics and partitions. These methods panic if there is no such topic or partition, unless they say otherwise.
impl Model {
    /// Leaves a topic out of metadata, or shows it again; Produce goes on meanwhile.
    pub fn hide_topic(&mut self, topic: &str, hidden: bool) {
        self.topic_mut(topic).hidden = hidden;
    }

    /// The largest batch of one topic (Kafka's `max.message.bytes`).
    pub fn set_topic_max_message_bytes(&mut self, topic: &str, bytes: usize) {
        self.topic_mut(topic).max_message_bytes = bytes;
    }

    /// Whether records get the broker's time in place of their own (Kafka's `message.timestamp.type`).
    pub fn set_log_append_time(&mut self, topic: &str, on: bool) {
        self.topic_mut(topic).log_append_time = on;
    }

    /// Whether records without a key are refused one by one (Kafka's `cleanup.policy=compact`); nothing is compacted.
    pub fn set_compacted(&mut self, topic: &str, on: bool) {
        self.topic_mut(topic).compacted = on;
    }

    pub(crate) fn topic(&self, name: &str) -> &Topic {
        self.topics
            .get(name)
            .expect("the cluster has a topic of this name")
    }

    /// Every partition of every topic.
    pub(crate) fn all_partitions(&self) -> Vec<(Arc<str>, i32)> {
        let of_topic = |topic: &Topic| {
            let name = topic.name.clone();
            let indices = (0i32..).zip(&topic.partitions);
            indices
                .map(move |(index, _)| (name.clone(), index))
                .collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of_topic).collect()
    }

    pub(crate) fn topic_mut(&mut self, name: &str) -> &mut Topic {
        self.topics
            .get_mut(name)
            .expect("the cluster has a topic of this name")
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> &Partition {
        self.topic(topic)
            .partition(partition)
            .expect("the topic has a partition of this number")
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut Partition {
        self.topic_mut(topic)
            .partition_mut(partition)
            .expect("the topic has a partition of this number")
    }
}
