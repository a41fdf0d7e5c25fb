//! Every record that the application sends, and what it was told of it.

use std::time::Duration;

use ottla::{RecordMetadata, SendError, Undelivered};

use super::letter::Letter;
use crate::{Fact, FaultKind, Told};

/// All records of a trial, by number: the order in which they were handed in.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    /// What is to go into the trace.
    pub(crate) notes: Vec<Fact>,
    /// The first broken rule that was seen while telling.
    pub(crate) broken: Option<(&'static str, String)>,
    pub(crate) limits: Limits,
    /// Records that are accepted, whose outcome somebody waits for and does not have.
    pub(crate) open: usize,
    pub(crate) accepted: u64,
    orders: u64,
    /// When the host stood still.
    pub(crate) frozen: Vec<(Duration, Duration)>,
    /// Flushes that have ended and are not judged yet.
    pub(crate) flushes: Vec<Flush>,
}

/// The settings' deadlines.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) delivery: Duration,
    pub(crate) block: Duration,
}

/// One record.
pub(crate) struct Entry {
    pub(crate) letter: Letter,
    /// Its place in the order in which records were handed in.
    pub(crate) order: u64,
    pub(crate) asked: Duration,
    pub(crate) accepted: Option<Duration>,
    pub(crate) ended: Option<Duration>,
    pub(crate) fate: Fate,
}

/// What the application knows of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet.
    Open,
    Written(RecordMetadata),
    NotWritten(Undelivered),
    MaybeWritten(Undelivered),
    Refused(SendError),
    /// It never was handed in, since one before it was refused.
    Unsent,
    /// It did not want to know: it dropped the future of the send.
    Abandoned,
    /// It did not want to know: it dropped the delivery.
    Unwatched,
}

/// A flush that has ended, and what it has to have covered.
pub(crate) struct Flush {
    pub(crate) at: Duration,
    pub(crate) covered: Vec<usize>,
}

impl Ledger {
    /// Notes a record that is about to be handed in.
    pub(crate) fn ask(&mut self, letter: Letter, now: Duration) -> usize {
        self.orders += 1;
        self.entries.push(Entry {
            letter,
            order: self.orders,
            asked: now,
            accepted: None,
            ended: None,
            fate: Fate::Open,
        });
        self.entries.len() - 1
    }

    /// A record was taken at last.
    pub(crate) fn accept_in_time(&mut self, n: usize, now: Duration) {
        self.blocked(n, now);
        self.accept(n, now);
    }

    /// A record was taken, perhaps some time ago.
    pub(crate) fn accept(&mut self, n: usize, now: Duration) {
        self.entries[n].accepted = Some(now);
        self.open += 1;
        self.accepted += 1;
    }

    pub(crate) fn refuse(&mut self, n: usize, error: SendError, now: Duration) {
        self.blocked(n, now);
        let entry = &mut self.entries[n];
        if entry.accepted.is_some() || entry.fate != Fate::Open {
            return self.accuse(
                "I5",
                format!("record {n} is refused after {:?}", self.entries[n].fate),
            );
        }
        self.notes.push(Fact::Note {
            what: format!("record {n} is refused: {error}"),
        });
        entry.fate = Fate::Refused(error);
        entry.ended = Some(now);
    }

    /// A record was not even handed in.
    pub(crate) fn skip(&mut self, n: usize) {
        self.entries[n].fate = Fate::Unsent;
    }

    /// A record is handed in only now, from within a callback.
    pub(crate) fn ask_again(&mut self, n: usize, now: Duration) {
        self.orders += 1;
        let entry = &mut self.entries[n];
        (entry.order, entry.asked) = (self.orders, now);
    }

    /// A close with little time has returned.
    pub(crate) fn closed(&mut self, deadline: Duration, now: Duration) {
        if self.is_late(deadline, now) {
            self.accuse("I11", format!("a close took {:?} too long", now - deadline));
        }
    }

    /// The application drops what would tell it of a record.
    pub(crate) fn abandon(&mut self, n: usize, now: Duration) {
        let entry = &mut self.entries[n];
        entry.ended = Some(now);
        entry.fate = match entry.accepted {
            Some(_) => Fate::Unwatched,
            None => Fate::Abandoned,
        };
        if entry.accepted.is_some() {
            self.open -= 1;
        }
        self.struck(FaultKind::DropFuture, format!("record {n}"));
    }

    /// A record's outcome has come.
    pub(crate) fn end(
        &mut self,
        n: usize,
        outcome: Result<RecordMetadata, Undelivered>,
        now: Duration,
    ) {
        self.notes.push(Fact::Ended {
            record: n,
            told: Told::of(&outcome),
        });
        let entry = &mut self.entries[n];
        if entry.fate != Fate::Open {
            let before = entry.fate.clone();
            return self.accuse("I5", format!("record {n}: {outcome:?} after {before:?}"));
        }
        entry.ended = Some(now);
        entry.fate = match outcome {
            Ok(written) => Fate::Written(written),
            Err(error @ Undelivered::NotWritten(_)) => Fate::NotWritten(error),
            Err(error @ Undelivered::MaybeWritten(_)) => Fate::MaybeWritten(error),
        };
        // A callback may be called before the send that takes it returns.
        let started = entry.accepted.unwrap_or(entry.asked);
        if entry.accepted.is_some() {
            self.open -= 1;
        }
        if self.is_late(started + self.limits.delivery, now) {
            self.accuse("I6", format!("record {n} took {:?}", now - started));
        }
    }

    /// A callback's record was taken; its outcome may have come already.
    pub(crate) fn accept_callback(&mut self, n: usize, now: Duration) {
        let is_over = self.entries[n].fate != Fate::Open;
        self.accept_in_time(n, now);
        if is_over {
            self.open -= 1;
        }
    }

    pub(crate) fn struck(&mut self, kind: FaultKind, target: String) {
        self.notes.push(Fact::Struck { kind, target });
    }

    /// The records that a flush has to wait for.
    pub(crate) fn covered(&self) -> Vec<usize> {
        let waits = |entry: &Entry| entry.accepted.is_some() && entry.fate == Fate::Open;
        (0..)
            .zip(&self.entries)
            .filter(|(_, entry)| waits(entry))
            .map(|(n, _)| n)
            .collect()
    }

    pub(crate) fn accuse(&mut self, rule: &'static str, what: String) {
        self.broken.get_or_insert((rule, what));
    }

    fn blocked(&mut self, n: usize, now: Duration) {
        let asked = self.entries[n].asked;
        if self.is_late(asked + self.limits.block, now) {
            self.accuse(
                "H046",
                format!("the send of record {n} took {:?}", now - asked),
            );
        }
    }

    /// A deadline has passed, and not while the host stood still.
    fn is_late(&self, deadline: Duration, now: Duration) -> bool {
        let is_excuse = |&(from, until): &(Duration, Duration)| from <= deadline && now <= until;
        now > deadline && !self.frozen.iter().any(is_excuse)
    }
}
