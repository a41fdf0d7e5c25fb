//! The control surface: what a test does to the cluster behind the producer's back.

use std::sync::Arc;
use std::time::Duration;

use super::topics::{Partition, Topic, is_valid_name};
use super::versions::Api;
use super::{Broker, Fault, Model, On};

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

    /// Replicas that must be up for `acks=all`; 1 by default (Kafka's `min.insync.replicas`).
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

    /// The throttle time in every answer that has the field; zero by default. The model names it and does not enforce it.
    pub fn set_throttle(&mut self, time: Duration) {
        self.settings.throttle = time;
    }

    /// Whether NOT_LEADER_OR_FOLLOWER names the leader and its address (KIP-951, Produce 10 and newer); it does by default.
    pub fn set_leader_hints(&mut self, on: bool) {
        self.settings.leader_hints = on;
    }

    /// Whether a duplicate from before the last five batches is DUPLICATE_SEQUENCE_NUMBER, as brokers before Kafka 1.1
    /// answer, and not OUT_OF_ORDER_SEQUENCE_NUMBER, as today's do; off by default.
    pub fn set_names_old_duplicates(&mut self, on: bool) {
        self.settings.names_old_duplicates = on;
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

/// Brokers. These methods panic if the cluster has no broker with the id.
impl Model {
    /// Where clients find a broker.
    pub fn set_address(&mut self, broker: i32, host: &str, port: u16) {
        let broker = self.broker_mut(broker);
        host.clone_into(&mut broker.host);
        broker.port = port;
    }

    /// Offers this range of versions of an API, or takes the API off the broker's table. Versions that the model does not
    /// know may be offered; requests in them close the connection.
    pub fn set_versions(&mut self, broker: i32, api: Api, range: Option<(i16, i16)>) {
        self.broker_mut(broker).versions.set(api, range);
    }

    /// Takes a broker down: its requests are refused, and each partition it led goes to the next replica that is up, in a new
    /// leader epoch and with nothing lost, or has no leader.
    pub fn stop_broker(&mut self, broker: i32) {
        self.broker_mut(broker).up = false;
        self.elect_where(|leader| leader == Some(broker));
    }

    /// Brings a broker up again: it leads what has no leader and is replicated to it, and nothing else yet.
    pub fn start_broker(&mut self, broker: i32) {
        self.broker_mut(broker).up = true;
        self.elect_where(|leader| leader.is_none());
    }

    /// Elects the first live replica of every partition whose leader meets the condition.
    fn elect_where(&mut self, condition: impl Fn(Option<i32>) -> bool) {
        let brokers = &self.brokers;
        let up = |id: &&i32| brokers.get(id).is_some_and(|broker| broker.up);
        for partition in self
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
        {
            let next = partition.replicas.iter().find(up).copied();
            if condition(partition.leader) && next != partition.leader {
                partition.elect(next);
            }
        }
    }

    fn broker_mut(&mut self, id: i32) -> &mut Broker {
        self.brokers
            .get_mut(&id)
            .expect("the cluster has a broker with this id")
    }
}

/// Topics and partitions. These methods panic if there is no such topic or partition, unless they say otherwise.
impl Model {
    /// Creates a topic, with partition P led by broker P modulo the number of brokers; does nothing if it exists.
    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        assert!(is_valid_name(name), "{name:?} is no valid name for a topic");
        if self.topics.get(name).is_some() {
            return;
        }
        let topic = Topic {
            id: self.ids.topic(),
            name: Arc::from(name),
            hidden: false,
            compacted: false,
            log_append_time: false,
            max_message_bytes: self.settings.max_message_bytes,
            partitions: Vec::new(),
        };
        self.topics.insert(topic);
        self.add_partitions(name, partitions);
    }

    /// Deletes a topic with its records and producer state; does nothing if there is none. A topic created anew under the
    /// name has another id.
    pub fn delete_topic(&mut self, name: &str) {
        if let Some(topic) = self.topics.remove(name) {
            let held = topic
                .partitions
                .iter()
                .map(|partition| partition.log.size())
                .sum();
            self.released(held);
        }
    }

    /// Adds partitions behind those there are.
    pub fn add_partitions(&mut self, topic: &str, more: i32) {
        let first = self.topic(topic).partitions.len();
        let fresh: Vec<Partition> = (first..)
            .zip(0..more)
            .map(|(index, _)| self.place(index))
            .collect();
        self.topic_mut(topic).partitions.extend(fresh);
    }

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

    /// Moves a partition to another leader, which has all records and knows all producers.
    pub fn move_leader(&mut self, topic: &str, partition: i32, to: i32) {
        assert!(self.is_up(to), "broker {to} is not up and can't lead");
        self.partition_mut(topic, partition).elect(Some(to));
    }

    /// Moves a partition to a leader that never got the last `batches` batches, as an unclean election does. The new leader
    /// knows of the producers what the rest of the log says; [`forget_producers`](Model::forget_producers) makes it forget
    /// that too.
    pub fn move_leader_losing(&mut self, topic: &str, partition: i32, to: i32, batches: usize) {
        let offset = self
            .partition(topic, partition)
            .log
            .offset_before_last(batches);
        self.truncate(topic, partition, offset);
        self.move_leader(topic, partition, to);
    }

    /// Takes a partition's leader away; the next [`move_leader`](Model::move_leader) or
    /// [`start_broker`](Model::start_broker) gives it one.
    pub fn remove_leader(&mut self, topic: &str, partition: i32) {
        self.partition_mut(topic, partition).elect(None);
    }

    /// Forgets all producers of a partition, as a broker does after `producer.id.expiration.ms`.
    pub fn forget_producers(&mut self, topic: &str, partition: i32) {
        self.partition_mut(topic, partition).producers.clear();
    }

    /// Makes a partition believe that another instance wrote with this producer id and epoch.
    pub fn fence_producer(&mut self, topic: &str, partition: i32, producer_id: i64, epoch: i16) {
        self.partition_mut(topic, partition)
            .producers
            .fence(producer_id, epoch);
    }

    /// Cuts the log before `offset`, or before the batch that holds it; the producer state follows.
    pub fn truncate(&mut self, topic: &str, partition: i32, offset: i64) {
        let freed = self.partition_mut(topic, partition).truncate(offset);
        self.released(freed);
    }

    /// Moves the start of the log up to `offset`, as retention and DeleteRecords do; the producer state stays.
    pub fn delete_records(&mut self, topic: &str, partition: i32, before_offset: i64) {
        let freed = self
            .partition_mut(topic, partition)
            .log
            .delete_before(before_offset);
        self.released(freed);
    }

    /// A fresh partition, its replicas on consecutive brokers.
    fn place(&self, index: usize) -> Partition {
        let brokers: Vec<i32> = self.brokers.keys().copied().collect();
        let count = self.settings.replication.min(brokers.len());
        let replicas: Vec<i32> = brokers
            .iter()
            .cycle()
            .skip(index % brokers.len().max(1))
            .take(count)
            .copied()
            .collect();
        let leader = replicas.iter().copied().find(|&id| self.is_up(id));
        Partition::new(replicas, leader)
    }

    pub(crate) fn topic(&self, name: &str) -> &Topic {
        self.topics
            .get(name)
            .expect("the cluster has a topic of this name")
    }

    fn topic_mut(&mut self, name: &str) -> &mut Topic {
        self.topics
            .get_mut(name)
            .expect("the cluster has a topic of this name")
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> &Partition {
        self.topic(topic)
            .partition(partition)
            .expect("the topic has a partition of this number")
    }

    fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut Partition {
        self.topic_mut(topic)
            .partition_mut(partition)
            .expect("the topic has a partition of this number")
    }
}
