//! Batches that were cut into pieces, which the application knows as one.
//!
//! A ticket names the batch that its record was appended to. The pieces of that batch end one by one, in any order, and
//! their ends are told as ranges of it; its slot goes to nobody else before the last of them.

use alloc::vec::Vec;

use super::{Accumulator, Batch, State};
use crate::{batch::Body, id::BatchId};

/// A batch in the application's eyes, and a piece's place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The slot of the batch that tickets name: the first piece's.
    root: u32,
    /// The piece's first record, as tickets count.
    first: u32,
}

/// What became of a batch that was cut.
pub(crate) struct Pieces {
    /// Their slots, with the numbers of their records, in order. The first has the slot of the whole.
    pub(crate) slots: Vec<(u32, u32)>,
    /// The bytes that the whole held and the pieces do not.
    pub(crate) freed: usize,
    /// The bytes that the pieces hold and the whole did not: they may, if they are compressed apart.
    pub(crate) added: usize,
}

/// An end as the application is told of it.
pub(crate) struct Told {
    pub(crate) batch: BatchId,
    /// The piece's first record, as tickets count.
    pub(crate) first: u32,
    /// No more will be told of this batch.
    pub(crate) last: bool,
}

impl Origin {
    /// The origin of a batch that was not cut.
    pub(super) fn whole(slot: u32) -> Self {
        Self {
            root: slot,
            first: 0,
        }
    }
}

impl Batch {
    /// Its place among the batches of its partition.
    pub(super) fn place(&self) -> (u64, u32) {
        (self.order, self.origin.first)
    }
}

impl Accumulator {
    /// Cuts a batch of several records that was taken, and that no answer is missing of, into pieces of at most `most`
    /// bytes on the wire. They have its deadline and its attempts, and count as taken.
    ///
    /// Returns `None`, with nothing changed, if the allocator has no memory.
    pub(crate) fn split(&mut self, slot: u32, most: usize) -> Option<Pieces> {
        let bodies = self.batches[slot as usize].body.split(most)?;
        self.replace(slot, bodies)
    }

    /// Puts the pieces that a batch was cut into in its place. `None`, with nothing changed, if there are none.
    pub(crate) fn replace(&mut self, slot: u32, bodies: Vec<Body>) -> Option<Pieces> {
        let chunk_size = self.pool.chunk_size();
        let whole = &mut self.batches[slot as usize];
        debug_assert!(whole.state == State::Taken);
        debug_assert!(!whole.uncertain || planted!(SplitsUncertain));
        if bodies.is_empty() {
            return None;
        }
        let mut bodies = bodies.into_iter();
        let held = whole.body.held(chunk_size);
        whole.body.release(&mut self.pool);
        whole.body = bodies.next().expect("a batch has records");
        let mut slots = Vec::from([(slot, whole.body.count())]);
        let mut holding = whole.body.held(chunk_size);
        let mut origin = whole.origin;
        for body in bodies {
            origin.first += slots.last().map_or(0, |piece| piece.1);
            holding += body.held(chunk_size);
            let piece = self.add_piece(slot, origin);
            slots.push((piece, body.count()));
            self.batches[piece as usize].body = body;
        }
        self.batches[origin.root as usize].untold += slots.len() as u32 - 1;
        Some(Pieces {
            slots,
            freed: if planted!(SplitLeaks) {
                0
            } else {
                held.saturating_sub(holding)
            },
            added: holding.saturating_sub(held),
        })
    }

    /// A batch beside the one at `slot`, still without records.
    fn add_piece(&mut self, slot: u32, origin: Origin) -> u32 {
        let piece = self.vacant_slot();
        let whole = &self.batches[slot as usize];
        let batch = Batch {
            generation: self.batches[piece as usize].generation,
            state: State::Taken,
            partition: whole.partition,
            order: whole.order,
            origin,
            deadline: match planted!(PiecesLiveLonger) {
                true => whole.deadline + self.delivery_timeout,
                false => whole.deadline,
            },
            attempts: whole.attempts,
            last: whole.last.clone(),
            ..Batch::vacant()
        };
        self.expires(batch.deadline, batch.id(piece));
        self.batches[piece as usize] = batch;
        self.live += 1;
        piece
    }

    /// Notes that an end of a batch, or of some of its records, is told; `whole` if nothing more will be told of it.
    pub(crate) fn tell(&mut self, slot: u32, whole: bool) -> Told {
        let batch = &mut self.batches[slot as usize];
        batch.told |= whole;
        let Origin { root, mut first } = batch.origin;
        if planted!(PiecesCountAnew) {
            first = 0;
        }
        let origin = &mut self.batches[root as usize];
        origin.untold -= u32::from(whole);
        Told {
            batch: origin.id(root),
            first,
            last: origin.untold == 0,
        }
    }
}
