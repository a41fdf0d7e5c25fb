//! Topics come, grow and go; what a topic held when it went stays readable by its id.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::groups::Groups;
use super::readout::{self, LogRecord};
use super::replicas::Replica;
use super::topics::{Partition, Topic, is_valid_name};
use super::{Ids, Model};

/// Topics that were deleted and are kept; the oldest go first.
const KEPT: usize = 1 << 10;

impl Model {
    /// Creates a topic, with partition P led by broker P modulo the number of brokers; does nothing if it exists.
    ///
    /// # Panics
    ///
    /// If Kafka would not take the name.
    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        self.create_topic_from(name, partitions, 0);
    }

    /// Deletes a topic with its producer state; does nothing if there is none. A topic created anew under the name has
    /// another id. The records stay readable by the old one ([`log_of`](Model::log_of)).
    pub fn delete_topic(&mut self, name: &str) {
        let Some(topic) = self.topics.remove(name) else {
            return;
        };
        self.groups.forget_topic(name);
        let batches = topic.partitions.iter().flat_map(|p| p.log.batches());
        self.released(batches);
        if self.buried.len() == KEPT {
            self.buried.pop_front();
        }
        self.buried.push_back(topic);
    }

    /// Deletes a topic and creates it anew at once: another id, empty logs, leader epochs from 0, Kafka's settings. With more
    /// partitions than before it grows, with fewer it shrinks; `first` shifts the leaders by so many brokers.
    pub fn recreate_topic(&mut self, name: &str, partitions: i32, first: usize) {
        self.delete_topic(name);
        self.create_topic_from(name, partitions, first);
    }

    /// Adds partitions behind those there are.
    ///
    /// # Panics
    ///
    /// If there is no such topic.
    pub fn add_partitions(&mut self, topic: &str, more: i32) {
        self.add_partitions_from(topic, more, 0);
    }

    /// Puts another, empty cluster in this one's place, behind the same names and addresses: another cluster id, the same
    /// topics under other ids, producer ids from the start. The old logs stay readable by the old topic ids; connections
    /// are to be cut.
    pub fn replace_cluster(&mut self, seed: u64) {
        let topics: Vec<(Arc<str>, i32)> = self
            .topics
            .iter()
            .map(|topic| (topic.name.clone(), self.partitions(&topic.name)))
            .collect();
        self.ids = Ids::from_seed(seed);
        self.groups = Groups::default();
        for broker in self.brokers.values_mut() {
            broker.view = None;
        }
        for (name, partitions) in topics {
            self.recreate_topic(&name, partitions, 0);
        }
        self.waiting.clear();
    }

    /// The ids of all topics that ever had this name, the oldest first; those deleted long ago may be missing.
    pub fn incarnations(&self, topic: &str) -> impl Iterator<Item = [u8; 16]> {
        let buried = self
            .buried
            .iter()
            .filter(move |buried| &*buried.name == topic);
        let all = buried.chain(self.topics.get(topic));
        all.map(|topic| topic.id.into_bytes())
    }

    /// The records of a partition of the topic with this id, deleted or not, in the order of their offsets; empty if there
    /// is no such topic or partition. The last 1,024 deleted topics are kept, and retention leaves them alone.
    pub fn log_of(&self, topic_id: [u8; 16], partition: i32) -> impl Iterator<Item = LogRecord> {
        let found = self.incarnation(Uuid::from_bytes(topic_id));
        readout::records(found.and_then(|topic| topic.partition(partition)))
    }

    /// When an answer to Metadata first named the topic with this id, as far as its cluster's clock had come; `None` if
    /// none did.
    pub fn first_told(&self, topic_id: [u8; 16]) -> Option<Duration> {
        let found = self.incarnation(Uuid::from_bytes(topic_id));
        found.and_then(|topic| topic.told)
    }

    /// How many partitions the topic with this id has, or had when it was deleted; 0 if there is none.
    pub fn partitions_of(&self, topic_id: [u8; 16]) -> i32 {
        let found = self.incarnation(Uuid::from_bytes(topic_id));
        found.map_or(0, |topic| {
            i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
        })
    }

    /// The first offset that is still there in a partition of the topic with this id, deleted or not; 0 if there is no such
    /// topic or partition.
    pub fn log_start_of(&self, topic_id: [u8; 16], partition: i32) -> i64 {
        let found = self.incarnation(Uuid::from_bytes(topic_id));
        let found = found.and_then(|topic| topic.partition(partition));
        found.map_or(0, |partition| partition.log.start())
    }

    fn incarnation(&self, id: Uuid) -> Option<&Topic> {
        let live = self.topics.name(id).and_then(|name| self.topics.get(&name));
        live.or_else(|| self.buried.iter().rev().find(|topic| topic.id == id))
    }

    /// The same with so many replicas, at most one per broker.
    pub(crate) fn create_topic_with(&mut self, name: &str, partitions: i32, replication: usize) {
        self.create_topic_from(name, 0, 0);
        self.topic_mut(name).replication = replication;
        self.add_partitions_from(name, partitions, 0);
    }

    fn create_topic_from(&mut self, name: &str, partitions: i32, first: usize) {
        assert!(is_valid_name(name), "{name:?} is no valid name for a topic");
        if self.topics.get(name).is_some() {
            return;
        }
        let topic = Topic {
            id: self.ids.topic(),
            name: Arc::from(name),
            told: None,
            hidden: false,
            compacted: false,
            log_append_time: false,
            max_message_bytes: self.settings.max_message_bytes,
            replication: self.settings.replication,
            configs: BTreeMap::new(),
            partitions: Vec::new(),
        };
        self.topics.insert(topic);
        self.add_partitions_from(name, partitions, first);
    }

    fn add_partitions_from(&mut self, topic: &str, more: i32, first: usize) {
        let there = self.topic(topic).partitions.len();
        let fresh: Vec<Partition> = (there..)
            .zip(0..more)
            .map(|(index, _)| self.place(index + first, self.topic(topic).replication))
            .collect();
        self.topic_mut(topic).partitions.extend(fresh);
    }

    /// A fresh partition, its replicas on consecutive brokers.
    fn place(&self, index: usize, replication: usize) -> Partition {
        let count = replication.min(self.brokers.len());
        let replicas: Vec<Replica> = self
            .brokers
            .iter()
            .cycle()
            .skip(index % self.brokers.len().max(1))
            .take(count)
            .map(|(&id, broker)| Replica::new(id, 0, broker.up.then_some(self.now)))
            .collect();
        let leader = replicas.iter().find(|replica| replica.is_up());
        let leader = leader.map(|replica| replica.id);
        Partition::new(replicas, leader)
    }
}

/// Topics that were deleted, the oldest first.
pub(crate) type Buried = VecDeque<Topic>;
