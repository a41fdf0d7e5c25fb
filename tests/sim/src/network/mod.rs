//! The network of a world: names, machines and the wires between them and the producers, in virtual time.
//!
//! It knows nothing of Kafka but where one frame ends. What arrives at a broker is taken out by the world, which asks the
//! model; what arrives at a producer is read by its [`Socket`](socket::Socket).

mod framer;
mod machine;
mod socket;
mod tamper;
mod wire;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use crate::Chance;
use crate::world::Fact;

pub use machine::{Dialling, Lookup};
pub(crate) use machine::{Machine, Name};
pub(crate) use socket::Host;
pub use tamper::Tamper;
pub(crate) use wire::{End, Wire};

/// A handle of the network, for sockets that outlive the look at it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Network>>);

/// Names, machines, wires, and all that is on its way.
pub(crate) struct Network {
    pub(crate) now: Duration,
    pub(crate) chance: Chance,
    agenda: BTreeMap<(Duration, u64), Arrival>,
    count: u64,
    names: BTreeMap<String, Name>,
    machines: BTreeMap<Ipv4Addr, Machine>,
    pub(crate) wires: BTreeMap<u64, Wire>,
    lookups: BTreeMap<u64, socket::Pending<Vec<SocketAddr>>>,
    serials: u64,
    /// What happened here since the world last looked.
    pub(crate) facts: Vec<Fact>,
}

/// Something that arrives somewhere.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A resolver has its answer.
    Found {
        lookup: u64,
        host: String,
        port: u16,
    },
    /// A dial comes to its end.
    Dialled { wire: u64 },
    /// Bytes reach the broker's end.
    AtBroker { wire: u64, bytes: Bytes },
    /// The broker's end learns that the producer writes no more.
    Hangup { wire: u64 },
    /// The broker's end learns that the producer's was reset.
    Reset { wire: u64 },
    /// The broker reads its next request.
    ReadsOn { wire: u64 },
    /// The broker lets go of an answer.
    AnswerIsDue { wire: u64, frame: Bytes },
    /// The cluster can give an answer that it had to hold back.
    AnswerIsReady,
    /// Bytes reach the producer's end.
    AtProducer { wire: u64, bytes: Bytes },
    /// The producer's end learns that the broker's is gone.
    Ended { wire: u64, end: End },
    /// Somebody slept until now.
    Alarm { waker: Waker },
    /// The world has planned something.
    Plan { entry: usize },
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Shared {
        Shared(Arc::new(Mutex::new(Network {
            now: Duration::ZERO,
            chance: Chance::new(seed),
            agenda: BTreeMap::new(),
            count: 0,
            names: BTreeMap::new(),
            machines: BTreeMap::new(),
            wires: BTreeMap::new(),
            lookups: BTreeMap::new(),
            serials: 0,
            facts: Vec::new(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Network> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The agenda.
impl Network {
    /// Has something arrive at `at`, behind everything else that arrives then.
    pub(crate) fn schedule(&mut self, at: Duration, arrival: Arrival) {
        self.agenda.insert((at.max(self.now), self.count), arrival);
        self.count += 1;
    }

    /// When the next thing arrives.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|(&(at, _), _)| at)
    }

    /// The next thing that has arrived.
    pub(crate) fn pop(&mut self) -> Option<Arrival> {
        let entry = self.agenda.first_entry()?;
        (entry.key().0 <= self.now).then(|| entry.remove())
    }
}

/// Names and machines.
impl Network {
    /// Puts a machine behind a name.
    pub(crate) fn add_machine(&mut self, name: &str, address: Ipv4Addr) {
        self.machines.insert(address, Machine::new(name));
        self.names.insert(name.to_owned(), Name::new(address));
    }

    pub(crate) fn name(&mut self, host: &str) -> Option<&mut Name> {
        self.names.get_mut(host)
    }

    pub(crate) fn names(&mut self) -> impl Iterator<Item = &mut Name> {
        self.names.values_mut()
    }

    pub(crate) fn machine(&mut self, address: Ipv4Addr) -> Option<&mut Machine> {
        self.machines.get_mut(&address)
    }

    pub(crate) fn machines(&mut self) -> impl Iterator<Item = &mut Machine> {
        self.machines.values_mut()
    }

    /// The machine's name, under which the cluster knows its broker.
    pub(crate) fn host_of(&self, address: Ipv4Addr) -> Option<&str> {
        self.machines.get(&address).map(|machine| &*machine.name)
    }

    /// The wires to a machine that are not over.
    pub(crate) fn wires_to(&self, address: Ipv4Addr) -> Vec<u64> {
        let open = |(_, wire): &(&u64, &Wire)| wire.address == address && wire.is_open();
        self.wires
            .iter()
            .filter(open)
            .map(|(&serial, _)| serial)
            .collect()
    }

    /// What the resolver says of a name now.
    pub(crate) fn look_up(&mut self, lookup: u64, host: &str, port: u16) {
        let answer = match self.names.get(host) {
            None => Err(std::io::ErrorKind::NotFound.into()),
            Some(name) => match &name.lookup {
                Lookup::Silent => return,
                Lookup::Failing => Err(std::io::Error::other("the resolver fails")),
                Lookup::Unknown => Err(std::io::ErrorKind::NotFound.into()),
                Lookup::Empty => Ok(Vec::new()),
                Lookup::Found => Ok(name.addresses.clone()),
            },
        };
        let with_port = |ip: Ipv4Addr| SocketAddr::new(IpAddr::V4(ip), port);
        let answer = answer.map(|ips| ips.into_iter().map(with_port).collect::<Vec<_>>());
        self.facts.push(Fact::LookedUp {
            host: host.to_owned(),
            found: answer.as_ref().map_or(0, Vec::len),
        });
        if let Some(pending) = self.lookups.remove(&lookup) {
            pending.end(answer);
        }
    }
}
