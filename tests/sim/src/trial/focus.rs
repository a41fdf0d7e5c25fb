//! What a trial may dwell on: faults that seldom meet where all kinds strike.

use std::time::Duration;

use ottla::Acks;

use super::plan::{Ending, Plan};
use super::rules::{keeps_identities, spares_epochs, spares_leaders};
use crate::{Chance, Fault, FaultKind, Hostile, On, Produced, World, code};

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
    /// Leaders that lead no more refuse late, and nothing else is a cause to begin a new epoch.
    LateRefusals,
    /// Brokers say why nothing goes on: a topic is not there, and too few replicas are in sync.
    Reasons,
    /// Nothing is acknowledged, and brokers are slow to read when connections are closed.
    Farewells,
}

/// How often a trial tells the story that it dwells on.
const TIMES: usize = 24;

impl Plan {
    /// Now and then a trial dwells on something.
    pub(super) fn perhaps_focused(mut self, chance: &mut Chance) -> Plan {
        self.focus = match chance.below(100) {
            0..5 => Some(Focus::Doubt),
            5..10 if self.is_idempotent => Some(Focus::Forgetting),
            10..15 => Some(Focus::FailingMetadata),
            15..20 => Some(Focus::OldNews),
            20..25 if self.is_idempotent => Some(Focus::Refusals),
            25..33 if self.is_idempotent => Some(Focus::LateRefusals),
            33..38 if self.acks == Acks::All => Some(Focus::Reasons),
            33..63 if self.acks == Acks::None => Some(Focus::Farewells),
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
                self.narrow(2);
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
            Some(Focus::LateRefusals) => {
                use FaultKind::{GrowTopic, MoveLeader, RefuseForNow};
                let others = [GrowTopic, MoveLeader, RefuseForNow];
                self.kinds
                    .retain(|kind| spares_epochs(kind) && !others.contains(kind));
                self.add(FaultKind::Slow, 1);
                self.narrow(2);
                // Several batches of one partition are under way, a retry waits until metadata came by another link, and
                // nothing runs out of time.
                self.set_timeouts(Duration::from_secs(2), Duration::from_secs(60));
                self.set("linger.ms", "0");
                self.set("max.in.flight.requests.per.connection", "5");
                self.set("retry.backoff.ms", "300");
                self.set("retry.backoff.max.ms", "1000");
            }
            Some(Focus::Reasons) => {
                // Nothing else is in the way.
                self.kinds = vec![FaultKind::GrowTopic];
                // Time for several attempts, and for the first answers of slow brokers.
                self.set_timeouts(Duration::from_secs(1), Duration::from_secs(8));
                self.max_block = Duration::from_secs(5);
                self.set("linger.ms", "5");
                self.set("max.block.ms", "5000");
                self.set("retry.backoff.max.ms", "1000");
            }
            Some(Focus::Farewells) => {
                // Nothing that loses records by itself, and every end is an orderly one.
                self.kinds = vec![FaultKind::GrowTopic];
                self.ending = *chance.pick(&[Ending::Rest, Ending::Close, Ending::Drop]);
                // Connections are closed now and then while something is sent.
                self.set("connections.max.idle.ms", "1000");
                self.set("metadata.max.age.ms", "500");
                // No answer is given up.
                self.set_timeouts(Duration::from_secs(30), Duration::from_secs(60));
                self.set("socket.connection.setup.timeout.ms", "10000");
                self.set("socket.connection.setup.timeout.max.ms", "30000");
            }
        }
        self
    }

    /// Plans what it takes beside the kinds of faults.
    pub(super) fn dwell(&self, world: &mut World, chance: &mut Chance) {
        if self.focus == Some(Focus::LateRefusals) {
            // A record from the future would be a cause to begin a new epoch.
            world.cluster.set_timestamp_lead(1 << 60);
        }
        match self.focus {
            Some(Focus::Reasons) => self.fail_with_reasons(world),
            Some(Focus::Farewells) => self.read_slowly(world),
            _ => {}
        }
        for _ in 0..TIMES {
            match self.focus {
                Some(Focus::Doubt) => self.doubt(world, chance),
                Some(Focus::OldNews) => self.hint(world, chance),
                Some(Focus::LateRefusals) => self.refuse_late(world, chance),
                _ => {}
            }
        }
    }

    /// Until the storm is over the last topic is not there, and no partition of the others has replicas enough.
    fn fail_with_reasons(&self, world: &mut World) {
        self.refuse_nothing_for_good(world);
        let hidden = self
            .topics
            .last()
            .map_or("", |topic| &topic.name)
            .to_owned();
        world.cluster.hide_topic(&hidden, true);
        world.cluster.set_auto_create(false);
        world.cluster.set_min_insync_replicas(usize::MAX);
        world.after(self.storm, move |world| {
            world.cluster.hide_topic(&hidden, false);
            world.cluster.set_min_insync_replicas(1);
        });
    }

    /// Brokers read one request after the other, and answer those that ask for no answer as well.
    fn read_slowly(&self, world: &mut World) {
        world.cluster.set_answers_unacknowledged(true);
        // A refusal is a connection that the broker closes.
        self.refuse_nothing_for_good(world);
        for broker in 1..=i32::from(self.brokers) {
            world.set_read_pause(broker, Duration::from_millis(5));
        }
    }

    /// No record is too large, or of a time too far away.
    fn refuse_nothing_for_good(&self, world: &mut World) {
        world.cluster.set_timestamp_lead(1 << 60);
        for topic in &self.topics {
            let limit = 1 << 20;
            let cluster = &mut world.cluster;
            cluster.set_topic_max_message_bytes(&topic.name, limit);
        }
    }

    /// At some time an answer to Produce names a leader of long ago, or one of an epoch that never was.
    fn hint(&self, world: &mut World, chance: &mut Chance) {
        let hints = [Hostile::HintFromThePast, Hostile::HintFromTheFuture];
        let hint = Fault::Hostile(*chance.pick(&hints));
        let at = chance.duration(Duration::ZERO..self.storm);
        world.after(at, |world| world.cluster.inject(On::AnyProduce, hint));
    }

    /// At some time an answer comes slowly, so that more batches follow. The leader refuses the next of them, and what comes
    /// after that one, too, since it does not follow; but that it says only when another one leads already.
    fn refuse_late(&self, world: &mut World, chance: &mut Chance) {
        let topic = chance.pick(&self.topics).name.clone();
        let on = On::produce(&topic, 0);
        let slow = Fault::Delay(self.request_timeout / 8);
        let refusal = Fault::Refuse(code::NOT_LEADER_OR_FOLLOWER);
        let late =
            Fault::Delay(chance.duration(self.request_timeout / 4..self.request_timeout / 2));
        let at = chance.duration(Duration::ZERO..self.storm);
        let pace = self.request_timeout / 64;
        world.after(at, move |world| {
            for fault in [slow, refusal, late] {
                world.cluster.inject(on.clone(), fault);
            }
            lead_elsewhere_when_refused(world, topic, pace, 1_000);
        });
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

    /// Gives requests and records other times than were drawn.
    fn set_timeouts(&mut self, request: Duration, delivery: Duration) {
        (self.request_timeout, self.delivery_timeout) = (request, delivery);
        self.set("request.timeout.ms", &request.as_millis().to_string());
        self.set("delivery.timeout.ms", &delivery.as_millis().to_string());
    }

    /// Gives a setting that was drawn another value.
    fn set(&mut self, name: &str, value: &str) {
        let drawn = self.settings.iter_mut().filter(|(drawn, _)| *drawn == name);
        drawn.for_each(|(_, drawn)| value.clone_into(drawn));
    }

    fn retain_identities(&mut self) {
        self.kinds.retain(keeps_identities);
    }

    fn add(&mut self, kind: FaultKind, times: usize) {
        self.kinds.extend(std::iter::repeat_n(kind, times));
    }
}

/// Looks some times, at a pace, whether a leader has refused a batch that does not follow, and lets another one lead then.
fn lead_elsewhere_when_refused(world: &mut World, topic: String, pace: Duration, times: usize) {
    let is_of_it = |seen: &&Produced| seen.partition == 0;
    let newest = world
        .cluster
        .produce_journal()
        .rev()
        .take(32)
        .find(is_of_it);
    let is_refused = newest.is_some_and(|seen| seen.code == code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    if is_refused {
        let leader = world.cluster.leader(&topic, 0);
        let may_lead = |id: &i32| Some(*id) != leader && world.cluster.is_up(*id);
        let another = world.cluster.brokers().find(may_lead);
        if let Some(to) = another {
            world.cluster.move_leader(&topic, 0, to);
        }
    } else if let Some(times) = times.checked_sub(1) {
        world.after(pace, move |world| {
            lead_elsewhere_when_refused(world, topic, pace, times);
        });
    }
}
