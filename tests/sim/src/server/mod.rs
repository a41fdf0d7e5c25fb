//! The model served over real sockets.

mod broker;
mod builder;
mod connection;
mod frame;
mod port;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::Model;
use broker::Broker;

pub use builder::Builder;
pub use port::Port;

use builder::Advertised;

/// A Kafka cluster in this process that listens on real TCP ports: for programs to try, and for users' own tests.
///
/// Each broker has a listener thread, and each connection a thread of its own, which reads one request at a time, asks the
/// [`Model`] under a lock, and writes the answer. So answers stand in the order of the requests, requests may be pipelined,
/// and an answer that is held back holds up nothing but its own connection. Dropping the cluster closes everything and
/// joins the threads.
///
/// ```
/// use ottla_sim::Cluster;
///
/// let cluster = Cluster::start(3)?;
/// cluster.with_model(|model| model.create_topic("letters", 6));
/// let servers = cluster.bootstrap_servers(); // for the producer's bootstrap.servers
/// assert_eq!(servers.split(',').count(), 3);
/// // … produce …
/// let written = cluster.with_model(|model| model.high_watermark("letters", 0));
/// assert_eq!(written, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Cluster {
    shared: Arc<Shared>,
    brokers: Mutex<BTreeMap<i32, Broker>>,
}

/// What the threads of a cluster have in common.
#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    start: Instant,
    /// The brokers listen on all interfaces and advertise none: each client is told the host that it came to.
    tells_each_its_host: bool,
}

impl Cluster {
    /// Starts brokers 1 to `brokers` on free ports of 127.0.0.1.
    pub fn start(brokers: u16) -> io::Result<Cluster> {
        Cluster::builder().brokers(brokers).start()
    }

    /// A cluster with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn serve(
        mut model: Model,
        addresses: &[SocketAddr],
        advertised: Option<&Advertised>,
    ) -> io::Result<Cluster> {
        let ids: Vec<i32> = model.brokers().collect();
        let mut listening = Vec::with_capacity(ids.len());
        for ((&id, &address), index) in ids.iter().zip(addresses).zip(0..) {
            let port = broker::named(address, Port::at(address))?;
            let address = port.address();
            match advertised {
                Some(advertised) => {
                    let port = advertised.port(index)?.unwrap_or(address.port());
                    model.set_address(id, &advertised.host, port);
                }
                None => {
                    let host = reachable(address).ip().to_string();
                    model.set_address(id, &host, address.port());
                }
            }
            listening.push((id, broker::listen(&port)?, port));
        }
        let on_all = |address: &SocketAddr| address.ip().is_unspecified();
        let tells_each_its_host = advertised.is_none() && addresses.iter().any(on_all);
        let shared = Arc::new(Shared {
            model: Mutex::new(model),
            start: Instant::now(),
            tells_each_its_host,
        });
        let start =
            |(id, listener, port)| Ok((id, Broker::start(id, port, listener, shared.clone())?));
        let brokers = listening
            .into_iter()
            .map(start)
            .collect::<io::Result<_>>()?;
        Ok(Cluster {
            shared,
            brokers: Mutex::new(brokers),
        })
    }

    /// Uses the model: its control surface, its logs. Requests wait meanwhile.
    pub fn with_model<T>(&self, work: impl FnOnce(&mut Model) -> T) -> T {
        self.shared.with_model(work)
    }

    /// The addresses as a client is told them: `HOST:PORT,HOST:PORT`, brokers that are stopped included. Of a cluster that
    /// listens on all interfaces and advertises nothing, the addresses for clients on this machine.
    pub fn bootstrap_servers(&self) -> String {
        self.with_model(|model| {
            let all: Vec<String> = model.brokers().map(|id| model.host_and_port(id)).collect();
            all.join(",")
        })
    }

    /// The socket addresses that the brokers listen on, in the order of their ids.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.brokers().values().map(Broker::address).collect()
    }

    /// Stops a broker: its port refuses, its connections are closed, its partitions go to other replicas. Nobody else can
    /// take the port meanwhile ([`Port`] says where that holds). Does nothing if it is stopped already or not of this
    /// cluster.
    pub fn stop_broker(&self, id: i32) {
        if let Some(broker) = self.brokers().get_mut(&id).filter(|broker| broker.runs()) {
            self.with_model(|model| model.stop_broker(id));
            broker.stop();
        }
    }

    /// Starts a stopped broker again, on the same port. Does nothing if it runs or is not of this cluster.
    pub fn start_broker(&self, id: i32) -> io::Result<()> {
        if let Some(broker) = self.brokers().get_mut(&id).filter(|broker| !broker.runs()) {
            broker.restart(id, self.shared.clone())?;
            self.with_model(|model| model.start_broker(id));
        }
        Ok(())
    }

    fn brokers(&self) -> MutexGuard<'_, BTreeMap<i32, Broker>> {
        self.brokers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Notes the host that a client came to, if that is what it is to be told.
    fn note_host(&self, stream: &TcpStream, broker: i32, connection: u64) {
        if !self.tells_each_its_host {
            return;
        }
        // A connection that is gone already asks for nothing.
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let host = local.ip().to_canonical().to_string();
        self.with_model(|model| model.set_host_found(broker, connection, &host));
    }

    /// A test that panics while it holds the model has failed already; the other threads go on with what is there.
    fn with_model<T>(&self, work: impl FnOnce(&mut Model) -> T) -> T {
        work(&mut self.model.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The address by which this machine reaches a listener: a listener on all interfaces is on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
