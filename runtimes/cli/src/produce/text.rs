//! What the command has to say at its end, for people: short, whatever happened.

use std::fmt;

use indicatif::{DecimalBytes, HumanCount};

use super::{ledger::Verdict, report::Report};
use crate::{
    output::{Ink, OneLine},
    tally::{Fate, Reason, Tally},
};

/// The report in words.
pub(crate) struct Words<'a> {
    pub(crate) report: &'a Report,
    pub(crate) tally: &'a Tally,
    pub(crate) verdict: Option<&'a Verdict>,
    /// All of the input was sent and written.
    pub(crate) complete: bool,
    /// There were more lines than were read.
    pub(crate) unread: bool,
    pub(crate) colours: bool,
}

/// Partitions that are listed.
const PARTITIONS: usize = 12;
/// Reasons that are listed.
const REASONS: usize = 5;

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        self.reasons(f)?;
        if !self.report.partitions.is_empty() {
            self.table(f)?;
        }
        for note in &self.report.notes {
            writeln!(f, "{} {}.", self.doubt(), OneLine(note))?;
        }
        self.comparison(f)
    }
}

/// Where the records of a reason stand, if that is known.
fn places(reason: &Reason) -> String {
    match reason.places.len() as u64 {
        0 => String::new(),
        told if told < reason.records => format!(" ({}, …)", reason.places.join(", ")),
        _ => format!(" ({})", reason.places.join(", ")),
    }
}

impl Words<'_> {
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        let sign = if self.complete {
            self.good()
        } else {
            self.bad()
        };
        write!(f, "{sign} {}", HumanCount(report.written))?;
        if report.written < report.records {
            write!(f, " of {}", HumanCount(report.records))?;
        }
        let records = if report.records == 1 {
            "record"
        } else {
            "records"
        };
        let pace = self.paint(Ink::Faint, &self.pace());
        writeln!(f, " {records} written to {}  {pace}", report.topic)
    }

    /// How long it took; and how fast it was, where that says anything.
    fn pace(&self) -> String {
        let (seconds, bytes) = (self.report.seconds, DecimalBytes(self.tally.bytes));
        if seconds < 0.1 || self.report.written == 0 {
            return format!("{seconds:.3} s · {bytes}");
        }
        let rate = HumanCount((self.report.written as f64 / seconds) as u64);
        format!("{seconds:.2} s · {bytes} · {rate}/s")
    }

    fn reasons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.tally.reasons();
        for reason in reasons.iter().take(REASONS) {
            let (sign, fate) = match reason.fate {
                Fate::NotWritten => (self.bad(), "not written"),
                Fate::MaybeWritten => (self.doubt(), "perhaps written"),
            };
            let records = HumanCount(reason.records);
            let words = reason.words.clone() + &places(reason);
            writeln!(f, "{sign} {records} {fate}: {}", OneLine(&words))?;
        }
        if let Some(more @ 1..) = reasons.len().checked_sub(REASONS) {
            writeln!(f, "  … and {more} more reasons, see --json")?;
        }
        match self.unread {
            true => writeln!(f, "  The rest of the input was not read."),
            false => Ok(()),
        }
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partitions = &self.report.partitions;
        let head = self.paint(Ink::Faint, "  partition       records  offsets");
        writeln!(f, "{head}")?;
        for partition in partitions.iter().take(PARTITIONS) {
            let records = HumanCount(partition.records).to_string();
            write!(f, "  {:9}  {records:>12}  ", partition.partition)?;
            match (partition.first_offset, partition.last_offset) {
                (Some(first), Some(last)) => writeln!(f, "{first} – {last}")?,
                _ => writeln!(f, "not told by the broker")?,
            }
        }
        match partitions.len().checked_sub(PARTITIONS) {
            Some(more @ 1..) => writeln!(f, "  … and {more} more partitions, see --json"),
            _ => Ok(()),
        }
    }

    fn comparison(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = "Read back from the embedded cluster";
        match self.verdict {
            Some(Verdict::Same) if self.report.written > 0 => {
                writeln!(f, "{} {read} and compared: the same.", self.good())
            }
            Some(Verdict::Different(why)) => {
                writeln!(
                    f,
                    "{} {read} and compared: not the same, {why}.",
                    self.bad()
                )
            }
            Some(Verdict::Unknown(why)) => {
                writeln!(
                    f,
                    "{} Not compared with the embedded cluster's log: {why}.",
                    self.doubt()
                )
            }
            Some(Verdict::Same) | None => Ok(()),
        }
    }

    fn good(&self) -> String {
        self.paint(Ink::Good, "✓")
    }

    fn bad(&self) -> String {
        self.paint(Ink::Bad, "✗")
    }

    fn doubt(&self) -> String {
        self.paint(Ink::Doubt, "?")
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        ink.paint(self.colours, text)
    }
}
