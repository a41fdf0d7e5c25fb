//! The steps of the searched system: what may happen next, and what it does.

use std::{format, string::String, vec::Vec};

use super::{
    super::Attempt,
    sender::Broken,
    world::{Answer, Lane, Request, World},
};
use crate::{producer::Verdict, wire::ErrorCode};

/// One thing that happens. Lanes are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The producer sends a partition's next batch.
    Send(u8),
    /// The broker comes to the oldest request of the link to a leader.
    Handle { lane: u8, leader: i32, how: How },
    /// The producer takes the oldest answer of that link.
    Answer { lane: u8, leader: i32 },
    /// The producer learns who leads a partition.
    Learn(u8),
    /// The producer gets a new id.
    Renew,
    /// The oldest request of a lost link arrives after all.
    Arrive { lane: u8, link: u8 },
    /// A link is lost; `untouched` if nothing of the newest request had left the process.
    Cut {
        lane: u8,
        leader: i32,
        untouched: bool,
    },
    /// Another replica leads, with so many entries; it may know nothing of producers.
    Elect { lane: u8, keep: u8, forgets: bool },
    /// The leader forgets the producer.
    Forget(u8),
    /// Retention takes the whole log and, as brokers before Kafka 2.4 have it, all knowledge of producers with it.
    Retain(u8),
    /// Somebody else takes the producer id, with a later epoch.
    Fence(u8),
    /// The producer gives a batch up: its time is over, or it is purged.
    Expire(u8),
}

/// How a broker handles a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// By the rules.
    Fairly,
    /// It refuses the batch.
    Refuses(ErrorCode),
    /// It appends the batch, before its replicas have it, and answers with an error.
    AppendsAndSays(ErrorCode),
}

impl Step {
    pub(super) fn all(world: &World) -> Vec<Self> {
        let mut steps = Vec::new();
        for lane in 0..2 {
            world.lane_steps(lane, &mut steps);
        }
        if world.identity.is_none() {
            steps.push(Self::Renew);
        }
        if world.faults > 0 {
            let live = (0u8..)
                .zip(&world.batches)
                .filter(|(_, b)| b.outcome.is_none());
            steps.extend(live.map(|(batch, _)| Self::Expire(batch)));
        }
        steps
    }

    /// Costs one of the faults.
    pub(super) fn is_fault(self) -> bool {
        match self {
            Self::Send(_)
            | Self::Answer { .. }
            | Self::Learn(_)
            | Self::Renew
            | Self::Arrive { .. } => false,
            Self::Handle { how, .. } => how != How::Fairly,
            _ => true,
        }
    }

    /// Nobody can count on it: a fault, or a late arrival.
    pub(super) fn is_chance(self) -> bool {
        self.is_fault() || matches!(self, Self::Arrive { .. })
    }

    /// A sequence may be broken after it, so that an epoch has to end.
    fn breaks(self, world: &World) -> bool {
        match self {
            Self::Forget(_) | Self::Retain(_) | Self::Fence(_) | Self::Expire(_) => true,
            Self::Handle {
                how: How::Refuses(code) | How::AppendsAndSays(code),
                ..
            } => !is_retriable(code),
            Self::Elect {
                lane,
                keep,
                forgets,
            } => forgets || usize::from(keep) < world.lanes[usize::from(lane)].log.committed,
            _ => false,
        }
    }
}

impl World {
    fn lane_steps(&self, lane: u8, steps: &mut Vec<Step>) {
        let at = &self.lanes[usize::from(lane)];
        if self.next(lane.into()).is_some() {
            steps.push(Step::Send(lane));
        }
        if at.known != at.log.leader {
            steps.push(Step::Learn(lane));
        }
        for link in 0..at.strays.len() as u8 {
            steps.push(Step::Arrive { lane, link });
        }
        let mut links: Vec<i32> = at.wire.iter().map(|r| r.leadership.epoch).collect();
        links.dedup();
        for &leader in &links {
            if at.of_link(leader).any(|r| r.answer.is_none()) {
                steps.push(Step::Handle {
                    lane,
                    leader,
                    how: How::Fairly,
                });
            }
            if at
                .of_link(leader)
                .next()
                .is_some_and(|r| r.answer.is_some())
            {
                steps.push(Step::Answer { lane, leader });
            }
        }
        if self.faults == 0 {
            return;
        }
        for &leader in &links {
            at.link_faults(lane, leader, steps);
        }
        at.log_faults(lane, steps);
    }

    /// Takes a step; says which rule the producer broke by it.
    pub(super) fn take(&mut self, step: Step) -> Result<(), Broken> {
        self.faults -= u8::from(step.is_fault());
        self.breaks += u8::from(step.breaks(self));
        match step {
            Step::Send(lane) => self.send(lane.into()),
            Step::Handle { lane, leader, how } => {
                self.handle(lane.into(), leader, how);
                Ok(())
            }
            Step::Answer { lane, leader } => {
                let (lane, at) = (usize::from(lane), &mut self.lanes[usize::from(lane)]);
                let oldest = at.wire.iter().position(|r| r.leadership.epoch == leader);
                let request = at.wire.remove(oldest.expect("the step is of this state"));
                let answer = request.answer.expect("the step is of this state");
                self.answered(lane, &request, answer)
            }
            Step::Learn(lane) => {
                self.learn(lane.into());
                Ok(())
            }
            Step::Renew => {
                self.renew();
                Ok(())
            }
            Step::Cut {
                lane,
                leader,
                untouched,
            } => self.cut(lane.into(), leader, untouched),
            Step::Expire(batch) => {
                self.batches[usize::from(batch)].may_fail = true;
                self.give_up(batch)
            }
            _ => {
                self.change_log(step);
                Ok(())
            }
        }
    }

    fn handle(&mut self, lane: usize, leader: i32, how: How) {
        let at = &mut self.lanes[lane];
        let due = |r: &&mut Request| r.leadership.epoch == leader && r.answer.is_none();
        let Some(request) = at.wire.iter_mut().find(due) else {
            return;
        };
        let taken = match how {
            _ if leader != at.log.leader => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            How::Fairly => at.log.take(request.entry, true),
            How::Refuses(code) => Err(code),
            How::AppendsAndSays(code) => at.log.take(request.entry, false).and(Err(code)),
        };
        request.answer = Some(Answer {
            code: taken.err().unwrap_or(ErrorCode::NONE),
            offset: taken.map_or(-1, |offset| offset as i64),
            log_start: at.log.start as i64,
        });
        let batch = &mut self.batches[usize::from(request.entry.batch)];
        batch.may_arrive |= matches!(how, How::AppendsAndSays(_));
        batch.may_fail |= matches!(how, How::Refuses(code) if !is_retriable(code));
    }

    fn cut(&mut self, lane: usize, leader: i32, untouched: bool) -> Result<(), Broken> {
        let at = &mut self.lanes[lane];
        let of_link = |r: &Request| r.leadership.epoch == leader;
        let mut lost: Vec<Request> = at.wire.iter().copied().filter(of_link).collect();
        at.wire.retain(|r| !of_link(r));
        let last = if untouched { lost.pop() } else { None };
        let strays: Vec<Request> = lost
            .iter()
            .copied()
            .filter(|r| r.answer.is_none())
            .collect();
        if !strays.is_empty() && leader == at.log.leader {
            at.strays.push(strays);
        }
        for request in lost {
            self.batches[usize::from(request.entry.batch)].may_arrive = true;
            self.ended(lane, &request, NO_ANSWER)?;
        }
        match last {
            Some(request) => self.ended(lane, &request, UNTOUCHED),
            None => Ok(()),
        }
    }

    /// The step, for a reader, with what it was about.
    pub(super) fn tell(&self, step: Step) -> String {
        let about = |r: Option<&Request>| {
            r.map_or(String::new(), |r| {
                let s = r.entry.stamp;
                format!(
                    " (B{} as {}/{}/{})",
                    r.entry.batch, s.producer_id, s.epoch, s.base_sequence
                )
            })
        };
        let of = match step {
            Step::Handle { lane, leader, .. } => about(
                self.lanes[usize::from(lane)]
                    .of_link(leader)
                    .find(|r| r.answer.is_none()),
            ),
            Step::Answer { lane, leader } => {
                let oldest = self.lanes[usize::from(lane)].of_link(leader).next();
                let code = oldest.and_then(|r| r.answer).map(|a| a.code);
                format!("{}: {code:?}", about(oldest))
            }
            Step::Arrive { lane, link } => {
                about(self.lanes[usize::from(lane)].strays[usize::from(link)].first())
            }
            Step::Send(lane) => format!(
                ": {:?}, of {:?}",
                self.next(lane.into()),
                self.lanes[usize::from(lane)].queue
            ),
            _ => String::new(),
        };
        format!("{step:?}{of}")
    }
}

impl Lane {
    pub(super) fn of_link(&self, leader: i32) -> impl Iterator<Item = &Request> {
        self.wire
            .iter()
            .filter(move |r| r.leadership.epoch == leader)
    }
}

fn is_retriable(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::INVALID_RECORD | ErrorCode::UNKNOWN_SERVER_ERROR
    )
}

const NO_ANSWER: Verdict = Verdict {
    attempt: Attempt::Uncertain { retry: true },
    stale_metadata: true,
    too_large: false,
    new_producer_id: false,
};
const UNTOUCHED: Verdict = Verdict {
    attempt: Attempt::Untouched,
    ..NO_ANSWER
};
