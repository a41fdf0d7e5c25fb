//! One connection through the proxy: two threads, each of which passes bytes one way until a strike says otherwise.
//!
//! Whatever happens to the client's side, the broker's side ends in order, and what was sent to the broker before is
//! read by it: that is what makes a late duplicate.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{
    journal::Journal,
    plan::{Blow, Pace, Strike},
};

pub(crate) struct Link {
    name: String,
    /// `None` once the connection has ended.
    client: Mutex<Option<Arc<TcpStream>>>,
    server: TcpStream,
    journal: Arc<Journal>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The client's side has ended.
    over: bool,
    healed: bool,
    /// Nothing passes either way before this.
    stalled_until: Option<Instant>,
}

/// One direction.
struct Way<'a> {
    link: &'a Link,
    name: &'static str,
    strikes: VecDeque<Strike>,
    passed: u64,
    pace: Option<Pace>,
}

/// After a strike.
enum Then {
    Go,
    /// Nothing more goes this way.
    Stop,
}

impl Link {
    pub(crate) fn start(
        name: String,
        client: TcpStream,
        server: TcpStream,
        [to_broker, to_client]: [VecDeque<Strike>; 2],
        journal: &Arc<Journal>,
    ) -> (Arc<Self>, [JoinHandle<()>; 2]) {
        for stream in [&client, &server] {
            // Fails only on a connection that is gone already.
            let _ = stream.set_nodelay(true);
        }
        let client = Arc::new(client);
        let link = Arc::new(Self {
            name,
            client: Mutex::new(Some(Arc::clone(&client))),
            server,
            journal: Arc::clone(journal),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let (inward, outward) = (Arc::clone(&link), Arc::clone(&link));
        let from_client = Arc::clone(&client);
        let threads = [
            thread::spawn(move || inward.carry_requests(&from_client, to_broker)),
            thread::spawn(move || outward.carry_answers(client, to_client)),
        ];
        (link, threads)
    }

    /// Ends the client's side, by a reset or in order.
    pub(crate) fn end(&self, reset: bool) {
        let client = self
            .client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(client) = client {
            // These fail only on a connection that the client has ended.
            if reset {
                let _ = SockRef::from(&*client).set_linger(Some(Duration::ZERO));
                let _ = client.shutdown(Shutdown::Read);
            } else {
                let _ = client.shutdown(Shutdown::Both);
            }
        }
        self.state().over = true;
        self.changed.notify_all();
        let _ = self.server.shutdown(Shutdown::Write);
    }

    pub(crate) fn heal(&self) {
        self.state().healed = true;
        self.changed.notify_all();
    }

    fn carry_requests(&self, client: &TcpStream, strikes: VecDeque<Strike>) {
        let way = Way::new(self, "to the broker", strikes);
        way.carry(client, &self.server);
        let _ = self.server.shutdown(Shutdown::Write);
        drain(client);
    }

    fn carry_answers(&self, client: Arc<TcpStream>, strikes: VecDeque<Strike>) {
        let way = Way::new(self, "to the client", strikes);
        way.carry(&self.server, &client);
        if !self.state().over {
            let _ = client.shutdown(Shutdown::Write);
        }
        // A reset happens when nobody holds the client's side any more.
        drop(client);
        drain(&self.server);
        // The broker is gone.
        self.end(false);
    }

    fn stall(&self, time: Duration) {
        self.state().stalled_until = Some(Instant::now() + time);
    }

    fn rest(&self, time: Duration) {
        self.rest_until(|_| Some(Instant::now() + time));
    }

    fn wait_while_stalled(&self) {
        self.rest_until(|state| state.stalled_until);
    }

    fn rest_until(&self, until: impl FnOnce(&State) -> Option<Instant>) {
        let mut state = self.state();
        let Some(until) = until(&state) else { return };
        while !state.over && !state.healed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Way<'a> {
    fn new(link: &'a Link, name: &'static str, strikes: VecDeque<Strike>) -> Self {
        Self {
            link,
            name,
            strikes,
            passed: 0,
            pace: None,
        }
    }

    /// Passes bytes until either side ends, or a strike ends this way.
    fn carry(mut self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Then::Stop = self.strike() {
                return;
            }
            let piece = self.piece(buffer.len());
            let Ok(count @ 1..) = from.read(&mut buffer[..piece]) else {
                return;
            };
            self.link.wait_while_stalled();
            if let Some(pace) = &self.pace {
                self.link.rest(pace.rest);
            }
            if self.link.state().over || to.write_all(&buffer[..count]).is_err() {
                return;
            }
            self.advance(count as u64);
        }
    }

    /// How many bytes go next, at most.
    fn piece(&self, room: usize) -> usize {
        let next = self
            .strikes
            .front()
            .map_or(u64::MAX, |s| s.at - self.passed);
        let step = self.pace.map_or(usize::MAX, |pace| pace.step);
        room.min(step).min(usize::try_from(next).unwrap_or(room))
    }

    fn advance(&mut self, count: u64) {
        self.passed += count;
        if let Some(pace) = &mut self.pace {
            pace.bytes = pace.bytes.saturating_sub(count);
        }
        self.pace = self.pace.filter(|pace| pace.bytes > 0);
    }

    fn strike(&mut self) -> Then {
        while let Some(strike) = self.strikes.pop_front_if(|s| s.at <= self.passed) {
            if self.link.state().healed {
                self.strikes.clear();
                break;
            }
            let Self { link, name, .. } = self;
            let detail = format!("{} after {} bytes {name}", link.name, self.passed);
            link.journal.struck(strike.blow.name(), &detail);
            match strike.blow {
                Blow::Cut => link.end(false),
                Blow::Reset => link.end(true),
                Blow::HalfClose => return Then::Stop,
                Blow::Stall(time) => link.rest(time),
                Blow::StallBoth(time) => link.stall(time),
                Blow::Drip(pace) | Blow::Delay(pace) => self.pace = Some(pace),
            }
            if link.state().over {
                return Then::Stop;
            }
        }
        Then::Go
    }
}

/// Reads to the end, for nobody.
fn drain(mut from: &TcpStream) {
    // However it ends, it ends.
    let _ = io::copy(&mut from, &mut io::sink());
}
