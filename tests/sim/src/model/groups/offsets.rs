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

impl Offsets {
    pub(crate) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) {
        let key = (topic.to_owned(), partition);
        self.by_partition.insert(key, committed);
    }

    pub(crate) fn len(&self) -> usize {
        self.by_partition.len()
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
