//! Sections 11 and 12: names and seeds; settings, callbacks, the process.

use std::collections::BTreeSet;

use ottla::{DeliveryError, SendError, Undelivered};

use super::{Hits, Scene, Watch};
use crate::trial::ledger::Fate;
use crate::trial::plan::Ending;
use crate::{Described, Fact, FaultKind, Line, code};

#[derive(Default)]
pub(crate) struct Process {
    addresses: Addresses,
    /// Some connection was up.
    was_up: bool,
    /// A name had no address before any connection was up.
    is_unresolved: bool,
    /// The brokers told last.
    brokers: BTreeSet<i32>,
    cluster: Option<String>,
    /// The producer was told to begin anew from the seeds.
    is_sent_back: bool,
}

/// How far a name of several addresses was tried.
#[derive(Default, PartialEq, Eq)]
enum Addresses {
    #[default]
    None,
    Several,
    OneFailed,
}

impl Watch for Process {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        match &line.fact {
            Fact::LookedUp { found, .. } => {
                self.is_unresolved |= *found == 0 && !self.was_up;
                if *found > 1 {
                    self.addresses = Addresses::Several;
                }
            }
            Fact::Refused if self.addresses == Addresses::Several => {
                self.addresses = Addresses::OneFailed;
            }
            Fact::Up { .. } => {
                self.was_up = true;
                hits.hit_if(151, std::mem::take(&mut self.is_unresolved));
                // The first address led nowhere, the next one did.
                hits.hit_if(147, self.addresses == Addresses::OneFailed);
                self.addresses = Addresses::None;
            }
            Fact::Described(described) => self.described(described, hits),
            Fact::Struck { kind, .. } => {
                hits.hit_if(155, *kind == FaultKind::PanickingCallback);
                hits.hit_if(164, *kind == FaultKind::SendingCallback);
            }
            _ => {}
        }
    }

    fn end(&mut self, scene: &Scene<'_>, hits: &mut Hits) {
        let mut has_died = false;
        for entry in &scene.ledger.entries {
            match &entry.fate {
                Fate::Refused(SendError::InvalidPartition { .. }) => hits.hit(157),
                Fate::Unwatched => hits.hit(159),
                Fate::Abandoned => hits.hit(160),
                Fate::MaybeWritten(Undelivered::MaybeWritten(DeliveryError::Purged)) => {
                    hits.hit(161);
                }
                Fate::MaybeWritten(_) | Fate::NotWritten(_) | Fate::Refused(_) => has_died = true,
                _ => {}
            }
        }
        hits.hit_if(162, scene.plan.ending == Ending::Kill && has_died);
    }
}

impl Process {
    fn described(&mut self, described: &Described, hits: &mut Hits) {
        if described.code == code::REBOOTSTRAP_REQUIRED {
            self.is_sent_back = true;
            return;
        }
        if described.code != code::NONE || described.brokers.is_empty() {
            return;
        }
        hits.hit_if(149, std::mem::take(&mut self.is_sent_back));
        let another = self.cluster.as_ref() != Some(&described.cluster);
        hits.hit_if(150, another && self.cluster.is_some());
        if another {
            self.cluster = Some(described.cluster.clone());
        }
        if described.makes_no_sense() {
            return;
        }
        // None of those that were known is there any more.
        let brokers = described.brokers.iter().map(|broker| broker.0);
        let brokers: BTreeSet<i32> = brokers.collect();
        let are_gone = !self.brokers.is_empty() && self.brokers.is_disjoint(&brokers);
        hits.hit_if(148, are_gone);
        self.brokers = brokers;
    }
}
