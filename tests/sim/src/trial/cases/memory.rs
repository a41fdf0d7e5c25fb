//! Section 7: back-pressure, memory, fairness.

use std::sync::Arc;
use std::time::Duration;

use ottla::{DeliveryError, SendError};

use super::traffic::View;
use super::{Hits, Scene};
use crate::trial::ledger::Fate;
use crate::{Api, Fact, Line, Produced, Told};

#[derive(Default)]
pub(crate) struct Memory {
    /// Who waits for memory, in order.
    queue: Vec<Waiter>,
    /// From when to when somebody waited last; without an end while somebody does.
    full: (Duration, Option<Duration>),
    /// When the last of them was served.
    served: Option<Duration>,
    failures: (Duration, usize),
    /// The last two Produce requests.
    turns: [Turn; 2],
    /// When records were purged last that were on their way.
    purged: Option<Duration>,
    /// Flushes under way, and when the last one was.
    flushes: usize,
    flushed: Duration,
    is_closing: bool,
    /// The memory is full beside a dead broker, and that is counted.
    is_filled: bool,
}

/// A send that waits for memory.
struct Waiter {
    record: usize,
    size: usize,
    since: Duration,
}

/// One Produce request.
#[derive(Default)]
struct Turn {
    wire: u64,
    at: Duration,
    bytes: usize,
    places: Vec<(Arc<str>, i32)>,
}

/// So many failures in one instant nobody takes one by one.
const MANY: usize = 30;
/// Requests that follow each other this fast are of one turn.
const TURN: Duration = Duration::from_millis(2);
/// A broker that keeps an answer for so long counts as dead.
const DEAD: Duration = Duration::from_millis(500);
/// A linger that can be told from the way to a broker.
const LONG: Duration = Duration::from_millis(50);

impl Memory {
    pub(crate) fn see(&mut self, line: &Line, scene: &Scene<'_>, view: &View, hits: &mut Hits) {
        let now = line.at;
        match &line.fact {
            Fact::Waits { record, lacks_room } => self.waits(*record, *lacks_room, now, scene),
            Fact::Accepted { record } => self.accepted(*record, now, hits),
            Fact::Declined { record, .. } => {
                self.leave(*record, now);
                // A way out of a send; that all memory comes back is the judge's business.
                let fate = &scene.ledger.entries[*record].fate;
                hits.hit_if(97, *fate != Fate::Refused(SendError::Closed));
            }
            Fact::GivenUp { record, woken } => {
                let waiter = self.leave(*record, now);
                // It was woken as it was its turn, and not at the end of its patience.
                let granted = |waiter: Waiter| now < waiter.since + scene.plan.max_block;
                hits.hit_if(99, *woken && waiter.is_some_and(granted));
                hits.hit(97);
            }
            Fact::FlushBegins { .. } => self.flushes += 1,
            Fact::FlushEnds { .. } => {
                self.flushes -= 1;
                self.flushed = now;
            }
            Fact::CloseBegins { .. } | Fact::LastHandle => self.is_closing = true,
            Fact::Asked {
                wire,
                api: Some(Api::Produce),
                bytes,
                ..
            } => self.begin_turn(*wire, now, *bytes),
            Fact::Produced(batch) => {
                self.take_turn(batch, scene, hits);
                self.fills(batch, now, view, hits);
            }
            Fact::Answered { wire, .. } => self.answered(*wire, view, hits),
            Fact::Ended { record, told } => self.ended(*record, told, now, scene, view, hits),
            _ => {}
        }
    }

    fn waits(&mut self, record: usize, lacks_room: bool, now: Duration, scene: &Scene<'_>) {
        // Behind others it waits for its turn, if not for its topic.
        if !lacks_room {
            return;
        }
        if self.queue.is_empty() {
            self.full = (now, None);
        }
        self.queue.push(Waiter {
            record,
            size: scene.ledger.entries[record].letter.size(),
            since: now,
        });
    }

    fn leave(&mut self, record: usize, now: Duration) -> Option<Waiter> {
        let place = self.queue.iter().position(|w| w.record == record)?;
        let waiter = self.queue.remove(place);
        if self.queue.is_empty() {
            self.full.1 = Some(now);
            self.is_filled = false;
        }
        Some(waiter)
    }

    fn accepted(&mut self, record: usize, now: Duration, hits: &mut Hits) {
        let is_first = self.queue.first().is_some_and(|w| w.record == record);
        let Some(waiter) = self.leave(record, now) else {
            return;
        };
        // A large one was served, and smaller ones behind it waited with it.
        let is_smaller = |other: &Waiter| other.size * 2 <= waiter.size && other.since < now;
        hits.hit_if(98, is_first && self.queue.iter().any(is_smaller));
        // Two are woken together.
        hits.hit_if(101, self.served.replace(now) == Some(now));
    }

    fn begin_turn(&mut self, wire: u64, now: Duration, bytes: usize) {
        self.turns.swap(0, 1);
        let turn = &mut self.turns[1];
        (turn.wire, turn.at, turn.bytes) = (wire, now, bytes);
        turn.places.clear();
    }

    fn take_turn(&mut self, batch: &Produced, scene: &Scene<'_>, hits: &mut Hits) {
        let [before, turn] = &mut self.turns;
        let place = (Arc::clone(&batch.topic), batch.partition);
        // The request before had no room for this partition.
        let follows = before.wire == turn.wire && turn.at - before.at <= TURN;
        let had_no_room = before.bytes + batch.bytes > scene.plan.max_request_size;
        hits.hit_if(
            103,
            follows && had_no_room && !before.places.contains(&place),
        );
        turn.places.push(place);
    }

    /// A batch is written while somebody waits for memory, and another broker is dead.
    fn fills(&mut self, batch: &Produced, now: Duration, view: &View, hits: &mut Hits) {
        if !batch.appended || self.queue.is_empty() || self.is_filled {
            return;
        }
        let mut others = view.roads.open.values();
        self.is_filled = others.any(|road| {
            road.broker != batch.broker && road.held(now).is_some_and(|held| held >= DEAD)
        });
        hits.hit_if(104, self.is_filled);
    }

    /// A batch is answered whose records were purged while it was on its way: their memory is back already.
    fn answered(&mut self, wire: u64, view: &View, hits: &mut Hits) {
        let Some(purged) = self.purged else {
            return;
        };
        let road = view.roads.open.get(&wire);
        let front = road.and_then(|road| road.pending.front());
        hits.hit_if(
            105,
            front.is_some_and(|(api, asked)| *api == Api::Produce && *asked < purged),
        );
    }

    fn ended(
        &mut self,
        record: usize,
        told: &Told,
        now: Duration,
        scene: &Scene<'_>,
        view: &View,
        hits: &mut Hits,
    ) {
        match &scene.ledger.entries[record].fate {
            Fate::MaybeWritten(why) if *why.error() == DeliveryError::Purged => {
                self.purged = Some(now);
            }
            Fate::NotWritten(_) => {
                let (at, count) = self.failures;
                self.failures = (now, if at == now { count + 1 } else { 1 });
                hits.hit_if(102, self.failures.1 == MANY);
            }
            Fate::Written(_) => self.written(record, told, scene, view, hits),
            _ => {}
        }
    }

    /// A batch that was far from full went out before its time since somebody waited for memory.
    fn written(&self, record: usize, told: &Told, scene: &Scene<'_>, view: &View, hits: &mut Hits) {
        let linger = scene.plan.millis("linger.ms");
        if linger < LONG || self.flushes > 0 || self.is_closing {
            return;
        }
        let Some(batch) = view.batches.of(record, told, scene) else {
            return;
        };
        let (from, until) = self.full;
        let is_full = from <= batch.at && until.is_none_or(|until| batch.at <= until);
        let accepted = scene.ledger.entries[record].accepted.unwrap_or(batch.at);
        let is_early = batch.at.saturating_sub(accepted) < linger / 2;
        let is_small = batch.bytes < scene.plan.number("batch.size").unwrap_or(0) / 2;
        let is_early = is_early && is_small && batch.at > self.flushed;
        hits.hit_if(100, is_full && from > Duration::ZERO && is_early);
    }
}
