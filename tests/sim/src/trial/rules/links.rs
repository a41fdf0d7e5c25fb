//! Links break for a reason (H088), not for a few bytes behind an answer (H086), and at once where what comes makes no sense (H084).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla::{Cause, Disconnect, ProtocolError, Warning};
use ottla_core::wire::DecodeError;

use super::super::Breach;
use super::super::cases::Scene;
use super::Rule;
use crate::{Fact, FaultKind, Line, Tamper};

#[derive(Default)]
pub(crate) struct Links {
    /// Somebody sent what is not as it should be.
    is_excused: bool,
    /// Something else than bytes behind an answer.
    is_garbled: bool,
    /// Connections on which an answer of no sensible length was sent, and when.
    senseless: BTreeMap<u64, Duration>,
    garbled: BTreeSet<u64>,
}

/// An answer has arrived after this time, where nothing holds it up.
const ARRIVED: Duration = Duration::from_secs(3);

impl Rule for Links {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        match &line.fact {
            Fact::Tampered { wire, tamper } => {
                self.is_excused = true;
                self.is_garbled |= *tamper != Tamper::Extended;
                // What comes behind another change may not be read as a length.
                let is_first = self.garbled.insert(*wire);
                if is_first && matches!(tamper, Tamper::HugeLength | Tamper::Http) {
                    self.senseless.insert(*wire, line.at);
                }
            }
            Fact::Struck { kind, .. } if spoils_answers(*kind) => {
                self.is_excused = true;
                self.is_garbled |= *kind != FaultKind::Tampered(Tamper::Extended);
            }
            Fact::Left { wire, .. } => {
                let sent = self.senseless.remove(wire);
                let is_late = sent.is_some_and(|sent| line.at > sent + ARRIVED);
                if is_late && !scene.plan.kinds.iter().any(|kind| holds_up(*kind)) {
                    let what = format!("wire {wire} was left long after a length without sense");
                    return Err(("H084", what));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn warned(&mut self, _: Duration, warning: &Warning, _: &Scene<'_>) -> Result<(), Breach> {
        match warning {
            Warning::Broker(Cause::Unreachable {
                why: Disconnect::Protocol(error),
                ..
            }) if !self.is_excused && is_of_the_frames(error) => {
                Err(("H088", format!("nobody sent anything wrong: {error}")))
            }
            Warning::Broker(Cause::Unreachable {
                why: Disconnect::Protocol(ProtocolError::Body(error)),
                ..
            }) if !self.is_garbled && is_of_few_bytes(error) => {
                Err(("H086", format!("a link was left for a few bytes: {error}")))
            }
            _ => Ok(()),
        }
    }
}

/// A few bytes follow a response that was read to its last field.
fn is_of_few_bytes(error: &DecodeError) -> bool {
    matches!(error, DecodeError::TrailingBytes { left: ..=16, .. })
}

fn is_of_the_frames(error: &ProtocolError) -> bool {
    matches!(
        error,
        ProtocolError::FrameLength { .. } | ProtocolError::Correlation { .. }
    )
}

fn spoils_answers(kind: FaultKind) -> bool {
    use FaultKind::{
        Garbage, HostileMetadata, HostileProduce, HostileProducerId, HostileVersions, SwapAnswers,
        Tampered,
    };
    matches!(
        kind,
        Tampered(_)
            | Garbage
            | SwapAnswers
            | HostileMetadata
            | HostileProduce
            | HostileProducerId
            | HostileVersions
    )
}

/// Answers may come late, or be taken for the rest of garbage.
fn holds_up(kind: FaultKind) -> bool {
    use FaultKind::{DripAnswers, Freeze, Garbage, HalfOpen, LoseAnswers};
    matches!(
        kind,
        DripAnswers | Freeze | Garbage | HalfOpen | LoseAnswers
    )
}
