//! The `buffer.memory` account, and those who wait for room in it, first come, first served.

use alloc::collections::VecDeque;

/// How much memory is charged, and who waits for some.
///
/// `used` holds what batches hold and what is reserved for admitted waiters. It is within the limit, but for the pieces of a
/// compressed batch, which may hold more than the whole did.
pub(crate) struct Memory {
    limit: usize,
    used: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    waiter: u32,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Charges `bytes`, free or not.
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.used += bytes;
    }

    /// Charges `bytes`, if they are free.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.free();
        if fits {
            self.used += bytes;
        }
        fits
    }

    /// Refunds `bytes` that were charged.
    pub(crate) fn give(&mut self, bytes: usize) {
        self.used = self
            .used
            .checked_sub(bytes)
            .expect("what is refunded was charged");
    }

    /// Queues a waiter for `bytes`, at most the limit, behind all others.
    pub(crate) fn wait(&mut self, waiter: u32, bytes: usize) {
        debug_assert!(
            bytes <= self.limit,
            "a record above the limit is refused at the door"
        );
        match planted!(LastComesFirst) {
            true => self.waiting.push_front(Waiting { waiter, bytes }),
            false => self.waiting.push_back(Waiting { waiter, bytes }),
        }
    }

    /// Takes a waiter out of the queue.
    pub(crate) fn leave(&mut self, waiter: u32) {
        if let Some(place) = self.waiting.iter().position(|w| w.waiter == waiter) {
            self.waiting.remove(place);
        }
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Admits the first waiter, charging what it asked for, if that is free and the account is `open`.
    pub(crate) fn admit(&mut self, open: bool) -> Option<(u32, usize)> {
        let first = *self.waiting.front()?;
        if !open || !self.take(first.bytes) {
            return None;
        }
        self.waiting.pop_front();
        Some((first.waiter, first.bytes))
    }

    /// Enough is free to begin admitting.
    pub(crate) fn is_roomy(&self) -> bool {
        self.free() >= self.limit / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h098_a_large_waiter_is_not_starved_by_small_ones_behind_it() {
        let mut memory = Memory::new(100);
        assert!(memory.take(80));
        memory.wait(1, 50);
        memory.wait(2, 1);
        assert_eq!(
            memory.admit(true),
            None,
            "the first does not fit, and the second waits its turn"
        );
        memory.give(40);
        assert_eq!(memory.admit(true), Some((1, 50)));
        assert_eq!(memory.admit(true), Some((2, 1)));
        assert_eq!((memory.used, memory.has_waiters()), (91, false));
    }

    #[test]
    fn who_leaves_takes_nothing() {
        let mut memory = Memory::new(10);
        memory.wait(1, 10);
        memory.wait(2, 3);
        memory.leave(1);
        assert_eq!(memory.admit(true), Some((2, 3)));
        memory.give(3);
        assert_eq!(memory.free(), memory.limit());
    }
}
