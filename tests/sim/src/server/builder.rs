//! The settings of a served cluster.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, SystemTime};

use super::Cluster;
use crate::Model;

/// Settings of a [`Cluster`] before it starts.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    brokers: u16,
    partitions: i32,
    listen: String,
    advertised: Option<Advertised>,
    max_message_bytes: Option<usize>,
    retention_bytes: Option<u64>,
    seed: u64,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            brokers: 1,
            partitions: 1,
            listen: "127.0.0.1:0".to_owned(),
            advertised: None,
            max_message_bytes: None,
            retention_bytes: None,
            seed: 0,
        }
    }
}

impl Builder {
    /// How many brokers there are; 1 by default.
    pub fn brokers(mut self, brokers: u16) -> Builder {
        self.brokers = brokers;
        self
    }

    /// How many partitions a topic gets that is created on demand; 1 by default.
    pub fn partitions(mut self, partitions: i32) -> Builder {
        self.partitions = partitions;
        self
    }

    /// Where the first broker listens, `HOST:PORT`; the others take the ports that follow. Port 0, the default on 127.0.0.1,
    /// gives each broker a free one.
    pub fn listen(mut self, address: &str) -> Builder {
        address.clone_into(&mut self.listen);
        self
    }

    /// Where clients are told to find the brokers (Kafka's `advertised.listeners`): the host, and the first broker's port,
    /// the others having those that follow. Without a port, each broker's own.
    ///
    /// By default the address listened on. Brokers that listen on all interfaces (`0.0.0.0`, `[::]`) tell each client the
    /// host that it came to itself.
    pub fn advertise(mut self, host: &str, port: Option<u16>) -> Builder {
        let host = host.to_owned();
        self.advertised = Some(Advertised { host, port });
        self
    }

    /// The largest batch that brokers take, compressed or not; 1,048,588 by default (Kafka's `message.max.bytes`). A
    /// request can't be longer than 100 MiB.
    pub fn max_message_bytes(mut self, bytes: usize) -> Builder {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// What all logs may hold together before the oldest batches go; 1 GiB by default.
    pub fn retention_bytes(mut self, bytes: u64) -> Builder {
        self.retention_bytes = Some(bytes);
        self
    }

    /// Chooses the ids of the cluster and its topics.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Binds all ports and serves. The error is that of the first address that can't be resolved or bound.
    pub fn start(self) -> io::Result<Cluster> {
        let mut model = Model::new(self.brokers, self.seed);
        model.set_default_partitions(self.partitions);
        if let Some(bytes) = self.retention_bytes {
            model.set_retention_bytes(bytes);
        }
        let wall_clock = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        model.set_wall_clock_at_start(wall_clock);
        if let Some(bytes) = self.max_message_bytes {
            model.set_max_message_bytes(bytes);
        }
        Cluster::serve(model, &self.addresses()?, self.advertised.as_ref())
    }

    /// One address per broker.
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let found = self
            .listen
            .to_socket_addrs()
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", self.listen)))?;
        let first = found
            .into_iter()
            .next()
            .ok_or_else(|| invalid(format!("{}: no address", self.listen)))?;
        let address = |index: u16| {
            let port = match first.port() {
                0 => 0,
                port => port_of(port, index, &self.listen)?,
            };
            Ok(SocketAddr::new(first.ip(), port))
        };
        (0..self.brokers).map(address).collect()
    }
}

/// Where clients are told to find the brokers.
#[derive(Clone, Debug)]
pub(super) struct Advertised {
    pub(super) host: String,
    /// The first broker's.
    port: Option<u16>,
}

impl Advertised {
    /// The port of the broker with this index, if it is not the one that it listens on.
    pub(super) fn port(&self, index: u16) -> io::Result<Option<u16>> {
        let port = self.port.map(|port| {
            let shown = format!("advertised {}:{port}", self.host);
            port_of(port, index, &shown)
        });
        port.transpose()
    }
}

/// The port of the broker with this index, if the first has this one.
fn port_of(first: u16, index: u16, of: &str) -> io::Result<u16> {
    let port = first.checked_add(index);
    port.ok_or_else(|| invalid(format!("{of}: no port is left for broker {}", index + 1)))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
