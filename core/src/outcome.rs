//! What became of a record: exactly one of these, exactly once.

use crate::error::DeliveryError;

/// The outcome of a range of records of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The records are in the log, or with acks=0 wholly with the socket.
    Written {
        /// The offset of the range's first record; the others follow without a gap. `None` where the
        /// broker did not say: with acks=0, and for a duplicate that it no longer remembers.
        offset: Option<i64>,
        /// Milliseconds since the Unix epoch at which the broker appended the batch, if the topic is set
        /// to LogAppendTime. `None`: the records keep their own time.
        append_time: Option<i64>,
    },
    /// The records are not in the log and never will be.
    NotWritten(DeliveryError),
    /// At least one attempt left no answer, so the records may be in the log, or may not.
    MaybeWritten(DeliveryError),
}
