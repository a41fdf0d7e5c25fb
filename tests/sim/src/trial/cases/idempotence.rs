//! Section 2: sequences and epochs.

use std::collections::BTreeSet;

use ottla::{DeliveryError, Undelivered};

use super::lanes::Arrival;
use super::track::{Batch, Track};
use super::{Hits, Scene};
use crate::trial::ledger::Fate;
use crate::{Api, FaultKind, code};

/// What concerns all partitions.
#[derive(Default)]
pub(crate) struct Idempotence {
    /// The newest producer id and epoch.
    identity: Option<(i64, i16)>,
    /// The partitions whose sequence broke under it.
    broken: BTreeSet<usize>,
    /// An id was asked for, and none has been seen since.
    is_asking: bool,
}

/// What is remembered of a partition.
#[derive(Default)]
pub(crate) struct Marks {
    /// Its sequence broke under this identity, with nothing unresolved before.
    gap: Option<(i64, i16)>,
    /// This batch came behind one that had failed.
    out_of_order: Option<i32>,
    /// Its leader forgot the producer while nothing was under way.
    is_forgotten: bool,
    /// It lost batches that were acknowledged.
    has_lost: bool,
    absence: Absence,
}

/// How far a topic's disappearance has got.
#[derive(Default, PartialEq, Eq)]
enum Absence {
    #[default]
    None,
    Hidden,
    /// The producer has asked the cluster since, and was told that there is no such topic.
    Noticed,
}

/// Codes that leave open whether the batch was appended.
const AMBIGUOUS: [i16; 2] = [
    code::REQUEST_TIMED_OUT,
    code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
];

/// Codes of a leader that has lost the partition, or its disk.
const LOST: [i16; 3] = [
    code::NOT_LEADER_OR_FOLLOWER,
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::KAFKA_STORAGE_ERROR,
];

impl Idempotence {
    pub(crate) fn arrives(
        &mut self,
        lane: usize,
        arrival: &Arrival<'_>,
        marks: &mut Marks,
        hits: &mut Hits,
    ) {
        if !arrival.is_stamped() {
            return;
        }
        self.epochs(lane, arrival, marks, hits);
        refusals(arrival, marks, hits);
        match arrival.before {
            Some(before) => retries(arrival, before, marks, hits),
            None => begins(arrival, marks, hits),
        }
        if is_gap(arrival) {
            marks.gap = Some(arrival.identity());
            let had_others = !self.broken.is_empty();
            // The second partition that breaks under one epoch, which is to have one successor.
            let is_another = self.identity == marks.gap && self.broken.insert(lane);
            hits.hit_if(22, is_another && had_others);
        }
    }

    fn epochs(&mut self, lane: usize, arrival: &Arrival<'_>, marks: &mut Marks, hits: &mut Hits) {
        let identity = Some(arrival.identity());
        // A stamp of old, while other partitions are at a newer epoch already.
        hits.hit_if(21, identity < self.identity && arrival.is_retry());
        let old = arrival
            .track
            .identity
            .filter(|_| identity > arrival.track.identity);
        if let Some(old) = old {
            // The epoch follows the gap that was found here.
            hits.hit_if(19, marks.gap.take() == Some(old));
            // The fault was another partition's, and this one begins at zero all the same.
            let is_zero = arrival.batch.base_sequence == 0;
            hits.hit_if(20, is_zero && !self.broken.contains(&lane));
        }
        if identity <= self.identity {
            return;
        }
        if let Some((id, epoch)) = self.identity {
            // All epochs of the old id were used.
            hits.hit_if(23, id != arrival.batch.producer_id && epoch == i16::MAX);
            // Other records are somewhere between their acceptance and their outcome meanwhile.
            let open = arrival.scene.ledger.open;
            hits.hit_if(29, open > arrival.batch.count.unsigned_abs() as usize);
        }
        self.identity = identity;
        self.broken.clear();
        self.is_asking = false;
    }

    /// A request of this API has come to a broker.
    pub(crate) fn asked(&mut self, api: Option<Api>, hits: &mut Hits) {
        if api == Some(Api::InitProducerId) {
            // The request before gave none, or none that arrived.
            hits.hit_if(28, self.is_asking);
            self.is_asking = true;
        }
    }
}

pub(crate) fn ended(record: usize, scene: &Scene<'_>, hits: &mut Hits) {
    if let Fate::NotWritten(why) = &scene.ledger.entries[record].fate {
        // No broker of the partition takes record batches.
        hits.hit_if(36, is_too_old(why));
    }
}

impl Marks {
    pub(crate) fn struck(&mut self, kind: FaultKind, is_whole_topic: bool, track: &Track) {
        match kind {
            FaultKind::ForgetProducers => {
                self.is_forgotten = track.unresolved().next().is_none();
            }
            FaultKind::LoseBatches => self.has_lost = true,
            FaultKind::HideTopic if is_whole_topic => self.absence = Absence::Hidden,
            _ => {}
        }
    }

    /// The producer asks for metadata.
    pub(crate) fn looked_up(&mut self) {
        if self.absence == Absence::Hidden {
            self.absence = Absence::Noticed;
        }
    }
}

/// What the broker says of a batch that speaks of sequences.
fn refusals(arrival: &Arrival<'_>, marks: &mut Marks, hits: &mut Hits) {
    let batch = arrival.batch;
    // It is in the log, and the broker can say where.
    hits.hit_if(15, batch.duplicate && batch.code == code::NONE);
    // It is in the log, and the broker can't.
    hits.hit_if(16, batch.old_duplicate);
    // It ends with the last sequence that there is, or goes on at 0.
    hits.hit_if(24, batch.base_sequence.checked_add(batch.count).is_none());
    hits.hit_if(25, batch.code == code::UNKNOWN_PRODUCER_ID);
    hits.hit_if(34, batch.code == code::INVALID_PRODUCER_EPOCH);
    // Lost batches leave a gap before this one.
    hits.hit_if(35, is_gap(arrival) && std::mem::take(&mut marks.has_lost));
    // It is appended, and the answer of a leader that is one no longer hides that.
    hits.hit_if(165, batch.appended && LOST.contains(&batch.code));
    if arrival.is_out_of_order() && arrival.ahead().any(Batch::is_unresolved) {
        marks.out_of_order = Some(batch.base_sequence);
    }
}

/// A batch is sent again under its stamp.
fn retries(arrival: &Arrival<'_>, before: &Batch, marks: &mut Marks, hits: &mut Hits) {
    // With others behind it that may have been written as well, the oldest goes first.
    let is_oldest = !arrival.ahead().any(Batch::is_unresolved);
    let has_others = arrival.behind().any(|behind| behind.is_unknown);
    hits.hit_if(17, before.is_unknown && is_oldest && has_others);
    // It was no gap: the stamp is the same.
    let was_behind = marks.out_of_order == Some(arrival.batch.base_sequence);
    hits.hit_if(18, was_behind);
    if was_behind {
        marks.out_of_order = None;
    }
    hits.hit_if(31, before.was_appended && AMBIGUOUS.contains(&before.code));
    // Another broker has not answered what it got of this partition.
    let mut unresolved = arrival.track.unresolved();
    let elsewhere = |other: &Batch| other.is_unknown && other.broker != arrival.batch.broker;
    hits.hit_if(30, before.is_unknown && unresolved.any(elsewhere));
}

/// A batch is sent for the first time.
fn begins(arrival: &Arrival<'_>, marks: &mut Marks, hits: &mut Hits) {
    let batch = arrival.batch;
    if !batch.appended || batch.base_sequence == 0 {
        return;
    }
    // The broker knows nothing of the producer any more, and takes what comes.
    hits.hit_if(26, std::mem::take(&mut marks.is_forgotten));
    // The topic was gone for the producer, and its sequence goes on.
    if marks.absence == Absence::Noticed && !arrival.scene.cluster.is_hidden(&batch.topic) {
        marks.absence = Absence::None;
        hits.hit(27);
    }
}

/// A batch is out of order, and nothing before it is unresolved.
fn is_gap(arrival: &Arrival<'_>) -> bool {
    arrival.is_out_of_order() && !arrival.ahead().any(Batch::is_unresolved)
}

fn is_too_old(why: &Undelivered) -> bool {
    matches!(why.error(), DeliveryError::UnsupportedVersion)
}
