//! What a plan does to brokers, machines, wires and names.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::World;
use crate::network::{Dialling, Lookup, Machine, Tamper};

/// Brokers.
impl World {
    /// Stops a broker's process: its connections are reset, and its partitions get other leaders if they can.
    ///
    /// Does nothing if there is no such broker, as is true of all that is done to brokers here.
    pub fn crash(&mut self, broker: i32) {
        if self.has_broker(broker) {
            self.cluster.stop_broker(broker);
            self.reset(broker);
        }
    }

    /// Starts a broker again, on the data that it had.
    pub fn recover(&mut self, broker: i32) {
        if self.has_broker(broker) {
            self.cluster.start_broker(broker);
        }
    }

    /// Stops a broker's process for a while without ending it: what it is asked waits.
    pub fn pause(&mut self, broker: i32, time: Duration) {
        if self.has_broker(broker) {
            self.cluster.pause_broker(broker);
            self.after(time, move |world| world.resume(broker));
        }
    }

    pub(super) fn resume(&mut self, broker: i32) {
        if self.has_broker(broker) {
            self.cluster.resume_broker(broker);
        }
    }

    /// Lets a broker take so much longer for each answer.
    pub fn set_slowness(&mut self, broker: i32, slowness: Duration) {
        if self.has_broker(broker) {
            self.cluster.set_broker_delay(broker, slowness);
        }
    }

    pub(super) fn has_broker(&self, broker: i32) -> bool {
        self.cluster.brokers().any(|id| id == broker)
    }
}

/// The paths to brokers. All of these hold for the connections that are there and those to come.
impl World {
    /// Sets the time that a byte takes one way, and what may be added to it by chance.
    pub fn set_latency(&mut self, broker: i32, one_way: Duration, jitter: Duration) {
        self.on_machine(broker, |machine| {
            (machine.latency, machine.jitter) = (one_way, jitter);
        });
    }

    /// Sets the bytes per second that get through each way; `None`: all.
    pub fn set_bandwidth(&mut self, broker: i32, bytes: Option<usize>) {
        self.on_machine(broker, |machine| machine.bandwidth = bytes);
    }

    /// A broker is busy for so long with each request before it reads the next of the same connection; not at all by
    /// default. What it has not read is lost when the connection is reset.
    pub fn set_read_pause(&mut self, broker: i32, pause: Duration) {
        self.on_machine(broker, |machine| machine.read_pause = pause);
    }

    /// Sets the bytes that a producer's socket takes before any has arrived.
    pub fn set_send_buffer(&mut self, broker: i32, bytes: usize) {
        self.on_machine(broker, |machine| machine.send_buffer = bytes.max(1));
    }

    /// Makes the way of a byte longer for a while.
    pub fn set_detour(&mut self, broker: i32, longer: Duration) {
        self.on_machine(broker, |machine| machine.detour = longer);
    }

    /// Makes the path narrow for a while: the bytes that a producer's socket takes, and bytes per second.
    pub fn squeeze(&mut self, broker: i32, path: Option<(usize, usize)>) {
        self.on_machine(broker, |machine| machine.squeeze = path);
    }

    /// Sets what becomes of dials.
    pub fn set_dialling(&mut self, broker: i32, dialling: Dialling) {
        self.on_machine(broker, |machine| machine.dialling = dialling);
    }

    /// Lets the bytes of one direction, or both, vanish: a connection on which that happened stays dead.
    pub fn lose(&mut self, broker: i32, requests: bool, answers: bool) {
        self.on_machine(broker, |machine| {
            (machine.loses_requests, machine.loses_answers) = (requests, answers);
        });
    }

    /// Lets answers arrive in pieces of so many bytes, so long apart; `None`: whole.
    pub fn set_drip(&mut self, broker: i32, drip: Option<(usize, Duration)>) {
        self.on_machine(broker, |machine| machine.drip = drip);
    }

    /// Lets each answer arrive in two pieces, right after each other, of which the first has so many bytes.
    pub fn set_first_piece(&mut self, broker: i32, bytes: usize) {
        self.on_machine(broker, |machine| machine.first_piece = bytes.max(1));
    }

    /// Changes the bytes of the next answer to a Produce request.
    pub fn tamper(&mut self, broker: i32, tamper: Tamper) {
        self.on_machine(broker, |machine| machine.tampers.push_back(tamper));
    }

    /// Breaks the connection on which the next Produce request is written, after so many thousandths of its bytes.
    pub fn cut_next_produce(&mut self, broker: i32, permille: usize) {
        self.on_machine(broker, |machine| machine.cut = Some(permille.min(1000)));
    }

    /// Flips a bit of the last batch in the next Produce request that is written at once.
    pub fn flip_next_produce(&mut self, broker: i32) {
        self.on_machine(broker, |machine| machine.flips = true);
    }

    /// Lets the next answer to a Produce request be overtaken by the one behind it.
    pub fn swap_next_answers(&mut self, broker: i32) {
        self.on_machine(broker, |machine| machine.swaps = true);
    }

    /// Breaks all connections to a broker: both ends learn it at once, and what is on its way is lost.
    pub fn reset(&mut self, broker: i32) {
        for wire in self.wires_to(broker) {
            self.cluster.closed(broker, wire);
            self.network.lock().reset(wire);
        }
    }

    /// Has a broker close all its connections in good order.
    pub fn close_connections(&mut self, broker: i32) {
        for wire in self.wires_to(broker) {
            self.hang_up(wire);
        }
    }

    /// Ends every trouble of every path and name; how fast and how far they are stays.
    pub fn heal_network(&mut self) {
        let mut network = self.network.lock();
        network.machines().for_each(Machine::heal);
        network.names().for_each(|name| name.lookup = Lookup::Found);
    }
}

/// Names and hosts.
impl World {
    /// Sets what the resolver says of a name.
    pub fn set_lookup(&mut self, host: &str, lookup: Lookup) {
        if let Some(name) = self.network.lock().name(host) {
            name.lookup = lookup;
        }
    }

    /// Sets the addresses of a name, in the order in which they are told.
    pub fn set_addresses(&mut self, host: &str, addresses: &[Ipv4Addr]) {
        if let Some(name) = self.network.lock().name(host) {
            name.addresses = addresses.to_vec();
        }
    }

    /// Stops every application and producer for a while, as a paused virtual machine does: time goes on, and what
    /// arrives waits.
    pub fn freeze(&mut self, time: Duration) {
        self.frozen_until = self.frozen_until.max(self.now() + time);
        self.after(time, |_| ());
    }

    /// When the last [`freeze`](World::freeze) is over.
    pub fn frozen_until(&self) -> Duration {
        self.frozen_until
    }

    /// Ends all drivers at once, as a runtime does that is shut down.
    pub fn drop_drivers(&mut self) {
        for task in std::mem::take(&mut self.drivers) {
            self.executor.drop_task(task);
        }
    }
}

impl World {
    /// The wires on which this broker answers, and those that are being dialled to its machine.
    pub(crate) fn wires_to(&self, broker: i32) -> Vec<u64> {
        let network = self.network.lock();
        let open = |wire: &u64| network.wires[wire].broker == broker;
        let address = self.address_of(broker);
        let wires = address
            .map(|address| network.wires_to(address))
            .unwrap_or_default();
        wires.into_iter().filter(open).collect()
    }

    /// How long a byte takes to a broker and back, at least.
    pub(crate) fn round_trip(&self, broker: i32) -> Duration {
        let address = self.address_of(broker);
        let mut network = self.network.lock();
        let machine = address.and_then(|address| network.machine(address));
        machine.map_or(Duration::ZERO, |machine| machine.latency * 2)
    }

    pub(super) fn address_of(&self, broker: i32) -> Option<Ipv4Addr> {
        let host = self
            .has_broker(broker)
            .then(|| self.cluster.address(broker).0)?;
        let number = host.strip_prefix("broker-")?.parse().ok()?;
        Some(super::address(number))
    }

    fn on_machine(&mut self, broker: i32, change: impl FnOnce(&mut Machine)) {
        let Some(address) = self.address_of(broker) else {
            return;
        };
        if let Some(machine) = self.network.lock().machine(address) {
            change(machine);
        }
    }
}
