//! What came of trials: counts, or the rule that was broken.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::{Fact, FaultKind, Told};

/// The counts of one trial, or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Trials.
    pub trials: u64,
    /// Records that were accepted.
    pub records: u64,
    /// Records that the application was told were written, were not, and perhaps were.
    pub written: u64,
    /// See [`written`](Report::written).
    pub not_written: u64,
    /// See [`written`](Report::written).
    pub maybe_written: u64,
    /// The virtual time that passed.
    pub simulated: Duration,
    /// Faults that struck.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often each hard case came up, by its number.
    pub cases: BTreeMap<u16, u64>,
    /// Records of the trial with the fewest.
    pub fewest_records: u64,
    /// Faults of the trial with the fewest.
    pub fewest_faults: u64,
    /// Trials with less than [`ENOUGH_RECORDS`](Report::ENOUGH_RECORDS) or [`ENOUGH_FAULTS`](Report::ENOUGH_FAULTS), as
    /// when a broker's lie ends the producer early.
    pub thin: u64,
    /// A number that depends on everything that happened; of many trials, on all of them in any order.
    pub digest: u64,
    /// The faults that a judge wants to know, and whom they struck.
    pub(crate) struck: Vec<(FaultKind, String)>,
}

impl Report {
    /// Records that a trial should have at least.
    pub const ENOUGH_RECORDS: u64 = 500;
    /// Faults that a trial should have at least.
    pub const ENOUGH_FAULTS: u64 = 30;

    pub(crate) fn see(&mut self, fact: &Fact) {
        match fact {
            Fact::Struck { kind, target } => {
                *self.faults.entry(*kind).or_default() += 1;
                self.struck.push((*kind, target.clone()));
            }
            Fact::Ended { told, .. } => match told {
                Told::Written { .. } => self.written += 1,
                Told::NotWritten { .. } => self.not_written += 1,
                Told::MaybeWritten { .. } => self.maybe_written += 1,
            },
            _ => {}
        }
    }

    /// Adds another trial's counts.
    pub fn add(&mut self, other: &Report) {
        if other.trials == 0 {
            return;
        }
        let fewest = |mine: u64, others: u64| match self.trials {
            0 => others,
            _ => mine.min(others),
        };
        self.fewest_records = fewest(self.fewest_records, other.fewest_records);
        self.fewest_faults = fewest(self.fewest_faults, other.fewest_faults);
        self.trials += other.trials;
        self.thin += other.thin;
        self.records += other.records;
        self.written += other.written;
        self.not_written += other.not_written;
        self.maybe_written += other.maybe_written;
        self.simulated += other.simulated;
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (case, count) in &other.cases {
            *self.cases.entry(*case).or_default() += count;
        }
        self.digest ^= other.digest;
    }
}

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// The seed, which shows it again.
    pub seed: u64,
    /// The rule's name: an invariant's, a hard case's, or `panic`.
    pub rule: &'static str,
    /// How it was broken.
    pub what: String,
    /// What happened before, as far as it is kept.
    pub trace: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(
            f,
            "seed {}: {} is broken: {}",
            self.seed, self.rule, self.what
        )
    }
}

impl std::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(records: u64, faults: u64, digest: u64) -> Report {
        Report {
            trials: 1,
            records,
            faults: BTreeMap::from([(FaultKind::Crash, faults)]),
            fewest_records: records,
            fewest_faults: faults,
            digest,
            ..Report::default()
        }
    }

    #[test]
    fn a_sum_is_the_same_in_any_order() {
        let trials = [report(20, 3, 0xa), report(10, 5, 0xb), report(30, 1, 0xc)];
        let sum = |order: [usize; 3]| {
            let mut sum = Report::default();
            order.into_iter().for_each(|n| sum.add(&trials[n]));
            sum
        };
        let one = sum([0, 1, 2]);
        assert_eq!((one.trials, one.records), (3, 60));
        assert_eq!((one.fewest_records, one.fewest_faults), (10, 1));
        assert_eq!(one.faults[&FaultKind::Crash], 9);
        assert_eq!(one, sum([2, 0, 1]));
        let mut with_nothing = one.clone();
        with_nothing.add(&Report::default());
        assert_eq!(one, with_nothing);
    }
}
