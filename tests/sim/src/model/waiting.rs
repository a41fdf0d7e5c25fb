//! Answers that can't be given yet: a batch is still on its way to the followers, a group waits for its members, the broker
//! is paused, or it has told the client to be silent.
//!
//! As in Kafka, a broker works on one request of a connection at a time: what comes behind a request that waits is not
//! looked at before that is answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::groups::InGroup;
use super::produce::{Held, Settled};
use super::{Answer, Model};
use crate::code;

/// Requests that may wait on one connection; another one closes it.
const LONGEST_LINE: usize = 1 << 10;

type Link = (i32, u64);

/// An answer that was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The broker that answers.
    pub broker: i32,
    /// The connection on which it does.
    pub connection: u64,
    /// What it does: [`Answer::Reply`], [`Answer::Later`] or [`Answer::Disconnect`].
    pub answer: Answer,
}

/// Connections on which a request waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    lines: BTreeMap<Link, Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// The request that is carried out and waits for others.
    held: Option<Deferred>,
    /// The requests behind it, untouched.
    behind: VecDeque<Bytes>,
}

/// A request whose answer depends on what others do.
#[derive(Debug)]
pub(crate) enum Deferred {
    /// Followers are to copy a batch.
    Produce(Held),
    /// The other members of a group are to join, or its leader is to share the work out.
    InGroup(InGroup),
}

impl Waiting {
    pub(crate) fn has(&self, broker: i32, connection: u64) -> bool {
        self.lines.contains_key(&(broker, connection))
    }

    pub(crate) fn hold(&mut self, broker: i32, connection: u64, held: Deferred) {
        self.lines.entry((broker, connection)).or_default().held = Some(held);
    }

    /// Puts a request behind the others.
    pub(crate) fn line_up(&mut self, broker: i32, connection: u64, request: Bytes) -> Answer {
        let line = self.lines.entry((broker, connection)).or_default();
        if line.behind.len() == LONGEST_LINE {
            self.forget(broker, connection);
            return Answer::Disconnect;
        }
        line.behind.push_back(request);
        Answer::Waits
    }

    pub(crate) fn forget(&mut self, broker: i32, connection: u64) {
        self.lines.remove(&(broker, connection));
    }

    pub(crate) fn forget_broker(&mut self, broker: i32) {
        self.lines.retain(|&(of, _), _| of != broker);
    }

    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    fn take_held(&mut self, link: Link) -> Option<Deferred> {
        self.take(link, |line| line.held.take())
    }

    fn next(&mut self, link: Link) -> Option<Bytes> {
        self.take(link, |line| line.behind.pop_front())
    }

    /// Takes something off a line, which ends when nothing is left.
    fn take<T>(&mut self, link: Link, what: impl FnOnce(&mut Line) -> Option<T>) -> Option<T> {
        let line = self.lines.get_mut(&link)?;
        let taken = what(line);
        if line.held.is_none() && line.behind.is_empty() {
            self.lines.remove(&link);
        }
        taken
    }
}

impl Model {
    /// Gives the next answer that was waited for ([`Answer::Waits`]) and can be given now, or `None`. To be called until it
    /// gives none: at the time of [`next_answer`](Model::next_answer), and after every method that moves leaders, replicas
    /// or brokers.
    #[must_use]
    pub fn poll_answer(&mut self, now: Duration) -> Option<Answered> {
        if self.waiting.lines.is_empty() {
            return None;
        }
        self.replicate(now);
        let links: Vec<Link> = self.waiting.lines.keys().copied().collect();
        links.into_iter().find_map(|link| self.poll_line(now, link))
    }

    /// Like [`poll_answer`](Model::poll_answer), for one connection alone.
    #[must_use]
    pub fn poll_answer_on(
        &mut self,
        now: Duration,
        broker: i32,
        connection: u64,
    ) -> Option<Answer> {
        self.replicate(now);
        let answered = self.poll_line(now, (broker, connection))?;
        Some(answered.answer)
    }

    /// A broker leaves a connection alone whose client it has told to be silent (KIP-219).
    pub(crate) fn is_silent(&self, now: Duration, broker: i32, connection: u64) -> bool {
        let until = self.silent_until(broker, connection);
        until.is_some_and(|until| now < until)
    }

    fn silent_until(&self, broker: i32, connection: u64) -> Option<Duration> {
        let muted = self.links.muted(broker, connection);
        let muted = muted.filter(|_| !self.settings.listens_while_throttling);
        muted.map(|(_, until)| until)
    }

    /// Whether a request waits on a connection.
    pub fn waits(&self, broker: i32, connection: u64) -> bool {
        self.waiting.has(broker, connection)
    }

    /// When [`poll_answer`](Model::poll_answer) will give an answer if nothing happens before; `None` if nothing waits but for
    /// a paused broker. It may lie in the past.
    pub fn next_answer(&self) -> Option<Duration> {
        let works = |&(&(broker, _), _): &(&Link, &Line)| !self.broker(broker).paused;
        let due = |(&(broker, connection), line): (&Link, &Line)| match &line.held {
            Some(Deferred::Produce(held)) => self.due(held),
            Some(Deferred::InGroup(call)) => {
                // A group that waits has a deadline.
                let change = self.groups.next_change(&call.group);
                change.unwrap_or_default()
            }
            None => self.silent_until(broker, connection).unwrap_or_default(),
        };
        self.waiting.lines.iter().filter(works).map(due).min()
    }

    fn poll_line(&mut self, now: Duration, link: Link) -> Option<Answered> {
        let (broker, connection) = link;
        if !self.waiting.has(broker, connection) || self.broker(broker).paused {
            return None;
        }
        let answer = loop {
            if let Some(held) = self.waiting.take_held(link) {
                match self.resolve(now, held) {
                    Ok(answer) => break answer,
                    Err(held) => self.waiting.hold(broker, connection, held),
                }
                return None;
            }
            if self.links.is_hung(broker, connection) {
                self.waiting.forget(broker, connection);
                return None;
            }
            if self.is_silent(now, broker, connection) {
                return None;
            }
            let request = self.waiting.next(link)?;
            match self.carry_out(now, broker, connection, request) {
                Answer::Waits | Answer::Silence => {}
                answer => break answer,
            }
        };
        if answer == Answer::Disconnect {
            self.waiting.forget(broker, connection);
        }
        Some(Answered {
            broker,
            connection,
            answer,
        })
    }

    /// The answer to a request that waits, or the request if it goes on waiting.
    fn resolve(&mut self, now: Duration, held: Deferred) -> Result<Answer, Deferred> {
        match held {
            Deferred::Produce(mut held) => {
                if !self.is_done(now, &mut held) {
                    return Err(Deferred::Produce(held));
                }
                held.caller.now = now;
                Ok(self.finish(held))
            }
            Deferred::InGroup(call) => {
                let answer = self.answer_in_group(now, &call);
                answer.ok_or(Deferred::InGroup(call))
            }
        }
    }

    /// Settles what can be settled of a request that waits, and says whether that is all of it.
    pub(crate) fn is_done(&mut self, now: Duration, held: &mut Held) -> bool {
        let mut is_done = true;
        for (_, parts) in &mut held.topics {
            for part in parts
                .iter_mut()
                .filter(|part| part.outcome.awaits.is_some())
            {
                let verdict = self.verdict(held.caller.broker, part);
                let timed_out = (now >= held.deadline).then_some(code::REQUEST_TIMED_OUT);
                match verdict.or(timed_out) {
                    Some(code) => {
                        part.outcome.awaits = None;
                        part.outcome.code = code;
                        self.journal.settle(part.entry, code);
                    }
                    None => is_done = false,
                }
            }
        }
        is_done
    }

    /// What becomes of a batch that waits for followers, if that is clear: Kafka's `DelayedProduce` and
    /// `Partition.checkEnoughReplicasReachOffset`. In all cases the batch was appended, and may be there.
    fn verdict(&self, broker: i32, part: &Settled) -> Option<i16> {
        let awaits = part.outcome.awaits?;
        let name = self.topics.name(part.part.topic_id);
        let found = name.and_then(|name| self.topics.get(&name)?.partition(part.part.partition));
        let Some(partition) = found else {
            return Some(code::UNKNOWN_TOPIC_OR_PARTITION);
        };
        if partition.leader != Some(broker) || partition.leader_epoch != awaits.leader_epoch {
            return Some(code::NOT_LEADER_OR_FOLLOWER);
        }
        if partition.high_watermark() < awaits.offset {
            return None;
        }
        let is_enough = partition.in_sync().count() >= self.settings.min_insync_replicas;
        Some(match is_enough {
            true => code::NONE,
            false => code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        })
    }

    /// When a request that waits can be answered at the latest, if nothing happens.
    fn due(&self, held: &Held) -> Duration {
        let parts = held.topics.iter().flat_map(|(_, parts)| parts);
        let due = parts.map(|part| match part.outcome.awaits {
            Some(awaits) if self.verdict(held.caller.broker, part).is_none() => {
                let partition = self.partition(&part.part.name, part.part.partition);
                let replicated = partition.replicated_at(awaits.offset);
                replicated.map_or(held.deadline, |at| at.min(held.deadline))
            }
            _ => Duration::ZERO,
        });
        due.max().unwrap_or(Duration::ZERO)
    }
}
