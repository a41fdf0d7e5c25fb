//! The cluster behind its proxies, and what happens to both.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use ottla_sim::{Cluster, Fault, On, code};

use super::{dice::Dice, journal::Journal, proxy::Proxy, world::World};

pub(crate) struct Site {
    /// That of broker 1 first. They end before the cluster does, since they connect to it.
    proxies: Vec<Proxy>,
    pub(crate) cluster: Cluster,
    pub(crate) journal: Arc<Journal>,
}

pub(crate) const TOPIC: &str = "letters";

impl Site {
    pub(crate) fn build(seed: u64, world: &World, journal: &Arc<Journal>) -> Self {
        let cluster = Cluster::start(world.brokers).unwrap();
        let proxies: Vec<Proxy> = (1..)
            .zip(cluster.addresses())
            .map(|(id, address)| Proxy::start(id, seed, address, Arc::clone(journal)).unwrap())
            .collect();
        cluster.with_model(|model| {
            model.create_topic(TOPIC, world.partitions);
            for (id, proxy) in (1..).zip(&proxies) {
                model.set_address(id, "127.0.0.1", proxy.port());
            }
        });
        Self {
            proxies,
            cluster,
            journal: Arc::clone(journal),
        }
    }

    /// Lets one thing after another happen for as long as the world says.
    pub(crate) fn trouble(&self, dice: &mut Dice, world: &World) {
        let start = Instant::now();
        while start.elapsed() < world.trouble {
            self.event(dice, world);
            thread::sleep(dice.millis(3..40));
        }
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.journal.remark("healed");
        self.cluster.with_model(|model| {
            model.clear_faults();
            for id in model.brokers().collect::<Vec<_>>() {
                model.start_broker(id);
            }
        });
        self.proxies.iter().for_each(Proxy::heal);
    }

    /// Waits, once the producer is gone, until the brokers have seen all it sent.
    pub(crate) fn settle(&self) {
        self.proxies.iter().for_each(Proxy::settle);
    }

    fn event(&self, dice: &mut Dice, world: &World) {
        let broker = dice.within(1..u64::from(world.brokers) + 1) as i32;
        let partition = dice.below(world.partitions as u64) as i32;
        match dice.below(12) {
            0 => self.cut(broker),
            1 => self.stop_or_start(broker),
            2 | 3 => self.move_leader(partition, broker),
            4 => self.inject(On::Metadata, elsewhere(dice)),
            5 => self.inject(On::InitProducerId, elsewhere(dice)),
            6 => self.inject(On::ApiVersions, elsewhere(dice)),
            7 => self.inject(On::AnyProduce, request_fault(dice)),
            _ => {
                let fault = batch_fault(dice, world.waits_for_followers());
                self.inject(On::produce(TOPIC, partition), fault);
            }
        }
    }

    fn cut(&self, broker: i32) {
        self.journal
            .struck("all links cut", &format!("broker {broker}"));
        self.proxy(broker).cut();
    }

    /// The broker's port stays open behind the proxy, so that nobody else can take it meanwhile.
    fn stop_or_start(&self, broker: i32) {
        let stops = self.cluster.with_model(|model| {
            let stops = model.is_up(broker);
            if stops {
                model.stop_broker(broker);
            } else {
                model.start_broker(broker);
            }
            stops
        });
        if stops {
            self.journal
                .struck("broker down", &format!("broker {broker}"));
        } else {
            self.journal.remark(&format!("broker {broker} is up again"));
        }
        self.proxy(broker).set_down(stops);
    }

    fn move_leader(&self, partition: i32, to: i32) {
        let moved = self.cluster.with_model(|model| {
            let moves = model.is_up(to) && model.leader(TOPIC, partition) != Some(to);
            if moves {
                model.move_leader(TOPIC, partition, to);
            }
            moves
        });
        if moved {
            let detail = format!("partition {partition} to broker {to}");
            self.journal.struck("leader moved", &detail);
        }
    }

    /// Plans a fault, unless some wait already: those that nobody ran into say nothing.
    fn inject(&self, on: On, fault: Fault) {
        let detail = format!("{fault:?} for {on:?}");
        let planned = self.cluster.with_model(|model| {
            let few = model.planned_faults() < 4;
            if few {
                model.inject(on, fault);
            }
            few
        });
        if planned {
            self.journal.struck("broker's fault", &detail);
        }
    }

    fn proxy(&self, broker: i32) -> &Proxy {
        &self.proxies[broker as usize - 1]
    }
}

/// What may become of one batch.
fn batch_fault(dice: &mut Dice, acks_all: bool) -> Fault {
    let refusals = [
        code::NOT_LEADER_OR_FOLLOWER,
        code::UNKNOWN_TOPIC_OR_PARTITION,
        code::NOT_ENOUGH_REPLICAS,
        code::REQUEST_TIMED_OUT,
        code::KAFKA_STORAGE_ERROR,
        code::UNKNOWN_SERVER_ERROR,
        code::CORRUPT_MESSAGE,
        code::INVALID_RECORD,
        code::TOPIC_AUTHORIZATION_FAILED,
    ];
    let mut ambiguous = vec![
        code::REQUEST_TIMED_OUT,
        code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        code::UNKNOWN_SERVER_ERROR,
        code::KAFKA_STORAGE_ERROR,
    ];
    if acks_all {
        // A leader that does not wait for followers says these of what it did not write only.
        ambiguous.extend([
            code::NOT_LEADER_OR_FOLLOWER,
            code::UNKNOWN_TOPIC_OR_PARTITION,
        ]);
    }
    match dice.below(3) {
        0 => Fault::Refuse(dice.pick(&refusals)),
        1 => Fault::AppendThen(dice.pick(&ambiguous)),
        _ => request_fault(dice),
    }
}

/// What may become of a Produce request.
fn request_fault(dice: &mut Dice) -> Fault {
    match dice.below(6) {
        0 => Fault::AppendThenDisconnect,
        1 => Fault::AppendThenSilence,
        2 => Fault::Disconnect,
        3 => Fault::Garbage(vec![0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        4 => Fault::Silence,
        _ => Fault::Delay(delay(dice)),
    }
}

/// What may become of any other request.
fn elsewhere(dice: &mut Dice) -> Fault {
    match dice.below(5) {
        0 => Fault::Refuse(code::REQUEST_TIMED_OUT),
        1 => Fault::Silence,
        2 => Fault::Disconnect,
        3 => Fault::Garbage(vec![0xff; 7]),
        _ => Fault::Delay(delay(dice)),
    }
}

fn delay(dice: &mut Dice) -> Duration {
    dice.millis(5..350)
}
