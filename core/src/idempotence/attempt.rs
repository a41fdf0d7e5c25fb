//! How attempts to send a batch end, and what becomes of it.

use alloc::vec::Vec;

use super::Identity;

/// How an attempt to send a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) enum Attempt {
    /// The batch is in the log.
    Written,
    /// No byte left the process.
    Untouched,
    /// This attempt wrote nothing; `retry` if another may.
    Refused { retry: bool },
    /// Nobody knows; `retry` if asking again may tell.
    Uncertain { retry: bool },
    /// The broker's count of the sequence is another. This attempt wrote nothing.
    OutOfOrder,
    /// The broker has nothing of this producer any more, nor of what it may have written: retention took it.
    Forgotten,
}

/// What becomes of a batch after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    NotWritten,
    MaybeWritten,
    /// It waits here to be sent again under the same stamp.
    Retry,
    /// Its stamp is gone; it goes back into the queue, to be stamped anew.
    Requeue,
    /// Its outcome was given before; nothing is left to do for it.
    GivenUp,
}

/// A fate, and whether the partition's sequence under `fault` is broken, so that the epoch must be bumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolution {
    pub(crate) fate: Fate,
    pub(crate) fault: Option<Identity>,
}

/// Batches that can't be sent again without breaking the order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stranded {
    pub(crate) batches: Vec<u32>,
    /// As in [`Resolution`].
    pub(crate) fault: Option<Identity>,
}
