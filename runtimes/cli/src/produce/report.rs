//! What the command has to say at its end, as data.

use serde::Serialize;

use super::ledger::Verdict;
use crate::tally::{Tally, Written};

/// The report, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) topic: String,
    pub(crate) records: u64,
    pub(crate) written: u64,
    pub(crate) not_written: u64,
    pub(crate) maybe_written: u64,
    pub(crate) seconds: f64,
    /// Whether what was read back is what was sent; `None` if nothing could be read back.
    pub(crate) verified: Option<bool>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) errors: Vec<Lost>,
    /// What looks like a mistake in the command.
    pub(crate) notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Partition {
    pub(crate) partition: i32,
    pub(crate) records: u64,
    pub(crate) first_offset: Option<i64>,
    pub(crate) last_offset: Option<i64>,
}

/// Records that were not, or perhaps not, written for one reason.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lost {
    pub(crate) reason: String,
    pub(crate) records: u64,
    /// Where the first of them stand, as `FILE:LINE`.
    pub(crate) lines: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        topic: &str,
        tally: &Tally,
        notes: Vec<String>,
        verdict: Option<&Verdict>,
        seconds: f64,
    ) -> Self {
        let partition = |(&partition, written): (&i32, &Written)| Partition {
            partition,
            records: written.records,
            first_offset: written.offsets.map(|(first, _)| first),
            last_offset: written.offsets.map(|(_, last)| last),
        };
        Self {
            topic: topic.to_owned(),
            records: tally.records(),
            written: tally.written,
            not_written: tally.not_written,
            maybe_written: tally.maybe_written,
            seconds: (seconds * 1e6).round() / 1e6,
            verified: match verdict {
                Some(Verdict::Same) => Some(true),
                Some(Verdict::Different(_)) => Some(false),
                Some(Verdict::Unknown(_)) | None => None,
            },
            partitions: tally.partitions.iter().map(partition).collect(),
            errors: errors(tally),
            notes,
        }
    }

    /// Everything went as it should.
    pub(crate) fn is_good(&self) -> bool {
        self.written == self.records && self.verified != Some(false)
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("the report is numbers and strings") + "\n"
    }
}

/// One entry a reason, whichever of the two it led to.
fn errors(tally: &Tally) -> Vec<Lost> {
    let mut errors: Vec<Lost> = Vec::new();
    for reason in tally.reasons() {
        match errors.iter_mut().find(|lost| lost.reason == reason.words) {
            Some(lost) => {
                lost.records += reason.records;
                lost.lines.extend_from_slice(&reason.places);
            }
            None => errors.push(Lost {
                reason: reason.words.clone(),
                records: reason.records,
                lines: reason.places.clone(),
            }),
        }
    }
    errors
}
