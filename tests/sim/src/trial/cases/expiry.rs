//! Section 3: expiry and delivery time-out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla::{Cause, DeliveryError, SendError, Undelivered};

use super::lanes::{Arrival, End, Lane};
use super::track::Batch;
use super::{Hits, Scene};
use crate::trial::ledger::{Entry, Fate};
use crate::{Api, Fact, FaultKind, Line, code};

/// What concerns all partitions.
#[derive(Default)]
pub(crate) struct Expiry {
    /// Connections that are up.
    up: BTreeSet<u64>,
    /// Connections whose socket has taken a part of a request only, and the brokers behind them.
    choked: BTreeMap<u64, i32>,
    /// When something happened last that is not the application's.
    stirred: Duration,
    /// The fact before was the outcome of a record whose time was over.
    has_just_expired: bool,
}

/// What is remembered of a partition.
#[derive(Default)]
pub(crate) struct Marks {
    /// When a batch was given up last.
    expired: Option<Duration>,
    /// A batch on its way was given up, so that its sequence is open.
    is_open: bool,
    /// With one request in flight and no stamps: a batch was given up before its answer, and the answer has come since.
    mute: Mute,
    /// A record was given up that never was sent.
    has_unsent: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Mute {
    #[default]
    No,
    Owed,
    Over,
}

/// Answers upon which a batch in time would be sent again, or split.
const AGAIN: [i16; 11] = [
    code::NOT_LEADER_OR_FOLLOWER,
    code::NOT_ENOUGH_REPLICAS,
    code::LEADER_NOT_AVAILABLE,
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::KAFKA_STORAGE_ERROR,
    code::REQUEST_TIMED_OUT,
    code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    code::FENCED_LEADER_EPOCH,
    code::UNKNOWN_LEADER_EPOCH,
    code::MESSAGE_TOO_LARGE,
    code::OUT_OF_ORDER_SEQUENCE_NUMBER,
];

pub(crate) fn arrives(arrival: &Arrival<'_>, marks: &mut Marks, hits: &mut Hits) {
    if arrival.is_retry() {
        return;
    }
    // The partition was mute until the answer to the batch that was given up.
    hits.hit_if(4, std::mem::take(&mut marks.mute) == Mute::Over);
    let batch = arrival.batch;
    if !arrival.is_stamped()
        || !(batch.appended || batch.code == code::OUT_OF_ORDER_SEQUENCE_NUMBER)
    {
        return;
    }
    // The next batch shows what became of the one whose sequence is open.
    hits.hit_if(32, std::mem::take(&mut marks.is_open));
    // The sequence goes on as if the record had never been.
    hits.hit_if(33, std::mem::take(&mut marks.has_unsent) && batch.appended);
}

pub(crate) fn resolved(end: &End<'_>, marks: &mut Marks, hits: &mut Hits) {
    if !end.batch.is_expired {
        return;
    }
    if marks.mute == Mute::Owed {
        marks.mute = Mute::Over;
    }
    // The answer comes when nobody wants it any more.
    hits.hit_if(38, end.is_heard && end.batch.code == code::NONE);
    hits.hit_if(41, end.is_heard && AGAIN.contains(&end.batch.code));
}

impl Expiry {
    /// Keeps an eye on everything that is not the application's.
    pub(crate) fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let had_expired = std::mem::take(&mut self.has_just_expired);
        match &line.fact {
            Fact::Up { wire, .. } => drop(self.up.insert(*wire)),
            Fact::Choked { wire, broker } => drop(self.choked.insert(*wire, *broker)),
            Fact::Asked {
                wire,
                api: Some(Api::Produce),
                ..
            } => drop(self.choked.remove(wire)),
            Fact::Left { wire, .. } => {
                self.up.remove(wire);
                self.choked.remove(wire);
            }
            Fact::Struck {
                kind: FaultKind::SendingCallback,
                ..
            } => {
                // A callback that was told of an expiry sends.
                return hits.hit_if(45, had_expired);
            }
            Fact::Declined { record, .. } => {
                return refused(&scene.ledger.entries[*record], scene, line.at, hits);
            }
            Fact::Ended { record, .. } => {
                let entry = &scene.ledger.entries[*record];
                self.has_just_expired = expired(entry).is_some();
                // The largest setting is no time at all, and no reason to give up.
                let is_written = matches!(entry.fate, Fate::Written(_));
                hits.hit_if(42, is_written && scene.plan.is_without_deadline());
                return;
            }
            Fact::Sent { .. } | Fact::Accepted { .. } | Fact::Note { .. } => return,
            _ => {}
        }
        self.stirred = line.at;
    }

    pub(crate) fn ended(
        &mut self,
        now: Duration,
        record: usize,
        lane: Option<&mut Lane>,
        scene: &Scene<'_>,
        hits: &mut Hits,
    ) {
        let entry = &scene.ledger.entries[record];
        let Some(cause) = expired(entry) else {
            return;
        };
        // The time of a batch is that of its first record, so that none is late.
        hits.hit(37);
        // Nothing could have reminded the producer: no connection is up.
        hits.hit_if(40, self.up.is_empty());
        // It woke for this alone, and to the tick.
        let is_due = entry.accepted.map(|at| at + scene.plan.delivery_timeout) == Some(now);
        hits.hit_if(43, is_due && self.stirred < now);
        // The cause says that it was not the record's turn.
        let is_kept = matches!(
            cause,
            Cause::Throttled
                | Cause::NoLeader
                | Cause::NoProducerId { .. }
                | Cause::Metadata { .. }
        );
        let is_unsent = matches!(entry.fate, Fate::NotWritten(_));
        hits.hit_if(47, is_unsent && is_kept);
        hits.hit_if(168, is_answered(cause));
        if let Some(lane) = lane {
            self.ended_in(now, lane, is_unsent, scene, hits);
        }
    }

    fn ended_in(
        &self,
        now: Duration,
        lane: &mut Lane,
        is_unsent: bool,
        scene: &Scene<'_>,
        hits: &mut Hits,
    ) {
        let marks = &mut lane.expiry;
        let oldest = lane.track.batches().find(|batch| batch.is_unresolved());
        marks.has_unsent |= is_unsent && oldest.is_none();
        // Several records of a batch end at once.
        if marks.expired == Some(now) || is_unsent && oldest.is_none() {
            return;
        }
        marks.expired = Some(now);
        let Some(oldest) = oldest else {
            // It never came to the broker: the socket of its leader has not taken all of it.
            let leader = scene.cluster.leader(&lane.topic, lane.partition);
            return hits.hit_if(
                39,
                self.choked.values().any(|broker| Some(*broker) == leader),
            );
        };
        oldest.is_expired = !is_unsent;
        // It was refused, and there was no time to wait for another try.
        let waited = now.saturating_sub(oldest.resolved);
        let backs_off = scene.plan.millis("retry.backoff.ms") * 4 / 5;
        hits.hit_if(44, is_waiting(oldest) && waited < backs_off);
        marks.is_open |= !is_unsent && oldest.is_open;
        if oldest.is_open && scene.plan.keeps_order && !scene.plan.is_idempotent {
            marks.mute = Mute::Owed;
        }
    }
}

/// A send was refused: at the end of its time, whatever it waited for.
fn refused(entry: &Entry, scene: &Scene<'_>, now: Duration, hits: &mut Hits) {
    let is_late = matches!(entry.fate, Fate::Refused(SendError::TimedOut { .. }));
    let is_due = now == entry.asked + scene.plan.max_block;
    hits.hit_if(46, is_late && is_due && !scene.plan.max_block.is_zero());
    if let Fate::Refused(SendError::TimedOut { cause, .. }) = &entry.fate {
        hits.hit_if(168, cause.as_ref().is_some_and(is_answered));
    }
}

/// What brokers answer is the reason.
fn is_answered(cause: &Cause) -> bool {
    matches!(cause, Cause::Broker { .. } | Cause::Metadata { .. })
}

/// Why a record could not be delivered in time, if that is its end.
fn expired(entry: &Entry) -> Option<&Cause> {
    let (Fate::NotWritten(why) | Fate::MaybeWritten(why)) = &entry.fate else {
        return None;
    };
    let (Undelivered::NotWritten(why) | Undelivered::MaybeWritten(why)) = why;
    match why {
        DeliveryError::Expired { cause } => Some(cause),
        _ => None,
    }
}

fn is_waiting(batch: &Batch) -> bool {
    !batch.is_open && batch.code != code::NONE
}
