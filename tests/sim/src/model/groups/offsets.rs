//! How far a group has read.

use std::collections::BTreeMap;

/// The committed offsets of a group, by topic and partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    by_partition: BTreeMap<(String, i32), Committed>,
}

/// An offset that was committed, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// Partitions that a group can commit for.
const MOST: usize = 20_000;

impl Offsets {
    /// Says whether there was room.
    pub(crate) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) -> bool {
        let key = (topic.to_owned(), partition);
        let has_room = self.by_partition.len() < MOST || self.by_partition.contains_key(&key);
        if has_room {
            self.by_partition.insert(key, committed);
        }
        has_room
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.by_partition.get(&(topic.to_owned(), partition))
    }

    /// The topics and partitions with an offset, in order.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (&str, i32)> {
        let keys = self.by_partition.keys();
        keys.map(|(topic, partition)| (topic.as_str(), *partition))
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.by_partition.retain(|(of, _), _| of != topic);
    }
}
