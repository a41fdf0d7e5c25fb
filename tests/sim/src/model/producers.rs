//! What one partition knows about its idempotent producers: the rules of Kafka's `ProducerStateEntry` and
//! `ProducerAppendInfo`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::batch::Head;
use super::log::Log;
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
    /// A batch before those that are remembered, which is refused with the code.
    OldDuplicate(i16),
}

/// What differs between versions of Kafka.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProducerRules {
    /// The newest batches of each producer among which a duplicate is found.
    pub(crate) remembered: usize,
    /// Before 1.1: a batch that lies before the five remembered ones is named a duplicate.
    pub(crate) names_old_duplicates: bool,
    /// Before 2.5: a producer without records in the log is not known, and has to begin at sequence 0.
    pub(crate) names_unknown_producers: bool,
}

impl Default for ProducerRules {
    fn default() -> ProducerRules {
        ProducerRules {
            remembered: WINDOW,
            names_old_duplicates: false,
            names_unknown_producers: false,
        }
    }
}

impl Producers {
    /// Judges a batch for a log that starts at `log_start`.
    pub(crate) fn judge(&mut self, head: &Head, rules: ProducerRules, log_start: i64) -> Verdict {
        if rules.names_unknown_producers {
            self.forget_before(head.producer_id, log_start);
        }
        let Some(known) = self.by_id.get(&head.producer_id) else {
            return match rules.names_unknown_producers && head.base_sequence != 0 {
                true => Verdict::Refuse(code::UNKNOWN_PRODUCER_ID),
                false => Verdict::Append,
            };
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
        let mut remembered = known.batches.iter().rev().take(rules.remembered);
        if let Some(&seen) = remembered.find(|seen| seen.is(head)) {
            return Verdict::Duplicate(seen);
        }
        let next = known
            .batches
            .back()
            .map_or(0, |last| after(last.last_sequence));
        if head.base_sequence == next {
            Verdict::Append
        } else if !is_before(head.last_sequence(), next) {
            Verdict::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        } else if rules.names_old_duplicates {
            Verdict::OldDuplicate(code::DUPLICATE_SEQUENCE_NUMBER)
        } else {
            Verdict::OldDuplicate(code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// Forgets a producer whose last records lie before the log's start.
    fn forget_before(&mut self, producer_id: i64, log_start: i64) {
        let newest = self.by_id.get(&producer_id).and_then(|p| p.batches.back());
        if newest.is_some_and(|seen| seen.end() <= log_start) {
            self.by_id.remove(&producer_id);
        }
    }

    /// Remembers a batch that was appended at `base_offset`, and says whether it pushed an older one out.
    pub(crate) fn appended(&mut self, head: &Head, base_offset: i64) -> bool {
        let fresh = Producer {
            epoch: head.producer_epoch,
            batches: VecDeque::with_capacity(WINDOW),
        };
        let producer = self.by_id.entry(head.producer_id).or_insert(fresh);
        if producer.epoch != head.producer_epoch {
            producer.epoch = head.producer_epoch;
            producer.batches.clear();
        }
        let is_full = producer.batches.len() == WINDOW;
        if is_full {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Seen {
            first_sequence: head.base_sequence,
            last_sequence: head.last_sequence(),
            base_offset,
            // A log has no maximum below that of a record without a timestamp.
            timestamp: head.max_timestamp.max(-1),
        });
        is_full
    }

    /// Another instance has taken over the id with this epoch; an epoch that is not newer is no news.
    pub(crate) fn fence(&mut self, producer_id: i64, epoch: i16) {
        let known = self.by_id.get(&producer_id);
        if known.is_some_and(|producer| producer.epoch >= epoch) {
            return;
        }
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

    /// Forgets of each producer what lies behind the log's end, and has the rest of the log tell what is left of those.
    pub(crate) fn rebuild(&mut self, log: &Log) {
        let cut = |producer: &Producer| {
            let newest = producer.batches.back();
            newest.is_some_and(|seen| seen.base_offset >= log.end())
        };
        let gone: BTreeSet<i64> = self
            .by_id
            .iter()
            .filter(|(_, producer)| cut(producer))
            .map(|(&id, _)| id)
            .collect();
        self.by_id.retain(|id, _| !gone.contains(id));
        for batch in log
            .batches()
            .filter(|batch| gone.contains(&batch.head.producer_id))
        {
            self.appended(&batch.head, batch.base_offset);
        }
    }
}

impl Seen {
    /// The offset behind the batch.
    fn end(&self) -> i64 {
        let last = self.last_sequence.wrapping_sub(self.first_sequence) & i32::MAX;
        self.base_offset + i64::from(last) + 1
    }

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
