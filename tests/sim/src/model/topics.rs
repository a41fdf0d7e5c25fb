//! The topics of the cluster and who leads their partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::log::Log;
use super::producers::Producers;
use super::replicas::Replica;

/// All topics, found by name and by id.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    names: BTreeMap<Uuid, Arc<str>>,
    /// The ids of all topics that there ever were.
    ever: BTreeSet<Uuid>,
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) name: Arc<str>,
    /// When a client was first told of it, by its id.
    pub(crate) told: Option<Duration>,
    /// Left out of metadata.
    pub(crate) hidden: bool,
    pub(crate) compacted: bool,
    pub(crate) log_append_time: bool,
    pub(crate) max_message_bytes: usize,
    /// Replicas of partitions that are added, at most one per broker.
    pub(crate) replication: usize,
    /// The settings that a client gave it, as it wrote them.
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: i32,
    /// The preferred leader first.
    pub(crate) replicas: Vec<Replica>,
    /// How long a batch is on its way to a follower.
    pub(crate) lag: Duration,
    /// All replicas that copy have everything, so that time alone changes nothing.
    pub(crate) is_settled: bool,
    /// The leader's.
    pub(crate) log: Log,
    pub(crate) producers: Producers,
}

impl Topics {
    pub(crate) fn insert(&mut self, topic: Topic) {
        self.ever.insert(topic.id);
        self.names.insert(topic.id, topic.name.clone());
        self.by_name.insert(topic.name.clone(), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        Some(topic)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    pub(crate) fn name(&self, id: Uuid) -> Option<Arc<str>> {
        self.names.get(&id).cloned()
    }

    pub(crate) fn was_there(&self, id: Uuid) -> bool {
        self.ever.contains(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.values_mut()
    }
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }
}

impl Partition {
    pub(crate) fn new(replicas: Vec<Replica>, leader: Option<i32>) -> Partition {
        Partition {
            leader,
            leader_epoch: 0,
            replicas,
            lag: Duration::ZERO,
            is_settled: true,
            log: Log::default(),
            producers: Producers::default(),
        }
    }
}

/// Whether Kafka takes a topic of this name.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}
