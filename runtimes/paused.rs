//! tokio's clock where it can be paused: it stands still while tasks run, and leaps to the next timer when all of them wait.
//!
//! That is for tests, and needs tokio's feature `test-util`. Anywhere else tokio's clock is the system's.

use std::{
    sync::mpsc,
    time::{Duration, Instant, SystemTime},
};

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use crate::clock::TimeSource;

/// The clock of a runtime that can be paused, the same from every thread.
pub(crate) struct PausableClock {
    runtime: Handle,
    started: Instant,
}

/// Keeps a paused clock from leaping until it is dropped, or for [`HOLDS`] of the system's time.
pub(crate) struct Hold {
    /// The deadline that was slept on when it began.
    pub(crate) until: Instant,
    _release: mpsc::Sender<()>,
}

/// So long the network may take for an answer, a connection or an address in a test whose clock stands still: more than it
/// does, while a test that is about a silent broker goes on soon.
const HOLDS: Duration = Duration::from_secs(1);

/// Whether the runtime's clock can be paused, now or later.
pub(crate) fn is_pausable(runtime: &Handle) -> bool {
    runtime.runtime_flavor() != RuntimeFlavor::MultiThread && has_test_util()
}

impl PausableClock {
    pub(crate) fn new(runtime: Handle) -> Self {
        let mut clock = Self {
            runtime,
            started: Instant::now(),
        };
        clock.started = clock.now();
        clock
    }
}

impl TimeSource for PausableClock {
    fn now(&self) -> Instant {
        if Handle::try_current().is_err_and(|why| why.is_thread_local_destroyed()) {
            // A handle that is dropped with its thread: nothing expires for that.
            return self.started;
        }
        let _inside = self.runtime.enter();
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl Hold {
    pub(crate) fn new(runtime: &Handle, until: Instant) -> Self {
        let (release, released) = mpsc::channel();
        // While such a task runs the clock does not leap; tokio has no other way to ask for that.
        runtime.spawn_blocking(move || released.recv_timeout(HOLDS));
        Self {
            until,
            _release: release,
        }
    }
}

/// Whether tokio was built with `test-util`: then its builder has a method which goes before the one that is added here.
fn has_test_util() -> bool {
    struct Missing;

    trait WithoutTestUtil {
        #[allow(dead_code)]
        fn start_paused(&mut self, paused: bool) -> Missing;
    }

    impl WithoutTestUtil for Builder {
        fn start_paused(&mut self, _: bool) -> Missing {
            Missing
        }
    }

    trait Found {
        const FOUND: bool;
    }

    impl Found for Missing {
        const FOUND: bool = false;
    }

    impl Found for &mut Builder {
        const FOUND: bool = true;
    }

    const fn found<T: Found>(_: &T) -> bool {
        T::FOUND
    }

    found(&Builder::new_current_thread().start_paused(false))
}
