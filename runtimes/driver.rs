//! The turn that every adapter runs, and what an adapter brings to it.
//!
//! An adapter is a [`Runtime`]: it resolves, connects and sleeps, and its [`Stream`]s read and write. Everything else is
//! the [`Driver`]: a future that runs one producer, on as many connections as it needs, in one task. So an adapter for
//! another loop is short:
//!
//! ```
//! # use std::{future, io, net::SocketAddr, task::{Context, Poll}, time::Instant};
//! # use ottla::{Config, driver::{Driver, Pending, Runtime, Stream}};
//! struct MyLoop;
//! struct MyStream;
//!
//! impl Runtime for MyLoop {
//!     type Stream = MyStream;
//!
//!     fn resolve(&mut self, host: &str, port: u16) -> Pending<Vec<SocketAddr>> {
//!         Box::pin(future::ready(Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])))
//!     }
//!     fn connect(&mut self, address: SocketAddr, _: &Config) -> Pending<MyStream> {
//!         Box::pin(future::ready(Err(io::ErrorKind::ConnectionRefused.into())))
//!     }
//!     fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
//!         Poll::Pending // but wake `cx` at `until`
//!     }
//! }
//!
//! impl Stream for MyStream {
//!     fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
//!         Poll::Pending // but wake `cx` when there is something to read
//!     }
//!     fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
//!         Poll::Pending // but wake `cx` when there is room
//!     }
//!     fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
//!         Poll::Ready(Ok(())) // and tell the peer that no more will be written
//!     }
//! }
//!
//! let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
//! let (producer, driver) = Driver::new(config, MyLoop)?;
//! // Now hand `driver` to the loop: poll it whenever its waker asks for it, until it is ready.
//! # drop((producer, driver));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Dropping the driver before its end is allowed at any time: every delivery that is open resolves at once as
//! perhaps written, and whoever waits for anything learns that the driver is gone.

use std::{
    fmt,
    future::Future,
    mem,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ottla_core::{
    Command, Config, ConnectionId, Disconnect, Instant, LookupId, ResolveError, Work,
};

pub use crate::runtime::{Job, Pending, Runtime, Stream, ThreadCheck};
use crate::{
    compressing::{Errand, do_work, is_long},
    link::{Link, Ready, unresolved},
    outbox::Note,
    producer::Producer,
    runtime::Awaited,
    setup::{OnWarning, Setup, StartError},
    shared::{End, Shared},
};

/// Runs one producer: a future that ends when the producer is closed, or its last handle gone, and everything that
/// was accepted has its outcome.
#[must_use = "a producer does nothing unless its driver is polled"]
pub struct Driver<R: Runtime> {
    shared: Arc<Shared>,
    runtime: R,
    lookups: Vec<(LookupId, Pending<Vec<SocketAddr>>)>,
    /// By [`ConnectionId::slot`].
    links: Vec<Option<Link<R::Stream>>>,
    ready: Arc<Ready>,
    /// The slots of the links to attend to in this turn.
    agenda: Vec<usize>,
    /// The deadline that was slept on last.
    alarm: Instant,
    /// Records were written since the driver last slept.
    wrote: bool,
    /// How long it rests then; zero if it does not.
    rest: Duration,
    /// Its clock leaps to the next timer, unless it is told not to.
    leaps: bool,
    input: Box<[u8]>,
    outbox: Vec<Note>,
    on_warning: OnWarning,
}

/// Bytes that one read takes at most.
const INPUT: usize = 64 << 10;

/// Turns of one poll, and requests of one turn, after which the executor's other tasks have theirs.
const TURNS: usize = 16;
const REQUESTS: usize = 64;

/// Batches that are compressed in one turn before what is ready is sent.
const WORKS: usize = 4;

/// Events, and so records of waiting callers, under one hold of the lock.
const EVENTS: usize = 32;

/// A rest takes no longer: while a producer is at its limit, what is sent meanwhile still fits the processor's cache.
const LONGEST_REST: Duration = Duration::from_micros(200);

/// A rest ends with a look at each link, of which there may be so many.
const FEW_LINKS: usize = 16;

enum Turn {
    /// Something came up meanwhile.
    Again,
    Asleep,
    Ended,
}

impl<R: Runtime> Driver<R> {
    /// A producer and the driver that has to be polled for it.
    pub fn new(setup: impl Into<Setup>, runtime: R) -> Result<(Producer, Self), StartError> {
        let setup = setup.into();
        let leaps = setup.time.is_none() && runtime.leaps();
        let (shared, on_warning) = setup.build(&runtime)?;
        let shared = Arc::new(shared);
        let rest = match R::RESTS {
            true => rest_after_writing(&shared.config),
            false => Duration::ZERO,
        };
        let mut state = shared.lock();
        (state.shared, state.rests) = (Arc::downgrade(&shared), R::RESTS);
        drop(state);
        let driver = Self {
            shared: Arc::clone(&shared),
            runtime,
            lookups: Vec::new(),
            links: Vec::new(),
            ready: Arc::default(),
            agenda: Vec::new(),
            alarm: Instant::NEVER,
            wrote: false,
            rest,
            leaps,
            input: vec![0; INPUT].into(),
            outbox: Vec::new(),
            on_warning,
        };
        Ok((Producer::new(shared), driver))
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let now = self.wake_up(cx);
        self.attend_links(now);
        self.poll_lookups(now, cx);
        self.shared.lock().core.handle_timeout(now);
        self.obey(now, cx);
        self.send(now);
        self.tell(now);
        self.sleep(cx)
    }

    /// Looks at the clocks and at who is ready. What arrived is read before anything expires: when the timer has run
    /// out, perhaps since the process was paused, every link is asked.
    fn wake_up(&mut self, cx: &Context<'_>) -> Instant {
        let moment = self.shared.clock.moment();
        self.shared.lock().wake_up(moment);
        self.ready.take(&mut self.agenda, cx.waker());
        if self.alarm <= moment.now {
            self.agenda.clear();
            self.agenda.extend(0..self.links.len());
        }
        moment.now
    }

    fn attend_links(&mut self, now: Instant) {
        while let Some(slot) = self.agenda.pop() {
            let Some(Some(link)) = self.links.get_mut(slot) else {
                continue;
            };
            let id = link.id;
            if let Err(why) = link.attend(now, &self.shared, &mut self.input) {
                self.hang_up(id, now, why);
            }
        }
    }

    fn poll_lookups(&mut self, now: Instant, cx: &mut Context<'_>) {
        let shared = &self.shared;
        self.lookups.retain_mut(|(lookup, pending)| {
            let Poll::Ready(found) = pending.as_mut().poll(cx) else {
                return true;
            };
            let found = match &found {
                Ok(addresses) if addresses.is_empty() => Err(ResolveError::NotFound),
                Ok(addresses) => Ok(&addresses[..]),
                Err(error) => Err(unresolved(error)),
            };
            shared.lock().core.handle_resolved(now, *lookup, found);
            false
        });
    }

    /// Does what the core commands.
    fn obey(&mut self, now: Instant, cx: &mut Context<'_>) {
        let mut resolving = false;
        let mut works = 0;
        // What is left is due: the next turn comes at once, and what was compressed is sent before.
        while works < WORKS {
            let command = self.shared.lock().core.poll_command();
            match command {
                None => break,
                Some(Command::Resolve { lookup, host, port }) => {
                    self.lookups
                        .push((lookup, self.runtime.resolve(&host, port)));
                    resolving = true;
                }
                Some(Command::Connect {
                    connection,
                    address,
                }) => self.dial(connection, address),
                Some(Command::Shutdown { connection }) => self.shut_down(connection, now),
                Some(Command::Disconnect { connection }) => {
                    self.hang_up(connection, now, Disconnect::Requested)
                }
                Some(Command::Work(work)) => works += usize::from(self.work(now, work)),
                Some(_) => (),
            }
        }
        self.attend_links(now);
        if resolving {
            self.poll_lookups(now, cx);
        }
    }

    /// Has work done, on another thread if it takes long; whether it was done here.
    fn work(&mut self, now: Instant, work: Work) -> bool {
        if !is_long(&work, &self.shared.config) {
            do_work(&self.shared, now, work);
            return true;
        }
        let errand = Errand::new(&self.shared, work);
        let job = self.runtime.spawn_blocking(Box::new(|| errand.run()));
        let is_here = job.is_some();
        if let Some(job) = job {
            job();
        }
        is_here
    }

    fn dial(&mut self, id: ConnectionId, address: SocketAddr) {
        let connecting = self.runtime.connect(address, &self.shared.config);
        let slot = id.slot();
        if slot >= self.links.len() {
            self.links.resize_with(slot + 1, || None);
        }
        self.links[slot] = Some(Link::dial(id, connecting, &self.ready));
        self.agenda.push(slot);
    }

    /// Writes what the core has for its links.
    fn send(&mut self, now: Instant) {
        for _ in 0..REQUESTS {
            let mut state = self.shared.lock();
            let Some(id) = state.core.poll_link() else {
                return;
            };
            let request = state.core.poll_transmit(now, id);
            drop(state);
            let Some(request) = request else { continue };
            self.wrote |= request.has_records();
            let Some(link) = link(&mut self.links, id) else {
                self.shared.lock().core.handle_disconnected(
                    now,
                    id,
                    Disconnect::Closed,
                    Some(request),
                );
                continue;
            };
            if let Err(why) = link.send(request, now, &self.shared) {
                self.hang_up(id, now, why);
            }
        }
    }

    fn shut_down(&mut self, id: ConnectionId, now: Instant) {
        let Some(link) = link(&mut self.links, id) else {
            return;
        };
        if let Err(why) = link.shut_down(now, &self.shared) {
            self.hang_up(id, now, why);
        }
    }

    fn hang_up(&mut self, id: ConnectionId, now: Instant, why: Disconnect) {
        if link(&mut self.links, id).is_none() {
            return;
        }
        let unsent = self.links[id.slot()].take().and_then(Link::hang_up);
        self.shared
            .lock()
            .core
            .handle_disconnected(now, id, why, unsent);
    }

    /// Tells what happened. Users' functions run here, with no lock held and with the clocks running on for others.
    fn tell(&mut self, now: Instant) {
        loop {
            let mut state = self.shared.lock();
            state.turn = None;
            for _ in 0..EVENTS {
                let Some(event) = state.core.poll_event() else {
                    break;
                };
                self.outbox.extend(state.note(now, event));
            }
            drop(state);
            if self.outbox.is_empty() {
                return;
            }
            for note in self.outbox.drain(..) {
                note.tell(&self.shared, &mut self.on_warning);
            }
        }
    }

    /// Arms the timer, unless something is due already.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Turn {
        let mut state = self.shared.lock();
        if state.end.is_some() {
            return Turn::Ended;
        }
        state.end_turn();
        let until = state.core.poll_timeout().unwrap_or(Instant::NEVER);
        let now = self.shared.clock.now();
        if until <= now {
            return Turn::Again;
        }
        if mem::take(&mut self.wrote)
            && !self.rest.is_zero()
            && self.links.len() <= FEW_LINKS
            && state.can_rest(&self.shared.config)
        {
            let old = state.rest(cx.waker());
            drop(state);
            drop(old);
            self.alarm = until.min(now + self.rest);
            self.runtime.rest(self.rest);
            return Turn::Asleep;
        }
        let old = state.fall_asleep(until, cx.waker());
        let awaited = if self.leaps {
            state.awaited()
        } else {
            Awaited::Time
        };
        if awaited == Awaited::Nothing {
            state.sleep_without_timer();
        }
        drop(state);
        drop(old);
        self.alarm = until;
        let deadline = self.shared.clock.to_std(until);
        if self.leaps {
            self.runtime.before_sleep(awaited, deadline);
        }
        if until == Instant::NEVER || awaited == Awaited::Nothing {
            return Turn::Asleep;
        }
        match self.runtime.poll_sleep(cx, deadline) {
            Poll::Ready(()) => Turn::Again,
            Poll::Pending => Turn::Asleep,
        }
    }
}

/// How long the driver rests after a turn in which it wrote records, so that it is not woken for each batch that is full
/// and for each answer: who lets records linger does not mind a small part of that more.
fn rest_after_writing(config: &Config) -> Duration {
    (config.linger() / 25).min(LONGEST_REST)
}

/// The link that is named, unless it is gone.
fn link<S>(links: &mut [Option<Link<S>>], id: ConnectionId) -> Option<&mut Link<S>> {
    links
        .get_mut(id.slot())?
        .as_mut()
        .filter(|link| link.id == id)
}

impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            match self.turn(cx) {
                Turn::Again => (),
                Turn::Asleep => return Poll::Pending,
                Turn::Ended => {
                    self.shared.end(End::Gone);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: Runtime> Drop for Driver<R> {
    fn drop(&mut self) {
        for note in self.outbox.drain(..) {
            note.tell(&self.shared, &mut self.on_warning);
        }
        self.shared.end(End::Gone);
    }
}

impl<R: Runtime> fmt::Debug for Driver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future,
        io::{self, IoSlice},
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicUsize, Ordering},
        task::{Wake, Waker},
        thread,
        time::Duration,
    };

    use ottla_core::{Fatal, SendError};

    use super::*;
    use crate::{Config, Record};

    /// A world where nothing ever happens.
    struct Nothing;

    struct NoStream;

    impl Runtime for Nothing {
        type Stream = NoStream;

        fn resolve(&mut self, _: &str, _: u16) -> Pending<Vec<SocketAddr>> {
            Box::pin(future::pending())
        }

        fn connect(&mut self, _: SocketAddr, _: &Config) -> Pending<NoStream> {
            Box::pin(future::pending())
        }

        fn poll_sleep(&mut self, _: &mut Context<'_>, _: std::time::Instant) -> Poll<()> {
            Poll::Pending
        }
    }

    impl Stream for NoStream {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_write(
            &mut self,
            _: &mut Context<'_>,
            _: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Wakes {
        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn producer() -> (Producer, Driver<Nothing>) {
        let config = Config::builder()
            .bootstrap_servers("127.0.0.1:9092")
            .build();
        Driver::new(config.unwrap(), Nothing).unwrap()
    }

    fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_sleeping_driver_is_woken_once_and_only_if_it_must() {
        let (producer, mut driver) = producer();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(poll(&mut driver, &waker).is_pending());
        assert_eq!(wakes.count(), 0, "with nothing to do it sleeps");
        let send = || producer.try_send(Record::to("t")).unwrap_err();
        assert_eq!(send(), SendError::TopicNotReady);
        assert_eq!(wakes.count(), 1, "a new topic is looked up");
        assert_eq!(send(), SendError::TopicNotReady);
        assert_eq!(wakes.count(), 1, "it is awake already");
        assert!(poll(&mut driver, &waker).is_pending());
        let _ = producer.metrics();
        assert_eq!(wakes.count(), 1);
    }

    #[test]
    fn a_resting_driver_is_woken_by_who_waits_for_it_and_not_by_records() {
        fn wakes_after<F: Future + Unpin>(of: impl FnOnce(Producer) -> F) -> usize {
            let (producer, mut driver) = producer();
            let wakes = Arc::new(Wakes::default());
            let waker = Waker::from(Arc::clone(&wakes));
            assert!(poll(&mut driver, &waker).is_pending());
            let mut state = driver.shared.lock();
            drop(state.rest(&waker));
            drop(state);
            // A sleeping driver would be woken by it: a new topic is looked up.
            producer.try_send(Record::to("t")).unwrap_err();
            assert_eq!(wakes.count(), 0);
            assert!(poll(&mut of(producer), Waker::noop()).is_pending());
            wakes.count()
        }
        let flush = |producer: Producer| Box::pin(async move { producer.flush().await });
        assert_eq!(wakes_after(flush), 1);
        let send = |producer: Producer| {
            Box::pin(async move {
                let _ = producer.send(Record::to("t")).await;
            })
        };
        assert_eq!(wakes_after(send), 1);
        let close =
            |producer: Producer| Box::pin(async move { producer.close(Duration::ZERO).await });
        assert_eq!(wakes_after(close), 1);
    }

    #[test]
    fn the_driver_does_not_rest_where_somebody_waits_for_a_delivery() {
        let (producer, driver) = producer();
        let (config, waker) = (producer.config(), Arc::new(Wakes::default()));
        let mut state = driver.shared.lock();
        assert!(state.can_rest(config));
        state.await_delivery();
        assert!(!state.can_rest(config));
        assert!(state.can_rest(config), "only once for one who waits");
        drop(state.rest(&Waker::from(Arc::clone(&waker))));
        // Something is under way.
        let _ = state.topic(driver.shared.clock.now(), "t".into());
        state.await_delivery();
        drop(state);
        assert_eq!(waker.count(), 1);
    }

    #[test]
    fn h166_who_gives_up_in_the_moment_of_the_answer_has_it() {
        let (producer, driver) = producer();
        let mut state = driver.shared.lock();
        let topic = state.topic(driver.shared.clock.now(), "t".into()).unwrap();
        let [given_up, answered] = [(); 2].map(|()| state.wait_for_topic(topic));
        let waiting = state.take_waiting(answered.waiter).unwrap();
        let note = waiting.answered(Ok(None));
        drop(state);
        assert!(producer.in_line(given_up).withdraw().is_none());
        let answer = producer.in_line(answered).withdraw().unwrap();
        assert!(answer.unwrap().is_none());
        drop(note);
    }

    #[test]
    fn h162_a_panic_with_the_lock_in_hand_ends_the_producer_and_hangs_nobody() {
        let (producer, mut driver) = producer();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(poll(&mut driver, &waker).is_pending());
        let mut send = Box::pin(producer.send(Record::to("t")));
        assert!(poll(&mut send, Waker::noop()).is_pending());
        assert!(poll(&mut driver, &waker).is_pending());

        let (before, shared) = (wakes.count(), Arc::clone(&driver.shared));
        let panicked = thread::spawn(move || {
            let _state = shared.lock();
            panic!("a broken invariant");
        });
        panicked.join().unwrap_err();
        assert_eq!(wakes.count(), before + 1);
        assert!(poll(&mut driver, &waker).is_ready());
        let gone = SendError::Fatal(Fatal::DriverGone);
        assert_eq!(
            poll(&mut send, Waker::noop()).map(Result::unwrap_err),
            Poll::Ready(gone.clone())
        );
        assert_eq!(producer.try_send(Record::to("t")).unwrap_err(), gone);
        assert!(poll(&mut Box::pin(producer.flush()), Waker::noop()).is_ready());
        assert!(poll(&mut Box::pin(producer.close(Duration::MAX)), Waker::noop()).is_ready());
    }

    #[test]
    fn a_send_dropped_while_its_task_unwinds_is_no_harm() {
        let (producer, mut driver) = producer();
        let task = AssertUnwindSafe(|| {
            let mut send = Box::pin(producer.send(Record::to("t")));
            assert!(poll(&mut send, Waker::noop()).is_pending());
            panic!("the application's own");
        });
        catch_unwind(task).unwrap_err();
        assert!(poll(&mut driver, Waker::noop()).is_pending());
        assert_eq!(
            producer.try_send(Record::to("t")).unwrap_err(),
            SendError::TopicNotReady
        );
    }

    #[test]
    fn without_handles_and_records_the_driver_ends() {
        let (producer, mut driver) = producer();
        assert!(poll(&mut driver, Waker::noop()).is_pending());
        let clone = producer.clone();
        drop(producer);
        assert!(poll(&mut driver, Waker::noop()).is_pending());
        drop(clone);
        assert!(poll(&mut driver, Waker::noop()).is_ready());
    }
}
