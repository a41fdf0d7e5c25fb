//! The bound on what all logs hold together: the oldest batches go first.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Model;
use super::log::Stored;

/// Bytes held, bytes allowed, and where to cut.
#[derive(Debug)]
pub(crate) struct Retention {
    limit: u64,
    held: u64,
    next_serial: u64,
    /// Every batch in the order of appending, some that are gone included.
    order: VecDeque<(u64, Arc<str>, i32)>,
    /// How many of these are gone.
    stale: usize,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            limit: 1 << 30,
            held: 0,
            next_serial: 0,
            order: VecDeque::new(),
            stale: 0,
        }
    }
}

impl Retention {
    pub(crate) fn set_limit(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// Counts a batch that is being appended and returns its serial number.
    pub(crate) fn admit(&mut self, topic: &Arc<str>, partition: i32, bytes: u64) -> u64 {
        self.held += bytes;
        self.next_serial += 1;
        self.order
            .push_back((self.next_serial, topic.clone(), partition));
        self.next_serial
    }
}

impl Model {
    /// Drops the oldest batches until what is held fits.
    pub(crate) fn enforce_retention(&mut self) {
        while self.retention.held > self.retention.limit {
            let Some((serial, topic, partition)) = self.retention.order.pop_front() else {
                return;
            };
            let partition = self
                .topics
                .get_mut(&topic)
                .and_then(|topic| topic.partition_mut(partition));
            match partition.map_or(0, |partition| partition.log.evict(serial)) {
                0 => self.retention.stale = self.retention.stale.saturating_sub(1),
                freed => self.retention.held -= freed,
            }
        }
    }

    /// Takes note of batches that went for another reason. They are swept out of the order once they are half of it, so
    /// that each costs little on the average.
    pub(crate) fn released<'a>(&mut self, batches: impl IntoIterator<Item = &'a Stored>) {
        for batch in batches {
            self.retention.held -= batch.size();
            self.retention.stale += 1;
        }
        if self.retention.stale * 2 <= self.retention.order.len() {
            return;
        }
        let topics = &self.topics;
        self.retention.order.retain(|(serial, topic, partition)| {
            let partition = topics
                .get(topic)
                .and_then(|topic| topic.partition(*partition));
            partition.is_some_and(|partition| partition.log.holds(*serial))
        });
        self.retention.stale = 0;
    }
}
