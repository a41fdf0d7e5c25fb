//! Flush, purge, close, and the end of a producer that can't go on.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Ending, Flush, ProducerCore, Purge, Scope};
use crate::{
    error::{DeliveryError, Disconnect, Fatal, SendError},
    event::Event,
    id::FlushId,
    time::Instant,
};

impl ProducerCore {
    /// Sends what is there without waiting for more; [`Event::Flushed`] comes when every record that was accepted
    /// before has its outcome. Records that are accepted later, and those that wait for room, are not waited for.
    pub fn flush(&mut self, now: Instant, scope: Scope) -> FlushId {
        self.tick(now);
        let id = FlushId(self.flush_count);
        self.flush_count += 1;
        let covered: Vec<u32> = self
            .accumulator
            .live()
            .filter(|&b| self.is_in_scope(b, scope))
            .collect();
        for &batch in &covered {
            let partition = self.accumulator.batch(batch).partition;
            if self.accumulator.make_ready(partition) {
                self.refresh(partition);
            }
        }
        let before = self.accumulator.next_order();
        self.flushes.push_back(Flush {
            id,
            before,
            scope,
            left: covered.len() - usize::from(planted!(FlushMissesOne) && covered.len() > 1),
        });
        self.end_flushes();
        id
    }

    /// Ends records at once: those on the way as `MaybeWritten`, the others as `NotWritten`, unless an attempt left
    /// no answer.
    pub fn purge(&mut self, now: Instant, what: Purge) {
        self.tick(now);
        let batches: Vec<u32> = self
            .accumulator
            .live()
            .filter(|&b| what.covers(self.is_on_the_way(b)))
            .collect();
        for batch in batches {
            self.give_up(batch, DeliveryError::Purged);
        }
        self.settle();
    }

    /// Takes no more records, sends what is there, and ends everything within `grace`; then
    /// [`Event::Closed`] comes. What is left after `grace` ends as [`purge`](Self::purge) says. A second call may make
    /// the time shorter.
    pub fn close(&mut self, now: Instant, grace: Duration) {
        self.tick(now);
        let grace = if planted!(CloseHasNoGrace) {
            Duration::ZERO
        } else {
            grace
        };
        let until = self.clock + grace;
        match &mut self.ending {
            Ending::Running => {
                self.ending = Ending::Closing(until);
                self.fail_all_waiters(&SendError::Closed);
                self.ready_all();
            }
            Ending::Closing(before) => *before = until.min(*before),
            Ending::Leaving(_) | Ending::Closed(_) => {}
        }
        self.settle();
    }

    /// Takes the steps towards the end that can be taken now.
    pub(super) fn pursue_end(&mut self) {
        if let Ending::Closing(until) = self.ending {
            if until <= self.clock {
                self.end_all(|core, batch| DeliveryError::Closed {
                    cause: core.batch_obstacle(batch),
                });
            }
            if self.accumulator.is_empty() {
                self.leave(None);
            }
        }
        if let Ending::Leaving(fatal) = self.ending
            && !self.peers.iter().any(crate::peer::Peer::is_up)
        {
            self.ending = Ending::Closed(fatal);
            self.events.push_back(Event::Closed(fatal));
            self.is_due_now();
        }
    }

    fn leave(&mut self, fatal: Option<Fatal>) {
        // Before the state changes, which knows how long the links may take.
        for slot in 0..self.peers.len() as u32 {
            self.close_link(slot, Disconnect::Requested);
        }
        self.ending = Ending::Leaving(fatal);
    }

    pub(super) fn closing_deadline(&self) -> Option<Instant> {
        match self.ending {
            Ending::Closing(until) => Some(until),
            _ => None,
        }
    }

    /// The producer works, or finishes its work: links are of use.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.ending, Ending::Running | Ending::Closing(_))
    }

    /// The producer can't go on: everything ends.
    pub(super) fn fail(&mut self, fatal: Fatal) {
        if !self.is_active() {
            return;
        }
        self.leave(Some(fatal));
        self.fail_all_waiters(&SendError::Fatal(fatal));
        self.end_all(|_, _| DeliveryError::Fatal(fatal));
    }

    /// A batch of `order` has its outcome: flushes that wait for it count it off.
    pub(super) fn count_for_flushes(&mut self, order: u64, partition: u32) {
        if self.flushes.is_empty() {
            return;
        }
        let at = &self.partitions[partition as usize];
        for flush in &mut self.flushes {
            if order < flush.before && flush.scope.covers(at.topic, at.index) {
                flush.left -= 1;
            }
        }
        self.end_flushes();
    }

    /// A batch of `order` goes on in so many pieces: flushes that wait for it wait for all of them (H052).
    pub(super) fn await_pieces(&mut self, order: u64, partition: u32, pieces: usize) {
        let at = &self.partitions[partition as usize];
        for flush in &mut self.flushes {
            if planted!(FlushMissesPieces) {
                continue;
            }
            if order < flush.before && flush.scope.covers(at.topic, at.index) {
                flush.left += pieces - 1;
            }
        }
    }

    fn end_flushes(&mut self) {
        let Self {
            flushes, events, ..
        } = self;
        let before = events.len();
        flushes.retain(|flush| {
            if flush.left == 0 {
                events.push_back(Event::Flushed(flush.id));
            }
            flush.left > 0
        });
        if events.len() > before {
            self.is_due_now();
        }
    }

    fn end_all(&mut self, error: impl Fn(&Self, u32) -> DeliveryError) {
        for batch in self.accumulator.live().collect::<Vec<_>>() {
            let error = error(self, batch);
            self.give_up(batch, error);
        }
    }

    fn is_in_scope(&self, batch: u32, scope: Scope) -> bool {
        let partition = &self.partitions[self.accumulator.batch(batch).partition as usize];
        scope.covers(partition.topic, partition.index)
    }

    fn is_on_the_way(&self, batch: u32) -> bool {
        let partition = &self.partitions[self.accumulator.batch(batch).partition as usize];
        partition.sequences.is_in_flight(batch)
    }
}

impl Scope {
    fn covers(self, topic: crate::id::Topic, partition: i32) -> bool {
        match self {
            Self::All => true,
            Self::Topic(t) => t == topic,
            Self::Partition(t, p) => t == topic && p == partition,
        }
    }
}

impl Purge {
    fn covers(self, on_the_way: bool) -> bool {
        match self {
            Self::All => true,
            Self::Queued => !on_the_way || planted!(PurgeTakesAll),
            Self::InFlight => on_the_way,
        }
    }
}
