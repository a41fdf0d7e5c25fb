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
    /// When a connection on which the broker throttles was left last.
    left: Option<(Duration, u64)>,
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
        if let Fact::Left { wire, broker, .. } = line.fact
            && !self.tampered.remove(&wire)
            && let Some((from, until)) = scene.cluster.throttled(broker, wire)
            && from + KNOWN < line.at
            && line.at < until
        {
            self.left = Some((line.at, wire));
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
                Some((left, wire)),
            ) if left == at && scene.plan.watches_throttles => {
                Err(("H138", format!("a request timed out on wire {wire}")))
            }
            _ => Ok(()),
        }
    }
}
