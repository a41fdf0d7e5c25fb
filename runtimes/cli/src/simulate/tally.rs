//! What came of the trials so far, in whichever order they ended.

use std::collections::{BTreeMap, BTreeSet};

use ottla_sim::{Broken, CASES, Case, ELSEWHERE, Report};

/// The sum of the trials.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Of the trials in which no rule was broken.
    pub(crate) report: Report,
    /// The rules that were broken.
    pub(crate) rules: BTreeMap<&'static str, Breaches>,
    /// The broken trial with the lowest seed.
    pub(crate) first: Option<Breach>,
}

/// The trials that broke one rule.
#[derive(Debug, Default)]
pub(crate) struct Breaches {
    pub(crate) trials: u64,
    /// The lowest of their seeds, [`MOST_SEEDS`] of them.
    pub(crate) seeds: BTreeSet<u64>,
}

/// So many seeds of a rule are told.
const MOST_SEEDS: usize = 10;

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
        self.rules.entry(breach.rule).or_default().add(breach.seed);
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

    /// The hard cases that trials are to come to, and how often they did: the most frequent first.
    pub(crate) fn cases(&self) -> Vec<(&'static Case, u64)> {
        let is_counted = |case: &&Case| {
            case.is_built() && ELSEWHERE.iter().all(|(number, _)| *number != case.number)
        };
        let hits = |case: &Case| self.report.cases.get(&case.number).copied().unwrap_or(0);
        let counted = CASES.iter().filter(is_counted);
        let mut cases: Vec<_> = counted.map(|case| (case, hits(case))).collect();
        cases.sort_by_key(|(_, hits)| std::cmp::Reverse(*hits));
        cases
    }

    /// The hard cases that never came up.
    pub(crate) fn missed(&self) -> Vec<u16> {
        let missed = self.cases().into_iter().filter(|(_, hits)| *hits == 0);
        missed.map(|(case, _)| case.number).collect()
    }

    /// How many trials broke a rule.
    pub(crate) fn broken(&self) -> u64 {
        self.rules.values().map(|breaches| breaches.trials).sum()
    }
}

impl Breaches {
    fn add(&mut self, seed: u64) {
        self.trials += 1;
        self.seeds.insert(seed);
        if self.seeds.len() > MOST_SEEDS {
            self.seeds.pop_last();
        }
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
