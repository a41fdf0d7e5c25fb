//! Every record has an outcome: here they are counted, and timed if asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// The outcomes of a run.
pub(crate) struct Outcomes {
    done: AtomicUsize,
    failed: AtomicUsize,
    epoch: Instant,
    /// For each record when it was sent, then how long it took; nothing if nobody wants to know.
    times: Vec<AtomicU64>,
}

impl Outcomes {
    /// With room for the times of so many records, those with the lowest numbers; the others are only counted.
    pub(crate) fn timed(records: usize) -> Self {
        Self {
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            epoch: Instant::now(),
            times: (0..records).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The `n`-th record is about to be sent.
    pub(crate) fn begin(&self, n: usize) {
        self.times[n].store(self.nanos(), Ordering::Relaxed);
    }

    /// The `n`-th record has an outcome.
    pub(crate) fn end(&self, n: usize, is_written: bool) {
        if let Some(time) = self.times.get(n) {
            time.store(
                self.nanos() - time.load(Ordering::Relaxed),
                Ordering::Relaxed,
            );
        }
        if !is_written {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Acquire)
    }

    /// Waits until so many records have an outcome, and begins to count anew; an error if one was not written.
    pub(crate) fn wait_for(&self, records: usize) -> Result<(), Failure> {
        let start = Instant::now();
        while self.done() < records {
            if start.elapsed() > LIMIT {
                return Err(
                    format!("only {} of {records} records have an outcome", self.done()).into(),
                );
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.done.store(0, Ordering::Release);
        match self.failed.load(Ordering::Acquire) {
            0 => Ok(()),
            failed => Err(format!("{failed} of {records} records were not written").into()),
        }
    }

    /// How long each record took, in nanoseconds.
    pub(crate) fn latencies(&self) -> Vec<u64> {
        self.times
            .iter()
            .map(|time| time.load(Ordering::Relaxed))
            .collect()
    }

    fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}
