//! Every record that was handed in, and exactly one outcome for each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
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
    /// What the clock on the wall showed then, in milliseconds since 1970.
    pub timestamp: i64,
    /// When it was sent.
    pub at: Duration,
    /// When it was accepted.
    pub accepted: Option<Duration>,
    /// When its outcome came.
    pub ended: Option<Duration>,
    /// The broker's time for it, if the broker told one.
    pub append_time: Option<i64>,
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
    /// The application gave it up before it was accepted.
    GivenUp,
}

/// All records by number, and those of each batch that has not ended.
#[derive(Default)]
pub(crate) struct Outcomes {
    sent: Vec<Sent>,
    batches: BTreeMap<BatchId, Vec<usize>>,
    waiting: BTreeMap<Waiter, usize>,
    /// The record that is sent when another has its outcome.
    followers: BTreeMap<usize, usize>,
    /// The records that the application gives up when their turn comes.
    regretted: BTreeSet<usize>,
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
            timestamp: 0,
            at,
            accepted: None,
            ended: None,
            append_time: None,
            handle,
            fate: None,
            order: None,
        }
    }

    /// What became of it; `None` while that is open.
    pub fn fate(&self) -> Option<&Fate> {
        self.fate.as_ref()
    }

    fn is_settled(&self) -> bool {
        self.fate.is_some()
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

impl Fate {
    /// What an outcome means for the record at `place` in its range.
    fn new(outcome: &Outcome, place: i64) -> Fate {
        match outcome {
            Outcome::Written { offset, .. } => Fate::Written {
                offset: offset.map(|first| first + place),
            },
            Outcome::NotWritten(error) => Fate::NotWritten(error.clone()),
            Outcome::MaybeWritten(error) => Fate::MaybeWritten(error.clone()),
        }
    }
}

impl Outcomes {
    pub(crate) fn note(&mut self, sent: Sent) -> usize {
        self.sent.push(sent);
        self.sent.len() - 1
    }

    pub(crate) fn follow(&mut self, ended: usize, n: usize) {
        self.followers.insert(ended, n);
    }

    pub(crate) fn wait(&mut self, n: usize, waiter: Waiter) {
        self.waiting.insert(waiter, n);
    }

    /// The record of a waiter, which waits no more.
    pub(crate) fn waited(&mut self, waiter: Waiter) -> Option<usize> {
        self.waiting.remove(&waiter)
    }

    /// The waiter of a record that waits.
    pub(crate) fn waiter_of(&self, n: usize) -> Option<Waiter> {
        let mut waiting = self.waiting.iter();
        waiting.find_map(|(&waiter, &of)| (of == n).then_some(waiter))
    }

    pub(crate) fn regret(&mut self, n: usize) {
        self.regretted.insert(n);
    }

    pub(crate) fn is_regretted(&self, n: usize) -> bool {
        self.regretted.contains(&n)
    }

    pub(crate) fn give_up(&mut self, n: usize, now: Duration) {
        self.sent[n].end(Fate::GivenUp, now);
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

    /// Gives the records of a range of a batch their outcome. Returns those that are to be sent now.
    pub(crate) fn complete(
        &mut self,
        batch: BatchId,
        records: Range<u32>,
        outcome: &Outcome,
        last: bool,
        now: Duration,
    ) -> Vec<usize> {
        let of_batch = self.batches.get(&batch).map_or(&[][..], Vec::as_slice);
        let numbers = of_batch
            .get(records.start as usize..records.end as usize)
            .expect("I5: only records with a ticket have an outcome")
            .to_vec();
        for (&n, place) in numbers.iter().zip(0..) {
            self.sent[n].end(Fate::new(outcome, place), now);
            if let Outcome::Written { append_time, .. } = outcome {
                self.sent[n].append_time = *append_time;
            }
        }
        if last {
            let all = self.batches.remove(&batch).unwrap_or_default();
            let is_open = |n: &usize| self.sent[*n].fate().is_none();
            let open: Vec<usize> = all.into_iter().filter(is_open).collect();
            assert_eq!(open, [], "I5: {batch:?} ended without outcomes of these");
        }
        while self.sent.get(self.settled).is_some_and(Sent::is_settled) {
            self.settled += 1;
        }
        let follower = |n: &usize| self.followers.remove(n);
        numbers.iter().filter_map(follower).collect()
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
        rest.filter(|(_, s)| !s.is_settled()).map(|(n, _)| n)
    }
}
