//! Section 1: ordering and retries.

use ottla::{DeliveryError, Undelivered};

use super::lanes::{Arrival, End, Lane};
use super::track::Batch;
use super::{Hits, Scene};
use crate::code;
use crate::trial::ledger::Fate;
use crate::trial::letter::Letter;

/// What is remembered of a partition.
#[derive(Default)]
pub(crate) struct Marks {
    /// An answer came from a broker that led the partition no longer.
    owed_by: Option<i32>,
    /// A leader new to the partition refused the first batch that it got.
    refused_by: Option<i32>,
    /// Records in the log.
    records: u64,
}

/// Refusals that are final.
const FOR_GOOD: [i16; 4] = [
    code::INVALID_RECORD,
    code::TOPIC_AUTHORIZATION_FAILED,
    code::INVALID_REQUEST,
    code::UNSUPPORTED_COMPRESSION_TYPE,
];

/// Refusals by a broker that does not lead the partition.
const ELSEWHERE: [i16; 3] = [
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::LEADER_NOT_AVAILABLE,
    code::NOT_LEADER_OR_FOLLOWER,
];

/// So many records of one partition are a volume of which the order says something.
const VOLUME: u64 = 150;

pub(crate) fn arrives(arrival: &Arrival<'_>, marks: &mut Marks, hits: &mut Hits) {
    let batch = arrival.batch;
    if batch.appended {
        marks.records += u64::from(batch.count.unsigned_abs());
    }
    if !arrival.is_stamped() {
        return;
    }
    // One was refused, and another came behind it on the same connection, too early.
    if arrival.is_out_of_order() {
        let refused = |ahead: &&Batch| is_refused(ahead) && ahead.wire == batch.connection;
        let ahead = arrival.ahead().find(refused);
        let is_final = ahead.is_some_and(|ahead| FOR_GOOD.contains(&ahead.code));
        hits.hit_if(1, ahead.is_some() && !is_final);
        hits.hit_if(10, is_final);
    }
    fresh_leader(arrival, marks, hits);
    let Some(before) = arrival.before else {
        return;
    };
    // It goes alone: others behind it have failed as well, and wait.
    hits.hit_if(3, arrival.behind().any(Batch::waits_for_retry));
    // The model has compared the bytes with the first attempt's.
    hits.hit(8);
    // The old leader's answer came after the move, and the new leader is asked after it.
    let owed_by = marks.owed_by.take_if(|&mut broker| broker != batch.broker);
    hits.hit_if(6, owed_by.is_some());
    backs_off(arrival, before, hits);
}

/// A leader new to the partition has nothing of it, refuses one batch, and gets the others only after that one.
fn fresh_leader(arrival: &Arrival<'_>, marks: &mut Marks, hits: &mut Hits) {
    let batch = arrival.batch;
    if arrival.track.broker != Some(batch.broker) {
        let refuses = batch.code != code::NONE && !batch.appended && !batch.duplicate;
        let refuses = refuses && !ELSEWHERE.contains(&batch.code);
        marks.refused_by = refuses.then_some(batch.broker);
    } else if !arrival.is_retry() && marks.refused_by.take() == Some(batch.broker) {
        hits.hit(7);
    }
}

/// The wait before another try is longer than the one before, or cut short by another leader.
fn backs_off(arrival: &Arrival<'_>, before: &Batch, hits: &mut Hits) {
    if !is_refused(before) || before.is_open {
        return;
    }
    let pause = arrival.now.saturating_sub(before.resolved);
    let grows = before.attempts > 1 && pause > before.pause && !before.pause.is_zero();
    let is_led_anew = before.broker != arrival.batch.broker
        && pause < arrival.scene.plan.millis("retry.backoff.ms") * 4 / 5;
    hits.hit_if(11, grows || is_led_anew);
}

pub(crate) fn resolved(end: &End<'_>, marks: &mut Marks, hits: &mut Hits) {
    // A batch that was sent earlier, to another broker, still has no answer.
    let is_elsewhere = |other: &Batch| other.is_open && other.broker != end.batch.broker;
    let has_older = end.is_heard && end.track.unresolved().any(is_elsewhere);
    hits.hit_if(2, has_older);
    if end.leader.is_some_and(|leader| leader != end.batch.broker) {
        marks.owed_by = Some(end.batch.broker);
    }
}

pub(crate) fn ended(record: usize, scene: &Scene<'_>, hits: &mut Hits) {
    let fate = &scene.ledger.entries[record].fate;
    // `retries` is small, and the last error is the reason.
    let (Fate::NotWritten(why) | Fate::MaybeWritten(why)) = fate else {
        return;
    };
    hits.hit_if(12, is_exhausted(why));
}

pub(crate) fn end(lane: &Lane, scene: &Scene<'_>, hits: &mut Hits) {
    let plan = scene.plan;
    // The judge has compared the log with the order of sending.
    hits.hit_if(13, plan.keeps_order && lane.ordering.records >= VOLUME);
    if plan.keeps_order {
        return;
    }
    // Something stands in the log twice, or behind what was sent after it.
    let log = scene.cluster.log(&lane.topic, lane.partition);
    let numbers: Vec<usize> = log
        .filter_map(|logged| Letter::number_of(&logged))
        .collect();
    hits.hit_if(5, scene.ledger.out_of_order(&numbers).is_some());
}

fn is_exhausted(why: &Undelivered) -> bool {
    matches!(why.error(), DeliveryError::RetriesExhausted { .. })
}

fn is_refused(batch: &Batch) -> bool {
    batch.code != code::NONE && !batch.was_appended && batch.is_unresolved()
}
