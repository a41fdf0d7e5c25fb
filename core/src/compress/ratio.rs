//! How short a topic's batches become: estimated, so that a batch can be called full before it is compressed.

/// An estimate of compressed bytes per byte, by the rules of Java's `CompressionRatioEstimator`: it follows worse news at
/// once and in large steps, and better ones slowly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio(u32);

/// What stands for 1.
const ONE: u32 = 10_000;
/// The least step towards worse, 0.05.
const WORSE: u32 = 500;
/// The largest step towards better, 0.005.
const BETTER: u32 = 50;
/// Bytes of which the estimate calls for one more, so that it is seldom too low: 5 in 100, as in Java.
const MARGIN: u64 = 105;

impl Ratio {
    /// Nothing is known: batches stay as they are.
    pub(crate) const fn unknown() -> Self {
        Self(ONE)
    }

    /// Takes account of a batch of `raw` bytes that became `short` ones.
    pub(crate) fn observe(&mut self, raw: usize, short: usize) {
        let seen = Self::of(raw, short);
        self.0 = match seen > self.0 {
            true => seen.max(self.0 + WORSE),
            false => seen.max(self.0.saturating_sub(BETTER)),
        };
    }

    /// A batch of `raw` bytes that became `short` ones was too large for a broker.
    pub(crate) fn was_too_low(&mut self, raw: usize, short: usize) {
        self.0 = Self::of(raw, short).max(ONE);
    }

    /// The bytes that probably become `short` ones.
    pub(crate) fn raw(self, short: usize) -> usize {
        match self.0 {
            // What does not shrink needs no margin.
            ONE.. => short,
            ratio => {
                let raw = (short as u64).saturating_mul(u64::from(ONE) * 100)
                    / (u64::from(ratio.max(1)) * MARGIN);
                usize::try_from(raw).unwrap_or(usize::MAX).max(short)
            }
        }
    }

    fn of(raw: usize, short: usize) -> u32 {
        let ratio = (short as u64).saturating_mul(u64::from(ONE)) / (raw as u64).max(1);
        u32::try_from(ratio).unwrap_or(u32::MAX).min(2 * ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h055_worse_news_count_at_once_and_better_ones_slowly() {
        let mut ratio = Ratio::unknown();
        ratio.observe(1_000, 500);
        assert_eq!(ratio.0, 9_950, "0.005 down");
        (0..200).for_each(|_| ratio.observe(1_000, 500));
        assert_eq!(ratio.0, 5_000);
        ratio.observe(1_000, 510);
        assert_eq!(ratio.0, 5_500, "0.05 up at least");
        ratio.observe(1_000, 900);
        assert_eq!(ratio.0, 9_000, "or to what was seen");
        ratio.was_too_low(1_000, 300);
        assert_eq!(ratio.0, ONE);
        ratio.was_too_low(1_000, 1_010);
        assert_eq!(ratio.0, 10_100);
    }

    #[test]
    fn a_batch_is_full_with_as_much_as_becomes_its_size() {
        let mut ratio = Ratio::unknown();
        assert_eq!(ratio.raw(16_384), 16_384);
        (0..200).for_each(|_| ratio.observe(1_000, 500));
        assert_eq!(ratio.raw(16_384), 31_207);
        (0..200).for_each(|_| ratio.observe(1_000_000, 0));
        assert!(ratio.raw(usize::MAX >> 20) >= usize::MAX >> 20);
        ratio.observe(0, usize::MAX);
        assert_eq!(ratio.raw(16_384), 16_384);
    }
}
