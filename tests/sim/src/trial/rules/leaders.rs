//! What a producer holds for the leaders never goes back to older ones (H059, H060), and stays when an answer brings
//! nothing but an error (H070).

use std::collections::{BTreeMap, BTreeSet};

use ottla::KnownLeader;

use super::super::Breach;
use super::super::plan::Plan;
use super::keeps_identities;
use crate::{FaultKind, Layer};

/// What was known of each partition, by its topic's id.
#[derive(Default)]
pub(crate) struct Leaders {
    known: BTreeMap<([u8; 16], i32), KnownLeader>,
    /// All of them at the last look: mostly nothing changes.
    last: Vec<KnownLeader>,
}

impl Leaders {
    pub(crate) fn see(&mut self, leaders: Vec<KnownLeader>, plan: &Plan) -> Result<(), Breach> {
        if leaders == self.last {
            return Ok(());
        }
        for leader in &leaders {
            let key = (leader.topic_id, leader.partition);
            let Some(before) = self.known.insert(key, *leader) else {
                continue;
            };
            // Without an id or an epoch nobody can tell which is older.
            let is_dated = leader.topic_id != [0; 16] && leader.epoch >= 0;
            if is_dated && before.epoch > leader.epoch && keeps_identities(plan) {
                return Err(("H060", format!("{leader:?} after {before:?}")));
            }
            if before.broker.is_some() && leader.broker.is_none() && always_has_leaders(plan) {
                return Err(("H070", format!("{leader:?} after {before:?}")));
            }
        }
        if self.known.len() > leaders.len() {
            // A topic that was made anew; a broker that lags behind may still tell of the old one, from its beginning.
            let ids: BTreeSet<_> = leaders.iter().map(|leader| leader.topic_id).collect();
            self.known.retain(|(id, _), _| ids.contains(id));
        }
        self.last = leaders;
        Ok(())
    }
}

/// No broker ever says, and rightly or wrongly, that a partition has no leader.
fn always_has_leaders(plan: &Plan) -> bool {
    use FaultKind::{
        Crash, FenceProducer, ForgetProducers, GrowTopic, HostileMetadata, MoveLeader, RefuseTopic,
        ReplicationLag, Retention, StaleMetadata,
    };
    let spares_leaders = |kind: &FaultKind| match kind {
        FenceProducer | ForgetProducers | GrowTopic | MoveLeader | ReplicationLag | Retention => {
            true
        }
        Crash | HostileMetadata | RefuseTopic | StaleMetadata => false,
        kind => kind.layer() != Layer::Cluster,
    };
    plan.kinds.iter().all(spares_leaders)
}
