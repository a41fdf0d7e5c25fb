//! One broker: a listener, its connections, and their orderly end.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Port, Shared, connection, reachable};

/// How long the listener's thread may take to see that it should end.
const WAKE_UP: Duration = Duration::from_secs(1);
/// Rest after an accept that failed, for lack of file descriptors for example.
const REST: Duration = Duration::from_millis(20);

/// A broker that listens, or has been stopped.
#[derive(Debug)]
pub(crate) struct Broker {
    port: Port,
    stop: Arc<Stop>,
    listener: Option<JoinHandle<()>>,
}

/// What a broker's threads wait for, and what is needed to end them.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    connections: BTreeMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

/// Listens on a port, and says which one it was if that fails.
pub(crate) fn listen(port: &Port) -> io::Result<TcpListener> {
    named(port.address(), port.listen())
}

/// An error with the address in front.
pub(crate) fn named<T>(address: SocketAddr, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|e| io::Error::new(e.kind(), format!("{address}: {e}")))
}

impl Broker {
    pub(crate) fn start(
        id: i32,
        port: Port,
        listener: TcpListener,
        shared: Arc<Shared>,
    ) -> io::Result<Broker> {
        let mut broker = Broker {
            port,
            stop: Arc::default(),
            listener: None,
        };
        broker.serve(id, listener, shared)?;
        Ok(broker)
    }

    /// Listens again on the port of a broker that was stopped.
    pub(crate) fn restart(&mut self, id: i32, shared: Arc<Shared>) -> io::Result<()> {
        let listener = listen(&self.port)?;
        self.serve(id, listener, shared)
    }

    fn serve(&mut self, id: i32, listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
        self.stop = Arc::default();
        let stop = self.stop.clone();
        let accepting = move || accept(&listener, id, &shared, &stop);
        let thread = thread::Builder::new()
            .name(format!("broker-{id}"))
            .spawn(accepting)?;
        self.listener = Some(thread);
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(crate) fn runs(&self) -> bool {
        self.listener.is_some()
    }

    /// Closes the port and all connections and waits for their threads. Does nothing the second time.
    pub(crate) fn stop(&mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        self.stop.state().stopped = true;
        self.stop.changed.notify_all();
        // The listener's thread waits in accept; a connection wakes it. If that can't be made, the thread is left alone
        // rather than waited for without an end.
        let woken = TcpStream::connect_timeout(&reachable(self.address()), WAKE_UP).is_ok();
        if woken || listener.is_finished() {
            let _ = listener.join();
        }
        let (connections, threads) = {
            let mut state = self.stop.state();
            (
                std::mem::take(&mut state.connections),
                std::mem::take(&mut state.threads),
            )
        };
        for stream in connections.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Stop {
    /// Waits until the time is over or the broker stops, and says whether it stops.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let end = Instant::now().checked_add(time);
        let mut state = self.state();
        while !state.stopped {
            let left = end.map_or(Duration::MAX, |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until the broker stops.
fn accept(listener: &TcpListener, id: i32, shared: &Arc<Shared>, stop: &Arc<Stop>) {
    for connection in 0.. {
        let accepted = listener.accept();
        if stop.state().stopped {
            return;
        }
        let started =
            accepted.and_then(|(stream, _)| start_connection(stream, id, connection, shared, stop));
        if started.is_err() && stop.wait(REST) {
            return;
        }
    }
}

fn start_connection(
    stream: TcpStream,
    id: i32,
    connection: u64,
    shared: &Arc<Shared>,
    stop: &Arc<Stop>,
) -> io::Result<()> {
    let handle = stream.try_clone()?;
    let (shared, inner) = (shared.clone(), stop.clone());
    let mut state = stop.state();
    let thread = thread::Builder::new()
        .name(format!("broker-{id}-{connection}"))
        .spawn(move || {
            connection::serve(&stream, id, connection, &shared, &inner);
            inner.state().connections.remove(&connection);
        })?;
    state.connections.insert(connection, handle);
    state.threads.retain(|thread| !thread.is_finished());
    state.threads.push(thread);
    Ok(())
}
