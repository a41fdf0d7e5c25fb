//! What the core counts: plain numbers, for others to format and export.

/// Counters since the producer was made, which only grow, and gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Records that were accepted.
    pub records_accepted: u64,
    /// Records that ended as `Written`.
    pub records_written: u64,
    /// Records that ended as `NotWritten`.
    pub records_not_written: u64,
    /// Records that ended as `MaybeWritten`.
    pub records_maybe_written: u64,
    /// Batches that were handed to the driver, each time anew.
    pub batches_sent: u64,
    /// Of these, batches that had been sent before.
    pub batches_retried: u64,
    /// Requests of any kind that were handed to the driver.
    pub requests_sent: u64,
    /// The bytes of these requests.
    pub bytes_sent: u64,
    /// Bytes that came from brokers.
    pub bytes_received: u64,
    /// Links that got ready.
    pub connections_made: u64,
    /// Links that ended, ready or not.
    pub connections_closed: u64,
    /// New epochs that were begun since a sequence was broken.
    pub epoch_bumps: u64,
    /// A gauge: the bytes of `buffer.memory` that are free (Java's `buffer-available-bytes`).
    pub buffer_available_bytes: usize,
    /// A gauge: `buffer.memory` (Java's `buffer-total-bytes`).
    pub buffer_total_bytes: usize,
}
