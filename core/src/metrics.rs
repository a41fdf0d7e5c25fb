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
    /// Batches that a broker called too large and that went on in pieces, each piece that was cut again included.
    pub batches_split: u64,
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
    /// What became of batches under a codec. Java's `compression-rate-avg` is its
    /// [`rate_avg`](CompressionTotals::rate_avg).
    pub compression: CompressionTotals,
    /// A gauge: the bytes of `buffer.memory` that are free (Java's `buffer-available-bytes`).
    pub buffer_available_bytes: usize,
    /// A gauge: `buffer.memory` (Java's `buffer-total-bytes`).
    pub buffer_total_bytes: usize,
}

/// How much batches shrank under `compression.type`. One that would not have become shorter was sent as it was, and counts
/// with that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompressionTotals {
    /// Batches, each once.
    pub batches: u64,
    /// The bytes of their records.
    pub bytes_before: u64,
    /// The bytes of their records as they are sent.
    pub bytes_after: u64,
    /// The batches' own rates in millionths, added up.
    rates: u64,
}

impl CompressionTotals {
    /// The average of the batches' rates, bytes after by bytes before; `None` if there was no batch under a codec.
    #[must_use]
    pub fn rate_avg(&self) -> Option<f64> {
        (self.batches > 0).then(|| self.rates as f64 / 1e6 / self.batches as f64)
    }

    pub(crate) fn count(&mut self, before: usize, after: usize) {
        self.batches += 1;
        self.bytes_before += before as u64;
        self.bytes_after += after as u64;
        self.rates += after as u64 * 1_000_000 / (before as u64).max(1);
    }
}
