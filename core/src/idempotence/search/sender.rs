//! What the producer does around [`Sequences`]: the steps of `ProducerCore` in `sending.rs` and `delivery.rs`, without
//! bytes and time. What it decides there is decided here by the same code: `judge`, `Identity::after_fault`.

use std::{format, string::String};

use super::{
    super::{Attempt, Fate, Identity, Next, Sequences},
    log::Entry,
    world::{Answer, Lane, Outcome, Request, World, records},
};
use crate::{
    config::Acks,
    producer::{Verdict, judge},
    wire::ErrorCode,
};

/// A broken rule.
pub(super) type Broken = String;

impl World {
    /// What the partition would send now: `ProducerCore::next_of`.
    pub(super) fn next(&self, lane: usize) -> Option<Next> {
        let at = &self.lanes[lane];
        match at.sequences.next(self.identity, self.leadership(lane)) {
            Next::Nothing => None,
            Next::Fresh if at.queue.is_empty() => None,
            next => Some(next),
        }
    }

    /// Sends a partition's next batch: `ProducerCore::take`.
    pub(super) fn send(&mut self, lane: usize) -> Result<(), Broken> {
        let leadership = self.leadership(lane);
        let (batch, stamp) = match self.next(lane) {
            Some(Next::Retry(batch)) => {
                let stamp = self.lanes[lane].sequences.resend(batch, leadership);
                if self.batches[batch as usize].stamp != Some(stamp) {
                    return Err(format!(
                        "I8: a retry of B{batch} has another stamp: {stamp:?}"
                    ));
                }
                (batch as u8, stamp)
            }
            Some(Next::Fresh) => {
                let batch = self.lanes[lane].queue.remove(0);
                self.check_fresh(batch)?;
                let count = records(batch).into();
                let stamp = self.lanes[lane].sequences.stamp(
                    batch.into(),
                    count,
                    self.identity,
                    leadership,
                );
                self.batches[batch as usize].stamp = Some(stamp);
                self.lanes[lane].count(batch, stamp)?;
                (batch, stamp)
            }
            _ => return Ok(()),
        };
        let entry = Entry {
            batch,
            count: records(batch),
            stamp,
        };
        self.lanes[lane].wire.push(Request {
            entry,
            leadership,
            answer: None,
        });
        Ok(())
    }

    /// Takes an answer: `ProducerCore::partition_answered`.
    pub(super) fn answered(
        &mut self,
        lane: usize,
        request: &Request,
        answer: Answer,
    ) -> Result<(), Broken> {
        let mut verdict = judge(answer.code, Acks::All);
        if verdict.stale_metadata {
            self.learn(lane);
        }
        let sequences = &mut self.lanes[lane].sequences;
        if answer.code == ErrorCode::UNKNOWN_PRODUCER_ID {
            verdict.attempt = sequences.forgotten(answer.log_start);
        }
        if verdict.attempt == Attempt::Written && answer.offset >= 0 {
            sequences.acknowledged(answer.offset);
        }
        self.ended(lane, request, verdict)
    }

    /// Takes the end of an attempt: `ProducerCore::attempt_ended`.
    pub(super) fn ended(
        &mut self,
        lane: usize,
        request: &Request,
        verdict: Verdict,
    ) -> Result<(), Broken> {
        let (batch, attempt) = (request.entry.batch, verdict.attempt);
        let at = &mut self.batches[usize::from(batch)];
        at.uncertain |= matches!(attempt, Attempt::Uncertain { .. });
        // The answer proves that the log holds nothing of it, and that the broker would refuse its stamp (H025).
        at.uncertain &= attempt != Attempt::Forgotten;
        at.may_arrive &= attempt != Attempt::Forgotten;
        let sequences = &mut self.lanes[lane].sequences;
        let resolution = sequences.resolve(batch.into(), attempt);
        let resolution =
            resolution.ok_or_else(|| format!("B{batch} was on the way, and is not noted"))?;
        match resolution.fate {
            Fate::Written => self.conclude(batch, Outcome::Written)?,
            Fate::NotWritten => self.conclude(batch, self.failed(batch))?,
            Fate::MaybeWritten => self.conclude(batch, Outcome::MaybeWritten)?,
            Fate::GivenUp if self.batches[usize::from(batch)].outcome.is_none() => {
                return Err(format!("I5: B{batch} is let go without an outcome"));
            }
            Fate::Requeue => self.put_back(batch)?,
            Fate::GivenUp | Fate::Retry => {}
        }
        if let Some(broken) = resolution.fault {
            self.mend(lane, broken, verdict.new_producer_id)?;
        }
        self.end_stranded(lane)
    }

    /// Ends a batch from the producer's side: `ProducerCore::give_up`.
    pub(super) fn give_up(&mut self, batch: u8) -> Result<(), Broken> {
        let lane = self.batches[usize::from(batch)].lane;
        let at = &mut self.lanes[lane];
        if let Some(place) = at.queue.iter().position(|&b| b == batch) {
            at.queue.remove(place);
            return self.conclude(batch, self.failed(batch));
        }
        let resolution = at.sequences.give_up(batch.into());
        let outcome = match resolution.fate {
            Fate::NotWritten => self.failed(batch),
            _ => Outcome::MaybeWritten,
        };
        self.conclude(batch, outcome)?;
        if let Some(broken) = resolution.fault {
            self.mend(lane, broken, false)?;
        }
        self.end_stranded(lane)
    }

    /// The producer learns who leads the partition.
    pub(super) fn learn(&mut self, lane: usize) {
        let at = &mut self.lanes[lane];
        at.known = at.log.leader;
    }

    /// The new producer id came.
    pub(super) fn renew(&mut self) {
        self.ids += 1;
        self.identity = Some(Identity {
            producer_id: self.ids,
            epoch: 0,
        });
    }

    /// `ProducerCore::end_stranded`.
    fn end_stranded(&mut self, lane: usize) -> Result<(), Broken> {
        let stranded = self.lanes[lane].sequences.strand();
        for batch in stranded.batches {
            self.conclude(batch as u8, self.failed(batch as u8))?;
        }
        match stranded.fault {
            Some(broken) => self.mend(lane, broken, false),
            None => Ok(()),
        }
    }

    /// `ProducerCore::mend`.
    fn mend(&mut self, lane: usize, broken: Identity, new_producer_id: bool) -> Result<(), Broken> {
        let next = self
            .identity
            .and_then(|id| id.after_fault(broken, new_producer_id));
        if next != self.identity {
            self.identity = next;
            let unspent = self.breaks.checked_sub(1);
            self.breaks =
                unspent.ok_or("H022: an epoch ends, and nothing had broken its sequence")?;
        }
        for batch in self.lanes[lane].sequences.unstamp() {
            self.put_back(batch as u8)?;
        }
        Ok(())
    }

    fn put_back(&mut self, batch: u8) -> Result<(), Broken> {
        let at = &mut self.batches[usize::from(batch)];
        if at.outcome.is_some() {
            return Err(format!("I5: B{batch} has its outcome, and is queued again"));
        }
        at.stamp = None;
        let queue = &mut self.lanes[at.lane].queue;
        let place = queue.partition_point(|&b| b < batch);
        queue.insert(place, batch);
        Ok(())
    }

    fn failed(&self, batch: u8) -> Outcome {
        match self.batches[usize::from(batch)].uncertain {
            true => Outcome::MaybeWritten,
            false => Outcome::NotWritten,
        }
    }

    fn conclude(&mut self, batch: u8, outcome: Outcome) -> Result<(), Broken> {
        if outcome == Outcome::NotWritten && !self.batches[usize::from(batch)].may_fail {
            return Err(format!(
                "H007: B{batch} fails, and nothing stood in its way"
            ));
        }
        match self.batches[usize::from(batch)].outcome.replace(outcome) {
            None => Ok(()),
            Some(before) => Err(format!("I5: B{batch} is {before:?}, and then {outcome:?}")),
        }
    }

    /// What must hold before a batch gets a stamp.
    fn check_fresh(&self, batch: u8) -> Result<(), Broken> {
        if self.batches[usize::from(batch)].may_arrive {
            return Err(format!(
                "golden rule: B{batch} gets a new stamp, and may arrive under its old one"
            ));
        }
        let lane = &self.lanes[self.batches[usize::from(batch)].lane];
        let mut noted = (0u8..)
            .zip(&self.batches)
            .filter(|(b, _)| lane.sequences.holds((*b).into()))
            .filter_map(|(_, b)| b.stamp);
        let is_stale =
            |id: Identity| noted.any(|s| (s.producer_id, s.epoch) != (id.producer_id, id.epoch));
        if self.identity.is_some_and(is_stale) {
            return Err(format!(
                "H021: B{batch} goes under a new epoch, and others are not resolved under the old one"
            ));
        }
        Ok(())
    }
}

impl Lane {
    /// Holds a fresh stamp against the checker's own count (I9).
    fn count(&mut self, batch: u8, stamp: crate::batch::Stamp) -> Result<(), Broken> {
        let identity = Identity {
            producer_id: stamp.producer_id,
            epoch: stamp.epoch,
        };
        let expected = match self.counted {
            Some((counted, next)) if counted == identity => Some(next),
            Some((counted, _))
                if (counted.producer_id, counted.epoch) > (stamp.producer_id, stamp.epoch) =>
            {
                None
            }
            _ => Some(0),
        };
        if expected != Some(stamp.base_sequence) {
            return Err(format!(
                "I9: B{batch} is stamped {stamp:?}, and {expected:?} is due"
            ));
        }
        self.counted = Some((identity, stamp.base_sequence + i32::from(records(batch))));
        Ok(())
    }
}

/// Two machines that go on alike hash alike: stamps are counted from the newest, and attempts up to what is asked of them.
impl core::hash::Hash for Sequences {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.identity, self.next, self.faulted, self.proven).hash(state);
        self.gap.map(|gap| self.stamps - gap).hash(state);
        self.last_acknowledged.hash(state);
        for u in &self.unresolved {
            (u.batch, u.stamp, self.stamps - u.serial).hash(state);
            (
                u.attempts,
                u.in_flight,
                u.pipelined,
                u.uncertain,
                u.given_up,
            )
                .hash(state);
            (u.behind, u.overtaken, u.sent_to).hash(state);
        }
    }
}
