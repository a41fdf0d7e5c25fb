//! What an adapter brings: everything that waits.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ottla_core::Config;

use crate::clock::TimeSource;

/// What waits: an adapter's resolver, sockets and timer.
pub trait Runtime: Send + Unpin + 'static {
    /// A connection.
    type Stream: Stream;

    /// Begins to look a name up: every address it has, each with `port`.
    fn resolve(&mut self, host: &str, port: u16) -> Pending<Vec<SocketAddr>>;

    /// Begins to connect. The settings ask for sizes of the socket's buffers.
    fn connect(&mut self, address: SocketAddr, config: &Config) -> Pending<Self::Stream>;

    /// Sleeps until the given instant of [its clock](Self::time): ready if it has come, or else the task is woken when it
    /// comes. A later call replaces the earlier instant.
    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: std::time::Instant) -> Poll<()>;

    /// The clock that [`poll_sleep`](Self::poll_sleep) sleeps by; `None` if it is the system's, as by default. A producer
    /// knows no other, unless its [`Setup`](crate::Setup::time) has one.
    fn time(&self) -> Option<Arc<dyn TimeSource>> {
        None
    }

    /// Has `job`, which takes up to some tens of milliseconds of a processor, run where it holds up nobody, or drops it. Hands
    /// it back if there is no such place, as by default: then the driver runs it in its own turn.
    fn spawn_blocking(&mut self, job: Job) -> Option<Job> {
        Some(job)
    }

    /// How many jobs it runs at once.
    fn parallelism(&self) -> usize {
        1
    }

    /// What tells whether the thread that asks runs this runtime's tasks at the moment, so that a blocking call there is
    /// refused at once. `None` where that can't be told, as by default: then such a call gives up after a while.
    fn thread_check(&self) -> Option<ThreadCheck> {
        None
    }

    /// Whether its clock leaps to the next timer when all tasks wait, as a test's does that is paused. Then
    /// [`before_sleep`](Self::before_sleep) comes before each sleep.
    #[doc(hidden)]
    fn leaps(&self) -> bool {
        false
    }

    /// Tells a clock that leaps what the driver is about to sleep for, so that it does not leap over a response in flight.
    #[doc(hidden)]
    fn before_sleep(&mut self, _awaited: Awaited, _until: std::time::Instant) {}

    /// Whether [`rest`](Self::rest) is to be had, and worth it.
    #[doc(hidden)]
    const RESTS: bool = false;

    /// Has the task polled again after a fraction of a millisecond, or when it is woken; meanwhile no socket wakes it.
    #[doc(hidden)]
    fn rest(&mut self, _duration: Duration) {}
}

/// What the driver sleeps for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Something from outside, which takes time of the world's and none of the clock's.
    Network,
    /// The deadline.
    Time,
    /// Nobody waits for anything: the deadline would only keep up what may be needed again.
    Nothing,
}

/// A connection's two directions. Dropping it closes it.
pub trait Stream: Send + Unpin + 'static {
    /// Reads what is there; 0 bytes mean that the peer closed the connection. If nothing is there the task is woken
    /// once there is.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much of the slices, in order, as there is room for. If there is no room the task is woken once there
    /// is.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Shuts down the writing half, so that the peer reads to the end of what was written; reading goes on. If that takes
    /// time the task is woken when it is done.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Something that a runtime was asked to begin. Dropping it gives it up.
pub type Pending<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Whether the thread that asks runs a runtime's tasks at the moment.
pub type ThreadCheck = Box<dyn Fn() -> bool + Send + Sync>;

/// Something that takes a processor's time.
pub type Job = Box<dyn FnOnce() + Send>;
