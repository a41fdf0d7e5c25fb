//! The adapter for tokio: one task drives the producer, on whichever runtime it was started.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
    runtime::Handle,
    time::{Sleep, sleep_until},
};

use crate::{
    Config, Producer, Setup, StartError,
    compressing::processors,
    driver::{Driver, Job, Pending, Runtime, Stream},
    socket,
};

/// Starts a producer on the runtime that this is called from; its I/O and its timers have to be enabled.
///
/// If the runtime is shut down before the producer is closed, every delivery that is open resolves at once.
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
    let (producer, driver) = Driver::new(setup, Tokio::default())?;
    runtime.spawn(driver);
    Ok(producer)
}

#[derive(Default)]
struct Tokio {
    /// Made when first needed, since that has to be on the runtime.
    sleep: Option<Pin<Box<Sleep>>>,
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
        drop(tokio::task::spawn_blocking(job));
        None
    }

    fn parallelism(&self) -> usize {
        processors()
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
