//! A port in front of a broker that does to its connections what the seed says.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};

use ottla_sim::Port;
use socket2::SockRef;

use super::{
    dice::Dice,
    journal::Journal,
    link::Link,
    plan::{Plan, Welcome},
};
use crate::harness::AGES;

pub(crate) struct Proxy {
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    broker: i32,
    seed: u64,
    upstream: SocketAddr,
    port: Port,
    journal: Arc<Journal>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// No new faults.
    healed: bool,
    /// As if nobody listened.
    down: bool,
    refuses_until: Option<Instant>,
    ended: bool,
    links: Vec<Arc<Link>>,
    threads: Vec<JoinHandle<()>>,
    /// Connections that nobody reads.
    silent: Vec<TcpStream>,
}

impl Proxy {
    pub(crate) fn start(
        broker: i32,
        seed: u64,
        upstream: SocketAddr,
        journal: Arc<Journal>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            broker,
            seed,
            upstream,
            port: Port::new()?,
            journal,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let inner = Arc::clone(&shared);
        let listener = inner.port.listen()?;
        let listener = thread::spawn(move || inner.accept(listener));
        Ok(Self {
            shared,
            listener: Some(listener),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.shared.port.address().port()
    }

    /// Ends all connections in order.
    pub(crate) fn cut(&self) {
        for link in &self.shared.state().links {
            link.end(false);
        }
    }

    /// The broker's process is gone, or there again.
    pub(crate) fn set_down(&self, down: bool) {
        self.shared.state().down = down;
        self.shared.wake();
        if down {
            self.cut();
        }
    }

    /// Ends all that is going wrong; nothing will from now on.
    pub(crate) fn heal(&self) {
        let mut state = self.shared.state();
        state.healed = true;
        state.down = false;
        state.refuses_until = None;
        state.silent.clear();
        state.links.iter().for_each(|link| link.heal());
        drop(state);
        self.shared.wake();
    }

    /// Waits until the broker has seen all that was sent to it on connections whose client is gone.
    pub(crate) fn settle(&self) {
        let threads = std::mem::take(&mut self.shared.state().threads);
        for thread in threads {
            thread.join().expect("a link's thread does not panic");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.wake();
        self.listener
            .take()
            .map(JoinHandle::join)
            .expect("taken here only")
            .expect("the listener's thread does not panic");
        self.heal();
        self.cut();
        self.settle();
    }
}

impl Shared {
    fn accept(&self, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut number = 0;
        loop {
            if self.refuses() {
                drop(listener.take());
                self.wait_while_refusing();
            }
            if self.state().ended {
                return;
            }
            let open = listener.get_or_insert_with(|| {
                self.port
                    .listen()
                    .expect("the port is ours though nobody listens")
            });
            let Ok((client, _)) = open.accept() else {
                continue;
            };
            // Who was let in only to wake this thread is sent away.
            if !self.refuses() && !self.state().ended {
                self.welcome(client, number);
                number += 1;
            }
        }
    }

    fn welcome(&self, client: TcpStream, number: u64) {
        let mut state = self.state();
        let mut plan = Plan::draw(&mut Dice::new(
            self.seed,
            self.broker as u64 * 1_000 + number,
        ));
        if state.healed {
            plan = Plan::harmless();
        }
        let name = format!("broker {}, link {number}", self.broker);
        if let Some(time) = plan.refuse {
            self.journal
                .struck("refuse", &format!("{name}: from here for {time:?}"));
            state.refuses_until = Some(Instant::now() + time);
        }
        match plan.welcome {
            Welcome::Close => self.journal.struck("accept and close", &name),
            Welcome::Reset => {
                self.journal.struck("accept and reset", &name);
                // Fails only on a connection that is gone already.
                let _ = SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO));
            }
            Welcome::Silence => {
                self.journal.struck("accept and be silent", &name);
                state.silent.push(client);
            }
            Welcome::Serve => {
                let server =
                    TcpStream::connect(self.upstream).expect("the cluster's own port listens");
                let (link, threads) =
                    Link::start(name, client, server, plan.strikes, &self.journal);
                state.links.push(link);
                state.threads.extend(threads);
            }
        }
    }

    fn refuses(&self) -> bool {
        self.state().refuses()
    }

    fn wait_while_refusing(&self) {
        let mut state = self.state();
        while state.refuses() && !state.ended {
            let left = state.refuses_until.map_or(AGES, |until| {
                until.saturating_duration_since(Instant::now())
            });
            let left = if state.down { AGES } else { left };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has the listener's thread look at the state.
    fn wake(&self) {
        self.changed.notify_all();
        // Refused if it waits for the change, and else let in.
        drop(TcpStream::connect(self.port.address()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refuses(&self) -> bool {
        self.down
            || self
                .refuses_until
                .is_some_and(|until| Instant::now() < until)
    }
}
