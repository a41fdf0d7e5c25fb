//! Every record that the application sends, and what it was told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::{RecordMetadata, SendError, Undelivered};

use super::letter::Letter;
use super::plan::Plan;
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
    /// The producer has said that it is at its end.
    pub(crate) is_fatal: bool,
    /// When the host stood still.
    pub(crate) frozen: Vec<(Duration, Duration)>,
    /// How often a broker was asked for metadata.
    pub(crate) metadata_requests: u64,
    /// Flushes that have ended and are not judged yet.
    pub(crate) flushes: Vec<Flush>,
    /// Flushes that have begun.
    begun: usize,
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
    /// Who handed it in; nobody twice from within callbacks.
    pub(crate) actor: usize,
    /// It may have come to the queue after records of other actors that were handed in later: behind its own actor's, or
    /// because it waited for a partition that was not there.
    pub(crate) may_be_late: bool,
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
    pub(crate) since: Duration,
    pub(crate) at: Duration,
    pub(crate) covered: Vec<usize>,
}

impl Fate {
    /// The application was told whether the record is written.
    pub(crate) fn is_known(&self) -> bool {
        matches!(
            self,
            Fate::Written(_) | Fate::NotWritten(_) | Fate::Refused(_) | Fate::Unsent
        )
    }
}

impl Ledger {
    /// Notes a record that is about to be handed in.
    pub(crate) fn ask(&mut self, letter: Letter, actor: usize, now: Duration) -> usize {
        self.orders += 1;
        self.entries.push(Entry {
            letter,
            order: self.orders,
            actor,
            may_be_late: false,
            asked: now,
            accepted: None,
            ended: None,
            fate: Fate::Open,
        });
        let record = self.entries.len() - 1;
        self.notes.push(Fact::Sent { record });
        record
    }

    /// A record was taken at last.
    pub(crate) fn accept_in_time(&mut self, n: usize, now: Duration) {
        self.blocked(n, now);
        self.accept(n, now);
    }

    /// A record was taken, perhaps some time ago.
    pub(crate) fn accept(&mut self, n: usize, now: Duration) {
        self.notes.push(Fact::Accepted { record: n });
        self.entries[n].accepted = Some(now);
        self.open += 1;
        self.accepted += 1;
    }

    /// A record was refused at last.
    pub(crate) fn refuse_in_time(&mut self, n: usize, error: SendError, now: Duration) {
        self.blocked(n, now);
        self.refuse(n, error, now);
    }

    /// A record was refused, which may have been handed in only when others were taken.
    pub(crate) fn refuse(&mut self, n: usize, error: SendError, now: Duration) {
        let entry = &mut self.entries[n];
        if entry.accepted.is_some() || entry.fate != Fate::Open {
            return self.accuse(
                "I5",
                format!("record {n} is refused after {:?}", self.entries[n].fate),
            );
        }
        self.is_fatal |= matches!(error, SendError::Fatal(_));
        let entry = &mut self.entries[n];
        self.notes.push(Fact::Declined {
            record: n,
            why: error.to_string(),
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
        entry.actor = usize::MAX - n;
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
        let deadline = match entry.accepted {
            Some(accepted) => accepted + self.limits.delivery,
            None => entry.asked + self.limits.block + self.limits.delivery,
        };
        let asked = entry.asked;
        self.open -= usize::from(entry.accepted.is_some());
        if self.is_late(deadline, now) {
            self.accuse("I6", format!("record {n} took {:?}", now - asked));
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

    /// A flush begins; returns its number.
    pub(crate) fn begin_flush(&mut self) -> usize {
        let flush = self.begun;
        self.begun += 1;
        self.notes.push(Fact::FlushBegins { flush });
        flush
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

    /// Some record of the topic may have ended without anybody knowing how.
    pub(crate) fn has_unknown(&self, plan: &Plan, topic: &str) -> bool {
        self.entries.iter().any(|entry| {
            let is_unknown = matches!(
                entry.fate,
                Fate::MaybeWritten(_) | Fate::Unwatched | Fate::Abandoned
            );
            is_unknown && plan.topics[entry.letter.topic].name == topic
        })
    }

    /// The first two records of a log of which the first should not stand before the second.
    ///
    /// What one actor sends keeps its order; so does what different actors send, if each was handed in by itself.
    pub(crate) fn out_of_order(&self, log: &[usize]) -> Option<(usize, usize)> {
        let mut newest: BTreeMap<Option<usize>, usize> = BTreeMap::new();
        for &n in log {
            let entry = &self.entries[n];
            let everybody = (!entry.may_be_late).then_some(None);
            for line in [Some(Some(entry.actor)), everybody].into_iter().flatten() {
                let before = newest.insert(line, n);
                if let Some(before) = before.filter(|&b| self.entries[b].order >= entry.order) {
                    return Some((before, n));
                }
            }
        }
        None
    }

    /// The host stands still from now on.
    pub(crate) fn freeze(&mut self, now: Duration, until: Duration) {
        match self.frozen.last_mut().filter(|window| window.1 >= now) {
            Some(window) => window.1 = until,
            None => self.frozen.push((now, until)),
        }
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
