//! How often which latency was seen, in a memory that does not grow.

use std::time::Duration;

/// Counts of durations: exact below 128 ns, above with an error below 1 %, up to 584 years.
pub(crate) struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    /// In nanoseconds, as all that follows.
    sum: u128,
    max: u64,
}

/// Each power of two has so many buckets of one width.
const STEPS: u64 = 1 << STEP_BITS;
const STEP_BITS: u32 = 6;
const BUCKETS: usize = (u64::BITS - STEP_BITS + 1) as usize * STEPS as usize;

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            count: 0,
            sum: 0,
            max: 0,
        }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(nanos);
    }

    /// In milliseconds, as all that follows; `None` if nothing was recorded.
    pub(crate) fn average(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64 / 1e6)
    }

    pub(crate) fn max(&self) -> Option<f64> {
        (self.count > 0).then(|| self.max as f64 / 1e6)
    }

    /// What the given part of all was not above, for example 0.99.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let rank = ((self.count as f64 * part).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map(|bucket| middle(bucket).min(self.max as f64) / 1e6)
    }
}

/// The lower half of the first power's buckets are those of 0 to 63; each later power uses its upper half only.
fn bucket(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(shift) * STEPS + (nanos >> shift)) as usize
}

/// The middle of what a bucket counts.
fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    let width = 1_u64 << shift;
    let start = (bucket - shift * STEPS) << shift;
    start as f64 + (width - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        let mut last = 0;
        for power in 0..64 {
            for nanos in [1_u64 << power, (1 << power) + (1 << power >> 1)] {
                let found = bucket(nanos);
                assert!(found >= last && found < BUCKETS, "{nanos}");
                last = found;
                let error = (middle(found) - nanos as f64).abs() / nanos as f64;
                assert!(error < 0.01, "{nanos} is taken for {}", middle(found));
            }
        }
        assert!(bucket(u64::MAX) < BUCKETS);
        assert!((0..128).all(|nanos| middle(bucket(nanos)) == nanos as f64));
    }

    #[test]
    fn quantiles_are_where_they_belong() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        assert_eq!((histogram.average(), histogram.max()), (None, None));
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (part, millis) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99), (0.999, 0.999)] {
            let found = histogram.quantile(part).unwrap();
            assert!((found - millis).abs() < 0.01 * millis, "{part}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), histogram.max());
        assert!((histogram.average().unwrap() - 0.5005).abs() < 1e-9);
    }
}
