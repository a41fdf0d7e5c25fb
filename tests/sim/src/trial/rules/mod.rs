//! Rules that are checked while a trial runs, one kind of thing to watch in each file.

mod epochs;
mod first;
mod leaders;
mod links;
mod pace;
mod pieces;
pub(crate) mod purging;
mod reasons;
mod requests;
pub(crate) mod resting;
mod throttling;

pub(super) use epochs::spares_epochs;
pub(super) use leaders::spares_leaders;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ottla::{Producer, Warning};

use super::Breach;
use super::cases::Scene;
use super::plan::Plan;
use crate::{Clock, FaultKind, Line, World};

/// Watches for breaches of one rule, or of a few that are alike.
pub(crate) trait Rule {
    /// Looks at something that has just happened.
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach>;

    /// Looks at what the producer warns of.
    fn warned(&mut self, at: Duration, warning: &Warning, scene: &Scene<'_>) -> Result<(), Breach> {
        let _ = (at, warning, scene);
        Ok(())
    }
}

/// All rules.
pub(crate) struct Rules {
    rules: Vec<Box<dyn Rule>>,
    warnings: Warnings,
    leaders: leaders::Leaders,
    /// Steps until the producer looks at itself again.
    rests: usize,
}

/// What the producer has warned of, for the rules to look at: the hook is called within the driver.
type Warnings = Arc<Mutex<Vec<(Duration, Warning)>>>;

impl Rules {
    pub(crate) fn new(world: &World) -> Rules {
        Rules {
            rules: vec![
                Box::<epochs::Epochs>::default(),
                Box::new(first::First::new(world)),
                Box::<links::Links>::default(),
                Box::<pace::Pace>::default(),
                Box::<pieces::Pieces>::default(),
                Box::<reasons::Reasons>::default(),
                Box::<requests::Requests>::default(),
                Box::<throttling::Throttling>::default(),
            ],
            warnings: Warnings::default(),
            leaders: leaders::Leaders::default(),
            rests: 0,
        }
    }

    /// What the producer is to call with its warnings.
    pub(crate) fn warning_hook(&self, clock: Clock) -> impl FnMut(&Warning) + Send + 'static {
        let warnings = Arc::clone(&self.warnings);
        move |warning| {
            let mut warnings = warnings.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.push((clock.now(), warning.clone()));
        }
    }

    pub(crate) fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        self.rules
            .iter_mut()
            .try_for_each(|rule| rule.see(line, scene))
    }

    /// Has the producer look at itself: after each step, but where a hostile answer has given topics thousands of
    /// partitions, to look at which takes long.
    pub(crate) fn audit(&mut self, producer: &Producer, plan: &Plan) -> Result<(), Breach> {
        if let Some(rest) = self.rests.checked_sub(1) {
            self.rests = rest;
            return Ok(());
        }
        match producer.audit() {
            Some(Ok(audit)) => {
                self.rests = audit.leaders.len() / 100;
                self.leaders.see(audit.leaders, plan)
            }
            Some(Err(what)) => Err(("audit", what.to_owned())),
            None => Ok(()),
        }
    }

    /// Looks at the warnings since this was called last.
    pub(crate) fn look_at_warnings(&mut self, scene: &Scene<'_>) -> Result<(), Breach> {
        let warnings =
            std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        for (at, warning) in &warnings {
            if *warning == Warning::AnotherCluster {
                self.leaders.begin_anew();
            }
            for rule in &mut self.rules {
                rule.warned(*at, warning, scene)?;
            }
        }
        Ok(())
    }
}

/// The value of a setting that is a time.
fn time_of(plan: &Plan, name: &str) -> Duration {
    Duration::from_millis(number_of(plan, name))
}

/// The value of a setting that was drawn and is a number.
fn number_of(plan: &Plan, name: &str) -> u64 {
    let drawn = plan.settings.iter().find(|(drawn, _)| *drawn == name);
    let value = drawn.and_then(|(_, value)| value.parse().ok());
    value.expect("a plan draws it")
}

/// The shortest wait that a back-off of these settings may draw.
fn least_wait(plan: &Plan, base: &str, most: &str) -> Duration {
    time_of(plan, base).min(time_of(plan, most)).mul_f64(0.79)
}

/// It never changes who a broker or a cluster is: an id, an address and an epoch stay what they were.
pub(super) fn keeps_identities(kind: &FaultKind) -> bool {
    use FaultKind::{HostileMetadata, RemoveBroker, RenumberBroker, ReplaceCluster, SwapAddresses};
    !matches!(
        kind,
        HostileMetadata | RemoveBroker | RenumberBroker | ReplaceCluster | SwapAddresses
    )
}
