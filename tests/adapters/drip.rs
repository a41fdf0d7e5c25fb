//! An adapter of the crudest kind, as a user might write one: a thread that asks its sockets again and again, whose
//! reads and writes are a few bytes each, and whose names have two addresses of which the first refuses.

use std::{
    future::Future,
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ottla::{
    Config, Producer, Setup,
    driver::{Driver, Pending, Runtime, Stream},
};

use ottla_sim::Port;

use super::harness::Adapter;

#[derive(Default)]
pub(crate) struct Drip {
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Adapter for Drip {
    fn new() -> Self {
        Self::default()
    }

    fn start(&self, setup: Setup) -> Producer {
        let (producer, driver) = Driver::new(setup, Sockets::new()).unwrap();
        let stop = Arc::clone(&self.stop);
        let run = move || {
            let mut driver = pin!(driver);
            let cx = &mut Context::from_waker(Waker::noop());
            while driver.as_mut().poll(cx).is_pending() && !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_micros(100));
            }
        };
        self.threads.lock().unwrap().push(thread::spawn(run));
        producer
    }
}

impl Drop for Drip {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.get_mut().unwrap().drain(..) {
            let _ = thread.join();
        }
    }
}

/// The first address of every name is a port on which nobody listens.
pub(crate) struct Sockets {
    refuses: Port,
}

pub(crate) struct Drops(TcpStream);

impl Sockets {
    pub(crate) fn new() -> Self {
        Self {
            refuses: Port::new().unwrap(),
        }
    }
}

impl Runtime for Sockets {
    type Stream = Drops;

    fn resolve(&mut self, host: &str, port: u16) -> Pending<Vec<SocketAddr>> {
        assert_eq!(host, "localhost");
        let refuses = self.refuses.address();
        let listens = SocketAddr::from(([127, 0, 0, 1], port));
        Box::pin(async move { Ok(vec![refuses, listens]) })
    }

    fn connect(&mut self, address: SocketAddr, _: &Config) -> Pending<Drops> {
        Box::pin(async move {
            let stream = TcpStream::connect(address)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Ok(Drops(stream))
        })
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, until: Instant) -> Poll<()> {
        if Instant::now() < until {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

/// Asked again and again, nobody needs to be woken but the driver's own list of links.
fn again<T>(cx: &Context<'_>, result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}

impl Stream for Drops {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let few = buffer.len().min(5);
        again(cx, self.0.read(&mut buffer[..few]))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = &slices[0];
        again(cx, self.0.write(&first[..first.len().min(997)]))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}
