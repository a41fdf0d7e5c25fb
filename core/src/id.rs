//! The ids that cross the core's surface: small, `Copy`, made only by the core.

use core::fmt;

/// Defines an id made of a dense slot, which an adapter may index a table with, and a generation that
/// tells the slot's tenants apart.
macro_rules! slot_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            slot: u32,
            generation: u32,
        }

        impl $name {
            pub(crate) const fn new(slot: u32, generation: u32) -> Self {
                Self { slot, generation }
            }

            /// The dense index: reused after the id's end, and never much larger than the number alive.
            #[must_use]
            pub const fn slot(self) -> usize {
                self.slot as usize
            }

            pub(crate) const fn generation(self) -> u32 {
                self.generation
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}.{})", stringify!($name), self.slot, self.generation)
            }
        }
    };
}

slot_id! {
    /// One connection to one broker, from [`Command::Connect`](crate::Command::Connect) to
    /// [`handle_disconnected`](crate::ProducerCore::handle_disconnected).
    ConnectionId
}
slot_id! {
    /// One batch of records, from its first record's acceptance to its last completion event.
    BatchId
}
slot_id! {
    /// One caller waiting for a topic or for memory.
    Waiter
}

/// A name to resolve, asked for by [`Command::Resolve`](crate::Command::Resolve).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub(crate) u64);

/// A running flush; [`Event::Flushed`](crate::Event::Flushed) names it when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(pub(crate) u64);

/// A topic by handle, valid for the life of the [`ProducerCore`](crate::ProducerCore) that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(pub(crate) u32);

impl Topic {
    /// The dense index of the topic: 0 for the first one asked for.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The receipt for an accepted record: which batch it is in, and where in it.
///
/// [`Event::Completed`](crate::Event::Completed) names the batch and a range of indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(crate) batch: BatchId,
    pub(crate) index: u32,
    pub(crate) partition: i32,
}

impl Ticket {
    /// The batch that holds the record; its slot is dense, for an adapter's table.
    #[must_use]
    pub const fn batch(self) -> BatchId {
        self.batch
    }

    /// The record's place in its batch, counted from 0. 0 means that the batch is new.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// The partition that was chosen for the record.
    #[must_use]
    pub const fn partition(self) -> i32 {
        self.partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_sixteen_bytes() {
        assert_eq!(size_of::<Ticket>(), 16);
    }
}
