//! The control surface of brokers. These methods panic if the cluster has no broker with the id.

use std::time::Duration;

use super::Model;
use super::versions::{Api, Versions};
use super::views::View;

/// One broker, as far as it differs from the others.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) up: bool,
    /// Its requests wait.
    pub(crate) paused: bool,
    /// What every answer takes longer.
    pub(crate) delay: Duration,
    /// The throttle time of its answers, if not the cluster's.
    pub(crate) throttle: Option<Duration>,
    pub(crate) versions: Versions,
    /// What it tells of the cluster, if not the truth.
    pub(crate) view: Option<View>,
}

impl Broker {
    pub(crate) fn new(host: String, port: u16) -> Broker {
        Broker {
            host,
            port,
            up: true,
            paused: false,
            delay: Duration::ZERO,
            throttle: None,
            versions: Versions::default(),
            view: None,
        }
    }
}

/// How a broker works.
impl Model {
    /// Takes a broker down: its requests are refused, those that wait are lost, and each partition it led goes to the next
    /// replica in sync that is up, in a new leader epoch, or has no leader. Connections are to be cut.
    pub fn stop_broker(&mut self, broker: i32) {
        let stopped = self.broker_mut(broker);
        (stopped.up, stopped.paused) = (false, false);
        self.waiting.forget_broker(broker);
        let now = self.now;
        for partition in self
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
        {
            partition.replicate(now);
            partition.broker_stopped(broker);
        }
        self.elect_where(|leader| leader == Some(broker));
    }

    /// Brings a broker up again: it leads what has no leader and of which it has everything, catches up with the rest, and
    /// leads nothing else yet.
    pub fn start_broker(&mut self, broker: i32) {
        let now = self.now;
        self.broker_mut(broker).up = true;
        for partition in self
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
        {
            partition.broker_started(broker, now);
        }
        self.elect_where(|leader| leader.is_none());
        self.replicate(now);
    }

    /// Keeps a broker from working: its requests wait and are carried out in their order after
    /// [`resume_broker`](Model::resume_broker), as with a process that is stopped by SIGSTOP. It leads on unless its
    /// partitions are moved, and followers copy meanwhile what it had appended.
    pub fn pause_broker(&mut self, broker: i32) {
        self.broker_mut(broker).paused = true;
    }

    /// Lets a broker work again; [`poll_answer`](Model::poll_answer) gives what it answers to the requests that waited.
    pub fn resume_broker(&mut self, broker: i32) {
        self.broker_mut(broker).paused = false;
    }

    /// Makes every answer of a broker take so much longer; no time by default.
    pub fn set_broker_delay(&mut self, broker: i32, delay: Duration) {
        self.broker_mut(broker).delay = delay;
    }

    /// The throttle time of a broker's answers, in place of the cluster's ([`set_throttle`](Model::set_throttle)).
    pub fn set_broker_throttle(&mut self, broker: i32, time: Option<Duration>) {
        self.broker_mut(broker).throttle = time;
    }

    /// Offers this range of versions of an API, or takes the API off the broker's table. Versions that the model does not
    /// know may be offered; requests in them close the connection.
    pub fn set_versions(&mut self, broker: i32, api: Api, range: Option<(i16, i16)>) {
        self.broker_mut(broker).versions.set(api, range);
    }

    /// Offers again what the model serves.
    pub fn reset_versions(&mut self, broker: i32) {
        self.broker_mut(broker).versions = Versions::default();
    }
}

/// Who the brokers are and where.
impl Model {
    /// Where clients find a broker.
    pub fn set_address(&mut self, broker: i32, host: &str, port: u16) {
        let broker = self.broker_mut(broker);
        host.clone_into(&mut broker.host);
        broker.port = port;
    }

    /// Tells the client of a connection that every broker is at this host, on its own port: what brokers do that listen on
    /// all interfaces, each of which may be the only one that a client can reach. [`closed`](Model::closed) forgets it.
    pub fn set_host_found(&mut self, broker: i32, connection: u64, host: &str) {
        self.links.found_at(broker, connection, host);
    }

    /// Lets two brokers change addresses; their connections are to be cut.
    pub fn swap_addresses(&mut self, one: i32, other: i32) {
        let (host, port) = self.address(one);
        let (host, port) = (host.to_owned(), port);
        let (other_host, other_port) = self.address(other);
        let other_host = other_host.to_owned();
        self.set_address(one, &other_host, other_port);
        self.set_address(other, &host, port);
    }

    /// Adds a broker that leads nothing yet.
    ///
    /// # Panics
    ///
    /// If there is one with this id.
    pub fn add_broker(&mut self, id: i32, host: &str, port: u16) {
        assert!(!self.brokers.contains_key(&id), "broker {id} is there");
        self.brokers.insert(id, Broker::new(host.to_owned(), port));
    }

    /// Gives a broker another id at the same address, with its replicas; what it led it leads on in a new leader epoch. Its
    /// requests that wait are lost, and its connections are to be cut.
    ///
    /// # Panics
    ///
    /// If there is a broker with the new id.
    pub fn renumber_broker(&mut self, broker: i32, id: i32) {
        assert!(!self.brokers.contains_key(&id), "broker {id} is there");
        let moved = self.brokers.remove(&broker);
        let moved = moved.expect("the cluster has a broker with this id");
        self.brokers.insert(id, moved);
        self.waiting.forget_broker(broker);
        for (topic, index) in self.all_partitions() {
            let partition = self.partition_mut(&topic, index);
            partition.rename_replica(broker, id);
            if partition.leader == Some(id) {
                partition.leader_epoch += 1;
            }
        }
    }

    /// Takes a broker out of the cluster for good. Its replicas move, with all they have, to brokers that had none, and
    /// another replica leads what it led. Its connections are to be cut.
    ///
    /// # Panics
    ///
    /// If it is the last broker that is up.
    pub fn remove_broker(&mut self, broker: i32) {
        let now = self.now;
        self.replicate(now);
        let others: Vec<i32> = self
            .brokers()
            .filter(|&id| id != broker && self.is_up(id))
            .collect();
        assert!(!others.is_empty(), "broker {broker} is the last that is up");
        for (topic, index) in self.all_partitions() {
            let partition = self.partition_mut(&topic, index);
            if !partition
                .replicas
                .iter()
                .any(|replica| replica.id == broker)
            {
                continue;
            }
            let is_free = |id: &&i32| partition.replicas.iter().all(|replica| replica.id != **id);
            if let Some(&heir) = others.iter().find(is_free) {
                partition.give_copy(heir, now);
            }
            if partition.leader == Some(broker) || partition.leader.is_none() {
                let in_sync = partition.in_sync().find(|id| others.contains(id));
                self.move_leader(&topic, index, in_sync.unwrap_or(others[0]));
            }
            self.partition_mut(&topic, index).remove_replica(broker);
        }
        self.waiting.forget_broker(broker);
        self.brokers.remove(&broker);
    }

    pub(crate) fn broker_mut(&mut self, id: i32) -> &mut Broker {
        self.brokers
            .get_mut(&id)
            .expect("the cluster has a broker with this id")
    }
}
