//! The faults of the brokers: what may go wrong with a request and with a log.

use std::vec::Vec;

use super::{
    super::Attempt,
    log::{Entry, Ruling},
    step::{How, Step},
    world::{Batch, Lane, UNWATCHED, World},
};
use crate::{batch::Stamp, config::Acks, producer::judge, wire::ErrorCode};

impl Lane {
    /// What may go wrong on the link to `leader`.
    pub(super) fn link_faults(&self, lane: u8, leader: i32, steps: &mut Vec<Step>) {
        steps.push(Step::Cut {
            lane,
            leader,
            untouched: false,
        });
        let Some(newest) = self.of_link(leader).last() else {
            return;
        };
        if newest.answer.is_none() {
            steps.push(Step::Cut {
                lane,
                leader,
                untouched: true,
            });
        }
        let due = self.of_link(leader).find(|r| r.answer.is_none());
        let Some(due) = due.filter(|_| leader == self.log.leader) else {
            return;
        };
        let ways = REFUSALS.map(How::Refuses).into_iter().chain(
            DOUBTS
                .map(How::AppendsAndSays)
                .into_iter()
                .filter(|_| !matches!(self.log.judge(due.entry), Ruling::Refuses(_))),
        );
        steps.extend(ways.map(|how| Step::Handle { lane, leader, how }));
    }

    /// What may go wrong at the partition's replicas.
    pub(super) fn log_faults(&self, lane: u8, steps: &mut Vec<Step>) {
        let len = self.log.entries.len() as u8;
        for keep in 0..=len {
            steps.push(Step::Elect {
                lane,
                keep,
                forgets: false,
            });
        }
        if len > 0 {
            steps.push(Step::Fence(lane));
        }
        if len > 0 && self.log.start == 0 {
            steps.push(Step::Elect {
                lane,
                keep: len,
                forgets: true,
            });
            steps.push(Step::Forget(lane));
        }
        if len > 0 && self.log.committed == self.log.entries.len() {
            steps.push(Step::Retain(lane));
        }
    }
}

impl Lane {
    /// Batches that a gap takes the stamp, while the broker comes to others after them under the old stamps.
    fn at_a_loss(&self) -> impl Iterator<Item = u8> {
        let is_gap = |code| judge(code, Acks::All).attempt == Attempt::OutOfOrder;
        let refused = self.wire.iter();
        let refused = refused.filter(move |r| r.answer.is_some_and(|a| is_gap(a.code)));
        let due = self.of_link(self.log.leader).filter(|r| r.answer.is_none());
        let last = due.map(|r| r.entry.batch).max().unwrap_or(0);
        let queued = self.queue.iter().copied().filter(move |&b| b < last);
        queued.chain(refused.map(|r| r.entry.batch))
    }
}

impl World {
    /// What happens to the log while the producer looks elsewhere.
    pub(super) fn change_log(&mut self, step: Step) {
        match step {
            Step::Arrive { lane, link } => {
                let at = &mut self.lanes[usize::from(lane)];
                let stray = at.strays[usize::from(link)].remove(0);
                at.strays.retain(|l| !l.is_empty());
                let _ = at.log.take(stray.entry, false); // nobody hears the answer
            }
            Step::Elect {
                lane,
                keep,
                forgets,
            } => {
                let at = &mut self.lanes[usize::from(lane)];
                let acknowledged = &at.log.entries[..at.log.committed];
                let cut = acknowledged.iter().skip(keep.into());
                for entry in cut.filter(|e| e.batch != UNWATCHED) {
                    self.batches[usize::from(entry.batch)].was_cut = true;
                }
                at.log.elect(keep.into());
                at.strays.clear();
                if forgets {
                    self.forget(lane.into());
                }
            }
            Step::Forget(lane) => {
                let of_lane = |b: &&mut Batch| b.lane == usize::from(lane);
                let batches = self.batches.iter_mut().filter(of_lane);
                batches.for_each(|b| b.may_fail = true);
                self.forget(lane.into());
            }
            Step::Retain(lane) => {
                let at = &mut self.lanes[usize::from(lane)];
                for entry in at.log.entries.iter().filter(|e| e.batch != UNWATCHED) {
                    self.batches[usize::from(entry.batch)].was_cut = true;
                }
                at.log.retain_nothing();
                at.strays.clear(); // no request is as old as what retention takes
            }
            Step::Fence(lane) => {
                let log = &mut self.lanes[usize::from(lane)].log;
                if let Some(newest) = log.entries.last() {
                    let stamp = Stamp {
                        epoch: newest.stamp.epoch.saturating_add(FENCE),
                        base_sequence: 0,
                        ..newest.stamp
                    };
                    let entry = Entry {
                        batch: UNWATCHED,
                        count: 1,
                        stamp,
                    };
                    let _ = log.take(entry, true); // refused only if the epochs are used up
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, lane: usize) {
        let at = &mut self.lanes[lane];
        let late = at.strays.iter().flatten().map(|r| r.entry.batch);
        let in_log = at.log.entries.iter().map(|e| e.batch);
        for batch in in_log.chain(late).chain(at.at_a_loss()) {
            if batch != UNWATCHED {
                self.batches[usize::from(batch)].is_loose = true;
            }
        }
        at.log.forget();
    }
}

/// Each is one of a class of codes that the producer takes alike.
const REFUSALS: [ErrorCode; 3] = [
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::INVALID_RECORD,
    ErrorCode::UNKNOWN_SERVER_ERROR,
];
const DOUBTS: [ErrorCode; 3] = [
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::UNKNOWN_SERVER_ERROR,
];

/// Further than this producer's own epochs come.
const FENCE: i16 = 10;
