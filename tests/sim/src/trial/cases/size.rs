//! Section 4: splitting and size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ottla::{DeliveryError, SendError};

use super::{Hits, Scene, Watch};
use crate::trial::ledger::{Entry, Fate};
use crate::{Fact, Line, Produced, Tamper, code};

#[derive(Default)]
pub(crate) struct Size {
    lanes: BTreeMap<(Arc<str>, i32), Lane>,
    /// The last batch of several records that each connection brought.
    newest: BTreeMap<u64, Stamp>,
    /// Batches whose answers came too short.
    truncated: Vec<Stamp>,
    pieces: Vec<Piece>,
    /// When the flushes began that somebody waited for, and when they ended.
    flushes: Vec<(Duration, Duration)>,
    batch_size: Option<usize>,
    max_request_size: Option<usize>,
}

/// What is remembered of a partition.
#[derive(Default)]
struct Lane {
    /// Batches that came lately, and whether they may be in the log as far as the producer knows.
    seen: VecDeque<(Stamp, bool)>,
    /// Batches that were too large, the newest last.
    wholes: VecDeque<Whole>,
}

/// A batch that is told from all others.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    topic: Arc<str>,
    partition: i32,
    producer: (i64, i16),
    sequence: i32,
    count: i32,
}

/// A batch that was too large and will come in pieces.
struct Whole {
    stamp: Stamp,
    refused: Duration,
}

/// A piece of a batch that was split, in the log.
struct Piece {
    topic: Arc<str>,
    partition: i32,
    offsets: std::ops::Range<i64>,
    /// When the whole was refused.
    refused: Duration,
    appended: Duration,
}

fn is_codec_refused(fate: &Fate) -> bool {
    let Fate::NotWritten(why) = fate else {
        return false;
    };
    matches!(why.error(), DeliveryError::UnsupportedCompression(_))
}

/// Batches remembered per partition.
const SEEN: usize = 32;

/// Codes that leave open whether a batch is in the log; so does success, if its answer never came.
const OPEN: [i16; 7] = [
    code::NONE,
    code::REQUEST_TIMED_OUT,
    code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    code::UNKNOWN_SERVER_ERROR,
    code::KAFKA_STORAGE_ERROR,
    code::NOT_LEADER_OR_FOLLOWER,
    code::UNKNOWN_TOPIC_OR_PARTITION,
];

impl Watch for Size {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        if let Some(flush) = scene.ledger.flushes.last() {
            let window = (flush.since, flush.at);
            if self.flushes.last() != Some(&window) {
                self.flushes.push(window);
            }
        }
        match &line.fact {
            Fact::Produced(batch) => {
                let batch_size = || scene.plan.number("batch.size").unwrap_or(16_384);
                self.max_request_size = Some(scene.plan.max_request_size);
                let batch_size = *self.batch_size.get_or_insert_with(batch_size);
                // A record has a batch of its own, since it is as large as one.
                let alone = batch.appended && batch.count == 1;
                hits.hit_if(58, alone && (batch_size <= 1 || batch.bytes > batch_size));
                self.produced(line.at, batch, hits);
            }
            Fact::Tampered {
                wire,
                tamper: Tamper::Truncated,
            } => self.truncated.extend(self.newest.remove(wire)),
            _ => {}
        }
    }

    fn end(&mut self, scene: &Scene<'_>, hits: &mut Hits) {
        for entry in &scene.ledger.entries {
            let is_too_large = matches!(entry.fate, Fate::Refused(SendError::TooLarge { .. }));
            hits.hit_if(57, is_too_large);
            hits.hit_if(145, is_codec_refused(&entry.fate));
        }
        for piece in &self.pieces {
            let is_of_piece = |entry: &&Entry| match &entry.fate {
                Fate::Written(written) => {
                    *written.topic == *piece.topic
                        && written.partition == piece.partition
                        && written
                            .offset
                            .is_some_and(|offset| piece.offsets.contains(&offset))
                }
                _ => false,
            };
            // It was accepted before the flush began, refused with its batch, and written before the flush ended.
            let spans =
                |since: Duration, at: Duration| since < piece.refused && piece.appended <= at;
            let mut flushes = self.flushes.iter().filter(|flush| spans(flush.0, flush.1));
            let is_covered = flushes.any(|&(since, _)| {
                let of_piece = scene.ledger.entries.iter().filter(is_of_piece);
                let mut accepted = of_piece.filter_map(|entry| entry.accepted);
                accepted.any(|accepted| accepted < since)
            });
            hits.hit_if(52, is_covered);
        }
    }
}

impl Size {
    fn produced(&mut self, now: Duration, batch: &Produced, hits: &mut Hits) {
        let is_too_large = matches!(
            batch.code,
            code::MESSAGE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE
        );
        hits.hit_if(48, is_too_large && batch.count > 1);
        // Its ratio is estimated anew.
        hits.hit_if(55, is_too_large && batch.count > 1 && batch.codec != 0);
        let is_larger = self.max_request_size.is_some_and(|most| batch.bytes > most);
        hits.hit_if(56, is_larger && batch.count > 1);
        hits.hit_if(49, is_too_large && batch.count == 1);
        if batch.producer_id < 0 {
            return;
        }
        let stamp = Stamp::of(batch);
        // It came again as it was, for its answer could not be read.
        let truncated = self.truncated.iter().position(|other| *other == stamp);
        if let Some(truncated) = truncated {
            self.truncated.swap_remove(truncated);
            hits.hit(54);
        }
        if batch.count > 1 {
            self.newest.insert(batch.connection, stamp.clone());
        }
        let place = (Arc::clone(&batch.topic), batch.partition);
        let lane = self.lanes.entry(place).or_default();
        let whole = lane
            .wholes
            .iter()
            .rev()
            .find(|whole| stamp.is_piece_of(&whole.stamp));
        if let Some(whole) = whole {
            // A piece is too large as well.
            hits.hit_if(53, is_too_large);
            // The last piece ends where the whole did.
            hits.hit_if(50, batch.appended && stamp.end() == whole.stamp.end());
            if batch.appended {
                self.pieces.push(Piece {
                    topic: Arc::clone(&batch.topic),
                    partition: batch.partition,
                    offsets: batch.base_offset..batch.base_offset + i64::from(batch.count),
                    refused: whole.refused,
                    appended: now,
                });
            }
        }
        let may_be_written = lane.remember(&stamp, OPEN.contains(&batch.code));
        hits.hit_if(51, is_too_large && may_be_written);
        if is_too_large && !may_be_written && batch.count > 1 {
            lane.refused(stamp, now);
        }
    }
}

impl Lane {
    /// Notes an attempt; whether one before it may have written the batch.
    fn remember(&mut self, stamp: &Stamp, is_open: bool) -> bool {
        let known = self.seen.iter_mut().find(|(seen, _)| seen == stamp);
        if let Some((_, open)) = known {
            let before = *open;
            *open |= is_open;
            return before;
        }
        if self.seen.len() == SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back((stamp.clone(), is_open));
        false
    }

    fn refused(&mut self, stamp: Stamp, now: Duration) {
        if self.wholes.len() == SEEN {
            self.wholes.pop_front();
        }
        self.wholes.push_back(Whole {
            stamp,
            refused: now,
        });
    }
}

impl Stamp {
    fn of(batch: &Produced) -> Stamp {
        Stamp {
            topic: Arc::clone(&batch.topic),
            partition: batch.partition,
            producer: (batch.producer_id, batch.epoch),
            sequence: batch.base_sequence,
            count: batch.count,
        }
    }

    /// The sequence behind the last one, without the wrap to zero.
    fn end(&self) -> i64 {
        i64::from(self.sequence) + i64::from(self.count)
    }

    fn is_piece_of(&self, whole: &Stamp) -> bool {
        self.producer == whole.producer
            && self.count < whole.count
            && self.sequence >= whole.sequence
            && self.end() <= whole.end()
    }
}
