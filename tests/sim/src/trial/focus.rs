//! What a trial may dwell on: faults that seldom meet where all kinds strike.

use std::time::Duration;

use ottla::Acks;

use super::plan::Plan;
use super::rules::{keeps_identities, spares_epochs, spares_leaders};
use crate::{Chance, Fault, FaultKind, On, World, code};

/// What strikes more often than all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// Attempts that may have been written are followed by refusals.
    Doubt,
    /// Old brokers forget the producer of a busy partition, again and again.
    Forgetting,
    /// Metadata fails for now, while every partition has a leader.
    FailingMetadata,
    /// Brokers tell old news while leaders move.
    OldNews,
    /// Leaders that are slow to answer refuse for now, and are no leaders any more.
    LateAnswers,
}

/// So often what a trial dwells on is planned.
const TIMES: usize = 24;
/// Moves of a leader that is late to answer.
const MOVES: usize = 5;

impl Plan {
    /// Now and then a trial dwells on something.
    pub(super) fn perhaps_focused(mut self, chance: &mut Chance) -> Plan {
        self.focus = match chance.below(100) {
            0..5 => Some(Focus::Doubt),
            5..10 if self.is_idempotent => Some(Focus::Forgetting),
            10..15 => Some(Focus::FailingMetadata),
            15..20 => Some(Focus::OldNews),
            20..25 if self.is_idempotent => Some(Focus::LateAnswers),
            _ => None,
        };
        match self.focus {
            None => {}
            Some(Focus::Doubt) => self.narrow(3),
            Some(Focus::Forgetting) => {
                // Answers and logs from which nobody could tell what a producer knows of its offsets.
                use FaultKind::{HostileProduce, RecreateTopic, ShrinkTopic};
                let unclear = [HostileProduce, RecreateTopic, ShrinkTopic];
                self.kinds.retain(|kind| !unclear.contains(kind));
                self.retain_identities();
                self.narrow(1);
                self.add(FaultKind::OldBrokers, 12);
                self.add(FaultKind::Slow, 4);
            }
            Some(Focus::FailingMetadata) => {
                self.kinds.retain(spares_leaders);
                self.add(FaultKind::RefuseMetadata, 6);
                self.add(FaultKind::MoveLeader, 2);
            }
            Some(Focus::OldNews) => {
                // Old news of a topic that is gone would be another story.
                use FaultKind::{RecreateTopic, ShrinkTopic};
                self.kinds
                    .retain(|kind| !matches!(kind, RecreateTopic | ShrinkTopic));
                self.retain_identities();
                self.add(FaultKind::StaleMetadata, 6);
                self.add(FaultKind::MoveLeader, 6);
            }
            Some(Focus::LateAnswers) => {
                self.kinds.retain(spares_epochs);
                self.narrow(1);
                self.add(FaultKind::MoveLeader, 6);
                self.add(FaultKind::Slow, 4);
                self.add(FaultKind::RefuseForNow, 6);
            }
        }
        self
    }

    /// Plans what it takes beside the kinds of faults.
    pub(super) fn dwell(&self, world: &mut World, chance: &mut Chance) {
        for _ in 0..TIMES {
            match self.focus {
                Some(Focus::Doubt) => self.doubt(world, chance),
                Some(Focus::LateAnswers) => self.answer_late(world, chance),
                _ => return,
            }
        }
    }

    /// At some time a batch is written, of which the producer does not hear, and is refused when it comes again.
    fn doubt(&self, world: &mut World, chance: &mut Chance) {
        let (topic, partition) = self.any_place(chance);
        let on = On::produce(&topic, partition);
        let mut unheard = vec![Fault::AppendThenDisconnect];
        if self.acks == Acks::All {
            unheard.push(Fault::AppendThen(code::REQUEST_TIMED_OUT));
        }
        let unheard = chance.pick(&unheard).clone();
        let refusals = [
            code::MESSAGE_TOO_LARGE,
            code::MESSAGE_TOO_LARGE,
            code::INVALID_RECORD,
        ];
        let refusal = Fault::Refuse(*chance.pick(&refusals));
        world.after(chance.duration(Duration::ZERO..self.storm), move |world| {
            world.cluster.inject(on.clone(), unheard);
            world.cluster.inject(on, refusal);
        });
    }

    /// At some time a leader refuses a batch, so that the producer asks who leads now, and is long in answering the next;
    /// before it does another one leads.
    fn answer_late(&self, world: &mut World, chance: &mut Chance) {
        let (topic, partition) = self.any_place(chance);
        let late = chance.duration(Duration::from_millis(300)..Duration::from_secs(2));
        let begin = chance.duration(Duration::ZERO..self.storm);
        let on = On::produce(&topic, partition);
        world.after(begin, move |world| {
            let refusal = Fault::Refuse(code::FENCED_LEADER_EPOCH);
            world.cluster.inject(on.clone(), refusal);
            world.cluster.inject(on, Fault::Delay(late));
        });
        // The batches may be long in coming.
        for _ in 0..MOVES {
            let broker = chance.within(1..usize::from(self.brokers) + 1) as i32;
            let moves = begin + chance.duration(Duration::ZERO..Duration::from_secs(2));
            let topic = topic.clone();
            world.after(moves, move |world| {
                world.cluster.move_leader(&topic, partition, broker);
            });
        }
    }

    fn any_place(&self, chance: &mut Chance) -> (String, i32) {
        let topic = chance.pick(&self.topics);
        let partition = chance.below(topic.partitions.max(1) as usize) as i32;
        (topic.name.clone(), partition)
    }

    /// All records go to few partitions.
    fn narrow(&mut self, partitions: i32) {
        self.topics.truncate(1);
        for topic in &mut self.topics {
            topic.partitions = topic.partitions.min(partitions);
        }
    }

    fn retain_identities(&mut self) {
        self.kinds.retain(keeps_identities);
    }

    fn add(&mut self, kind: FaultKind, times: usize) {
        self.kinds.extend(std::iter::repeat_n(kind, times));
    }
}
