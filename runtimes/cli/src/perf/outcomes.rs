//! What became of the records so far: counted in bulk by who sends, one by one where the latency is taken.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ottla::{RecordMetadata, Undelivered};

use super::histogram::Histogram;
use crate::tally::{Reason, Tally};

/// Shared by the threads that send, the driver that calls back, and the one that reports.
pub(crate) struct Outcomes {
    written: AtomicU64,
    rest: Mutex<Rest>,
    stop: AtomicBool,
}

/// What is seldom touched.
pub(crate) struct Rest {
    /// Without those written.
    pub(crate) tally: Tally,
    pub(crate) latencies: Histogram,
    /// Those since the last line.
    latest: Latest,
}

/// Latencies in a span of time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Latest {
    count: u32,
    sum: Duration,
    pub(crate) max: Duration,
}

impl Outcomes {
    pub(crate) fn new() -> Self {
        Self {
            written: AtomicU64::new(0),
            rest: Mutex::new(Rest {
                tally: Tally::default(),
                latencies: Histogram::new(),
                latest: Latest::default(),
            }),
            stop: AtomicBool::new(false),
        }
    }

    /// So many more records are written.
    pub(crate) fn written(&self, records: u64) {
        self.written.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn undelivered(&self, record: &Undelivered) {
        self.rest().tally.undelivered(record);
    }

    /// A record was not taken.
    pub(crate) fn refused(&self, reason: &str) {
        self.rest().tally.refused(reason, 1);
    }

    /// The outcome of a record whose latency is taken.
    pub(crate) fn timed(&self, sent: Instant, outcome: Result<RecordMetadata, Undelivered>) {
        let latency = sent.elapsed();
        let mut rest = self.rest();
        match outcome {
            Ok(_) => self.written(1),
            Err(undelivered) => _ = rest.tally.undelivered(&undelivered),
        }
        rest.latencies.record(latency);
        rest.latest.count += 1;
        rest.latest.sum += latency;
        rest.latest.max = rest.latest.max.max(latency);
    }

    /// Nothing more is to be sent.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How many records have their outcome.
    pub(crate) fn records(&self) -> u64 {
        let others = self.rest().tally.records();
        self.written.load(Ordering::Relaxed) + others
    }

    /// The latencies since the last call.
    pub(crate) fn take_latest(&self) -> Latest {
        std::mem::take(&mut self.rest().latest)
    }

    /// All of it, once nobody sends any more.
    pub(crate) fn with<T>(&self, read: impl FnOnce(u64, &Rest) -> T) -> T {
        read(self.written.load(Ordering::Relaxed), &self.rest())
    }

    /// What records were lost to, the most frequent first.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        self.rest().tally.reasons().into_iter().cloned().collect()
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    pub(crate) fn average(&self) -> Duration {
        self.sum / self.count.max(1)
    }
}
