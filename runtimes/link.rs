//! One connection as the driver sees it: what it waits for, and the request that is on its way out.

use std::{
    array,
    io::{self, IoSlice},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use ottla_core::{ConnectionId, Disconnect, Instant, ResolveError, Transmit};

use crate::{
    runtime::{Pending, Stream},
    shared::Shared,
};

/// Slices that one vectored write gathers at most.
const SLICES: usize = 64;

/// Reads of one link in one turn; what is left waits until the others had theirs.
const READS: usize = 16;

pub(crate) struct Link<S> {
    pub(crate) id: ConnectionId,
    phase: Phase<S>,
    /// The request of which the socket has not taken everything.
    unsent: Option<Transmit>,
    shutdown: Shutdown,
    bell: Arc<Bell>,
    waker: Waker,
}

/// How far the shutting down of the writing half has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    No,
    /// Once nothing is left to write.
    Wanted,
    Done,
}

enum Phase<S> {
    Connecting(Pending<S>),
    Up(S),
}

impl<S: Stream> Link<S> {
    pub(crate) fn dial(id: ConnectionId, connecting: Pending<S>, ready: &Arc<Ready>) -> Self {
        let bell = Arc::new(Bell {
            slot: id.slot(),
            rung: AtomicBool::new(false),
            ready: Arc::clone(ready),
        });
        let waker = Waker::from(Arc::clone(&bell));
        Self {
            id,
            phase: Phase::Connecting(connecting),
            unsent: None,
            shutdown: Shutdown::No,
            bell,
            waker,
        }
    }

    /// Does whatever can be done without waiting; `Err` says why the link is over.
    pub(crate) fn attend(
        &mut self,
        now: Instant,
        shared: &Shared,
        input: &mut [u8],
    ) -> Result<(), Disconnect> {
        // Not a plain store: it has to see what came before the ring that it takes back.
        self.bell.rung.swap(false, Ordering::AcqRel);
        if let Phase::Connecting(connecting) = &mut self.phase {
            match connecting
                .as_mut()
                .poll(&mut Context::from_waker(&self.waker))
            {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(disconnect(&error)),
                Poll::Ready(Ok(stream)) => self.phase = Phase::Up(stream),
            }
            shared.lock().core.handle_connected(now, self.id);
        }
        self.write(now, shared)?;
        self.read(now, shared, input)
    }

    /// Begins to write a request.
    pub(crate) fn send(
        &mut self,
        mut request: Transmit,
        now: Instant,
        shared: &Shared,
    ) -> Result<(), Disconnect> {
        request.prepare();
        self.unsent = Some(request);
        self.write(now, shared)
    }

    /// Shuts down the writing half, after what is left to write; the peer's end ends the link.
    pub(crate) fn shut_down(&mut self, now: Instant, shared: &Shared) -> Result<(), Disconnect> {
        self.shutdown = Shutdown::Wanted;
        self.write(now, shared)
    }

    /// Ends the link; gives back the request that is not wholly with the socket.
    pub(crate) fn hang_up(self) -> Option<Transmit> {
        self.unsent
    }

    fn write(&mut self, now: Instant, shared: &Shared) -> Result<(), Disconnect> {
        let Phase::Up(stream) = &mut self.phase else {
            return Ok(());
        };
        let cx = &mut Context::from_waker(&self.waker);
        while let Some(request) = &mut self.unsent {
            let mut bytes = request.slices();
            let slices: [_; SLICES] =
                array::from_fn(|_| IoSlice::new(bytes.next().unwrap_or_default()));
            let filled = slices
                .iter()
                .position(|slice| slice.is_empty())
                .unwrap_or(SLICES);
            let written = stream.poll_write(cx, &slices[..filled]);
            drop(bytes);
            match written {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(Disconnect::Closed),
                Poll::Ready(Ok(written)) if planted!(RepeatsShortWrite) => {
                    let rest = request.len() > written;
                    request.advance(written - usize::from(rest && written > 1));
                }
                Poll::Ready(Ok(written)) => request.advance(written),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
                Poll::Ready(Err(error)) => return Err(disconnect(&error)),
            }
            if request.is_empty() {
                let written = self.unsent.take();
                let mut state = shared.lock();
                if let Some(written) = written {
                    state.core.recycle(written);
                }
                state.core.handle_written(now, self.id);
            }
        }
        if self.shutdown == Shutdown::Wanted {
            match stream.poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.shutdown = Shutdown::Done,
                Poll::Ready(Err(error)) => return Err(disconnect(&error)),
            }
        }
        Ok(())
    }

    fn read(&mut self, now: Instant, shared: &Shared, input: &mut [u8]) -> Result<(), Disconnect> {
        let Phase::Up(stream) = &mut self.phase else {
            return Ok(());
        };
        let cx = &mut Context::from_waker(&self.waker);
        for _ in 0..READS {
            match stream.poll_read(cx, input) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(Disconnect::Closed),
                Poll::Ready(Ok(read)) => {
                    shared
                        .lock()
                        .core
                        .handle_input(now, self.id, &input[..read])
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
                Poll::Ready(Err(error)) => return Err(disconnect(&error)),
            }
        }
        self.waker.wake_by_ref();
        Ok(())
    }
}

/// The links that have something to do, so that a turn costs what is ready and not what is open.
#[derive(Default)]
pub(crate) struct Ready(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    slots: Vec<usize>,
    /// The driver's, taken by the first who rings.
    driver: Option<Waker>,
}

/// One link's waker.
struct Bell {
    slot: usize,
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    /// Moves the slots that rang to `slots`, and wakes `driver` at the next ring.
    pub(crate) fn take(&self, slots: &mut Vec<usize>, driver: &Waker) {
        let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.append(&mut rung.slots);
        let old = match &rung.driver {
            Some(old) if old.will_wake(driver) => None,
            _ => rung.driver.replace(driver.clone()),
        };
        drop(rung);
        drop(old);
    }

    fn add(&self, slot: usize) {
        let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rung.slots.push(slot);
        let driver = rung.driver.take();
        drop(rung);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.add(self.slot);
        }
    }
}

/// What a socket's error means for its link.
fn disconnect(error: &io::Error) -> Disconnect {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Disconnect::Refused,
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::AddrNotAvailable
        | Kind::TimedOut => Disconnect::Unreachable,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => Disconnect::Reset,
        Kind::UnexpectedEof | Kind::WriteZero => Disconnect::Closed,
        _ => Disconnect::Other(error.raw_os_error().unwrap_or(0)),
    }
}

/// What a resolver's error means for the name.
pub(crate) fn unresolved(error: &io::Error) -> ResolveError {
    // The standard library gives getaddrinfo's verdict as text only: EAI_NONAME and EAI_NODATA on Linux and macOS.
    let text = error.to_string();
    let unknown = ["not known", "No address", "nodename nor servname"]
        .iter()
        .any(|verdict| text.contains(verdict));
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => ResolveError::NotFound,
        _ if unknown => ResolveError::NotFound,
        _ => ResolveError::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_once_until_it_is_heard() {
        let ready = Arc::new(Ready::default());
        let bell = Arc::new(Bell {
            slot: 3,
            rung: AtomicBool::new(false),
            ready: Arc::clone(&ready),
        });
        let waker = Waker::from(Arc::clone(&bell));
        let mut slots = Vec::new();
        ready.take(&mut slots, Waker::noop());
        waker.wake_by_ref();
        waker.wake_by_ref();
        ready.take(&mut slots, Waker::noop());
        assert_eq!(slots, [3]);
        bell.rung.swap(false, Ordering::AcqRel);
        waker.wake();
        ready.take(&mut slots, Waker::noop());
        assert_eq!(slots, [3, 3]);
    }

    #[test]
    fn errors_of_the_system_have_their_meaning() {
        let meaning = |kind: io::ErrorKind| disconnect(&kind.into());
        assert_eq!(
            meaning(io::ErrorKind::ConnectionRefused),
            Disconnect::Refused
        );
        assert_eq!(
            meaning(io::ErrorKind::NetworkUnreachable),
            Disconnect::Unreachable
        );
        assert_eq!(meaning(io::ErrorKind::BrokenPipe), Disconnect::Reset);
        assert_eq!(meaning(io::ErrorKind::UnexpectedEof), Disconnect::Closed);
        assert_eq!(
            disconnect(&io::Error::from_raw_os_error(24)),
            Disconnect::Other(24)
        );

        let verdict = |text: &str| unresolved(&io::Error::other(text));
        let failed = "failed to lookup address information";
        assert_eq!(
            verdict(&format!("{failed}: Name or service not known")),
            ResolveError::NotFound
        );
        let later = format!("{failed}: Temporary failure in name resolution");
        assert_eq!(verdict(&later), ResolveError::Failed);
    }
}
