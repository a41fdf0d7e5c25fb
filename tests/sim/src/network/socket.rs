//! The producer's side of the network: a runtime whose sockets, names and timer are those of the world.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ottla::Config;
use ottla::driver;

use super::{Arrival, Shared};

/// The time that the answer to a look-up takes.
const LOOKUP: Duration = Duration::from_millis(1);

/// A producer's host: what its driver resolves, connects and sleeps with.
pub(crate) struct Host {
    network: Shared,
    /// When the world began, on the clock that the driver sees.
    origin: Instant,
    asleep_until: Option<Instant>,
}

/// One end of a wire.
pub(crate) struct Socket {
    network: Shared,
    wire: u64,
}

/// Something begun that ends later: the network's end of it.
pub(crate) struct Pending<T>(Arc<Mutex<Begun<T>>>);

struct Begun<T> {
    result: Option<io::Result<T>>,
    waker: Option<Waker>,
}

struct Waiting<T>(Arc<Mutex<Begun<T>>>);

struct Connecting {
    /// Gone once the socket is made.
    network: Option<Shared>,
    wire: u64,
    waiting: Waiting<u64>,
}

impl Host {
    pub(crate) fn new(network: Shared, origin: Instant) -> Host {
        Host {
            network,
            origin,
            asleep_until: None,
        }
    }
}

impl driver::Runtime for Host {
    type Stream = Socket;

    fn resolve(&mut self, host: &str, port: u16) -> driver::Pending<Vec<SocketAddr>> {
        let (pending, waiting) = begin();
        let mut network = self.network.lock();
        network.serials += 1;
        let lookup = network.serials;
        network.lookups.insert(lookup, pending);
        let (at, host) = (network.now + LOOKUP, host.to_owned());
        network.schedule(at, Arrival::Found { lookup, host, port });
        Box::pin(waiting)
    }

    fn connect(&mut self, address: SocketAddr, _: &Config) -> driver::Pending<Socket> {
        let (pending, waiting) = begin();
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let wire = self.network.lock().dial(ip, address.port(), pending);
        let network = Some(self.network.clone());
        Box::pin(Connecting {
            network,
            wire,
            waiting,
        })
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let at = until.saturating_duration_since(self.origin);
        let mut network = self.network.lock();
        if at <= network.now {
            self.asleep_until = None;
            return Poll::Ready(());
        }
        if self.asleep_until != Some(until) {
            self.asleep_until = Some(until);
            let waker = cx.waker().clone();
            network.schedule(at, Arrival::Alarm { waker });
        }
        Poll::Pending
    }
}

impl driver::Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.network.lock().read(self.wire, cx, buffer)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.network.lock().write(self.wire, cx, slices)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.network.lock().shut_down(self.wire);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.lock().leave(self.wire);
    }
}

impl<T> Pending<T> {
    pub(crate) fn end(self, result: io::Result<T>) {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.result = Some(result);
        let waker = begun.waker.take();
        drop(begun);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Waiting<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match begun.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                begun.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Future for Connecting {
    type Output = io::Result<Socket>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Socket>> {
        let Poll::Ready(result) = Pin::new(&mut self.waiting).poll(cx) else {
            return Poll::Pending;
        };
        let network = self
            .network
            .take()
            .expect("a future that has ended is not polled");
        Poll::Ready(match result {
            Ok(wire) => Ok(Socket { network, wire }),
            Err(error) => {
                network.lock().leave(self.wire);
                Err(error)
            }
        })
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if let Some(network) = self.network.take() {
            network.lock().leave(self.wire);
        }
    }
}

fn begin<T>() -> (Pending<T>, Waiting<T>) {
    let begun = Arc::new(Mutex::new(Begun {
        result: None,
        waker: None,
    }));
    (Pending(Arc::clone(&begun)), Waiting(begun))
}
