//! How long to wait before trying again (KIP-580).

use core::time::Duration;

use crate::rng::Rng;

const JITTER_PERCENT: u32 = 20;

/// `base` · 2^`attempt` ± 20 %, at most `max`; `attempt` is 0 for the first wait.
///
/// As in Java, with `base` at or above `max` the wait is always `max`, without jitter.
pub(crate) fn exponential(base: Duration, max: Duration, attempt: u32, rng: &mut Rng) -> Duration {
    if base >= max {
        return max;
    }
    // Enough doubling: it makes 49 days of a millisecond.
    let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
    let mean = base.saturating_mul(factor).min(max);
    rng.jitter(mean, JITTER_PERCENT).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn doubles_up_to_the_maximum() {
        let mut rng = Rng::from_seed([1; 32]);
        for (attempt, mean) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1000), (9, 1000)] {
            for _ in 0..200 {
                let wait = exponential(ms(100), ms(1000), attempt, &mut rng);
                assert!(
                    wait >= ms(mean) * 8 / 10 && wait <= (ms(mean) * 12 / 10).min(ms(1000)),
                    "{attempt}: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn spreads_the_waits() {
        let mut rng = Rng::from_seed([2; 32]);
        let first = exponential(ms(100), ms(1000), 0, &mut rng);
        assert!((0..10).any(|_| exponential(ms(100), ms(1000), 0, &mut rng) != first));
    }

    #[test]
    fn a_base_above_the_maximum_waits_the_maximum() {
        let mut rng = Rng::from_seed([3; 32]);
        for attempt in [0, 1, 40] {
            assert_eq!(exponential(ms(500), ms(200), attempt, &mut rng), ms(200));
            assert_eq!(exponential(ms(200), ms(200), attempt, &mut rng), ms(200));
            assert_eq!(exponential(ms(5), ms(0), attempt, &mut rng), ms(0));
        }
    }

    #[test]
    fn no_attempt_overflows() {
        let mut rng = Rng::from_seed([4; 32]);
        for attempt in [31, 32, 33, 63, 64, 1000, u32::MAX] {
            assert!(exponential(ms(100), ms(1000), attempt, &mut rng) >= ms(800));
            assert!(exponential(ms(1 << 40), Duration::MAX, attempt, &mut rng) >= ms(1 << 60));
            assert_eq!(exponential(ms(0), ms(1000), attempt, &mut rng), ms(0));
        }
    }
}
