//! Those who wait for a topic or for room, in order.

use alloc::{collections::VecDeque, vec::Vec};

use crate::{
    id::{Topic, Waiter},
    time::Instant,
};

/// Those who wait, by slot, and in the order in which their time runs out.
pub(super) struct Waiters {
    pub(super) slots: Vec<Slot>,
    vacant: Vec<u32>,
    by_deadline: VecDeque<(Instant, Waiter)>,
    /// Admitted, and their records not handed in yet.
    pub(super) admitted: usize,
    /// Room is being given out.
    pub(super) open: bool,
}

pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) state: State,
}

#[derive(Clone, Copy)]
pub(super) enum State {
    Vacant,
    /// Waits for the topic, or for the partition that the record names.
    Topic {
        topic: Topic,
        partition: Option<i32>,
        then: Option<usize>,
    },
    /// Waits in the account's queue.
    Memory,
    /// May hand its record in; so many bytes are reserved for it.
    Admitted(usize),
    /// Its wait is over; the event that says so was not polled yet.
    Ended,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            by_deadline: VecDeque::new(),
            admitted: 0,
            open: true,
        }
    }

    /// A new waiter, whose state is still to be set. Deadlines never decrease, since `max.block.ms` is one setting and
    /// the core's clock runs forward.
    pub(super) fn add(&mut self, deadline: Instant) -> Waiter {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                state: State::Vacant,
            });
            self.slots.len() as u32 - 1
        });
        let waiter = Waiter::new(slot, self.slots[slot as usize].generation);
        self.by_deadline.push_back((deadline, waiter));
        waiter
    }

    /// The state of a waiter that has not ended.
    pub(super) fn get(&self, waiter: Waiter) -> Option<State> {
        self.slots
            .get(waiter.slot())
            .filter(|s| s.generation == waiter.generation())
            .map(|s| s.state)
    }

    pub(super) fn remove(&mut self, waiter: Waiter) {
        if self.get(waiter).is_some() {
            let slot = &mut self.slots[waiter.slot()];
            slot.generation = slot.generation.wrapping_add(1);
            slot.state = State::Vacant;
            self.vacant.push(waiter.slot() as u32);
        }
        let alive = self.slots.len() - self.vacant.len();
        if self.by_deadline.len() > 2 * alive + 64 {
            let Self {
                slots, by_deadline, ..
            } = self;
            by_deadline.retain(|(_, w)| slots[w.slot()].generation == w.generation());
        }
    }

    pub(super) fn expired(&mut self, now: Instant) -> Option<Waiter> {
        let waits = |state| matches!(state, State::Topic { .. } | State::Memory);
        while let Some(&(deadline, waiter)) = self.by_deadline.front() {
            let waiting = self.get(waiter).is_some_and(waits);
            if waiting && (deadline > now || planted!(WaitsForEver)) {
                return None;
            }
            self.by_deadline.pop_front();
            if waiting {
                return Some(waiter);
            }
        }
        None
    }

    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        if planted!(WaitsForEver) {
            return None;
        }
        let waits = |state| matches!(state, State::Topic { .. } | State::Memory);
        while let Some(&(_, waiter)) = self.by_deadline.front() {
            if self.get(waiter).is_some_and(waits) {
                break;
            }
            self.by_deadline.pop_front();
        }
        self.by_deadline.front().map(|e| e.0)
    }

    pub(super) fn of_topic(&self, topic: Topic) -> Vec<Waiter> {
        let waits =
            |w: &Waiter| matches!(self.get(*w), Some(State::Topic { topic: t, .. }) if t == topic);
        self.by_deadline.iter().map(|e| e.1).filter(waits).collect()
    }

    pub(super) fn all(&self) -> Vec<Waiter> {
        let waits = |w: &Waiter| matches!(self.get(*w), Some(State::Topic { .. } | State::Memory));
        self.by_deadline.iter().map(|e| e.1).filter(waits).collect()
    }
}
