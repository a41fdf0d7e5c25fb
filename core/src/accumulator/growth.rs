//! Growth of a batch whose way is blocked beyond `batch.size`.

use super::{Accumulator, Batch, Queue};
use crate::time::Instant;

impl Accumulator {
    /// To what an open batch that is full may grow now; 0 if it may not.
    ///
    /// What joins it has its deadline. So that nobody loses more than half of `delivery.timeout.ms` that way, a batch
    /// grows only through the first half of its time.
    pub(super) fn growth_of(
        &self,
        queue: &Queue,
        batch: &Batch,
        now: Instant,
        largest: impl FnOnce() -> usize,
    ) -> usize {
        if self.growth == 0 || batch.deadline.since(now) < self.delivery_timeout / 2 {
            return 0;
        }
        match queue.grows_to {
            0 => largest().min(self.growth),
            known => known,
        }
    }

    /// Lets no batch of the partition grow beyond `largest` any more.
    pub(crate) fn limit_growth(&mut self, partition: u32, largest: usize) {
        let grows_to = &mut self.queues[partition as usize].grows_to;
        *grows_to = largest.min(*grows_to);
    }
}
