//! What the application does: send, wait, flush, purge, close.

use std::time::Duration;

use ottla_core::{Fatal, FlushId, Purge, Record, Scope, SendError, Topic, Wait, Waiter};

use super::outcomes::Sent;
use super::{Stage, instant};

/// The application. Records carry numbers, from 0 in the order of these calls.
impl Stage {
    /// Sends a record: at once if the core takes it, else by waiting for its turn. Its number is returned in both cases.
    ///
    /// [`check`](Stage::check) tells records apart by their values: those of one topic should differ.
    pub fn send(
        &mut self,
        topic: &str,
        partition: impl Into<Option<i32>>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> usize {
        let n = self.note(topic, partition.into(), key, value);
        self.hand_in(n);
        self.turn();
        n
    }

    /// Sends a record if the core takes it at once. A refused record gets its number too, and ends as refused.
    ///
    /// # Errors
    ///
    /// The core's.
    pub fn try_send(
        &mut self,
        topic: &str,
        partition: impl Into<Option<i32>>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<usize, SendError> {
        let n = self.note(topic, partition.into(), key, value);
        let taken = self.try_hand_in(n);
        if let Err(error) = &taken {
            self.outcomes.refuse(n, error.clone(), self.now);
        }
        self.turn();
        taken.map(|()| n)
    }

    /// Has the application send a record from within the event that brings record `ended` its outcome.
    pub fn send_when_ended(
        &mut self,
        ended: usize,
        topic: &str,
        partition: impl Into<Option<i32>>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> usize {
        let n = self.note(topic, partition.into(), key, value);
        self.outcomes.follow(ended, n);
        n
    }

    /// Gives up record `n`'s wait for its turn; nothing changes if it does not wait.
    pub fn give_up(&mut self, n: usize) {
        if let Some(waiter) = self.outcomes.waiter_of(n) {
            self.give_up_wait(n, waiter);
        }
        self.turn();
    }

    /// Has the application give record `n` up at the moment its turn comes.
    pub fn give_up_when_admitted(&mut self, n: usize) {
        self.outcomes.regret(n);
    }

    /// Looks a topic up without sending anything, and runs until its partitions are known and the producer id, if there
    /// is to be one, was asked for.
    pub fn warm_up(&mut self, topic: &str) {
        let handle = self.topic(topic);
        self.turn();
        self.run_until(|stage| stage.core.partitions(handle).is_some());
        self.run_for(Duration::from_millis(20));
    }

    /// Lets the clock on the wall jump, forward or back: records sent from now on are stamped by it.
    pub fn jump_wall_clock(&mut self, millis: i64) {
        self.wall_clock += millis;
    }

    /// Has the application take no outcomes and no other events for a while, as one whose callbacks are slow. Only the
    /// network goes on meanwhile, since a core with events to give is due at all times.
    pub fn take_no_events(&mut self, on: bool) {
        self.is_aside = on;
        self.turn();
    }

    /// Begins to flush everything.
    pub fn flush(&mut self) -> FlushId {
        let flush = self.core.flush(instant(self.now), Scope::All);
        self.turn();
        flush
    }

    /// Whether a flush has ended.
    pub fn is_flushed(&self, flush: FlushId) -> bool {
        self.flushed.contains(&flush)
    }

    /// Purges records.
    pub fn purge(&mut self, what: Purge) {
        self.core.purge(instant(self.now), what);
        self.turn();
    }

    /// Begins to close the producer.
    pub fn close(&mut self, grace: Duration) {
        self.core.close(instant(self.now), grace);
        self.turn();
    }

    /// Whether the producer has ended, and why if it had to.
    pub fn closed(&self) -> Option<Option<Fatal>> {
        self.closed
    }

    /// Hands in the record that was admitted.
    pub(crate) fn hand_in_waited(&mut self, waiter: Waiter) {
        let Some(n) = self.outcomes.waited(waiter) else {
            return;
        };
        if self.outcomes.is_regretted(n) {
            return self.give_up_wait(n, waiter);
        }
        let record = record(self.outcomes.sent(n));
        match self.core.send_waited(instant(self.now), waiter, &record) {
            Ok(ticket) => self.outcomes.accept(n, ticket, self.now),
            Err(SendError::Full | SendError::TopicNotReady) => self.hand_in(n),
            Err(error) => self.outcomes.refuse(n, error, self.now),
        }
    }

    fn give_up_wait(&mut self, n: usize, waiter: Waiter) {
        self.outcomes.waited(waiter);
        self.core.cancel_wait(waiter);
        self.outcomes.give_up(n, self.now);
    }

    fn topic(&mut self, name: &str) -> Topic {
        self.core
            .topic(instant(self.now), name)
            .expect("the test's topic has a valid name")
    }

    fn note(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> usize {
        let handle = self.topic(topic);
        let mut sent = Sent::new(topic, handle, partition, key, value, self.now);
        sent.timestamp = self.wall_clock + self.now.as_millis() as i64;
        self.outcomes.note(sent)
    }

    /// Hands record `n` in, or begins to wait for its turn.
    pub(crate) fn hand_in(&mut self, n: usize) {
        match self.try_hand_in(n) {
            Ok(()) => {}
            Err(SendError::Full | SendError::TopicNotReady) => {
                let waiter = self.core.wait(
                    instant(self.now),
                    Wait::Record(&record(self.outcomes.sent(n))),
                );
                self.outcomes.wait(n, waiter);
            }
            Err(error) => self.outcomes.refuse(n, error, self.now),
        }
    }

    fn try_hand_in(&mut self, n: usize) -> Result<(), SendError> {
        let ticket = self
            .core
            .send(instant(self.now), &record(self.outcomes.sent(n)))?;
        self.outcomes.accept(n, ticket, self.now);
        Ok(())
    }
}

fn record(sent: &Sent) -> Record<'_> {
    Record {
        topic: sent.handle(),
        partition: sent.partition,
        timestamp: sent.timestamp,
        key: sent.key.as_deref(),
        value: Some(&sent.value),
        headers: &[],
    }
}
