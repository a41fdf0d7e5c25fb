//! What must hold of all batches at any moment.

use super::{Accumulator, Batch, State};
use crate::time::Instant;

impl Accumulator {
    /// Looks at every batch; an error names the rule that does not hold.
    pub(crate) fn audit(&self) -> Result<(), &'static str> {
        if self.live().count() != self.live {
            return Err("the count of live batches is not theirs");
        }
        // A driver that holds bytes may write them at any time (H039).
        let is_lent = |batch: &Batch| batch.on_the_wire && batch.body.count() == 0;
        if self.batches.iter().any(is_lent) {
            return Err("bytes that a driver holds are not charged");
        }
        let mut queued = alloc::vec![0; self.queues.len()];
        for batch in &self.batches {
            if matches!(batch.state, State::Open | State::Sealed) {
                queued[batch.partition as usize] += batch.body.records_len();
            }
        }
        match queued.iter().zip(&self.queues).all(|(&n, q)| n == q.bytes) {
            true => Ok(()),
            false => Err("the bytes of a queue are not those of its batches"),
        }
    }

    /// The bytes that all batches hold.
    pub(crate) fn held(&self) -> usize {
        let held = |batch: &Batch| batch.body.held(self.pool.chunk_size());
        self.batches.iter().map(held).sum()
    }

    /// When the first batch expires.
    pub(crate) fn earliest_delivery(&self) -> Option<Instant> {
        let live = self.batches.iter().filter(|batch| batch.state.is_live());
        live.map(|batch| batch.deadline).min()
    }
}
