//! Faults of replication: followers that lag or stop, and leaders that miss what was acknowledged.

use std::time::Duration;

use super::FaultKind;
use crate::World;

/// A partition by its topic's name and its number.
type Place = (String, i32);

impl World {
    pub(super) fn strike_replicas(&mut self, kind: FaultKind) -> Option<String> {
        let place = self.any_partition()?;
        let name = format!("{}-{}", place.0, place.1);
        if kind == FaultKind::ReplicationLag {
            let longest = *self.chance.pick(&[50, 500, 5_000]);
            let lag = Duration::from_millis(1)..Duration::from_millis(longest);
            let lag = self.chance.duration(lag);
            self.set_lag(&place, lag);
            self.undo_later(move |world| world.set_lag(&place, Duration::ZERO));
            return Some(format!("{name}, {lag:?}"));
        }
        let followers = self.followers(&place);
        if followers.is_empty() {
            return None;
        }
        let one = *self.chance.pick(&followers);
        match kind {
            FaultKind::StallReplica => {
                self.cluster.stall_replica(&place.0, place.1, one);
                self.undo_later(move |world| world.resume_replicas(&place));
            }
            FaultKind::ShrinkIsr => {
                let count = self.chance.within(1..followers.len() + 1);
                for &follower in &followers[..count] {
                    self.cluster.shrink_isr(&place.0, place.1, follower);
                }
                self.undo_later(move |world| world.resume_replicas(&place));
            }
            FaultKind::UncleanElection => {
                self.cluster.shrink_isr(&place.0, place.1, one);
                self.undo_later(move |world| world.elect_unclean(&place, one));
            }
            _ => return None,
        }
        Some(format!("{name}, replica {one} of {}", followers.len() + 1))
    }

    /// All followers copy at once again.
    pub(super) fn heal_replicas(&mut self, topic: &str) {
        for partition in 0..self.cluster.partitions(topic) {
            let place = (topic.to_owned(), partition);
            self.set_lag(&place, Duration::ZERO);
            self.resume_replicas(&place);
        }
    }

    /// The topic may be gone meanwhile, or have fewer partitions.
    fn is_there(&self, place: &Place) -> bool {
        place.1 < self.cluster.partitions(&place.0)
    }

    fn followers(&self, place: &Place) -> Vec<i32> {
        let leader = self.cluster.leader(&place.0, place.1);
        let replicas = self.cluster.replicas(&place.0, place.1);
        replicas.filter(|&id| Some(id) != leader).collect()
    }

    fn set_lag(&mut self, place: &Place, lag: Duration) {
        if self.is_there(place) {
            self.cluster.set_replication_lag(&place.0, place.1, lag);
        }
    }

    fn resume_replicas(&mut self, place: &Place) {
        if self.is_there(place) {
            let replicas: Vec<i32> = self.cluster.replicas(&place.0, place.1).collect();
            for replica in replicas {
                self.cluster.resume_replica(&place.0, place.1, replica);
            }
        }
    }

    fn elect_unclean(&mut self, place: &Place, to: i32) {
        if self.is_there(place) && self.followers(place).contains(&to) && self.cluster.is_up(to) {
            self.cluster.elect_unclean(&place.0, place.1, to);
            self.note(format_args!(
                "{}-{} is led by {to}, unclean",
                place.0, place.1
            ));
        }
    }
}
