//! While a broker throttles, no request to it times out (H138).

use std::collections::BTreeSet;
use std::time::Duration;

use ottla::{Cause, Disconnect, Warning};

use super::super::Breach;
use super::super::cases::Scene;
use super::Rule;
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Throttling {
    /// When connections were left last.
    last: Duration,
    /// Then it was this one alone, and its broker throttled.
    left: Option<u64>,
    /// Connections on which an answer was changed: the producer may not have read that it is to be silent.
    tampered: BTreeSet<u64>,
}

/// The producer knows of it after this time, where nothing holds answers up.
const KNOWN: Duration = Duration::from_millis(100);

impl Rule for Throttling {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        if let Fact::Tampered { wire, .. } = line.fact {
            self.tampered.insert(wire);
        }
        if let Fact::Left { wire, broker, .. } = line.fact {
            let is_alone = std::mem::replace(&mut self.last, line.at) != line.at;
            let throttled = scene.cluster.throttled(broker, wire);
            let is_silent =
                throttled.is_some_and(|(from, until)| from + KNOWN < line.at && line.at < until);
            let is_judged = !self.tampered.remove(&wire) && is_silent && is_alone;
            self.left = is_judged.then_some(wire);
        }
        Ok(())
    }

    fn warned(&mut self, at: Duration, warning: &Warning, scene: &Scene<'_>) -> Result<(), Breach> {
        match (warning, self.left) {
            (
                Warning::Broker(Cause::Unreachable {
                    why: Disconnect::RequestTimedOut { .. },
                    ..
                }),
                Some(wire),
            ) if self.last == at && scene.plan.watches_throttles => {
                Err(("H138", format!("a request timed out on wire {wire}")))
            }
            _ => Ok(()),
        }
    }
}
