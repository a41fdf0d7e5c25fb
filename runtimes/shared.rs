//! What the producer's handles and its driver share: the state, its lock, and the rule by which the driver is woken.

use std::{
    hint, mem,
    ops::{Deref, DerefMut},
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::Waker,
    thread,
    time::Duration,
};

use ottla_core::{Config, Fatal, Instant, ProducerCore, SendError, Waiter};

use crate::{
    clock::{Clock, Moment},
    parking::this_thread,
    runtime::{Awaited, ThreadCheck},
    state::State,
};

/// The state under its lock, and what never changes beside it.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// How often a sender had the lock: counted with it in hand, read without.
    sends: AtomicU32,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    /// Whether a thread that asks runs the tasks of the runtime that drives the producer.
    pub(crate) runs_tasks_here: Option<ThreadCheck>,
}

/// How the producer ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Closed(Option<Fatal>),
    /// The driver was dropped, or somebody panicked with the lock in hand.
    Gone,
}

/// What a sleeping driver waits for.
pub(crate) struct Asleep {
    /// Its deadline; the clock's origin while it is awake or rests, so that nothing is earlier.
    until: Instant,
    waker: Option<Waker>,
    /// Nothing wakes it at its deadline, for which nobody waits: it is woken once somebody waits for anything.
    has_no_timer: bool,
    /// It rests: a record that makes a batch due does not wake it, but who waits does.
    rests: bool,
    /// Somebody began to wait for a delivery since it last could have rested.
    is_awaited: bool,
    /// What was free of `buffer.memory` when its last turn ended, or when somebody gave way to it.
    free: usize,
    /// How many turns it had, and the thread of the last one.
    turns: u64,
    thread: u64,
}

/// Bytes after which a driver that had no turn meanwhile gets one.
///
/// Where the application and the driver share a processor, it would else have none before `buffer.memory` is full: nobody
/// would write what is ready, or see that answers have come. So many bytes are still in the processor's cache when they
/// are written to a socket.
const OWED: usize = 256 << 10;

/// How long a sender stands back where others send without a pause; the system adds its timer's slack, 50 µs on Linux.
const PAUSE: Duration = Duration::from_micros(20);

/// How often it does so before it waits for the lock like everybody.
const PAUSES: u32 = 3;

impl Shared {
    pub(crate) fn new(
        core: ProducerCore,
        config: Config,
        clock: Clock,
        number: u32,
        runs_tasks_here: Option<ThreadCheck>,
    ) -> Self {
        Self {
            state: Mutex::new(State::new(core, clock.clone(), number)),
            sends: AtomicU32::new(0),
            clock,
            config,
            runs_tasks_here,
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_> {
        let unwinding = thread::panicking();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Locked {
            state: Some(state),
            unwinding,
        }
    }

    /// As [`lock`](Self::lock), for a sender: one who meets others that send without a pause stands back for a while.
    #[inline]
    pub(crate) fn lock_to_send(&self) -> Locked<'_> {
        let unwinding = thread::panicking();
        let state = self.try_lock().unwrap_or_else(|| self.lock_among_others());
        self.sends
            .store(self.sends.load(Relaxed).wrapping_add(1), Relaxed);
        Locked {
            state: Some(state),
            unwinding,
        }
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Where two processors take turns with every record, the state is always in the other's cache, and who lets go of the
    /// lock has to wake somebody. So all but one sleep, while that one sends some hundreds: with eight threads on two
    /// processors a record costs half as much (`contention`).
    #[cold]
    fn lock_among_others(&self) -> MutexGuard<'_, State> {
        let pauses = if cfg!(unix) { PAUSES } else { 0 }; // elsewhere a short sleep is a long one
        for _ in 0..pauses {
            let before = self.sends.load(Relaxed);
            (0..32).for_each(|_| hint::spin_loop());
            let sends = self.sends.load(Relaxed).wrapping_sub(before);
            if sends < 2 {
                break; // it is the driver, or somebody who sends now and then
            }
            thread::sleep(PAUSE);
            if let Some(state) = self.try_lock() {
                return state;
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up waiting; `false` if the wait has ended already.
    pub(crate) fn cancel(&self, waiter: Waiter) -> bool {
        let cancelled = self.lock().cancel(waiter);
        cancelled.is_some()
    }

    /// Has the driver take a turn, needed or not.
    pub(crate) fn wake_driver(&self) {
        let waker = self.lock().driver.called_up();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ends the producer: whoever still waits for anything learns it now.
    pub(crate) fn end(&self, end: End) {
        let mut state = self.lock();
        let end = *state.end.get_or_insert(end);
        let driver = state.driver.waker.take();
        let left = state.clear();
        drop(state);
        drop(driver);
        left.tell(end);
    }
}

impl Asleep {
    pub(crate) const fn not() -> Self {
        Self {
            until: Instant::ORIGIN,
            waker: None,
            has_no_timer: false,
            rests: false,
            is_awaited: false,
            free: usize::MAX,
            turns: 0,
            thread: 0,
        }
    }

    /// It does not sleep any more, and has to be woken if it did.
    fn called_up(&mut self) -> Option<Waker> {
        self.until = Instant::ORIGIN;
        self.waker.take()
    }
}

impl End {
    /// What a send gets from now on.
    pub(crate) const fn refusal(self) -> SendError {
        match self {
            Self::Closed(None) => SendError::Closed,
            Self::Closed(Some(fatal)) => SendError::Fatal(fatal),
            Self::Gone => SendError::Fatal(Fatal::DriverGone),
        }
    }
}

/// When the driver sleeps and who wakes it.
impl State {
    /// Begins a turn of the driver.
    pub(crate) fn wake_up(&mut self, moment: Moment) {
        self.driver.until = Instant::ORIGIN;
        self.driver.rests = false;
        self.driver.turns += 1;
        self.driver.thread = this_thread();
        self.turn = Some(moment);
    }

    /// The turns that the driver had, and the thread of the last one.
    pub(crate) const fn turns(&self) -> (u64, u64) {
        (self.driver.turns, self.driver.thread)
    }

    /// Whether a sender should let others run now, so that the driver can have its turn.
    #[inline]
    pub(crate) fn owes_turn(&mut self) -> bool {
        let free = self.core.buffer_available();
        let owes = self.driver.free.saturating_sub(free) >= OWED && self.turn.is_none();
        if owes {
            self.driver.free = free;
        }
        owes
    }

    /// Ends a turn of the driver, whether it sleeps then or not.
    pub(crate) fn end_turn(&mut self) {
        self.turn = None;
        self.driver.free = self.core.buffer_available();
    }

    /// The driver sleeps: from here on who moves the deadline before `until` wakes it.
    pub(crate) fn fall_asleep(&mut self, until: Instant, waker: &Waker) -> Option<Waker> {
        self.driver.until = until;
        self.driver.has_no_timer = false;
        match &self.driver.waker {
            Some(old) if old.will_wake(waker) => None,
            _ => self.driver.waker.replace(waker.clone()),
        }
    }

    /// The driver that just fell asleep has no timer for its deadline.
    pub(crate) const fn sleep_without_timer(&mut self) {
        self.driver.has_no_timer = true;
    }

    /// What the driver is about to sleep for.
    pub(crate) fn awaited(&self) -> Awaited {
        let is_waited_for = self.waiters > 0 || !self.flushes.is_empty() || self.closing;
        if self.core.awaits_network() {
            Awaited::Network
        } else if is_waited_for || !self.core.is_idle() {
            Awaited::Time
        } else {
            Awaited::Nothing
        }
    }

    /// Whether nobody waits for the driver, or soon would.
    pub(crate) fn can_rest(&mut self, config: &Config) -> bool {
        let is_awaited = mem::take(&mut self.driver.is_awaited);
        let has_room = self.core.buffer_available() > config.buffer_memory() / 2;
        let is_free = self.waiters == 0 && self.flushes.is_empty() && !self.closing;
        has_room && !is_awaited && is_free
    }

    /// The driver rests: records don't end that.
    pub(crate) fn rest(&mut self, waker: &Waker) -> Option<Waker> {
        let old = self.fall_asleep(Instant::ORIGIN, waker);
        self.driver.rests = true;
        old
    }

    /// Somebody waits for a delivery from now on.
    pub(crate) fn await_delivery(&mut self) {
        self.driver.is_awaited = true;
        self.rouse();
    }

    /// Ends the driver's rest, since somebody waits for something: letting go of the lock wakes it, if it has any deadline.
    pub(crate) fn rouse(&mut self) {
        if mem::take(&mut self.driver.rests) {
            self.driver.until = Instant::NEVER;
        }
    }

    /// The sleeping driver's waker, if it has to be up before its deadline.
    #[inline]
    fn alarm(&mut self) -> Option<Waker> {
        let until = self.driver.until;
        // An awake driver is not even asked about.
        let is_earlier = || self.core.poll_timeout().is_some_and(|due| due < until);
        let is_wanted = || self.driver.has_no_timer && self.awaited() != Awaited::Nothing;
        if self.end.is_none() && (until == Instant::ORIGIN || !is_earlier() && !is_wanted()) {
            return None;
        }
        self.driver.called_up()
    }
}

/// The lock in hand. Letting go of it wakes the driver, if what was done meanwhile moved its deadline.
pub(crate) struct Locked<'a> {
    /// `None` only while it is dropped.
    state: Option<MutexGuard<'a, State>>,
    /// The thread was unwinding already when it took the lock, which is no harm to the state.
    unwinding: bool,
}

impl Deref for Locked<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        self.state.as_ref().expect("held until dropped")
    }
}

impl DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("held until dropped")
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        if !self.unwinding && thread::panicking() {
            // The core may be half way through a change: it is not touched again, and the driver tells everybody.
            state.end.get_or_insert(End::Gone);
        }
        let alarm = state.alarm();
        drop(state);
        if let Some(driver) = alarm {
            driver.wake();
        }
    }
}
