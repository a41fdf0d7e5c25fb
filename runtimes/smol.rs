//! The adapter for smol: one task drives the producer, on smol's global executor.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr, TcpStream},
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use smol::{
    Async, Timer,
    io::{AsyncRead, AsyncWrite},
    net::resolve,
};

use crate::{
    Config, Producer, Setup, StartError,
    compressing::processors,
    driver::{Driver, Job, Pending, Runtime, Stream},
    socket,
};

/// Starts a producer on smol's global executor, which starts with the first task.
///
/// For an executor of your own, spawn the [`driver`] there.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use ottla::{Config, Record};
///
/// let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
/// let producer = ottla::smol::start(config)?;
/// let delivery = producer.send(Record::to("greetings").value("hello")).await?;
/// println!("written at {:?}", delivery.await?.offset);
/// producer.close(Duration::from_secs(10)).await;
/// # Ok(())
/// # }
/// ```
pub fn start(setup: impl Into<Setup>) -> Result<Producer, StartError> {
    let (producer, driver) = driver(setup)?;
    smol::spawn(driver).detach();
    Ok(producer)
}

/// A producer, and the future that drives it on whichever executor it is spawned.
pub fn driver(
    setup: impl Into<Setup>,
) -> Result<(Producer, impl Future<Output = ()> + Send + 'static), StartError> {
    Driver::new(setup, Smol::default())
}

#[derive(Default)]
struct Smol {
    sleep: Option<Timer>,
}

impl Runtime for Smol {
    type Stream = Async<TcpStream>;

    fn resolve(&mut self, host: &str, port: u16) -> Pending<Vec<SocketAddr>> {
        let host = host.to_owned();
        Box::pin(async move { resolve((host, port)).await })
    }

    fn connect(&mut self, address: SocketAddr, config: &Config) -> Pending<Async<TcpStream>> {
        let socket = socket::connect(address, config);
        Box::pin(async move {
            let stream = Async::new_nonblocking(socket?)?;
            while !socket::is_connected(stream.get_ref())? {
                stream.writable().await?;
            }
            Ok(stream)
        })
    }

    fn spawn_blocking(&mut self, job: Job) -> Option<Job> {
        smol::unblock(job).detach();
        None
    }

    fn parallelism(&self) -> usize {
        processors()
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(Timer::never);
        sleep.set_at(until);
        Pin::new(sleep).poll(cx).map(drop)
    }
}

impl Stream for Async<TcpStream> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(self), cx, buffer)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(Pin::new(self), cx, slices)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_ref().shutdown(Shutdown::Write))
    }
}
