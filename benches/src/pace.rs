//! A sender that keeps its pace, the same in all peers: it sleeps until the next point of a grid and sends what is due.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::measure::{Cost, Report};
use crate::outcomes::Outcomes;

/// The `n`-th record is due at start + n / rate. Nobody spins: points of the grid are at least 100 µs apart, so that at
/// high rates a few records are sent at once, and the system's timer may be late by its usual slack of about 50 µs.
pub(crate) struct Pace {
    start: Instant,
    rate: usize,
    records: usize,
    sent: usize,
}

const GRID: Duration = Duration::from_micros(100);

impl Pace {
    pub(crate) fn new(rate: usize, records: usize) -> Self {
        Self {
            start: Instant::now(),
            rate,
            records,
            sent: 0,
        }
    }

    /// Sleeps until there are records to send; `None` after the last.
    pub(crate) fn due(&mut self) -> Option<Range<usize>> {
        if self.sent == self.records {
            return None;
        }
        let step = GRID
            .max(Duration::from_secs(1) / self.rate as u32)
            .as_nanos();
        loop {
            let elapsed = self.start.elapsed().as_nanos();
            let due = (elapsed * self.rate as u128 / 1_000_000_000) as usize + 1;
            let due = due.min(self.records);
            if due > self.sent {
                return Some(std::mem::replace(&mut self.sent, due)..due);
            }
            let next = (elapsed / step + 1) * step;
            thread::sleep(Duration::from_nanos((next - elapsed) as u64));
        }
    }
}

/// Sends so many records at a rate and waits for their outcomes. `send` sends the `n`-th; its outcome comes to `outcomes`.
pub(crate) fn send_at(
    rate: usize,
    records: usize,
    outcomes: &Outcomes,
    mut send: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let start = Cost::begin();
    let mut pace = Pace::new(rate, records);
    while let Some(due) = pace.due() {
        for n in due {
            outcomes.begin(n);
            send(n)?;
        }
    }
    outcomes.wait_for(records)?;
    Ok(start.end(records).with(outcomes.latencies()))
}
