//! No epoch ends without a cause (H018), and none for a cause that ended another one (H022).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::Breach;
use super::super::cases::Scene;
use super::super::ledger::{Entry, Fate};
use super::Rule;
use crate::{Fact, FaultKind, Line, Produced, Told, code};

/// The newest epoch, and what was seen under it.
#[derive(Default)]
pub(crate) struct Epochs {
    newest: Option<(i64, i16)>,
    /// The batches that brokers have refused and that may be tried again, by their partition and first sequence.
    open: BTreeMap<Place, BTreeSet<i32>>,
    /// A broker has said something under it that ends it.
    has_cause: bool,
    /// Something happened under it that may well end it, or that nobody here can judge.
    is_excused: bool,
    /// The same of the time before its first batch came to a broker: the producer may have begun it long before.
    was_excused: bool,
    /// When its first batch came, and on which connection.
    began: (Duration, u64),
}

type Place = (Arc<str>, i32);

impl Rule for Epochs {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        match &line.fact {
            Fact::Produced(batch) if batch.base_sequence >= 0 => self.produced(batch, scene),
            Fact::Ended { told, .. } => {
                self.is_excused |= may_end_an_epoch(told);
                Ok(())
            }
            Fact::Tampered { .. } | Fact::Struck { .. } | Fact::Left { .. } => {
                self.is_excused |= is_beyond_judgement(&line.fact);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Epochs {
    fn produced(&mut self, batch: &Produced, scene: &Scene<'_>) -> Result<(), Breach> {
        let identity = (batch.producer_id, batch.epoch);
        if self.newest < Some(identity) {
            let is_first = self.newest.is_none_or(|newest| newest.0 != identity.0);
            let has_cause = self.has_cause || self.is_excused || self.was_excused;
            let ends = !is_first && !has_cause && !has_unwatched(scene);
            *self = Epochs {
                newest: Some(identity),
                // Several may come with one request, all of them begun before it; and what came on another connection
                // may have been on the way for long.
                was_excused: self.is_excused || self.was_excused && self.is_beside(batch),
                began: (batch.now, batch.connection),
                ..Epochs::default()
            };
            if ends {
                return Err(("H018", format!("no cause for the epoch of {batch:?}")));
            }
        }
        if self.newest == Some(identity) {
            self.answered(batch);
        }
        Ok(())
    }

    /// The epoch's first batch came with this one, or on another connection.
    fn is_beside(&self, batch: &Produced) -> bool {
        let (at, connection) = self.began;
        at == batch.now || connection != batch.connection
    }

    fn answered(&mut self, batch: &Produced) {
        let place = (Arc::clone(&batch.topic), batch.partition);
        let open = self.open.entry(place).or_default();
        match batch.code {
            // Even if its answer waits for replicas, and may be another one.
            code::NONE | code::DUPLICATE_SEQUENCE_NUMBER => drop(open.remove(&batch.base_sequence)),
            code::OUT_OF_ORDER_SEQUENCE_NUMBER => {
                // With one before it that is not resolved it is that one's turn.
                let is_follower = open
                    .first()
                    .is_some_and(|&first| first < batch.base_sequence);
                self.has_cause |= !is_follower;
            }
            code::NOT_ENOUGH_REPLICAS
            | code::NOT_LEADER_OR_FOLLOWER
            | code::LEADER_NOT_AVAILABLE
            | code::UNKNOWN_LEADER_EPOCH
            | code::FENCED_LEADER_EPOCH
            | code::CORRUPT_MESSAGE => drop(open.insert(batch.base_sequence)),
            _ => self.has_cause = true,
        }
    }
}

/// A batch that is given up leaves a gap. One that may have been written when a leader refused it, and has not run out of
/// time, is given up only because its epoch has ended.
fn may_end_an_epoch(told: &Told) -> bool {
    match told {
        Told::Written { .. } => false,
        Told::NotWritten { .. } => true,
        Told::MaybeWritten { why } => {
            !why.starts_with("the broker answered NOT_LEADER_OR_FOLLOWER")
        }
    }
}

/// What changes what a producer knows without a batch that would show it.
fn is_beyond_judgement(fact: &Fact) -> bool {
    match fact {
        Fact::Struck { kind, .. } => !spares_epochs(kind),
        _ => true,
    }
}

/// Whatever it changes shows in what brokers answer to batches.
pub(crate) fn spares_epochs(kind: &FaultKind) -> bool {
    use FaultKind::{
        GrowTopic, MemoryFull, MoveLeader, PanickingCallback, RefuseForNow, RefuseMetadata,
        SendingCallback, Slow, Throttle, WallJump,
    };
    matches!(
        kind,
        RefuseForNow
            | MoveLeader
            | GrowTopic
            | RefuseMetadata
            | Slow
            | Throttle
            | WallJump
            | MemoryFull
            | PanickingCallback
            | SendingCallback
    )
}

/// Some record has ended without anybody listening, or may have: a call for many tells of none before its end.
fn has_unwatched(scene: &Scene<'_>) -> bool {
    let is_unwatched = |entry: &Entry| match entry.fate {
        Fate::Unwatched | Fate::Abandoned => true,
        Fate::Open => entry.accepted.is_none(),
        _ => false,
    };
    scene.ledger.entries.iter().any(is_unwatched)
}
