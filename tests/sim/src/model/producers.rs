//! What one partition knows about its idempotent producers: the rules of Kafka's `ProducerStateEntry` and
//! `ProducerAppendInfo`.

use std::collections::{BTreeMap, VecDeque};

use super::batch::Head;
use crate::code;

/// Batches a broker remembers per producer and partition.
const WINDOW: usize = 5;

/// The producers of one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Producers {
    by_id: BTreeMap<i64, Producer>,
}

#[derive(Clone, Debug)]
struct Producer {
    epoch: i16,
    /// The last batches of this epoch, oldest first.
    batches: VecDeque<Seen>,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    first_sequence: i32,
    last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) timestamp: i64,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    Duplicate(Seen),
    Refuse(i16),
}

impl Producers {
    /// Judges a batch. `names_old_duplicates` is how brokers before Kafka 1.1 answered a batch that lies before the five
    /// remembered ones.
    pub(crate) fn judge(&self, head: &Head, names_old_duplicates: bool) -> Verdict {
        let Some(known) = self.by_id.get(&head.producer_id) else {
            return Verdict::Append;
        };
        if head.producer_epoch < known.epoch {
            return Verdict::Refuse(code::INVALID_PRODUCER_EPOCH);
        }
        if head.producer_epoch > known.epoch {
            return match head.base_sequence {
                0 => Verdict::Append,
                _ => Verdict::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
            };
        }
        if let Some(&seen) = known.batches.iter().find(|seen| seen.is(head)) {
            return Verdict::Duplicate(seen);
        }
        let next = known
            .batches
            .back()
            .map_or(0, |last| after(last.last_sequence));
        if head.base_sequence == next {
            Verdict::Append
        } else if names_old_duplicates && is_before(head.last_sequence(), next) {
            Verdict::Refuse(code::DUPLICATE_SEQUENCE_NUMBER)
        } else {
            Verdict::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// Remembers a batch that was appended at `base_offset`.
    pub(crate) fn appended(&mut self, head: &Head, base_offset: i64) {
        let fresh = Producer {
            epoch: head.producer_epoch,
            batches: VecDeque::with_capacity(WINDOW),
        };
        let producer = self.by_id.entry(head.producer_id).or_insert(fresh);
        if producer.epoch != head.producer_epoch {
            producer.epoch = head.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == WINDOW {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Seen {
            first_sequence: head.base_sequence,
            last_sequence: head.last_sequence(),
            base_offset,
            timestamp: head.max_timestamp,
        });
    }

    /// Another instance has taken over the id with this epoch.
    pub(crate) fn fence(&mut self, producer_id: i64, epoch: i16) {
        self.by_id.insert(
            producer_id,
            Producer {
                epoch,
                batches: VecDeque::new(),
            },
        );
    }

    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }

    /// Forgets every producer that has written at or behind `offset`, and names them; the rest of the log can tell what is
    /// left of them.
    pub(crate) fn forget_from(&mut self, offset: i64) -> Vec<i64> {
        let gone = |producer: &Producer| {
            producer
                .batches
                .iter()
                .any(|seen| seen.base_offset >= offset)
        };
        let ids: Vec<i64> = self
            .by_id
            .iter()
            .filter(|(_, p)| gone(p))
            .map(|(&id, _)| id)
            .collect();
        for id in &ids {
            self.by_id.remove(id);
        }
        ids
    }
}

impl Seen {
    fn is(&self, head: &Head) -> bool {
        self.first_sequence == head.base_sequence && self.last_sequence == head.last_sequence()
    }
}

/// The sequence that follows; 0 follows 2^31-1.
fn after(sequence: i32) -> i32 {
    sequence.wrapping_add(1) & i32::MAX
}

/// Whether `sequence` lies in the half of the circle before `next`.
fn is_before(sequence: i32, next: i32) -> bool {
    let distance = next.wrapping_sub(sequence) & i32::MAX;
    distance > 0 && distance < 1 << 30
}
