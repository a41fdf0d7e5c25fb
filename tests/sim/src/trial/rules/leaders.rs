//! What a producer holds for the leaders never goes back to older ones (H059, H060), and stays when an answer brings
//! nothing but an error (H070).

use ottla::KnownLeader;

use super::super::Breach;
use super::super::plan::Plan;
use super::keeps_identities;
use crate::{FaultKind, Layer, Tamper};

/// What was known of each partition that the producer has ever heard of, in its own order.
#[derive(Default)]
pub(crate) struct Leaders {
    known: Vec<KnownLeader>,
}

impl Leaders {
    pub(crate) fn see(&mut self, leaders: Vec<KnownLeader>, plan: &Plan) -> Result<(), Breach> {
        // Mostly nothing changes.
        if leaders == self.known {
            return Ok(());
        }
        for (before, leader) in self.known.iter().zip(&leaders) {
            // Without an id or an epoch nobody can tell which is older.
            let is_dated = leader.topic_id == before.topic_id
                && leader.topic_id != [0; 16]
                && leader.epoch >= 0;
            // Older epochs are believed once several answers in a row name them (H167).
            let is_rewound = leader.rewinds > before.rewinds;
            if is_dated
                && before.epoch > leader.epoch
                && !is_rewound
                && plan.kinds.iter().all(keeps_identities)
            {
                return Err(("H060", format!("{leader:?} after {before:?}")));
            }
            if before.broker.is_some()
                && leader.broker.is_none()
                && plan.kinds.iter().all(spares_leaders)
            {
                return Err(("H070", format!("{leader:?} after {before:?}")));
            }
        }
        self.known = leaders;
        Ok(())
    }

    /// The epochs of another cluster have nothing to do with those of the one before (H150).
    pub(crate) fn begin_anew(&mut self) {
        self.known.iter_mut().for_each(|leader| leader.epoch = -1);
    }
}

/// Whatever strikes, no broker says, rightly or wrongly, that a partition has no leader.
pub(crate) fn spares_leaders(kind: &FaultKind) -> bool {
    use FaultKind::{
        Crash, FenceProducer, ForgetProducers, GrowTopic, HostileMetadata, MoveLeader, RefuseTopic,
        ReplicationLag, Retention, StaleMetadata, Tampered,
    };
    match kind {
        FenceProducer | ForgetProducers | GrowTopic | MoveLeader | ReplicationLag | Retention => {
            true
        }
        // A bit that is the other one may be a broker's id's.
        Crash | HostileMetadata | RefuseTopic | StaleMetadata | Tampered(Tamper::Flip) => false,
        kind => kind.layer() != Layer::Cluster,
    }
}
