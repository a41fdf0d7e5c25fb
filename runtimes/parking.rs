//! Blocking a thread until a future is ready, for no longer than its caller was promised.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::*},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use ottla_core::Deadlock;

use crate::shared::Shared;

/// How long a driver that was woken may take until it has its turn: after that it is held up.
const GRACE: Duration = Duration::from_secs(1);

/// Polls a future on this thread until it is ready, for `limit` and a grace; at once it gives up where the driver can't run
/// while this thread waits.
pub(crate) fn block_on<F: Future>(
    shared: &Shared,
    mut future: Pin<&mut F>,
    limit: Duration,
) -> Result<F::Output, Deadlock> {
    let parked = Arc::new(Parked {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&parked));
    let cx = &mut Context::from_waker(&waker);
    let mut patience = None;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Ok(output);
        }
        if patience.is_none() {
            check(shared)?;
        }
        let patience = patience.get_or_insert_with(|| Patience::new(shared, limit));
        if parked.woken.swap(false, AcqRel) {
            // By itself, to let others run.
            thread::yield_now();
        } else {
            patience.park(shared)?;
        }
    }
}

/// Whether waiting on this thread would be for what this thread has to do.
fn check(shared: &Shared) -> Result<(), Deadlock> {
    if IN_CALLBACK.get() {
        return Err(Deadlock::InCallback);
    }
    if shared.runs_tasks_here.as_ref().is_some_and(|here| here()) {
        return Err(Deadlock::OnRuntimeThread);
    }
    Ok(())
}

/// How long a thread still waits: by its own clock, since the driver's time-outs count only where the driver runs.
struct Patience {
    stage: Stage,
    /// `None`: for ever.
    until: Option<Instant>,
    /// When the call's own time is up.
    limit: Option<Instant>,
}

enum Stage {
    /// The driver ran on this thread last, and was woken after so many turns. If it belongs here it has no other, and
    /// nothing but its silence tells.
    Suspects(u64),
    Waits,
    /// The time is up. What was missed while the whole process stood still may yet come.
    LastChance,
}

impl Patience {
    fn new(shared: &Shared, limit: Duration) -> Self {
        let now = Instant::now();
        let limit = now.checked_add(limit);
        let (turns, thread) = shared.lock().turns();
        // One that has had no turn yet may belong to any thread.
        if turns > 0 && thread != this_thread() {
            return Self {
                stage: Stage::Waits,
                until: limit,
                limit,
            };
        }
        shared.wake_driver();
        Self {
            stage: Stage::Suspects(turns),
            until: Some(now + GRACE),
            limit,
        }
    }

    /// Parks the thread once, unless its time is up.
    fn park(&mut self, shared: &Shared) -> Result<(), Deadlock> {
        let Some(until) = self.until else {
            thread::park();
            return Ok(());
        };
        let now = Instant::now();
        if now < until {
            thread::park_timeout(until - now);
            return Ok(());
        }
        match self.stage {
            Stage::Suspects(turns) if shared.lock().turns().0 != turns => {
                (self.stage, self.until) = (Stage::Waits, self.limit);
                Ok(())
            }
            Stage::Suspects(_) | Stage::LastChance => Err(Deadlock::DriverHeldUp),
            Stage::Waits => {
                shared.wake_driver();
                (self.stage, self.until) = (Stage::LastChance, Some(now + GRACE));
                Ok(())
            }
        }
    }
}

struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Release);
        self.thread.unpark();
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static THREAD: u64 = THREADS.fetch_add(1, Relaxed);
}

static THREADS: AtomicU64 = AtomicU64::new(1);

/// A number for the thread that calls, never 0: cheaper than the standard library's.
#[inline]
pub(crate) fn this_thread() -> u64 {
    THREAD.with(|number| *number)
}

/// Marks this thread as running users' code in the driver, until it is dropped.
pub(crate) struct CallbackScope {
    outer: bool,
}

impl CallbackScope {
    pub(crate) fn enter() -> Self {
        Self {
            outer: IN_CALLBACK.replace(true),
        }
    }
}

impl Drop for CallbackScope {
    fn drop(&mut self) {
        IN_CALLBACK.set(self.outer);
    }
}
