//! A partition's log at its leader, with the broker's rules for sequences (Kafka's `ProducerStateEntry`).

use std::vec::Vec;

use crate::{batch::Stamp, wire::ErrorCode};

/// What the leader holds, and what it remembers of producers.
#[derive(Clone, Hash)]
pub(super) struct Log {
    /// Counts up with every leader.
    pub(super) leader: i32,
    pub(super) entries: Vec<Entry>,
    /// So many entries are with all replicas: a clean election keeps them.
    pub(super) committed: usize,
    producers: Vec<ProducerState>,
    /// Entries that retention took. A broker where it did is an old one: without a producer's state it takes sequence 0
    /// only.
    pub(super) start: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) batch: u8,
    pub(super) count: u8,
    pub(super) stamp: Stamp,
}

/// The last batches of a producer's newest epoch, as first and last sequences.
#[derive(Clone, Hash)]
struct ProducerState {
    producer_id: i64,
    epoch: i16,
    batches: Vec<(i32, i32)>,
}

/// What the rules make of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    Appends,
    Repeats,
    Refuses(ErrorCode),
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            leader: 0,
            entries: Vec::new(),
            committed: 0,
            producers: Vec::new(),
            start: 0,
        }
    }

    pub(super) fn judge(&self, entry: Entry) -> Ruling {
        let stamp = entry.stamp;
        let mut known = self.producers.iter();
        let Some(known) = known.find(|p| p.producer_id == stamp.producer_id) else {
            return match stamp.base_sequence {
                1.. if self.start > 0 => Ruling::Refuses(ErrorCode::UNKNOWN_PRODUCER_ID),
                _ => Ruling::Appends,
            };
        };
        if stamp.epoch < known.epoch {
            return Ruling::Refuses(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let is_new_epoch = stamp.epoch > known.epoch;
        if !is_new_epoch && known.batches.contains(&entry.range()) {
            return Ruling::Repeats;
        }
        let next = known.batches.last().map_or(0, |last| last.1 + 1);
        let expected = if is_new_epoch { 0 } else { next };
        if stamp.base_sequence == expected {
            Ruling::Appends
        } else {
            Ruling::Refuses(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// Does what the rules say, and gives the entry's offset; `commits` if the replicas take it too.
    pub(super) fn take(&mut self, entry: Entry, commits: bool) -> Result<usize, ErrorCode> {
        match self.judge(entry) {
            Ruling::Refuses(code) => return Err(code),
            Ruling::Appends => {
                self.entries.push(entry);
                self.remember(entry);
            }
            Ruling::Repeats => {}
        }
        let place = self.entries.iter().rposition(|e| e.stamp == entry.stamp);
        let place = place.expect("what is remembered is in the log");
        if commits {
            self.committed = self.committed.max(place + 1);
        }
        Ok(self.start + place)
    }

    /// Another replica leads, with the first `keep` entries and what they say of producers.
    pub(super) fn elect(&mut self, keep: usize) {
        self.leader += 1;
        self.entries.truncate(keep);
        self.committed = self.committed.min(keep);
        self.producers.clear();
        for entry in self.entries.clone() {
            self.remember(entry);
        }
    }

    /// Forgets all producers, as after `producer.id.expiration.ms`.
    pub(super) fn forget(&mut self) {
        self.producers.clear();
    }

    /// Retention takes all entries, and what they said of producers.
    pub(super) fn retain_nothing(&mut self) {
        self.start += self.entries.len();
        self.entries.clear();
        self.committed = 0;
        self.producers.clear();
    }

    fn remember(&mut self, entry: Entry) {
        let (producer_id, epoch) = (entry.stamp.producer_id, entry.stamp.epoch);
        let of_this_epoch =
            |p: &&mut ProducerState| (p.producer_id, p.epoch) == (producer_id, epoch);
        if let Some(known) = self.producers.iter_mut().find(of_this_epoch) {
            known.batches.push(entry.range());
            if known.batches.len() > REMEMBERED {
                known.batches.remove(0);
            }
            return;
        }
        self.producers.retain(|p| p.producer_id != producer_id);
        self.producers.push(ProducerState {
            producer_id,
            epoch,
            batches: [entry.range()].into(),
        });
    }
}

impl Entry {
    fn range(self) -> (i32, i32) {
        let first = self.stamp.base_sequence;
        (first, first + i32::from(self.count) - 1)
    }
}

/// Batches that a broker remembers of a producer, to know duplicates by.
const REMEMBERED: usize = 5;
