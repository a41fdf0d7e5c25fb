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
    /// Batches are refused for now, and nothing is a cause to begin a new epoch.
    Refusals,
}

/// In a trial that dwells on doubts.
const DOUBTS: usize = 24;

impl Plan {
    /// Now and then a trial dwells on something.
    pub(super) fn perhaps_focused(mut self, chance: &mut Chance) -> Plan {
        self.focus = match chance.below(100) {
            0..5 => Some(Focus::Doubt),
            5..10 if self.is_idempotent => Some(Focus::Forgetting),
            10..15 => Some(Focus::FailingMetadata),
            15..20 => Some(Focus::OldNews),
            20..25 if self.is_idempotent => Some(Focus::Refusals),
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
            Some(Focus::Refusals) => {
                self.kinds.retain(spares_epochs);
                self.narrow(1);
                self.add(FaultKind::RefuseForNow, 6);
                self.add(FaultKind::MoveLeader, 3);
                self.add(FaultKind::Slow, 3);
            }
        }
        self
    }

    /// Plans what it takes beside the kinds of faults.
    pub(super) fn dwell(&self, world: &mut World, chance: &mut Chance) {
        if self.focus == Some(Focus::Doubt) {
            for _ in 0..DOUBTS {
                self.doubt(world, chance);
            }
        }
    }

    /// At some time a batch is written, of which the producer does not hear, and is refused when it comes again.
    fn doubt(&self, world: &mut World, chance: &mut Chance) {
        let topic = chance.pick(&self.topics);
        let partition = chance.below(topic.partitions.max(1) as usize) as i32;
        let on = On::produce(&topic.name, partition);
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
