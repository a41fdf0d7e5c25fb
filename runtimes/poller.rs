//! The system's poller, for loops without a runtime: wakes a task when its socket is ready, and sleeps in between.

use std::{
    future::{Future, poll_fn},
    io, mem,
    net::TcpStream,
    process,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use polling::Event;

/// One poller and the sockets that it watches.
#[derive(Debug)]
pub(crate) struct Poller {
    system: Arc<polling::Poller>,
    /// A child after a fork has the parent's poller in common with it: what it takes off would be gone for both.
    process: u32,
    state: Mutex<State>,
    /// Ends a rest.
    rested: Condvar,
    /// Room for what one wait finds.
    events: Mutex<polling::Events>,
    /// Somebody woke the thread since it last waited.
    woken: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// By key: who is to be woken when the socket is ready to be read, and to be written.
    sockets: Vec<Option<[Option<Waker>; 2]>>,
    until: Option<Instant>,
    rest: Option<Duration>,
    /// The thread is in its rest, where the system's poller would not reach it.
    resting: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A socket in the poller's care; dropping it ends that, and closes the socket.
#[derive(Debug)]
pub(crate) struct Registration {
    stream: TcpStream,
    key: usize,
    poller: Arc<Poller>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let system = Arc::new(polling::Poller::new()?);
        Ok(Arc::new(Self {
            system,
            process: process::id(),
            state: Mutex::default(),
            rested: Condvar::new(),
            events: Mutex::new(polling::Events::new()),
            woken: AtomicBool::new(false),
        }))
    }

    /// Watches a socket from now on.
    pub(crate) fn register(self: Arc<Self>, stream: TcpStream) -> io::Result<Registration> {
        let mut state = self.state();
        let vacant = state.sockets.iter().position(Option::is_none);
        let key = vacant.unwrap_or(state.sockets.len());
        // SAFETY: the source has to leave the poller before it is closed: `Registration` owns both and sees to it.
        #[allow(unsafe_code)]
        unsafe {
            self.system.add(&stream, Event::none(key))?;
        }
        if vacant.is_none() {
            state.sockets.push(None);
        }
        state.sockets[key] = Some([None, None]);
        drop(state);
        Ok(Registration {
            stream,
            key,
            poller: self,
        })
    }

    /// Sets when [`wait`](Self::wait) ends at the latest; it counts for one wait.
    pub(crate) fn sleep_until(&self, until: Instant) {
        self.state().until = Some(until);
    }

    /// Has the next [`wait`](Self::wait) last so long, and leave the sockets alone.
    pub(crate) fn rest_for(&self, duration: Duration) {
        self.state().rest = Some(duration);
    }

    /// Waits until a socket is ready, somebody wakes the thread, or time is up; then wakes the tasks of the sockets.
    pub(crate) fn wait(&self, timeout: Duration) {
        if self.rest(timeout) {
            return;
        }
        let now = Instant::now();
        // Who was woken does not sleep, but looks at the sockets all the same: no task may keep them waiting.
        let awake = self.woken.swap(false, Ordering::AcqRel).then_some(now);
        let until = awake.or(self.state().until.take());
        let sleep = until.map_or(timeout, |until| {
            timeout.min(until.saturating_duration_since(now))
        });
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clear();
        // An error can only be one of the arguments, which are ours; the next turn tries again.
        let _ = self
            .system
            .wait(&mut events, (sleep < Duration::MAX).then_some(sleep));
        // The tasks that are woken here run after this wait anyway: that needs no wake-up of the next one.
        self.woken.store(true, Ordering::Release);
        for event in events.iter() {
            // Both directions: an event disarms the socket, and who still waits asks again.
            let wakers = self
                .state()
                .sockets
                .get_mut(event.key)
                .and_then(|s| s.as_mut())
                .map(mem::take);
            for waker in wakers.into_iter().flatten().flatten() {
                waker.wake();
            }
        }
        // Not a plain store: what others did before they woke this thread is seen by what runs now.
        self.woken.swap(false, Ordering::AcqRel);
    }

    /// Rests if that was asked for, deaf to the sockets; `false` if it was not, or somebody woke the thread.
    fn rest(&self, timeout: Duration) -> bool {
        let mut state = self.state();
        // Who wants to wait for less looks at the sockets.
        let Some(rest) = state.rest.take().filter(|rest| *rest <= timeout) else {
            return false;
        };
        state.resting = true;
        let undisturbed = |_: &mut State| !self.woken.load(Ordering::Acquire);
        let rested = self.rested.wait_timeout_while(state, rest, undisturbed);
        let (mut state, _) = rested.unwrap_or_else(PoisonError::into_inner);
        state.resting = false;
        undisturbed(&mut state)
    }

    /// This process made it, and is not a fork's child.
    fn is_ours(&self) -> bool {
        self.process == process::id()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if !self.is_ours() {
            // Its end would take the parent's own wake-up and timer off.
            mem::forget(Arc::clone(&self.system));
        }
    }
}

impl Wake for Poller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            if self.state().resting {
                self.rested.notify_one();
                return;
            }
            // Fails only if the poller is broken, and then waiting fails too.
            let _ = self.system.notify();
        }
    }
}

impl Registration {
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Passes on what an attempt gave; if it would have blocked, the task is woken when another may succeed.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        attempt: io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match attempt {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self
                .watch(cx, direction)
                .map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
            attempt => Poll::Ready(attempt),
        }
    }

    /// Waits for a direction once, or for less: whoever calls looks at the socket then.
    pub(crate) fn ready(&self, direction: Direction) -> impl Future<Output = io::Result<()>> {
        let mut asked = false;
        poll_fn(move |cx| {
            if mem::replace(&mut asked, true) {
                return Poll::Ready(Ok(()));
            }
            self.watch(cx, direction)
                .map_or(Poll::Pending, |error| Poll::Ready(Err(error)))
        })
    }

    /// Has the task woken; `Some` if the poller refuses.
    fn watch(&self, cx: &mut Context<'_>, direction: Direction) -> Option<io::Error> {
        let mut state = self.poller.state();
        let wakers = state.sockets[self.key]
            .as_mut()
            .expect("registered until dropped");
        let old = wakers[direction as usize].replace(cx.waker().clone());
        let interest = Event::new(self.key, wakers[0].is_some(), wakers[1].is_some());
        drop(state);
        drop(old);
        self.poller.system.modify(&self.stream, interest).err()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // The key is free only when the poller has forgotten the socket.
        if self.poller.is_ours() {
            let _ = self.poller.system.delete(&self.stream);
        }
        let wakers = self.poller.state().sockets[self.key].take();
        drop(wakers);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    const NEVER: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_rest_ends_when_its_time_is_up_or_by_a_wake_up() {
        let poller = Poller::new().unwrap();
        poller.rest_for(Duration::from_micros(1));
        poller.wait(NEVER);
        poller.rest_for(NEVER);
        poller.wait(Duration::from_micros(1));
        poller.wake_by_ref();
        poller.rest_for(NEVER);
        poller.wait(NEVER);

        let (rests, resting) = mpsc::channel();
        let sleeper = Arc::clone(&poller);
        let thread = thread::spawn(move || {
            sleeper.rest_for(NEVER);
            rests.send(()).unwrap();
            sleeper.wait(NEVER);
        });
        resting.recv().unwrap();
        while !poller.state().resting {
            thread::yield_now();
        }
        poller.wake_by_ref();
        thread.join().unwrap();
    }
}
