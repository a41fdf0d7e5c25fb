//! One batch: its records, and how far its delivery has come.

use super::splitting::Origin;
use crate::{batch::Body, error::Cause, id::BatchId, time::Instant};

/// One batch and what is known of its delivery.
pub(crate) struct Batch {
    pub(super) generation: u32,
    pub(super) state: State,
    /// The partition's dense index.
    pub(crate) partition: u32,
    /// Its place among all batches, by creation; pieces of one batch share it.
    pub(crate) order: u64,
    pub(super) origin: Origin,
    /// How many pieces there are, itself included, whose ends are not told yet. Counted where tickets point to.
    pub(super) untold: u32,
    pub(crate) body: Body,
    pub(crate) deadline: Instant,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// Why the last attempt failed.
    pub(crate) last: Option<Cause>,
    /// Some attempt left no answer.
    pub(crate) uncertain: bool,
    pub(super) work: Progress,
    /// A transmit that holds its bytes is with the driver.
    pub(crate) on_the_wire: bool,
    /// The last event about it was polled.
    pub(crate) told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Vacant,
    Open,
    Sealed,
    Taken,
    Ended,
}

/// How far the work on a batch's bytes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is to be compressed.
    Wanted,
    /// It was compressed, is to be cut, and waits for its turn.
    Uncut,
    /// Its bytes are with the driver.
    UnderWay,
    /// It can be sent.
    Done,
}

impl State {
    /// The batch has no outcome yet.
    pub(super) fn is_live(self) -> bool {
        !matches!(self, Self::Vacant | Self::Ended)
    }
}

impl Batch {
    pub(super) fn vacant() -> Self {
        Self {
            generation: 0,
            state: State::Vacant,
            partition: 0,
            order: 0,
            origin: Origin::whole(0),
            untold: 0,
            body: Body::default(),
            deadline: Instant::NEVER,
            attempts: 0,
            last: None,
            uncertain: false,
            work: Progress::Done,
            on_the_wire: false,
            told: false,
        }
    }

    pub(crate) fn id(&self, slot: u32) -> BatchId {
        BatchId::new(slot, self.generation)
    }
}
