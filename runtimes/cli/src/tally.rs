//! How many records had which outcome, and where they are.

use std::collections::BTreeMap;

use ottla::{DeliveryError, RecordMetadata, SendError, Undelivered};

/// The outcomes so far. Every record that was read is in exactly one of the three counts in the end.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) written: u64,
    pub(crate) not_written: u64,
    pub(crate) maybe_written: u64,
    /// Bytes of the lines that were written.
    pub(crate) bytes: u64,
    pub(crate) partitions: BTreeMap<i32, Written>,
    reasons: Vec<Reason>,
    /// The reason that was counted last, by what it came from: words are made once for many records.
    last: Option<(DeliveryError, Fate, usize)>,
}

/// What one partition got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) records: u64,
    /// First and last offset, of those records that were told theirs.
    pub(crate) offsets: Option<(i64, i64)>,
}

/// Why so many records were not, or perhaps not, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) fate: Fate,
    pub(crate) words: String,
    pub(crate) records: u64,
    /// Where the first of them stand in the input.
    pub(crate) places: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    NotWritten,
    MaybeWritten,
}

/// Reasons that are told apart; brokers may word theirs anew for each record.
const REASONS: usize = 50;
/// Places that are told of a reason.
const PLACES: usize = 5;

impl Tally {
    pub(crate) fn written(&mut self, record: &RecordMetadata, bytes: u64) {
        self.written += 1;
        self.bytes += bytes;
        let partition = self.partitions.entry(record.partition).or_default();
        partition.records += 1;
        if let Some(offset) = record.offset {
            let (first, last) = partition.offsets.unwrap_or((offset, offset));
            partition.offsets = Some((first.min(offset), last.max(offset)));
        }
    }

    /// Counts a record that has its outcome, under the reason that is given back.
    pub(crate) fn undelivered(&mut self, record: &Undelivered) -> &mut Reason {
        let (fate, error) = match record {
            Undelivered::NotWritten(error) => (Fate::NotWritten, error),
            Undelivered::MaybeWritten(error) => (Fate::MaybeWritten, error),
        };
        *self.count_of(fate) += 1;
        let at = match &self.last {
            Some((last, of, at)) if last == error && *of == fate => {
                self.reasons[*at].records += 1;
                *at
            }
            _ => {
                let at = self.blame(fate, &error.to_string(), 1);
                self.last = Some((error.clone(), fate, at));
                at
            }
        };
        &mut self.reasons[at]
    }

    /// Counts records that were never sent, one or more, under the reason that is given back.
    pub(crate) fn refused(&mut self, reason: &str, records: u64) -> &mut Reason {
        self.not_written += records;
        let at = self.blame(Fate::NotWritten, reason, records);
        &mut self.reasons[at]
    }

    /// Every record that was read and has its outcome.
    pub(crate) fn records(&self) -> u64 {
        self.written + self.not_written + self.maybe_written
    }

    /// What records were lost to, the most frequent first.
    pub(crate) fn reasons(&self) -> Vec<&Reason> {
        let mut reasons: Vec<&Reason> = self.reasons.iter().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
        reasons
    }

    fn count_of(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::NotWritten => &mut self.not_written,
            Fate::MaybeWritten => &mut self.maybe_written,
        }
    }

    fn blame(&mut self, fate: Fate, words: &str, records: u64) -> usize {
        let position = |reasons: &[Reason], words: &str| {
            reasons
                .iter()
                .position(|r| r.fate == fate && r.words == words)
        };
        let words = match self.reasons.len() < REASONS || position(&self.reasons, words).is_some() {
            true => words,
            false => "other reasons",
        };
        let at = position(&self.reasons, words).unwrap_or_else(|| {
            self.reasons.push(Reason {
                fate,
                words: words.to_owned(),
                records: 0,
                places: Vec::new(),
            });
            self.reasons.len() - 1
        });
        self.reasons[at].records += records;
        at
    }
}

impl Reason {
    /// Notes where a record stands, for as many as are told.
    pub(crate) fn at(&mut self, place: impl FnOnce() -> String) {
        if self.places.len() < PLACES {
            self.places.push(place());
        }
    }
}

/// Why a record was refused, in words that are the same for all records that share the reason.
pub(crate) fn refusal(error: &SendError) -> String {
    match error {
        SendError::TooLarge { limit, setting, .. } => too_large(setting, *limit),
        error => error.to_string(),
    }
}

/// The reason for a record of any size beyond the limit.
pub(crate) fn too_large(setting: &str, limit: usize) -> String {
    format!("the record is larger than {setting}={limit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_knows_its_first_places() {
        let mut tally = Tally::default();
        for n in 0..20 {
            tally.refused("why", 1).at(|| n.to_string());
        }
        tally
            .undelivered(&Undelivered::NotWritten(DeliveryError::Purged))
            .at(|| "x".to_owned());
        let reasons = tally.reasons();
        assert_eq!(reasons[0].places, ["0", "1", "2", "3", "4"]);
        assert_eq!(reasons[1].places, ["x"]);
    }

    #[test]
    fn reasons_are_few_and_add_up() {
        let mut tally = Tally::default();
        for n in 0..1000 {
            tally.refused(&format!("reason {}", n % 500), 2);
        }
        tally.undelivered(&Undelivered::NotWritten(DeliveryError::Purged));
        for _ in 0..3 {
            tally.undelivered(&Undelivered::MaybeWritten(DeliveryError::Purged));
        }
        let reasons = tally.reasons();
        assert!(reasons.len() <= REASONS + 2);
        assert_eq!(reasons[0].words, "other reasons");
        assert_eq!(reasons.iter().map(|r| r.records).sum::<u64>(), 2004);
        assert_eq!(
            (tally.not_written, tally.maybe_written, tally.records()),
            (2001, 3, 2004)
        );
    }
}
