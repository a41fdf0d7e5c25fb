//! Faults of the cluster: leaders, topics, and what brokers remember.

use std::time::Duration;

use super::FaultKind;
use crate::World;

impl World {
    pub(super) fn strike_cluster(&mut self, kind: FaultKind) -> Option<String> {
        match kind {
            FaultKind::ReplicationLag
            | FaultKind::StallReplica
            | FaultKind::ShrinkIsr
            | FaultKind::UncleanElection => return self.strike_replicas(kind),
            FaultKind::RenumberBroker
            | FaultKind::SwapAddresses
            | FaultKind::RemoveBroker
            | FaultKind::ReplaceCluster => return self.strike_identity(kind),
            _ => {}
        }
        let (topic, partition) = self.any_partition()?;
        let (name, place) = (topic.clone(), format!("{topic}-{partition}"));
        match kind {
            FaultKind::MoveLeader => {
                let to = self.any_live_broker()?;
                self.cluster.move_leader(&topic, partition, to);
                return Some(format!("{place} to {to}"));
            }
            FaultKind::NoLeader => {
                self.cluster.remove_leader(&topic, partition);
                self.undo_later(move |world| world.elect_missing(&name));
            }
            FaultKind::LoseBatches => {
                let (to, batches) = (self.any_live_broker()?, self.chance.within(1..4));
                if self.chance.percent(30) {
                    for partition in 0..self.cluster.partitions(&topic) {
                        self.cluster
                            .move_leader_losing(&topic, partition, to, batches);
                    }
                    return Some(format!("{topic}, {batches} batches"));
                }
                self.cluster
                    .move_leader_losing(&topic, partition, to, batches);
                return Some(format!("{place}, {batches} batches"));
            }
            FaultKind::ForgetProducers => self.cluster.forget_producers(&topic, partition),
            FaultKind::FenceProducer => {
                let seen = self.cluster.produce_journal().next_back();
                let (id, epoch) = seen.map(|seen| (seen.producer_id, seen.epoch))?;
                let newer = epoch.checked_add(1).filter(|&epoch| epoch > 0)?;
                self.cluster.fence_producer(&topic, partition, id, newer);
            }
            FaultKind::HideTopic => {
                self.cluster.hide_topic(&topic, true);
                self.undo_later(move |world| world.show(&name));
                return Some(topic);
            }
            FaultKind::RecreateTopic => {
                let partitions = self.cluster.partitions(&topic);
                self.cluster.recreate_topic(&topic, partitions, 0);
                return Some(topic);
            }
            FaultKind::ShrinkTopic => {
                let partitions = self.cluster.partitions(&topic) as usize;
                if partitions < 2 {
                    return None;
                }
                let (fewer, first) = (self.chance.within(1..partitions), self.chance.below(5));
                self.cluster.recreate_topic(&topic, fewer as i32, first);
                return Some(format!("{topic} to {fewer} of {partitions} partitions"));
            }
            FaultKind::GrowTopic => {
                if self.cluster.partitions(&topic) > 30 {
                    return None;
                }
                let more = self.chance.within(1..4) as i32;
                self.cluster.add_partitions(&topic, more);
                return Some(format!("{topic} by {more}"));
            }
            FaultKind::OldBrokers => {
                self.cluster.set_names_unknown_producers(true);
                let end = self.cluster.high_watermark(&topic, partition);
                self.cluster.delete_records(&topic, partition, end);
            }
            FaultKind::Retention => {
                let end = self.cluster.high_watermark(&topic, partition);
                self.cluster.delete_records(&topic, partition, end);
            }
            _ => return None,
        }
        Some(place)
    }

    /// All brokers are up, all topics are seen, and every partition has a leader.
    pub(super) fn heal_cluster(&mut self) {
        let brokers: Vec<i32> = self.cluster.brokers().collect();
        brokers.into_iter().for_each(|broker| {
            self.heal_broker(broker);
            self.cluster.reset_versions(broker);
        });
        self.cluster.set_throttle(Duration::ZERO);
        let topics: Vec<String> = self.cluster.topics().map(str::to_owned).collect();
        for topic in topics {
            self.show(&topic);
            self.heal_replicas(&topic);
            self.elect_missing(&topic);
            self.cluster.set_topic_max_message_bytes(&topic, 1_048_588);
        }
    }

    fn show(&mut self, topic: &str) {
        if self.cluster.topics().any(|name| name == topic) {
            self.cluster.hide_topic(topic, false);
        }
    }

    fn elect_missing(&mut self, topic: &str) {
        for partition in 0..self.cluster.partitions(topic) {
            if self.cluster.leader(topic, partition).is_none()
                && let Some(to) = self.any_live_broker()
            {
                self.cluster.move_leader(topic, partition, to);
            }
        }
    }

    fn any_live_broker(&mut self) -> Option<i32> {
        let live: Vec<i32> = self
            .cluster
            .brokers()
            .filter(|&id| self.cluster.is_up(id))
            .collect();
        (!live.is_empty()).then(|| *self.chance.pick(&live))
    }
}
