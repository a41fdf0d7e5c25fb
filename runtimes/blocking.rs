//! The adapter without an async runtime: a thread drives the producer over non-blocking sockets and the system's poller.

use std::{
    future::Future,
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Config, Producer, Setup, StartError,
    driver::{Driver, Pending, Runtime, Stream},
    poller::{Direction, Poller, Registration},
    reply::promise,
    socket,
};

/// Starts a producer on a thread of its own, which ends with the producer.
///
/// Whenever it has written records the thread rests for a 25th of `linger.ms`, at most 200 µs, so that it is not woken for
/// each batch and each answer. It does not where somebody began to wait for a delivery, or waits for a flush or for room, nor
/// with a linger of 0; callbacks may come so much later.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use ottla::{Config, Record};
///
/// let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
/// let producer = ottla::blocking::start(config)?;
/// let delivery = producer.send_blocking(Record::to("greetings").value("hello"))?;
/// println!("written at {:?}", delivery.wait()?.offset);
/// producer.close_blocking(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
pub fn start(setup: impl Into<Setup>) -> Result<Producer, StartError> {
    let (producer, driver) = driver(setup)?;
    let thread = thread::Builder::new().name("ottla".into());
    thread.spawn(|| driver.run()).map_err(StartError::system)?;
    Ok(producer)
}

/// A producer, and what drives it on the caller's own thread.
pub fn driver(setup: impl Into<Setup>) -> Result<(Producer, BlockingDriver), StartError> {
    let poller = Poller::new().map_err(StartError::system)?;
    let runtime = Blocking {
        poller: Arc::clone(&poller),
    };
    let (producer, driver) = Driver::new(setup, runtime)?;
    Ok((
        producer,
        BlockingDriver {
            waker: Waker::from(Arc::clone(&poller)),
            driver,
            poller,
        },
    ))
}

/// Drives a producer on the thread that calls it. Dropping it ends the producer like the end of a runtime.
#[derive(Debug)]
#[must_use = "a producer does nothing unless its driver runs"]
pub struct BlockingDriver {
    driver: Driver<Blocking>,
    poller: Arc<Poller>,
    waker: Waker,
}

impl BlockingDriver {
    /// Drives the producer until it has ended.
    pub fn run(mut self) {
        while self.turn(Duration::MAX) {}
    }

    /// Does what is to be done, then waits until there is more, at most for `timeout`; `false` once the producer has
    /// ended. A caller with a loop of its own calls this from there.
    pub fn turn(&mut self, timeout: Duration) -> bool {
        let cx = &mut Context::from_waker(&self.waker);
        let ended = Pin::new(&mut self.driver).poll(cx).is_ready();
        if !ended {
            self.poller.wait(timeout);
        }
        !ended
    }
}

#[derive(Debug)]
struct Blocking {
    poller: Arc<Poller>,
}

impl Runtime for Blocking {
    type Stream = Socket;

    fn resolve(&mut self, host: &str, port: u16) -> Pending<Vec<SocketAddr>> {
        // The system's resolver blocks, for minutes at worst: nobody else waits for it.
        let (promise, found) = promise();
        let host = host.to_owned();
        let thread = thread::Builder::new().name("ottla-resolve".into());
        let thread = thread.spawn(move || {
            promise.keep((host, port).to_socket_addrs().map(Iterator::collect));
        });
        Box::pin(async move {
            thread?;
            found
                .await
                .unwrap_or_else(|| Err(io::Error::other("the look-up's thread is gone")))
        })
    }

    fn connect(&mut self, address: SocketAddr, config: &Config) -> Pending<Socket> {
        let stream = socket::connect(address, config);
        let poller = Arc::clone(&self.poller);
        Box::pin(async move {
            let socket = Socket(poller.register(stream?)?);
            while !socket::is_connected(socket.0.stream())? {
                socket.0.ready(Direction::Write).await?;
            }
            Ok(socket)
        })
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, until: Instant) -> Poll<()> {
        self.poller.sleep_until(until);
        if until <= Instant::now() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    // Elsewhere the shortest sleep may take many milliseconds.
    const RESTS: bool = cfg!(unix);

    fn rest(&mut self, duration: Duration) {
        self.poller.rest_for(duration);
    }
}

/// A socket that the poller watches.
#[derive(Debug)]
struct Socket(Registration);

impl Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.0.stream().read(buffer);
        self.0.poll(cx, Direction::Read, read)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.0.stream().write_vectored(slices);
        self.0.poll(cx, Direction::Write, written)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.stream().shutdown(Shutdown::Write))
    }
}
