//! The world: a Kafka cluster, a network and a clock, for producers and the applications around them.

mod control;
mod executor;
mod fact;
mod faults;
mod time;
mod trace;

use std::fmt;
use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use ottla::driver::Driver;
use ottla::{Config, ConfigError, Producer, Setup};

pub use executor::Spawner;
pub use fact::{Fact, Line, Told};
pub use faults::{FaultKind, Layer};
pub use time::Clock;

use crate::network::{Arrival, Host, Shared};
use crate::{Answer, Api, Chance, Model};
use executor::{Executor, Kind};
use trace::Trace;

/// A deterministic world: producers as applications use them, the model cluster, and a network between them, all in one
/// thread and in virtual time.
///
/// Nothing sleeps and nothing runs by itself. [`step`](World::step) polls the next task that was woken, or jumps to the
/// next thing that arrives; [`run`](World::run) steps until every application is done. All randomness comes from the
/// seed: the same seed and the same application give the same [trace](World::trace), byte for byte.
///
/// ```
/// use std::time::Duration;
/// use ottla::Record;
/// use ottla_sim::World;
///
/// let mut world = World::new(3, /* seed */ 7);
/// world.cluster.create_topic("letters", 6);
/// let producer = world.producer(&[("linger.ms", "5")])?;
/// world.spawn(async move {
///     let delivery = producer.send(Record::to("letters").value("Dear Ottla")).await.unwrap();
///     assert_eq!(delivery.await.unwrap().offset, Some(0));
/// });
/// world.after(Duration::from_millis(3), |world| world.crash(1));
/// world.run().unwrap();
/// # Ok::<(), ottla::ConfigError>(())
/// ```
pub struct World {
    executor: Executor,
    /// The cluster: make topics, plan faults, move leaders and read logs here. Brokers are crashed and brought back by
    /// [`crash`](World::crash) and [`recover`](World::recover), which know their connections too.
    pub cluster: Model,
    network: Shared,
    clock: Clock,
    trace: Trace,
    /// Facts that nobody has taken yet.
    fresh: Vec<Line>,
    /// Batches of the cluster's journal that are facts already.
    produced: u64,
    plans: Vec<Option<Plan>>,
    drivers: Vec<usize>,
    frozen_until: Duration,
    /// Planned faults strike before this only.
    calm_from: Duration,
    chance: Chance,
    /// The moment for which the cluster's next answer is on the agenda.
    armed: Option<Duration>,
    /// Brokers that left the cluster and will be back: id, host and port.
    removed: Vec<(i32, String, u16)>,
    /// Polls since the clock moved last.
    polls: usize,
    /// The last step has polled a task, rather than let something arrive.
    has_polled: bool,
}

type Plan = Box<dyn FnOnce(&mut World)>;

/// Why a run did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stuck {
    /// Nothing will ever happen again, and an application is not done.
    Silence,
    /// Tasks wake each other without time passing.
    Spinning,
    /// The virtual time that a run may take is over.
    Endless,
}

/// Polls at one instant after which a world counts as spinning.
const MOST_POLLS: usize = 100_000;
/// The virtual time after which a run counts as endless.
const LONGEST_RUN: Duration = Duration::from_secs(7 * 24 * 3600);

impl World {
    /// A cluster of brokers 1 to `brokers`, at `broker-N:9092`, without topics.
    pub fn new(brokers: u16, seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let mut cluster = Model::new(brokers, chance.next());
        // What is in a world is a producer; a short table of APIs keeps its traces from changing with those of others.
        cluster.set_serves_producers_alone(true);
        let network = Shared::new(chance.next());
        for broker in 1..=brokers {
            let name = format!("broker-{broker}");
            cluster.set_address(i32::from(broker), &name, PORT);
            network.lock().add_machine(&name, address(broker));
        }
        World {
            executor: Executor::default(),
            cluster,
            clock: Clock::new(network.clone()),
            network,
            trace: Trace::new(),
            fresh: Vec::new(),
            produced: 0,
            plans: Vec::new(),
            drivers: Vec::new(),
            frozen_until: Duration::ZERO,
            calm_from: Duration::MAX,
            chance,
            armed: None,
            removed: Vec::new(),
            polls: 0,
            has_polled: false,
        }
    }

    /// A producer with these settings, in Java's words. Unless they say otherwise it knows all brokers.
    ///
    /// # Errors
    ///
    /// If the settings are not valid.
    pub fn producer(&mut self, settings: &[(&str, &str)]) -> Result<Producer, ConfigError> {
        let servers: Vec<String> = self
            .cluster
            .brokers()
            .map(|id| self.cluster.host_and_port(id))
            .collect();
        let servers = servers.join(",");
        let known = [("bootstrap.servers", &*servers), ("client.id", "simulated")];
        let settings = known.into_iter().chain(settings.iter().copied());
        Ok(self.producer_from(Setup::new(Config::from_properties(settings)?)))
    }

    /// A producer from a setup; its time and its seed are the world's.
    ///
    /// Give it a `client.id`: one that ottla chooses counts the producers of the process, and would be in the trace.
    pub fn producer_from(&mut self, setup: Setup) -> Producer {
        let setup = setup.time(self.clock.clone()).seed(self.chance.seed());
        let host = Host::new(self.network.clone(), self.clock.origin());
        let (producer, driver) = Driver::new(setup, host).expect("a seed was given");
        let task = self.executor.spawn(Box::pin(driver), Kind::Driver);
        self.drivers.push(task);
        producer
    }

    /// Adds an application: a future that may use producers, and the world's [`clock`](World::clock) to sleep.
    ///
    /// It must not wait for anything else, such as another runtime's timer.
    pub fn spawn(&mut self, application: impl Future<Output = ()> + 'static) {
        self.executor
            .spawn(Box::pin(application), Kind::Application);
    }

    /// A handle for applications that spawn others.
    pub fn spawner(&self) -> Spawner {
        self.executor.spawner()
    }

    /// The world's clock.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The time since the world began.
    pub fn now(&self) -> Duration {
        self.network.lock().now
    }

    /// A stream of chance of its own, for an application's or a plan's choices.
    pub fn chance(&mut self) -> Chance {
        self.chance.fork()
    }

    /// Has `plan` carried out when so much time has passed.
    pub fn after(&mut self, time: Duration, plan: impl FnOnce(&mut World) + 'static) {
        let entry = self.plans.len();
        self.plans.push(Some(Box::new(plan)));
        let mut network = self.network.lock();
        let at = network.now + time;
        network.schedule(at, Arrival::Plan { entry });
    }
}

/// Time.
impl World {
    /// Polls one task, or lets the next thing happen; false if nothing ever will.
    pub fn step(&mut self) -> bool {
        for job in self.executor.spawned() {
            self.executor.spawn(job, Kind::Application);
        }
        let is_frozen = self.now() < self.frozen_until;
        self.has_polled = !is_frozen && self.executor.poll_one().is_some();
        if self.has_polled {
            self.polls += 1;
        } else {
            self.settle();
            let arrival = {
                let mut network = self.network.lock();
                let Some(at) = network.next() else {
                    return false;
                };
                if at > network.now {
                    network.now = at;
                    self.polls = 0;
                }
                network.pop()
            };
            if let Some(arrival) = arrival {
                self.arrive(arrival);
            }
        }
        self.collect();
        true
    }

    /// Steps until every application is done.
    ///
    /// # Errors
    ///
    /// If that does not come about.
    pub fn run(&mut self) -> Result<(), Stuck> {
        let until = self.now() + LONGEST_RUN;
        while !self.is_done() {
            self.step_before(until)?;
        }
        Ok(())
    }

    /// Steps until so much time has passed.
    ///
    /// # Errors
    ///
    /// If tasks keep it from passing.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Stuck> {
        self.after(time, |_| ());
        let until = self.now() + time;
        while self.now() < until {
            self.step_before(until + LONGEST_RUN)?;
        }
        Ok(())
    }

    /// Steps once; an error if that leads nowhere.
    pub(crate) fn step_before(&mut self, until: Duration) -> Result<(), Stuck> {
        if !self.step() {
            return Err(Stuck::Silence);
        }
        if self.polls > MOST_POLLS {
            return Err(Stuck::Spinning);
        }
        if self.now() > until {
            return Err(Stuck::Endless);
        }
        Ok(())
    }

    /// Every application is done.
    pub fn is_done(&self) -> bool {
        self.executor.has_no_application()
    }

    /// The last step has polled a task: only then a producer may have changed.
    pub(crate) fn has_polled(&self) -> bool {
        self.has_polled
    }

    /// Every driver has come to its end.
    pub(crate) fn drivers_are_over(&self) -> bool {
        self.drivers.iter().all(|&task| self.executor.is_over(task))
    }
}

/// What happened.
impl World {
    /// The last lines of what happened.
    pub fn trace(&self) -> impl Iterator<Item = &Line> {
        self.trace.lines()
    }

    /// Has the [trace](World::trace) keep so many lines (60).
    pub fn keep_trace(&mut self, lines: usize) {
        self.trace.keep(lines);
    }

    /// A number that depends on everything that happened: the same for the same seed and applications.
    pub fn trace_digest(&self) -> u64 {
        self.trace.digest()
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, what: impl fmt::Display) {
        self.add(Fact::Note {
            what: what.to_string(),
        });
    }

    pub(crate) fn add(&mut self, fact: Fact) {
        let at = self.now();
        self.trace.add(at, fact.clone());
        self.fresh.push(Line { at, fact });
    }

    /// The facts since this was called last.
    pub(crate) fn take_facts(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.fresh)
    }

    /// Moves what the network and the cluster noted to the trace.
    fn collect(&mut self) {
        let facts = std::mem::take(&mut self.network.lock().facts);
        facts.into_iter().for_each(|fact| self.add(fact));
        let fresh: Vec<_> = self
            .cluster
            .produced_since(self.produced)
            .cloned()
            .collect();
        self.produced += fresh.len() as u64;
        for produced in fresh {
            self.add(Fact::Produced(Box::new(produced)));
        }
        if let Some(described) = self.cluster.take_described() {
            self.add(Fact::Described(Box::new(described)));
        }
    }
}

/// What arrives.
impl World {
    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Found { lookup, host, port } => {
                self.network.lock().look_up(lookup, &host, port);
            }
            Arrival::Dialled { wire } => {
                let broker = self.broker_at(wire);
                self.network.lock().dialled(wire, broker);
            }
            Arrival::AtBroker { wire, bytes } => {
                let is_there = self.network.lock().at_broker(wire, &bytes);
                if is_there {
                    self.serve(wire);
                }
            }
            Arrival::Hangup { wire } => {
                self.network.lock().input_ends(wire);
                self.serve(wire);
            }
            Arrival::Reset { wire } => self.forget(wire),
            Arrival::ReadsOn { wire } => self.serve(wire),
            Arrival::AnswerIsDue { wire, frame } => self.answer(wire, frame, true),
            // Whatever arrives lets the cluster give its answers.
            Arrival::AnswerIsReady => self.armed = None,
            Arrival::AtProducer { wire, bytes } => self.network.lock().at_producer(wire, bytes),
            Arrival::Ended { wire, end } => self.network.lock().end(wire, end),
            Arrival::Alarm { waker } => waker.wake(),
            Arrival::Plan { entry } => {
                if let Some(plan) = self.plans[entry].take() {
                    let now = self.now();
                    self.cluster.replicate(now);
                    plan(self);
                }
            }
        }
    }

    /// The broker that a wire was dialled to, if it is up.
    fn broker_at(&self, wire: u64) -> Option<i32> {
        let network = self.network.lock();
        let wire = network.wires.get(&wire)?;
        let (host, port) = (network.host_of(wire.address)?, wire.port);
        self.cluster
            .brokers()
            .find(|&id| self.cluster.is_up(id) && self.cluster.address(id) == (host, port))
    }

    /// Lets a broker take the requests that have arrived on a wire.
    fn serve(&mut self, wire: u64) {
        loop {
            let (request, broker) = {
                let mut network = self.network.lock();
                let broker = network.wires.get(&wire).map_or(0, |wire| wire.broker);
                (network.take_request(wire), broker)
            };
            match request {
                Ok(Some(request)) => self.handle(wire, broker, &request),
                Ok(None) => break,
                Err(()) => return self.hang_up(wire),
            }
        }
        let read = self.network.lock().is_read_to_its_end(wire);
        match read {
            Some(true) => self.hang_up(wire),
            Some(false) => self.forget(wire),
            None => {}
        }
    }

    fn handle(&mut self, wire: u64, broker: i32, request: &Bytes) {
        let number = |at: usize| {
            request
                .get(at..at + 2)
                .map_or(-1, |b| i16::from_be_bytes([b[0], b[1]]))
        };
        let api = Api::from_key(number(0));
        let (version, bytes) = (number(2), request.len());
        self.add(Fact::Asked {
            wire,
            broker,
            api,
            version,
            bytes,
        });
        let now = self.now();
        let answer = self.cluster.handle(now, broker, wire, &request[..]);
        self.collect();
        self.carry_out(wire, answer, api == Some(Api::Produce));
    }

    /// Has the cluster give the answers that it had to hold back, and come again when the next one is due.
    fn settle(&mut self) {
        let now = self.now();
        while let Some(answered) = self.cluster.poll_answer(now) {
            self.collect();
            self.carry_out(answered.connection, answered.answer, true);
        }
        if let Some(at) = self.cluster.next_answer().map(|at| at.max(now))
            && self.armed.is_none_or(|armed| at < armed)
        {
            self.armed = Some(at);
            let mut network = self.network.lock();
            network.schedule(at, Arrival::AnswerIsReady);
        }
    }

    fn carry_out(&mut self, wire: u64, answer: Answer, may_be_tampered: bool) {
        match answer {
            Answer::Reply(frame) => self.answer(wire, frame, may_be_tampered),
            Answer::Later { due, frame } => {
                self.network
                    .lock()
                    .schedule(due, Arrival::AnswerIsDue { wire, frame });
            }
            Answer::Disconnect => self.hang_up(wire),
            Answer::Silence | Answer::Waits => {}
        }
    }

    fn answer(&mut self, wire: u64, frame: Bytes, may_be_tampered: bool) {
        self.add(Fact::Answered {
            wire,
            bytes: frame.len(),
        });
        self.network.lock().answer(wire, frame, may_be_tampered);
        self.collect();
    }

    pub(crate) fn hang_up(&mut self, wire: u64) {
        self.cluster.closed(self.broker_on(wire), wire);
        self.network.lock().hang_up(wire);
    }

    /// The broker that answers on a wire; 0, which no broker has, before it is up and when it is gone.
    fn broker_on(&self, wire: u64) -> i32 {
        let network = self.network.lock();
        network.wires.get(&wire).map_or(0, |wire| wire.broker)
    }

    /// The producer's end of a wire is gone.
    fn forget(&mut self, wire: u64) {
        self.cluster.closed(self.broker_on(wire), wire);
        self.network.lock().hung_up(wire);
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stuck::Silence => "nothing will ever happen again, and an application is not done",
            Stuck::Spinning => "tasks wake each other without time passing",
            Stuck::Endless => "the run does not come to its end",
        })
    }
}

impl std::error::Error for Stuck {}

const PORT: u16 = 9092;

/// Where broker `n` stands when the world begins.
pub(crate) fn address(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(10, 0, high, low)
}
