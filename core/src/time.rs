//! Time as the core knows it: a number that the adapter's monotonic clock hands in.

use core::{fmt, ops::Add, time::Duration};

/// A point on the adapter's monotonic clock, in nanoseconds since an origin of the adapter's choice.
///
/// The core never reads a clock: every method that depends on time takes `now`. `now` may lag behind
/// and never has to increase; arithmetic saturates, so that no setting and no clock can overflow it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin, before or at every other instant.
    pub const ORIGIN: Self = Self(0);
    /// Later than every instant that is ever reached: a timer set to it never fires.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin (584 years fit).
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// The instant `rhs` later, or [`Instant::NEVER`] where that lies beyond the clock's range.
    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NEVER => f.write_str("never"),
            Self(nanos) => write!(f, "{}.{:09}s", nanos / 1_000_000_000, nanos % 1_000_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let late = Instant::from_nanos(u64::MAX - 5);
        assert_eq!(late + Duration::MAX, Instant::NEVER);
        assert_eq!(Instant::ORIGIN.since(late), Duration::ZERO);
        assert_eq!(
            (late + Duration::from_nanos(2)).since(late),
            Duration::from_nanos(2)
        );
    }
}
