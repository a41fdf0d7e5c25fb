//! What the command has to say at its end, for people: short, whatever happened.

use std::fmt::Write;

use indicatif::HumanCount;

use super::{ledger::Verdict, report::Report};
use crate::{
    output::Ink,
    tally::{Fate, Tally},
};

/// Partitions that are listed.
const PARTITIONS: usize = 12;
/// Reasons that are listed.
const REASONS: usize = 5;

/// The report in words; `colours` if they can be shown.
pub(crate) fn words(
    report: &Report,
    tally: &Tally,
    verdict: Option<&Verdict>,
    unread: bool,
    colours: bool,
) -> String {
    let mut text = headline(report, tally, colours);
    for reason in tally.reasons().iter().take(REASONS) {
        let (sign, fate) = match reason.fate {
            Fate::NotWritten => (Ink::Bad.paint(colours, "✗"), "not written"),
            Fate::MaybeWritten => (Ink::Doubt.paint(colours, "?"), "perhaps written"),
        };
        line(
            &mut text,
            &format!(
                "{sign} {} {fate}: {}",
                HumanCount(reason.records),
                reason.words
            ),
        );
    }
    let more = tally.reasons().len().saturating_sub(REASONS);
    if more > 0 {
        line(
            &mut text,
            &format!("  … for {more} more reasons, see --json"),
        );
    }
    if unread {
        line(&mut text, "  The rest of the input was not read.");
    }
    if !report.partitions.is_empty() {
        table(&mut text, report, colours);
    }
    match verdict {
        Some(Verdict::Same) => {
            let sign = Ink::Good.paint(colours, "✓");
            line(
                &mut text,
                &format!("{sign} Read back from the embedded cluster and compared: the same."),
            );
        }
        Some(Verdict::Different(why)) => {
            let sign = Ink::Bad.paint(colours, "✗");
            line(
                &mut text,
                &format!("{sign} Read back from the embedded cluster: not the same, {why}."),
            );
        }
        Some(Verdict::Unknown(why)) => {
            line(
                &mut text,
                &format!("? Not compared with the embedded cluster's log: {why}."),
            );
        }
        None => {}
    }
    text
}

fn headline(report: &Report, tally: &Tally, colours: bool) -> String {
    let all = report.written == report.records;
    let sign = match all {
        true => Ink::Good.paint(colours, "✓"),
        false => Ink::Bad.paint(colours, "✗"),
    };
    let count = match all {
        true => HumanCount(report.written).to_string(),
        false => format!(
            "{} of {}",
            HumanCount(report.written),
            HumanCount(report.records)
        ),
    };
    let records = if report.records == 1 {
        "record"
    } else {
        "records"
    };
    let pace = format!(
        "{:.2} s · {}/s · {:.1} MB",
        report.seconds,
        HumanCount((report.written as f64 / report.seconds.max(1e-6)) as u64),
        tally.bytes as f64 / 1e6,
    );
    let pace = Ink::Faint.paint(colours, &pace);
    format!(
        "{sign} {count} {records} written to {}  {pace}\n",
        report.topic
    )
}

fn table(text: &mut String, report: &Report, colours: bool) {
    let head = Ink::Faint.paint(colours, "  partition       records  offsets");
    line(text, &head);
    for partition in report.partitions.iter().take(PARTITIONS) {
        let records = HumanCount(partition.records).to_string();
        let offsets = match (partition.first_offset, partition.last_offset) {
            (Some(first), Some(last)) => format!("{first} – {last}"),
            _ => "not told".to_owned(),
        };
        line(
            text,
            &format!("  {:9}  {records:>12}  {offsets}", partition.partition),
        );
    }
    let more = report.partitions.len().saturating_sub(PARTITIONS);
    if more > 0 {
        line(text, &format!("  … and {more} more partitions, see --json"));
    }
}

fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}
