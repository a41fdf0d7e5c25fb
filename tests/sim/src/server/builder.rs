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
    advertised_host: Option<String>,
    retention_bytes: Option<u64>,
    seed: u64,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            brokers: 1,
            partitions: 1,
            listen: "127.0.0.1:0".to_owned(),
            advertised_host: None,
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

    /// The host that clients are told; by default the address listened on, and 127.0.0.1 for all interfaces.
    pub fn advertised_host(mut self, host: &str) -> Builder {
        self.advertised_host = Some(host.to_owned());
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
        Cluster::serve(model, &self.addresses()?, self.advertised_host.as_deref())
    }

    /// One address per broker.
    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
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
                0 => Some(0),
                port => port.checked_add(index),
            };
            let port = port.ok_or_else(|| {
                invalid(format!(
                    "{}: no port is left for broker {}",
                    self.listen,
                    index + 1
                ))
            })?;
            Ok(SocketAddr::new(first.ip(), port))
        };
        (0..self.brokers).map(address).collect()
    }
}
