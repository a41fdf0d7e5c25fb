//! What came of the trials so far, in whichever order they ended.

use std::collections::BTreeMap;

use ottla_sim::{Broken, Report};

/// The sum of the trials.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Of the trials in which no rule was broken.
    pub(crate) report: Report,
    /// For each rule that was broken: in how many trials.
    pub(crate) rules: BTreeMap<&'static str, u64>,
    /// The broken trial with the lowest seed.
    pub(crate) first: Option<Breach>,
}

/// A trial in which a rule was broken.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) seed: u64,
    pub(crate) rule: &'static str,
    /// The last that happened, then the seed, the rule and how it was broken.
    pub(crate) words: String,
}

impl Tally {
    pub(crate) fn add(&mut self, ended: Result<Report, Breach>) {
        let breach = match ended {
            Ok(report) => return self.report.add(&report),
            Err(breach) => breach,
        };
        *self.rules.entry(breach.rule).or_default() += 1;
        if self
            .first
            .as_ref()
            .is_none_or(|first| breach.seed < first.seed)
        {
            self.first = Some(breach);
        }
    }

    /// How many trials have ended.
    pub(crate) fn trials(&self) -> u64 {
        self.report.trials + self.broken()
    }

    /// How many trials broke a rule.
    pub(crate) fn broken(&self) -> u64 {
        self.rules.values().sum()
    }
}

impl From<&Broken> for Breach {
    fn from(broken: &Broken) -> Self {
        Self {
            seed: broken.seed,
            rule: broken.rule,
            words: broken.to_string(),
        }
    }
}
