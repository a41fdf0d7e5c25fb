//! Virtual time: a clock that jumps, and futures that wait for it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla::TimeSource;

use crate::network::{Arrival, Shared};

/// The world's clock. Clones show the same time.
#[derive(Clone)]
pub struct Clock {
    network: Shared,
    origin: Instant,
    /// What the wall clock shows beyond the monotonic one.
    wall: Arc<Mutex<Wall>>,
    wavering: Arc<Mutex<Wavering>>,
}

/// How far the monotonic clock runs back for those who look at it again.
#[derive(Default)]
struct Wavering {
    back: Duration,
    /// The time that was shown as it was last.
    shown: Option<Duration>,
}

struct Wall {
    at_start: Duration,
    /// The sum of all jumps, in milliseconds.
    jumped: i64,
}

/// Where the wall clock stands when the world begins.
const WALL_AT_START: Duration = Duration::from_secs(1_800_000_000);

impl Clock {
    pub(crate) fn new(network: Shared) -> Clock {
        let wall = Wall {
            at_start: WALL_AT_START,
            jumped: 0,
        };
        Clock {
            network,
            origin: Instant::now(),
            wall: Arc::new(Mutex::new(wall)),
            wavering: Arc::default(),
        }
    }

    /// The time since the world began.
    pub fn now(&self) -> Duration {
        self.network.lock().now
    }

    /// Waits until so much time has passed.
    pub async fn sleep(&self, time: Duration) {
        let until = self.now() + time;
        let mut is_armed = false;
        poll_fn(|cx| {
            let mut network = self.network.lock();
            if network.now >= until {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut is_armed, true) {
                let waker = cx.waker().clone();
                network.schedule(until, Arrival::Alarm { waker });
            }
            Poll::Pending
        })
        .await;
    }

    /// Sets the wall clock forward, or back, by so many milliseconds.
    pub fn jump(&self, millis: i64) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        wall.jumped = wall.jumped.saturating_add(millis);
    }

    /// Lets producers see a clock that runs back: who looks first at any instant sees the time, and after that it is
    /// `back` earlier until time goes on. Threads see that which read a clock and then wait for each other.
    ///
    /// To a producer that has seen the time that is no news.
    pub fn waver(&self, back: Duration) {
        self.wavering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .back = back;
    }

    /// Sets both clocks right.
    pub(crate) fn set_right(&self) {
        self.waver(Duration::ZERO);
        self.wall
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .jumped = 0;
    }

    /// What the host's monotonic clock showed when the world began.
    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }
}

impl Wavering {
    fn show(&mut self, now: Duration) -> Duration {
        match self.shown.replace(now) == Some(now) {
            true => now.saturating_sub(self.back),
            false => now,
        }
    }
}

impl TimeSource for Clock {
    fn now(&self) -> Instant {
        let now = self.network.lock().now;
        let mut wavering = self.wavering.lock().unwrap_or_else(PoisonError::into_inner);
        self.origin + wavering.show(now)
    }

    fn wall(&self) -> SystemTime {
        let now = self.network.lock().now;
        let wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        let jump = Duration::from_millis(wall.jumped.unsigned_abs());
        let shown = UNIX_EPOCH + wall.at_start + now;
        match wall.jumped {
            0.. => shown.checked_add(jump),
            _ => shown.checked_sub(jump),
        }
        .unwrap_or(UNIX_EPOCH)
    }
}
