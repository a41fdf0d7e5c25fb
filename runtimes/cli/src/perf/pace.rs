//! When which record is due.

use std::time::{Duration, Instant};

use super::args::Rate;

/// The pace of one of several threads that send records in turn, like players who are dealt cards.
pub(crate) struct Pace {
    start: Instant,
    rate: Option<f64>,
    pub(crate) threads: u16,
    /// Which of them it is.
    pub(crate) thread: u16,
}

/// A rate above which a look at the clock, or a sleep, for each record would be what is measured.
pub(crate) const FAST: f64 = 100_000.0;
/// A sleep at a fast rate: as many records as are due then are sent in a row.
const TICK: Duration = Duration::from_millis(1);

impl Pace {
    pub(crate) fn new(start: Instant, rate: Rate, threads: u16, thread: u16) -> Self {
        Self {
            start,
            rate: rate.0,
            threads,
            thread,
        }
    }

    /// How many of the thread's records there are among so many.
    pub(crate) fn share(&self, of: u64) -> u64 {
        of.saturating_sub(self.thread.into())
            .div_ceil(self.threads.into())
    }

    /// How many of the thread's records are due by now.
    pub(crate) fn due(&self, now: Instant) -> u64 {
        let Some(rate) = self.rate else {
            return u64::MAX;
        };
        let passed = (now - self.start).as_secs_f64();
        self.share(((passed * rate) as u64).saturating_add(1))
    }

    /// How long to sleep until there is something to do, if the thread's `n`th record is the next.
    pub(crate) fn rest(&self, n: u64, now: Instant) -> Duration {
        let Some(rate) = self.rate else {
            return Duration::ZERO;
        };
        // The thread's `n`th record has this place among all records.
        let place = n as f64 * f64::from(self.threads) + f64::from(self.thread);
        let passed = (now - self.start).as_secs_f64();
        let rest = (place / rate - passed).max(0.0);
        // The error is a time that is too long to be told.
        let rest = Duration::try_from_secs_f64(rest).unwrap_or(Duration::MAX);
        if rate > FAST { rest.max(TICK) } else { rest }
    }

    /// Whether so many records are being sent, counting all threads, that one in a few has to do for all.
    pub(crate) fn is_fast(&self, sent: u64, now: Instant) -> bool {
        let so_far = || sent as f64 * f64::from(self.threads) / (now - self.start).as_secs_f64();
        self.rate.unwrap_or_else(so_far) > FAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: f64, threads: u16, thread: u16) -> Pace {
        Pace::new(Instant::now(), Rate(Some(rate)), threads, thread)
    }

    #[test]
    fn shares_add_up() {
        for (records, threads) in [(10, 3), (2, 3), (12, 4), (7, 1)] {
            let share = |thread| pace(1.0, threads, thread).share(records);
            assert_eq!((0..threads).map(share).sum::<u64>(), records);
        }
    }

    #[test]
    fn records_are_due_one_by_one() {
        let pace = pace(1000.0, 2, 1);
        let after = |micros| pace.start + Duration::from_micros(micros);
        let due: Vec<u64> = [0, 500, 1500, 2500, 3500]
            .map(|t| pace.due(after(t)))
            .into();
        assert_eq!(due, [0, 0, 1, 1, 2]);
        assert_eq!(pace.rest(0, after(400)), Duration::from_micros(600));
        assert_eq!(pace.rest(0, after(2000)), Duration::ZERO);
    }

    #[test]
    fn no_rate_is_too_small_or_too_large() {
        for rate in [f64::from_bits(1), f64::MIN_POSITIVE, 1e-300] {
            let pace = pace(rate, 2, 0);
            let later = pace.start + Duration::from_secs(1 << 32);
            assert_eq!((pace.due(pace.start), pace.due(later)), (1, 1));
            assert_eq!(pace.rest(1, later), Duration::MAX);
        }
        for rate in [1e300, f64::MAX] {
            let pace = pace(rate, 2, 0);
            let later = pace.start + Duration::from_secs(1);
            assert_eq!(pace.due(later), u64::MAX.div_ceil(2));
            assert_eq!(pace.rest(u64::MAX, later), TICK);
        }
    }

    #[test]
    fn what_is_fast_is_asked_for_or_seen() {
        let now = |pace: &Pace| pace.start + Duration::from_secs(1);
        let (slow, fast) = (pace(50_000.0, 1, 0), pace(200_000.0, 1, 0));
        assert!(!slow.is_fast(1_000_000, now(&slow)));
        assert!(fast.is_fast(0, now(&fast)));
        let free = Pace::new(Instant::now(), Rate(None), 2, 0);
        assert!(!free.is_fast(50_000, now(&free)));
        assert!(free.is_fast(50_001, now(&free)));
    }
}
