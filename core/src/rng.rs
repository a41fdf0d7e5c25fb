//! The only source of chance: ChaCha from the seed given at construction.

use core::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A stream of random numbers that the seed alone decides.
///
/// ChaCha with 12 rounds: strong enough for the secrets that authentication will draw from it, and cheap.
pub(crate) struct Rng(ChaCha12Rng);

impl Rng {
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A number below `n`, each about equally likely; 0 if `n` is 0.
    ///
    /// Multiplies a 64-bit draw by `n` and keeps the upper half. Without a rejection loop two results may differ in
    /// likelihood by 2⁻⁶⁴, which no use here could notice, and every call takes exactly one draw.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let product = u128::from(self.0.next_u64()) * u128::from(n);
        (product >> 64) as u32
    }

    /// A duration drawn evenly from `mean` ± `percent` of it; a percentage above 100 counts as 100.
    pub(crate) fn jitter(&mut self, mean: Duration, percent: u32) -> Duration {
        // Below 2^94 ns, so that no product here reaches 2^128.
        let mean = mean.as_nanos();
        let spread = mean * u128::from(percent.min(100)) / 100;
        let draw = u128::from(self.0.next_u32());
        saturating_nanos(mean - spread + (((2 * spread + 1) * draw) >> 32))
    }

    /// Puts `items` into a random order, each order about equally likely (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let choices = u32::try_from(last + 1).unwrap_or(u32::MAX);
            items.swap(last, self.below(choices) as usize);
        }
    }
}

fn saturating_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    match u64::try_from(nanos / PER_SECOND) {
        Ok(seconds) => Duration::new(seconds, (nanos % PER_SECOND) as u32),
        Err(_) => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn rng() -> Rng {
        Rng::from_seed([7; 32])
    }

    #[test]
    fn the_seed_decides() {
        let draws = |seed| {
            let mut rng = Rng::from_seed(seed);
            (0..100).map(|_| rng.below(u32::MAX)).collect::<Vec<_>>()
        };
        assert_eq!(draws([1; 32]), draws([1; 32]));
        assert_ne!(draws([1; 32]), draws([2; 32]));
    }

    #[test]
    fn below_stays_below_and_is_even() {
        let mut rng = rng();
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7) as usize] += 1;
        }
        assert!(
            counts.iter().all(|c| (9_500..10_500).contains(c)),
            "{counts:?}"
        );
        assert!(
            (0..1000)
                .map(|_| rng.below(u32::MAX))
                .any(|n| n > u32::MAX / 2)
        );
    }

    #[test]
    fn jitter_fills_its_range() {
        let mut rng = rng();
        let draws: Vec<_> = (0..10_000)
            .map(|_| rng.jitter(Duration::from_millis(1000), 20))
            .collect();
        let (low, high) = (draws.iter().min().unwrap(), draws.iter().max().unwrap());
        assert!(*low >= Duration::from_millis(800) && *low < Duration::from_millis(801));
        assert!(*high <= Duration::from_millis(1200) && *high > Duration::from_millis(1199));
        let mean = draws.iter().sum::<Duration>() / 10_000;
        assert!(
            mean > Duration::from_millis(995) && mean < Duration::from_millis(1005),
            "{mean:?}"
        );
    }

    #[test]
    fn jitter_survives_extremes() {
        let mut rng = rng();
        assert_eq!(rng.jitter(Duration::ZERO, 20), Duration::ZERO);
        assert_eq!(
            rng.jitter(Duration::from_secs(1), 0),
            Duration::from_secs(1)
        );
        for percent in [0, 20, 100, 101, u32::MAX] {
            for _ in 0..100 {
                rng.jitter(Duration::MAX, percent);
                assert!(rng.jitter(Duration::from_secs(1), percent) <= Duration::from_secs(2));
            }
        }
        assert_eq!(rng.jitter(Duration::MAX, 0), Duration::MAX);
        assert!((0..100).any(|_| rng.jitter(Duration::MAX, 100) == Duration::MAX));
    }

    #[test]
    fn shuffle_reaches_every_order() {
        let mut rng = rng();
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let mut items = [1, 2, 3];
            rng.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|c| (850..1150).contains(c)),
            "{counts:?}"
        );
        rng.shuffle::<u8>(&mut []);
    }
}
