//! The two clocks: a monotonic one for every timer, and the wall's for the time stamped on records.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ottla_core::Instant;

/// Both clocks, where they are not the system's: a runtime's, a simulator's, or a test's.
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

/// The time for verbs, one after the other: a look at the clocks serves several that come fast.
pub(crate) struct Watch {
    last: Moment,
    /// The system's tick at that look.
    tick: Option<i64>,
    /// Verbs that the last look still serves, of so many.
    left: u32,
    granted: u32,
    /// The last look at the wall clock.
    wall: Moment,
}

/// Verbs after a look at the clocks that need none of their own,
const MOST_SERVED: u32 = 63;
/// if at most as many before them came within this time.
const FAST: Duration = Duration::from_micros(50);

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

    /// Not before 1970, which no record may be: a clock that was never set must not stop all sending.
    fn wall(&self) -> i64 {
        let time = millis(match &self.source {
            None => SystemTime::now(),
            Some(source) => source.wall(),
        });
        time.max(0)
    }
}

impl Watch {
    pub(crate) fn new(clock: &Clock) -> Self {
        let moment = clock.moment();
        Self {
            last: moment,
            tick: None,
            left: 0,
            granted: 0,
            wall: moment,
        }
    }

    /// The time for a verb.
    ///
    /// A look costs as much as a third of all the rest of a send. So after one that shows that verbs come fast, the next few
    /// have its time, unless the system's tick, which is cheaper to read, says that some milliseconds have passed.
    #[inline]
    pub(crate) fn moment(&mut self, clock: &Clock) -> Moment {
        if self.left == 0 || tick() != self.tick {
            return self.look(clock);
        }
        self.left -= 1;
        self.last
    }

    #[inline(never)]
    fn look(&mut self, clock: &Clock) -> Moment {
        let moment = clock.moment_after(&mut self.wall);
        let fast = moment.now.since(self.last.now) < FAST;
        self.tick = if fast && clock.source.is_none() {
            tick()
        } else {
            None
        };
        self.granted = match self.tick {
            Some(_) => (2 * self.granted + 1).min(MOST_SERVED),
            None => 0,
        };
        (self.left, self.last) = (self.granted, moment);
        moment
    }
}

/// The system's count of its timer interrupts, as a time: it changes some hundred times a second. `None` where there is none.
#[cfg(target_os = "linux")]
#[inline]
fn tick() -> Option<i64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: the time is written to, which outlives the call.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    // Distinct for each tick, which is all that is asked of it.
    (status == 0).then(|| time.tv_nsec ^ time.tv_sec.rotate_left(32))
}

#[cfg(not(target_os = "linux"))]
fn tick() -> Option<i64> {
    None
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
    use std::sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    };

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

    /// A clock that each look puts forward by a nanosecond.
    struct Steps {
        start: std::time::Instant,
        looks: AtomicU64,
    }

    impl TimeSource for Steps {
        fn now(&self) -> std::time::Instant {
            self.start + Duration::from_nanos(self.looks.fetch_add(1, Ordering::Relaxed))
        }

        fn wall(&self) -> SystemTime {
            UNIX_EPOCH
        }
    }

    #[test]
    fn a_clock_that_is_not_the_systems_is_asked_every_time() {
        let clock = Clock::start(Some(Arc::new(Steps {
            start: std::time::Instant::now(),
            looks: AtomicU64::new(0),
        })));
        let mut watch = Watch::new(&clock);
        let times: Vec<u64> = (0..100)
            .map(|_| watch.moment(&clock).now.as_nanos())
            .collect();
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }

    #[test]
    fn a_look_serves_verbs_of_its_own_tick_only_and_a_bounded_number() {
        let clock = Clock::start(None);
        let mut watch = Watch::new(&clock);
        let mut last = Instant::ORIGIN;
        let mut served = 0;
        for _ in 0..10_000 {
            let now = watch.moment(&clock).now;
            assert!(now >= last);
            served = if now == last { served + 1 } else { 0 };
            assert!(served <= MOST_SERVED);
            last = now;
        }
        watch.left = MOST_SERVED;
        watch.tick = watch.tick.map(|tick| tick.wrapping_sub(1));
        let before = clock.now();
        assert!(watch.moment(&clock).now >= before, "the tick has changed");
    }

    /// Clocks that stand where they were put.
    struct Stopped(Mutex<(std::time::Instant, SystemTime)>);

    impl TimeSource for Stopped {
        fn now(&self) -> std::time::Instant {
            self.0.lock().unwrap().0
        }

        fn wall(&self) -> SystemTime {
            self.0.lock().unwrap().1
        }
    }

    #[test]
    fn the_wall_is_read_again_after_a_while() {
        let wall = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let start = (std::time::Instant::now(), wall(7));
        let source = Arc::new(Stopped(Mutex::new(start)));
        let clock = Clock::start(Some(source.clone()));
        let mut last = clock.moment();
        assert_eq!(last.wall, 7);

        *source.0.lock().unwrap() = (start.0 + WALL_HOLDS, wall(1_000_000));
        assert_eq!(clock.moment_after(&mut last).wall, 12);
        assert_eq!(last.wall, 7);
        source.0.lock().unwrap().0 += Duration::from_nanos(1);
        assert_eq!(clock.moment_after(&mut last).wall, 1_000_000);
        assert_eq!(last.wall, 1_000_000);
    }
}
