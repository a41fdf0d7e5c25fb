//! The adapter for tokio: one task drives the producer, on whichever runtime it was started.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
    runtime::{self, Handle, RuntimeFlavor},
    task::{self, coop},
    time::{Sleep, sleep_until},
};

use crate::{
    Config, Producer, Setup, StartError, TimeSource,
    compressing::processors,
    driver::{Driver, Job, Pending, Runtime, Stream, ThreadCheck},
    paused::{Hold, PausableClock, is_pausable},
    runtime::Awaited,
    socket,
};

/// Starts a producer on the runtime that this is called from; its I/O and its timers have to be enabled.
///
/// If the runtime is shut down before the producer is closed, every delivery that is open resolves at once.
///
/// In a test whose clock is paused (tokio's `test-util`) the producer's time is that clock's, from every thread: `linger.ms`,
/// time-outs and back-offs take no time of the world's. The clock does not leap over an answer that is on its way, unless
/// that takes more than a second of the world's time, nor does an idle producer have it leap: it renews metadata, and closes
/// idle links, when it is used again.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use ottla::{Config, Record};
///
/// let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
/// let producer = ottla::tokio::start(config)?;
/// let delivery = producer.send(Record::to("greetings").value("hello")).await?;
/// println!("written at {:?}", delivery.await?.offset);
/// producer.close(Duration::from_secs(10)).await;
/// # Ok(())
/// # }
/// ```
pub fn start(setup: impl Into<Setup>) -> Result<Producer, StartError> {
    let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
    let tokio = Tokio {
        is_pausable: is_pausable(&runtime),
        handle: runtime.clone(),
        sleep: None,
        hold: None,
    };
    let (producer, driver) = Driver::new(setup, tokio)?;
    runtime.spawn(driver);
    Ok(producer)
}

struct Tokio {
    handle: Handle,
    /// Made when first needed, since that has to be on the runtime.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Its clock can be paused, and then does not leap while the hold lasts.
    is_pausable: bool,
    hold: Option<Hold>,
}

impl Runtime for Tokio {
    type Stream = TcpStream;

    fn resolve(&mut self, host: &str, port: u16) -> Pending<Vec<SocketAddr>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }

    fn connect(&mut self, address: SocketAddr, config: &Config) -> Pending<TcpStream> {
        let socket = socket::open(address, config);
        Box::pin(async move { TcpSocket::from_std_stream(socket?).connect(address).await })
    }

    fn spawn_blocking(&mut self, job: Job) -> Option<Job> {
        drop(task::spawn_blocking(job));
        None
    }

    fn parallelism(&self) -> usize {
        processors()
    }

    fn time(&self) -> Option<Arc<dyn TimeSource>> {
        let clock = || Arc::new(PausableClock::new(self.handle.clone()));
        self.is_pausable.then(|| clock() as _)
    }

    fn leaps(&self) -> bool {
        self.is_pausable
    }

    fn before_sleep(&mut self, awaited: Awaited, until: Instant) {
        if awaited == Awaited::Nothing {
            self.sleep = None;
        }
        if awaited != Awaited::Network {
            self.hold = None;
        } else if self.hold.as_ref().is_none_or(|hold| hold.until != until) {
            self.hold = Some(Hold::new(&self.handle, until));
        }
    }

    fn thread_check(&self) -> Option<ThreadCheck> {
        let runtime = self.handle.id();
        Some(Box::new(move || runs_tasks_of(runtime)))
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let until = until.into();
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

/// Whether this thread polls a task of the runtime, which would keep a driver waiting in the worker's queue, or the future of
/// `block_on` in whose pauses a current-thread runtime does all its work.
///
/// In `spawn_blocking` and `block_in_place` a thread may block, though it is the runtime's as well. tokio does not say where
/// one is; but only what it polls has a budget, which ends.
fn runs_tasks_of(runtime: runtime::Id) -> bool {
    let Ok(here) = Handle::try_current() else {
        return false;
    };
    let has_workers = here.runtime_flavor() == RuntimeFlavor::MultiThread;
    here.id() == runtime && (!has_workers || task::try_id().is_some()) && has_budget()
}

/// Uses up what the task may do before others have their turn: it is about to hear that it may not block.
fn has_budget() -> bool {
    let cx = &mut Context::from_waker(Waker::noop());
    (0..=MOST_BUDGET).any(|_| match coop::poll_proceed(cx) {
        Poll::Ready(used) => {
            used.made_progress();
            false
        }
        Poll::Pending => true,
    })
}

/// tokio's own is 128.
const MOST_BUDGET: u32 = 1_000;

impl Stream for TcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(AsyncRead::poll_read(Pin::new(self), cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(Pin::new(self), cx, slices)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(self), cx)
    }
}
