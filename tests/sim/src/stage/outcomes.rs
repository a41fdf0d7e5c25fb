//! Every record that was handed in, and exactly one outcome for each.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_core::{BatchId, DeliveryError, Outcome, SendError, Ticket, Topic, Waiter};

/// A record that the application sent, and what became of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The topic.
    pub topic: String,
    /// The partition: the one asked for, and once the record is accepted the one chosen.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Vec<u8>,
    /// When it was sent.
    pub at: Duration,
    /// When it was accepted.
    pub accepted: Option<Duration>,
    /// When its outcome came.
    pub ended: Option<Duration>,
    handle: Topic,
    fate: Option<Fate>,
    /// Its place among all records that were accepted.
    order: Option<usize>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It is in the log.
    Written {
        /// Its own offset, if the broker told.
        offset: Option<i64>,
    },
    /// It is not in the log.
    NotWritten(DeliveryError),
    /// It may be in the log.
    MaybeWritten(DeliveryError),
    /// It was never accepted.
    Refused(SendError),
}

/// All records by number, and those of each batch that has not ended.
#[derive(Default)]
pub(crate) struct Outcomes {
    sent: Vec<Sent>,
    batches: BTreeMap<BatchId, Vec<usize>>,
    waiting: BTreeMap<Waiter, usize>,
    accepted: usize,
    /// Records before this one have their outcome.
    settled: usize,
}

impl Sent {
    pub(crate) fn new(
        topic: &str,
        handle: Topic,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: &[u8],
        at: Duration,
    ) -> Sent {
        Sent {
            topic: topic.to_owned(),
            partition,
            key: key.map(<[u8]>::to_vec),
            value: value.to_vec(),
            at,
            accepted: None,
            ended: None,
            handle,
            fate: None,
            order: None,
        }
    }

    /// What became of it; `None` while that is open.
    pub fn fate(&self) -> Option<&Fate> {
        self.fate.as_ref()
    }

    pub(crate) fn handle(&self) -> Topic {
        self.handle
    }

    pub(crate) fn order(&self) -> Option<usize> {
        self.order
    }

    fn end(&mut self, fate: Fate, now: Duration) {
        assert!(
            self.fate().is_none(),
            "I5: a record has a second outcome: {fate:?} after {self:?}"
        );
        self.fate = Some(fate);
        self.ended = Some(now);
    }
}

impl Outcomes {
    pub(crate) fn note(&mut self, sent: Sent) -> usize {
        self.sent.push(sent);
        self.sent.len() - 1
    }

    pub(crate) fn wait(&mut self, n: usize, waiter: Waiter) {
        self.waiting.insert(waiter, n);
    }

    /// The record of a waiter, which waits no more.
    pub(crate) fn waited(&mut self, waiter: Waiter) -> Option<usize> {
        self.waiting.remove(&waiter)
    }

    pub(crate) fn accept(&mut self, n: usize, ticket: Ticket, now: Duration) {
        let batch = self.batches.entry(ticket.batch()).or_default();
        assert_eq!(
            batch.len(),
            ticket.index() as usize,
            "a ticket's index counts the records of its batch"
        );
        batch.push(n);
        let sent = &mut self.sent[n];
        sent.partition = Some(ticket.partition());
        sent.accepted = Some(now);
        sent.order = Some(self.accepted);
        self.accepted += 1;
    }

    pub(crate) fn refuse(&mut self, n: usize, error: SendError, now: Duration) {
        self.sent[n].end(Fate::Refused(error), now);
    }

    /// Gives the records of a range of a batch their outcome.
    pub(crate) fn complete(
        &mut self,
        batch: BatchId,
        records: std::ops::Range<u32>,
        outcome: &Outcome,
        last: bool,
        now: Duration,
    ) {
        let numbers = self
            .batches
            .get(&batch)
            .expect("I5: only a batch with a ticket has an outcome");
        for index in records.clone() {
            let n = *numbers
                .get(index as usize)
                .expect("I5: only a record with a ticket has an outcome");
            let offset = |base: i64| base + i64::from(index - records.start);
            let fate = match outcome {
                Outcome::Written { offset: base, .. } => Fate::Written {
                    offset: base.map(offset),
                },
                Outcome::NotWritten(error) => Fate::NotWritten(error.clone()),
                Outcome::MaybeWritten(error) => Fate::MaybeWritten(error.clone()),
            };
            self.sent[n].end(fate, now);
        }
        if last {
            let numbers = self.batches.remove(&batch).unwrap_or_default();
            let open: Vec<usize> = numbers
                .into_iter()
                .filter(|&n| self.sent[n].fate().is_none())
                .collect();
            assert!(
                open.is_empty(),
                "I5: {batch:?} ended, and these of its records have no outcome: {open:?}"
            );
        }
        while self
            .sent
            .get(self.settled)
            .is_some_and(|s| s.fate().is_some())
        {
            self.settled += 1;
        }
    }

    pub(crate) fn sent(&self, n: usize) -> &Sent {
        &self.sent[n]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &Sent)> {
        self.sent.iter().enumerate()
    }

    /// The records without an outcome.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = usize> {
        let rest = (self.settled..).zip(&self.sent[self.settled..]);
        rest.filter(|(_, s)| s.fate().is_none()).map(|(n, _)| n)
    }
}
