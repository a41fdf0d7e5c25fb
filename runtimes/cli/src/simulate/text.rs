//! What the command has to say at its end: tables first, because what matters stands last.

use std::{fmt, ops::Range, time::Duration};

use indicatif::HumanCount;
use ottla_sim::{FaultKind, Report};

use super::tally::{Breach, Breaches, Tally};

/// The report in words.
pub(crate) struct Words<'a> {
    pub(crate) tally: &'a Tally,
    /// Those that were run.
    pub(crate) seeds: Range<u64>,
    pub(crate) jobs: usize,
    pub(crate) time: Duration,
    /// A case that never came up is a failure.
    pub(crate) every_case: bool,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.faults(f)?;
        self.cases(f)?;
        self.totals(f)?;
        self.rules(f)?;
        self.missed(f)?;
        match &self.tally.first {
            Some(first) => write!(f, "\n{first}"),
            None => Ok(()),
        }
    }
}

impl Words<'_> {
    /// The kinds that strike least stand last, even those that never do.
    fn faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |kind: &FaultKind| self.tally.report.faults.get(kind).copied().unwrap_or(0);
        let mut kinds = FaultKind::all();
        kinds.sort_by_key(|kind| std::cmp::Reverse(count(kind)));
        writeln!(f, "{:>12}  layer    fault", "hits")?;
        for kind in kinds {
            let layer = format!("{:?}", kind.layer()).to_lowercase();
            writeln!(f, "{:>12}  {layer:<7}  {kind}", hits(count(&kind)))?;
        }
        writeln!(f)
    }

    /// The cases that come up least stand last, without those that can't come up: a part is not built yet, or a table
    /// test shows them.
    fn cases(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12}  hard case", "hits")?;
        for (case, count) in self.tally.cases() {
            let hits = hits(count);
            writeln!(f, "{hits:>12}  H{:03}  {}", case.number, case.title)?;
        }
        writeln!(f)
    }

    fn totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.tally.report;
        let of_records = [
            (report.records, "records"),
            (report.written, "written"),
            (report.not_written, "not written"),
            (report.maybe_written, "perhaps written"),
        ];
        let faults: u64 = report.faults.values().sum();
        for (count, what) in of_records {
            writeln!(f, "{:>12}  {what}", hits(count))?;
        }
        writeln!(
            f,
            "{:>12}  faults of {} kinds",
            hits(faults),
            report.faults.len()
        )?;
        for (count, what) in [
            (report.fewest_records, "records"),
            (report.fewest_faults, "faults"),
        ] {
            writeln!(f, "{:>12}  {what} of the seed with the fewest", hits(count))?;
        }
        let (records, faults) = (Report::ENOUGH_RECORDS, Report::ENOUGH_FAULTS);
        let thin = hits(report.thin);
        writeln!(
            f,
            "{thin:>12}  seeds with less than {records} records or {faults} faults"
        )?;
        let hours = report.simulated.as_secs_f64() / 3600.0;
        writeln!(f, "{hours:>12.3}  hours simulated")?;
        let (seconds, trials) = (self.time.as_secs_f64(), self.tally.trials());
        let (rate, jobs) = (trials as f64 / seconds.max(0.001), self.jobs);
        writeln!(
            f,
            "{rate:>12.1}  seeds/s in {seconds:.1} s with {jobs} jobs"
        )?;
        writeln!(f, "{:016x}  digest", report.digest)
    }

    fn rules(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.seeds;
        write!(
            f,
            "{} seeds, {start}..{end}: ",
            HumanCount(self.tally.trials())
        )?;
        if self.tally.rules.is_empty() {
            return writeln!(f, "no rule is broken");
        }
        let rules = self.tally.rules.iter();
        let rules: Vec<String> = rules.map(|(rule, b)| told(rule, b)).collect();
        writeln!(f, "{}", rules.join(", "))
    }

    fn missed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = self.tally.missed();
        if !self.every_case || missed.is_empty() {
            return Ok(());
        }
        let missed: Vec<String> = missed.iter().map(|n| format!("H{n:03}")).collect();
        writeln!(f, "never came up: {}", missed.join(", "))
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.words)?;
        writeln!(
            f,
            "To see it again from its start: ottla simulate --trace {}",
            self.seed
        )
    }
}

fn told(rule: &str, breaches: &Breaches) -> String {
    let mut seeds: Vec<String> = breaches.seeds.iter().map(u64::to_string).collect();
    if breaches.trials > seeds.len() as u64 {
        seeds.push("and more".to_owned());
    }
    let trials = HumanCount(breaches.trials);
    format!("{rule} is broken in {trials} ({})", seeds.join(", "))
}

fn hits(count: u64) -> String {
    HumanCount(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breach(seed: u64, rule: &'static str) -> Breach {
        let words = format!("what happened\nseed {seed}: {rule} is broken: so");
        Breach { seed, rule, words }
    }

    fn words(tally: &Tally) -> String {
        let words = Words {
            tally,
            seeds: 0..tally.trials(),
            jobs: 2,
            time: Duration::from_secs(2),
            every_case: tally.rules.is_empty(),
        };
        words.to_string()
    }

    fn good() -> Report {
        let mut report = Report::default();
        report.trials = 1;
        report.records = 1234;
        report.fewest_records = 1234;
        report.faults.insert(FaultKind::Crash, 3);
        report.cases.insert(48, 2000);
        report
    }

    #[test]
    fn the_lowest_seed_is_told_and_all_are_counted_in_any_order() {
        for order in [[5, 3, 9], [9, 5, 3], [3, 9, 5]] {
            let mut tally = Tally::default();
            tally.add(Ok(good()));
            for seed in order {
                tally.add(Err(breach(seed, if seed == 5 { "I3" } else { "I1" })));
            }
            let words = words(&tally);
            let end = "4 seeds, 0..4: I1 is broken in 2 (3, 9), I3 is broken in 1 (5)\n\n\
                       what happened\nseed 3: I1 is broken: so\n\
                       To see it again from its start: ottla simulate --trace 3\n";
            assert!(words.ends_with(end), "{words}");
        }
    }

    #[test]
    fn every_fault_and_case_is_listed_the_least_last() {
        let mut tally = Tally::default();
        tally.add(Ok(good()));
        let words = words(&tally);
        let lines: Vec<&str> = words.lines().collect();
        assert_eq!(lines[1], "           3  broker   Crash");
        let kinds = FaultKind::all().len();
        assert!(lines[kinds].starts_with("           0  "), "{words}");
        assert_eq!(lines[kinds + 1], "");
        let most = lines[kinds + 3];
        assert!(most.starts_with("       2,000  H048  "), "{words}");
        assert!(
            !words.contains("H112"),
            "transactions are not built: {words}"
        );
        assert!(words.contains("       1,234  records of the seed with the fewest\n"));
        assert!(
            words.contains("         0.5  seeds/s in 2.0 s with 2 jobs\n"),
            "{words}"
        );
        assert!(
            words.contains("\n1 seeds, 0..1: no rule is broken\nnever came up: H001, H002, "),
            "{words}"
        );
        assert!(!words.contains("H152"), "a table shows it: {words}");
    }
}
