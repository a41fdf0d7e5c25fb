//! Faults of who is who: brokers that come, go and change their ids and addresses, and a cluster that is another one.

use super::FaultKind;
use crate::World;

/// What is added to the id of a broker that gets another one.
const RENUMBERED: i32 = 100;

impl World {
    pub(super) fn strike_identity(&mut self, kind: FaultKind) -> Option<String> {
        let broker = self.any_broker()?;
        match kind {
            FaultKind::RenumberBroker => {
                let id = broker + RENUMBERED;
                if self.has_broker(id) {
                    return None;
                }
                self.reset(broker);
                self.cluster.renumber_broker(broker, id);
                Some(format!("broker {broker} is {id}"))
            }
            FaultKind::SwapAddresses => {
                let other = self.any_broker().filter(|&other| other != broker)?;
                self.reset(broker);
                self.reset(other);
                self.cluster.swap_addresses(broker, other);
                Some(format!("brokers {broker} and {other}"))
            }
            FaultKind::RemoveBroker => {
                self.remove(broker)?;
                self.undo_later(World::bring_back);
                Some(format!("broker {broker}"))
            }
            FaultKind::ReplaceCluster => {
                // It happens to a producer once in a blue moon.
                if !self.chance.percent(20) {
                    return None;
                }
                let brokers: Vec<i32> = self.cluster.brokers().collect();
                brokers.into_iter().for_each(|broker| self.reset(broker));
                let seed = self.chance.next();
                self.cluster.replace_cluster(seed);
                Some(format!("by that of seed {seed}"))
            }
            _ => None,
        }
    }

    /// Takes a broker out, if two others stay that are up.
    fn remove(&mut self, broker: i32) -> Option<()> {
        let mut others = self.cluster.brokers().filter(|&id| id != broker);
        let is_up = |id: i32| self.cluster.is_up(id);
        others.by_ref().find(|&id| is_up(id))?;
        others.find(|&id| is_up(id))?;
        drop(others);
        let (host, port) = self.cluster.address(broker);
        let removed = (broker, host.to_owned(), port);
        self.reset(broker);
        self.cluster.remove_broker(broker);
        self.removed.push(removed);
        Some(())
    }

    /// Every broker that was taken out joins again, and leads nothing yet.
    pub(super) fn bring_back(&mut self) {
        for (broker, host, port) in std::mem::take(&mut self.removed) {
            self.cluster.add_broker(broker, &host, port);
        }
    }
}
