//! Producer id, epoch and sequences: what may be sent next on a partition, and what an attempt's result means.
//!
//! A partition's broker takes batches of one producer id and epoch only in sequence, and drops those it has seen
//! ([KIP-98](https://cwiki.apache.org/confluence/display/KAFKA/KIP-98+-+Exactly+Once+Delivery+and+Transactional+Messaging)).
//! The golden rule on this side: a batch with an attempt of unknown end is never stamped anew; it is retried byte for
//! byte, or ended as maybe written. Where the count is lost, the epoch is bumped locally (KIP-360), which fences off
//! whatever may still be on the way.

mod attempt;
mod audit;

use alloc::vec::Vec;

use crate::{batch::Stamp, config::SequenceGap};
pub(crate) use attempt::{Attempt, Fate, Resolution, Stranded};

/// The producer id and epoch under which batches are stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

impl Identity {
    const NONE: Self = Self {
        producer_id: -1,
        epoch: -1,
    };

    /// The next epoch of the same id, or `None` when the epochs are used up and a new id is due.
    pub(crate) fn bumped(self) -> Option<Self> {
        if planted!(EpochSticks) && self.epoch == i16::MAX {
            return Some(self);
        }
        let epoch = self.epoch.checked_add(1)?;
        Some(Self { epoch, ..self })
    }

    /// What this identity becomes once a sequence under `broken` can't go on: a new epoch, once for all that fail
    /// under the old one (H022). `None` if a new producer id is due, since this one is of no use or out of epochs.
    pub(crate) fn after_fault(self, broken: Self, new_producer_id: bool) -> Option<Self> {
        if self != broken && !planted!(BumpsForEach) {
            return Some(self);
        }
        self.bumped().filter(|_| !new_producer_id)
    }
}

/// A log as its leader holds it. Another leader, epoch, topic or producer id may know nothing of our sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) struct Leadership {
    pub(crate) broker: i32,
    pub(crate) epoch: i32,
    pub(crate) topic_id: [u8; 16],
    pub(crate) producer_id: i64,
}

/// How a partition's batches may overlap on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipelining {
    /// Stamped: up to so many batches that are not resolved.
    Idempotent(usize),
    /// One at a time, since `max.in.flight.requests.per.connection` is 1.
    Ordered,
    /// As many as there are requests, reordered by retries.
    Free,
}

/// What to send next on a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This batch, again.
    Retry(u32),
    /// A batch that was never sent.
    Fresh,
    /// Nothing until an answer comes.
    Nothing,
}

/// One partition's sequence, and its batches that were sent and are not resolved, in the order of the sequence.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Sequences {
    pipelining: Pipelining,
    gap_policy: SequenceGap,
    /// What `next` counts under.
    identity: Identity,
    /// Where the sequence under the first identity begins.
    first: i32,
    next: i32,
    /// The sequence under `identity` is broken: no fresh batch, and no new stamp, under it.
    faulted: bool,
    /// A batch left with its end unknown, this many stamps ago or earlier: whether the sequence still holds shows only
    /// when a later batch succeeds. `None` once the sequence is broken.
    gap: Option<u64>,
    /// The leader which has taken a batch of ours: before that it may have no state, and would take any sequence.
    proven: Option<Leadership>,
    stamps: u64,
    last_acknowledged: Option<i64>,
    unresolved: Vec<Unresolved>,
}

#[derive(Clone, Copy, Debug)]
struct Unresolved {
    batch: u32,
    stamp: Stamp,
    serial: u64,
    attempts: u32,
    in_flight: bool,
    /// It was sent while a batch before it was not resolved.
    pipelined: bool,
    uncertain: bool,
    given_up: bool,
    /// A batch before it lost its stamp, and will be stamped anew.
    behind: bool,
    /// A batch after it was written.
    overtaken: bool,
    /// Whom it was sent to last.
    sent_to: Leadership,
}

impl Sequences {
    pub(crate) fn new(pipelining: Pipelining, gap_policy: SequenceGap) -> Self {
        Self {
            pipelining,
            gap_policy,
            identity: Identity::NONE,
            first: 0,
            next: 0,
            faulted: false,
            gap: None,
            proven: None,
            stamps: 0,
            last_acknowledged: None,
            unresolved: Vec::new(),
        }
    }

    /// Begins with another sequence than 0 under the first identity.
    pub(crate) fn starting_at(self, first: i32) -> Self {
        Self { first, ..self }
    }

    /// Says what may be sent now to the leader at `leadership`, under `identity` (ignored without idempotence).
    pub(crate) fn next(&self, identity: Option<Identity>, leadership: Leadership) -> Next {
        let waiting = self.unresolved.iter().position(|u| !u.in_flight);
        match (self.pipelining, waiting) {
            (Pipelining::Idempotent(_), Some(0)) => Next::Retry(self.unresolved[0].batch),
            (Pipelining::Idempotent(_), Some(i)) if planted!(RetriesOverHead) => {
                Next::Retry(self.unresolved[i].batch)
            }
            // Not the lowest: what is before it is still on the way.
            (Pipelining::Idempotent(_), Some(_)) => Next::Nothing,
            (Pipelining::Idempotent(most), None) => self.next_fresh(most, identity, leadership),
            (Pipelining::Ordered, _) if self.unresolved.iter().any(|u| u.in_flight) => {
                Next::Nothing
            }
            (Pipelining::Ordered | Pipelining::Free, Some(i)) => {
                Next::Retry(self.unresolved[i].batch)
            }
            (Pipelining::Ordered | Pipelining::Free, None) => Next::Fresh,
        }
    }

    fn next_fresh(&self, most: usize, identity: Option<Identity>, leadership: Leadership) -> Next {
        let Some(identity) = identity else {
            return Next::Nothing;
        };
        let alone = self.unresolved.is_empty();
        // One that is on the way to another leader would be overtaken (H006).
        let is_clean = |u: &Unresolved| u.attempts == 1 && !u.given_up && u.sent_to == leadership;
        let clean = self.unresolved.iter().all(is_clean);
        let continues = self.identity == identity && !self.faulted;
        let pipelines = (continues || planted!(FreshOverStale))
            && clean
            && (self.unresolved.len() < most || planted!(NoLimit))
            && (self.proven == Some(leadership) || planted!(PipelinesToFreshLeader));
        if self.gap.is_none() && (alone || pipelines) {
            Next::Fresh
        } else {
            Next::Nothing
        }
    }

    /// Stamps a fresh batch of `count` records and notes it as on the way to the leader at `leadership`.
    pub(crate) fn stamp(
        &mut self,
        batch: u32,
        count: u32,
        identity: Option<Identity>,
        leadership: Leadership,
    ) -> Stamp {
        let stamp = match (self.pipelining, identity) {
            (Pipelining::Idempotent(_), Some(identity)) => {
                if self.identity != identity {
                    debug_assert!(
                        self.unresolved.is_empty() || planted!(FreshOverStale),
                        "an epoch ends before the next begins"
                    );
                    let next = match self.identity {
                        Identity::NONE => self.first,
                        _ if planted!(KeepsOldCount) => self.next,
                        _ => 0,
                    };
                    (self.identity, self.next, self.faulted, self.gap) =
                        (identity, next, false, None);
                }
                let base_sequence = self.next;
                self.next = sequence_after(base_sequence, count);
                Stamp {
                    producer_id: identity.producer_id,
                    epoch: identity.epoch,
                    base_sequence,
                }
            }
            _ => Stamp::NONE,
        };
        let serial = self.stamps;
        self.stamps += 1;
        let pipelined = !self.unresolved.is_empty();
        self.unresolved.push(Unresolved {
            batch,
            stamp,
            serial,
            attempts: 1,
            in_flight: true,
            pipelined,
            uncertain: false,
            given_up: false,
            behind: false,
            overtaken: false,
            sent_to: leadership,
        });
        stamp
    }

    /// Notes a waiting batch as on the way again, under the stamp that it has.
    pub(crate) fn resend(&mut self, batch: u32, leadership: Leadership) -> Stamp {
        let entry = self
            .unresolved
            .iter_mut()
            .find(|u| u.batch == batch && !u.in_flight);
        let entry = entry.expect("`next` named a batch that waits");
        (entry.in_flight, entry.pipelined) = (true, false);
        entry.sent_to = leadership;
        entry.attempts += 1;
        entry.stamp
    }

    /// Puts the pieces of a batch that waits in its place: each with its number of records, the first under the name of
    /// the whole. Together they have its part of the sequence, and each comes as a batch that was sent once less.
    pub(crate) fn split(&mut self, pieces: &[(u32, u32)]) {
        let waits = |u: &Unresolved| u.batch == pieces[0].0 && !u.in_flight;
        let place = self.unresolved.iter().position(waits);
        let place = place.expect("a batch that is cut waits to be sent again");
        let whole = self.unresolved[place];
        let more = pieces.len() as u64 - 1;
        let make_room = |serial: &mut u64| *serial += if *serial > whole.serial { more } else { 0 };
        self.unresolved
            .iter_mut()
            .for_each(|u| make_room(&mut u.serial));
        self.gap.iter_mut().for_each(make_room);
        self.stamps += more;
        let is_stamped = matches!(self.pipelining, Pipelining::Idempotent(_));
        let mut piece = Unresolved {
            attempts: whole.attempts - 1,
            ..whole
        };
        let pieces = pieces.iter().map(|&(batch, count)| {
            let this = Unresolved { batch, ..piece };
            piece.serial += 1;
            if is_stamped {
                piece.stamp.base_sequence = sequence_after(piece.stamp.base_sequence, count);
            }
            this
        });
        self.unresolved.splice(place..=place, pieces);
    }

    /// Takes the end of an attempt and decides the batch's fate.
    ///
    /// Returns `None` if no such batch is on the way.
    pub(crate) fn resolve(&mut self, batch: u32, attempt: Attempt) -> Option<Resolution> {
        let place = self
            .unresolved
            .iter()
            .position(|u| u.batch == batch && u.in_flight)?;
        let entry = &mut self.unresolved[place];
        entry.in_flight = false;
        entry.uncertain |= matches!(attempt, Attempt::Uncertain { .. });
        let (uncertain, given_up, leadership) = (entry.uncertain, entry.given_up, entry.sent_to);
        // An older leader answers late, and the next one has taken what was before it (H006).
        let is_outdated = entry.pipelined
            && self.proven.is_some_and(|proven| proven != leadership)
            && !planted!(AnyAnswerCounts);
        let is_forgotten = planted!(ForgottenIsProven) && attempt == Attempt::Forgotten;
        let is_consequence = (place > 0 || is_outdated) && !is_forgotten;
        if attempt == Attempt::Forgotten && !is_consequence && !planted!(ForgottenIsProven) {
            // It is as good as a leader that has never heard of us, whether or not the batch was given up.
            self.proven = None;
        }
        if planted!(ProvenByRefusal) && matches!(attempt, Attempt::Refused { .. }) {
            self.proven = Some(leadership);
        }
        Some(match attempt {
            Attempt::Written => self.written(place),
            Attempt::Uncertain { .. } if planted!(AcksOnDisconnect) => self.written(place),
            _ if given_up => self.drop_out(place, Fate::GivenUp),
            Attempt::Untouched => {
                self.unresolved[place].attempts -= 1;
                self.retry(place)
            }
            Attempt::Refused { retry: true } | Attempt::Uncertain { retry: true } => {
                self.retry(place)
            }
            Attempt::Refused { retry: false } | Attempt::Uncertain { retry: false } => self
                .drop_out(
                    place,
                    if uncertain {
                        Fate::MaybeWritten
                    } else {
                        Fate::NotWritten
                    },
                ),
            Attempt::OutOfOrder | Attempt::Forgotten
                if is_consequence && !planted!(BumpsForFollower) =>
            {
                self.retry(place)
            }
            Attempt::OutOfOrder if self.is_stranded(&self.unresolved[place]) => self.retry(place),
            Attempt::OutOfOrder
                if uncertain
                    && self.gap_policy == SequenceGap::MaybeWritten
                    && !planted!(StampsUncertainAnew) =>
            {
                let identity = self.remove(place);
                self.fault(Fate::MaybeWritten, identity)
            }
            Attempt::OutOfOrder | Attempt::Forgotten => {
                let identity = self.requeue(place);
                self.fault(Fate::Requeue, identity)
            }
        })
    }

    /// Ends a batch from this side (expiry, purge, close), whatever its state.
    ///
    /// One that is on the way stays noted until its answer comes or its link is gone, and nothing fresh is sent
    /// before; its outcome can only be "maybe written".
    pub(crate) fn give_up(&mut self, batch: u32) -> Resolution {
        let place = self
            .unresolved
            .iter()
            .position(|u| u.batch == batch && !u.given_up);
        let place = place.expect("a batch that was taken is noted until its end");
        let entry = &mut self.unresolved[place];
        if entry.in_flight && !planted!(DropsExpired) {
            entry.given_up = true;
            return Resolution {
                fate: Fate::MaybeWritten,
                fault: None,
            };
        }
        let fate = if entry.uncertain {
            Fate::MaybeWritten
        } else {
            Fate::NotWritten
        };
        self.drop_out(place, fate)
    }

    /// Drops the stamps of all waiting batches of a broken sequence, except those with an attempt of unknown end.
    /// Returns them, in order, for the queue.
    pub(crate) fn unstamp(&mut self) -> Vec<u32> {
        if !self.faulted {
            return Vec::new();
        }
        let keep = |u: &Unresolved| {
            let may_be_written = u.uncertain && self.gap_policy == SequenceGap::MaybeWritten;
            u.in_flight || (may_be_written && !planted!(UnstampsUncertain))
        };
        let mut dropped = Vec::new();
        for entry in &mut self.unresolved {
            if keep(entry) {
                entry.behind |= !dropped.is_empty();
            } else {
                dropped.push(entry.batch);
            }
        }
        self.unresolved.retain(keep);
        dropped
    }

    /// Takes out the waiting batches that can't be sent again without breaking the order, for good.
    ///
    /// A broker that lost its state takes any sequence. So it could take a batch under its old stamp while one before it
    /// still waits for a new one; and it may have taken a batch while the one before it was refused. What is surely not
    /// in the log then ends as such, and of the others nobody knows.
    pub(crate) fn strand(&mut self) -> Stranded {
        let waits = |u: &Unresolved| !u.in_flight && self.is_stranded(u);
        let stranded = self.unresolved.iter().filter(|u| waits(u));
        let batches: Vec<u32> = stranded.map(|u| u.batch).collect();
        let mut fault = None;
        if !batches.is_empty() {
            self.unresolved.retain(|u| !batches.contains(&u.batch));
            fault = self.close_gap(self.identity);
        }
        Stranded { batches, fault }
    }

    /// Begins to count anew under the same epoch.
    #[cfg(planted)]
    pub(crate) fn restart(&mut self) {
        if self.unresolved.is_empty() {
            self.next = 0;
        }
    }

    /// The batch is the lowest that is not resolved: a failure of it is the partition's, not a consequence.
    pub(crate) fn is_head(&self, batch: u32) -> bool {
        self.unresolved.first().is_some_and(|u| u.batch == batch)
    }

    /// The stamp of a batch that is noted here.
    pub(crate) fn stamp_of(&self, batch: u32) -> Stamp {
        let entry = self.unresolved.iter().rev().find(|u| u.batch == batch);
        entry.expect("a batch on its way is noted").stamp
    }

    /// Notes the offset that a batch was acknowledged with.
    pub(crate) fn acknowledged(&mut self, offset: i64) {
        self.last_acknowledged = Some(offset);
    }

    /// What UNKNOWN_PRODUCER_ID means (H025): whether retention took the state away, or it is a gap.
    pub(crate) fn forgotten(&self, log_start_offset: i64) -> Attempt {
        match log_start_offset {
            -1 => Attempt::Refused { retry: true },
            start if self.last_acknowledged.is_some_and(|o| o < start) => Attempt::Forgotten,
            _ => Attempt::OutOfOrder,
        }
    }

    /// The batch is noted here: its slot may not be given to another.
    pub(crate) fn holds(&self, batch: u32) -> bool {
        self.unresolved.iter().any(|u| u.batch == batch)
    }

    /// The sequence can't go on under its epoch.
    pub(crate) fn is_broken(&self) -> bool {
        self.faulted
    }

    /// A batch is on the way.
    pub(crate) fn is_in_flight(&self, batch: u32) -> bool {
        self.unresolved
            .iter()
            .any(|u| u.batch == batch && u.in_flight)
    }

    fn written(&mut self, place: usize) -> Resolution {
        let entry = self.unresolved.remove(place);
        let is_stamped = matches!(self.pipelining, Pipelining::Idempotent(_));
        for before in &mut self.unresolved[..place] {
            before.overtaken = is_stamped;
        }
        // What it has taken is of this id, whichever we hold by now.
        let producer_id = entry.stamp.producer_id;
        self.proven = Some(Leadership {
            producer_id,
            ..entry.sent_to
        });
        if self.gap.is_some_and(|gap| gap < entry.serial) {
            self.gap = None;
        }
        let fate = if entry.given_up {
            Fate::GivenUp
        } else {
            Fate::Written
        };
        Resolution {
            fate,
            fault: self.close_gap(entry.identity()),
        }
    }

    fn retry(&mut self, place: usize) -> Resolution {
        let entry = self.unresolved[place];
        let is_unknown = entry.uncertain && self.gap_policy == SequenceGap::MaybeWritten;
        if self.faulted && !is_unknown && !self.is_stranded(&entry) {
            self.requeue(place);
            return Resolution {
                fate: Fate::Requeue,
                fault: None,
            };
        }
        Resolution {
            fate: Fate::Retry,
            fault: None,
        }
    }

    /// Takes a batch out that will not be sent again. If it is not in the log, its part of the sequence is spent and
    /// the rest can't follow; if nobody knows, a later batch will show.
    fn drop_out(&mut self, place: usize, fate: Fate) -> Resolution {
        let entry = self.unresolved[place];
        let identity = self.remove(place);
        if planted!(RewindsRange) && fate == Fate::NotWritten {
            self.next = entry.stamp.base_sequence;
            return Resolution { fate, fault: None };
        }
        if entry.uncertain || entry.given_up {
            if !self.faulted {
                self.gap = self.gap.max(Some(entry.serial));
            }
            return Resolution {
                fate,
                fault: self.close_gap(identity),
            };
        }
        self.fault(fate, identity)
    }

    /// With nothing left that could show whether the sequence holds, it counts as broken.
    fn close_gap(&mut self, identity: Identity) -> Option<Identity> {
        if self.gap.is_none() || !self.unresolved.is_empty() || planted!(GapNeverCloses) {
            return None;
        }
        self.fault(Fate::GivenUp, identity).fault
    }

    fn fault(&mut self, fate: Fate, identity: Identity) -> Resolution {
        let stamped = matches!(self.pipelining, Pipelining::Idempotent(_));
        self.faulted |= stamped && identity == self.identity;
        // Nothing is left to be shown: the sequence does not hold.
        self.gap = None;
        Resolution {
            fate,
            fault: stamped.then_some(identity),
        }
    }

    /// The batch can't be sent again without breaking the order; under Java's policy that is no obstacle.
    fn is_stranded(&self, entry: &Unresolved) -> bool {
        let is_out_of_order = match entry.uncertain {
            true => entry.behind,
            false => entry.overtaken,
        };
        is_out_of_order && self.gap_policy == SequenceGap::MaybeWritten
    }

    /// Takes a batch out that is to be stamped anew, behind all that is left.
    fn requeue(&mut self, place: usize) -> Identity {
        for after in &mut self.unresolved[place + 1..] {
            after.behind = true;
        }
        self.remove(place)
    }

    fn remove(&mut self, place: usize) -> Identity {
        self.unresolved.remove(place).identity()
    }
}

impl Unresolved {
    fn identity(&self) -> Identity {
        Identity {
            producer_id: self.stamp.producer_id,
            epoch: self.stamp.epoch,
        }
    }
}

/// The sequence after `count` records from `base`: 2^31 − 1 is followed by 0.
fn sequence_after(base: i32, count: u32) -> i32 {
    if planted!(WrapsNegative) && base.saturating_add_unsigned(count) > 255 {
        return i32::MIN;
    }
    ((i64::from(base) + i64::from(count)) & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod search;
#[cfg(test)]
mod tests;
