//! The two clocks: a monotonic one for every timer, and the wall's for the time stamped on records.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ottla_core::Instant;

/// Both clocks, where they are not the system's: a simulator's, or a test's.
///
/// The instants that a [`Runtime`](crate::driver::Runtime) is asked to sleep until are on this monotonic clock.
pub trait TimeSource: Send + Sync + 'static {
    /// The monotonic clock.
    fn now(&self) -> std::time::Instant;

    /// The wall clock, which may jump.
    fn wall(&self) -> SystemTime;
}

/// The monotonic clock, counted from the producer's start, and the wall's.
#[derive(Clone)]
pub(crate) struct Clock {
    origin: std::time::Instant,
    /// `None`: the system's.
    source: Option<Arc<dyn TimeSource>>,
}

/// One look at both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    /// Milliseconds since the Unix epoch.
    pub(crate) wall: i64,
}

/// For this long after a look at the wall clock its time is taken from the monotonic one.
///
/// Half the reads of a clock that way; and when the wall clock is set, or the machine wakes from suspension,
/// records stamped later than this have the new time.
const WALL_HOLDS: Duration = Duration::from_millis(5);

/// Distance of a timer that never fires, since a `std` instant has no largest value.
const NEVER: Duration = Duration::from_hours(24 * 365);

impl Clock {
    pub(crate) fn start(source: Option<Arc<dyn TimeSource>>) -> Self {
        let origin = source
            .as_ref()
            .map_or_else(std::time::Instant::now, |source| source.now());
        Self { origin, source }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ORIGIN + self.monotonic().saturating_duration_since(self.origin)
    }

    /// Looks at both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            wall: self.wall(),
        }
    }

    /// Looks at the monotonic clock, and at the wall's only if `last` was long ago.
    pub(crate) fn moment_after(&self, last: &mut Moment) -> Moment {
        let now = self.now();
        let passed = now.since(last.now);
        if passed > WALL_HOLDS {
            *last = Moment {
                now,
                wall: self.wall(),
            };
            return *last;
        }
        Moment {
            now,
            wall: last.wall + passed.as_millis() as i64,
        }
    }

    /// The same instant for a runtime's timer.
    pub(crate) fn to_std(&self, instant: Instant) -> std::time::Instant {
        let distance = instant.since(Instant::ORIGIN);
        self.origin
            .checked_add(distance)
            .filter(|_| instant != Instant::NEVER)
            .unwrap_or_else(|| self.monotonic() + NEVER)
    }

    fn monotonic(&self) -> std::time::Instant {
        match &self.source {
            None => std::time::Instant::now(),
            Some(source) => source.now(),
        }
    }

    fn wall(&self) -> i64 {
        millis(match &self.source {
            None => SystemTime::now(),
            Some(source) => source.wall(),
        })
    }
}

/// Kafka's form of a time: milliseconds since the Unix epoch, negative before it.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let saturated = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => saturated(since),
        Err(error) => -saturated(error.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_are_negative() {
        assert_eq!(millis(UNIX_EPOCH), 0);
        assert_eq!(millis(UNIX_EPOCH + Duration::from_millis(1500)), 1500);
        assert_eq!(millis(UNIX_EPOCH - Duration::from_millis(1500)), -1500);
    }

    #[test]
    fn instants_translate_and_never_overflow() {
        let clock = Clock::start(None);
        let later = clock.to_std(Instant::ORIGIN + Duration::from_secs(3));
        assert_eq!(later - clock.origin, Duration::from_secs(3));
        for far in [Instant::NEVER, Instant::from_nanos(u64::MAX - 1)] {
            assert!(clock.to_std(far) > later + Duration::from_hours(1));
        }
    }

    #[test]
    fn the_wall_is_read_again_after_a_while() {
        let clock = Clock::start(None);
        let mut last = clock.moment();
        last.wall = 7;
        let held = clock.moment_after(&mut last);
        assert!((7..=12).contains(&held.wall));
        let mut old = Moment {
            now: Instant::ORIGIN,
            wall: 7,
        };
        while clock.now().since(Instant::ORIGIN) <= WALL_HOLDS {
            std::hint::spin_loop();
        }
        assert!(clock.moment_after(&mut old).wall > 1_000_000);
        assert!(old.wall > 1_000_000);
    }
}
