//! The stage: a producer's core and the model cluster, with a network and a clock that only a test moves.

mod check;
mod control;
mod driver;
mod link;
mod network;
mod outcomes;
mod trace;

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_core::{
    Config, Fatal, FlushId, Instant, ProducerCore, Purge, Record, Scope, SendError, Topic, Wait,
    Warning,
};

pub use link::Cut;
pub use network::{Dial, Lookup};
pub use outcomes::{Fate, Sent};

use crate::{Model, Produced};
use network::Network;
use outcomes::Outcomes;
use trace::Trace;

/// A deterministic world of one producer core, the model cluster and the links between them, in virtual time.
///
/// Nothing sleeps and nothing runs by itself: [`step`](Stage::step) jumps to the next deadline of the core or the next
/// delivery of the network, and the `run_*` methods step until what they wait for. The stage obeys the contract of the
/// core's drivers, keeps exactly one outcome for each record, and fails a core that spins. The same seed, settings and
/// calls give the same [trace](Stage::trace_digest). When a test fails, the last lines of the trace are printed.
///
/// ```
/// use ottla_sim::Stage;
///
/// let mut stage = Stage::new(3, &[("linger.ms", "0")]);
/// stage.model.create_topic("letters", 2);
/// let n = stage.send("letters", 1, None, b"Dear Ottla");
/// stage.run_to_idle();
/// assert_eq!(stage.written(), [n]);
/// stage.check();
/// ```
pub struct Stage {
    /// The cluster: plan faults, move leaders and read logs here. Brokers are stopped and started by
    /// [`stop_broker`](Stage::stop_broker) and [`start_broker`](Stage::start_broker), which know the links too.
    pub model: Model,
    core: ProducerCore,
    now: Duration,
    network: Network,
    outcomes: Outcomes,
    flushed: BTreeSet<FlushId>,
    closed: Option<Option<Fatal>>,
    warnings: Vec<Warning>,
    excused: bool,
    trace: Trace,
}

/// Where the core's clock stands when the stage's shows zero: not at its origin, so that nobody takes the one for the
/// other.
const START: Duration = Duration::from_secs(3_600);
/// Records are stamped with a wall clock that starts here, in milliseconds.
const WALL_CLOCK: i64 = 1_800_000_000_000;
/// Steps that a run may take before it counts as endless.
const MOST_STEPS: usize = 1_000_000;
/// The virtual time after which a run counts as endless.
const LONGEST_RUN: Duration = Duration::from_secs(24 * 3_600);

impl Stage {
    /// A producer with these settings, in Java's words, and a cluster of `brokers`, at `broker-N:909N`. Unless the settings
    /// say otherwise the producer knows all of them.
    ///
    /// # Panics
    ///
    /// If the settings are not valid.
    pub fn new(brokers: u16, settings: &[(&str, &str)]) -> Stage {
        Stage::with_seed(brokers, settings, 7)
    }

    /// Like [`new`](Stage::new), with another seed for the producer's chance and the cluster's ids.
    ///
    /// # Panics
    ///
    /// If the settings are not valid.
    pub fn with_seed(brokers: u16, settings: &[(&str, &str)], seed: u64) -> Stage {
        let mut model = Model::new(brokers, seed);
        let mut servers = Vec::new();
        for broker in 1..=brokers {
            let (host, port) = (format!("broker-{broker}"), 9090 + broker);
            model.set_address(i32::from(broker), &host, port);
            servers.push(format!("{host}:{port}"));
        }
        let servers = ("bootstrap.servers", servers.join(","));
        let config = [(servers.0, &*servers.1)]
            .into_iter()
            .chain(settings.iter().copied());
        let config = Config::from_properties(config).expect("the test's settings are valid");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Stage {
            model,
            core: ProducerCore::new(config, bytes, instant(Duration::ZERO)),
            now: Duration::ZERO,
            network: Network::default(),
            outcomes: Outcomes::default(),
            flushed: BTreeSet::new(),
            closed: None,
            warnings: Vec::new(),
            excused: false,
            trace: Trace::new(seed),
        }
    }
}

/// What the application does. Records carry numbers, from 0 in the order of these calls.
impl Stage {
    /// Sends a record: at once if the core takes it, else by waiting for its turn. Its number is returned in both cases.
    ///
    /// [`check`](Stage::check) tells records apart by their values: those of one topic should differ.
    pub fn send(
        &mut self,
        topic: &str,
        partition: impl Into<Option<i32>>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> usize {
        let n = self.note(topic, partition.into(), key, value);
        self.hand_in(n);
        self.turn();
        n
    }

    /// Sends a record if the core takes it at once. A refused record gets its number too, and ends as refused.
    ///
    /// # Errors
    ///
    /// The core's.
    pub fn try_send(
        &mut self,
        topic: &str,
        partition: impl Into<Option<i32>>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<usize, SendError> {
        let n = self.note(topic, partition.into(), key, value);
        let taken = self.try_hand_in(n);
        if let Err(error) = &taken {
            self.outcomes.refuse(n, error.clone(), self.now);
        }
        self.turn();
        taken.map(|()| n)
    }

    /// Looks a topic up without sending anything, and runs until its partitions are known and the producer id, if there
    /// is to be one, was asked for.
    pub fn warm_up(&mut self, topic: &str) {
        let handle = self.topic(topic);
        self.turn();
        self.run_until(|stage| stage.core.partitions(handle).is_some());
        self.run_for(Duration::from_millis(20));
    }

    /// Begins to flush everything.
    pub fn flush(&mut self) -> FlushId {
        let flush = self.core.flush(instant(self.now), Scope::All);
        self.turn();
        flush
    }

    /// Whether a flush has ended.
    pub fn is_flushed(&self, flush: FlushId) -> bool {
        self.flushed.contains(&flush)
    }

    /// Purges records.
    pub fn purge(&mut self, what: Purge) {
        self.core.purge(instant(self.now), what);
        self.turn();
    }

    /// Begins to close the producer.
    pub fn close(&mut self, grace: Duration) {
        self.core.close(instant(self.now), grace);
        self.turn();
    }

    /// Whether the producer has ended, and why if it had to.
    pub fn closed(&self) -> Option<Option<Fatal>> {
        self.closed
    }

    fn topic(&mut self, name: &str) -> Topic {
        self.core
            .topic(instant(self.now), name)
            .expect("the test's topic has a valid name")
    }

    fn note(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> usize {
        let handle = self.topic(topic);
        let sent = Sent::new(topic, handle, partition, key, value, self.now);
        self.outcomes.note(sent)
    }

    /// Hands record `n` in, or begins to wait for its turn.
    fn hand_in(&mut self, n: usize) {
        match self.try_hand_in(n) {
            Ok(()) => {}
            Err(SendError::Full | SendError::TopicNotReady) => {
                let waiter = self.core.wait(
                    instant(self.now),
                    Wait::Record(&record(self.outcomes.sent(n))),
                );
                self.outcomes.wait(n, waiter);
            }
            Err(error) => self.outcomes.refuse(n, error, self.now),
        }
    }

    fn try_hand_in(&mut self, n: usize) -> Result<(), SendError> {
        let ticket = self
            .core
            .send(instant(self.now), &record(self.outcomes.sent(n)))?;
        self.outcomes.accept(n, ticket, self.now);
        Ok(())
    }
}

/// How time goes on.
impl Stage {
    /// Goes to the next thing that happens and lets it happen; false if nothing ever will.
    pub fn step(&mut self) -> bool {
        match self.next() {
            Some(at) => {
                self.advance(at);
                true
            }
            None => false,
        }
    }

    /// Lets `time` pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..MOST_STEPS {
            match self.next().filter(|&at| at <= until) {
                Some(at) => self.advance(at),
                None => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("{MOST_STEPS} steps were not enough for {time:?}");
    }

    /// Steps until the condition holds.
    ///
    /// # Panics
    ///
    /// If it does not within a day, or when nothing happens any more.
    pub fn run_until(&mut self, condition: impl Fn(&Stage) -> bool) {
        let until = self.now + LONGEST_RUN;
        for _ in 0..MOST_STEPS {
            if condition(self) {
                return;
            }
            assert!(
                self.step(),
                "nothing happens any more, and what was waited for did not come"
            );
            assert!(
                self.now <= until,
                "what was waited for did not come within {LONGEST_RUN:?}"
            );
        }
        panic!("{MOST_STEPS} steps were not enough for what was waited for");
    }

    /// Steps until every record has its outcome, nothing is under way on any link, and all memory is free.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn run_to_idle(&mut self) {
        self.run_until(Stage::is_at_rest);
    }

    fn is_at_rest(&self) -> bool {
        self.core.is_idle()
            && self.outcomes.unsettled().next().is_none()
            && self.network.is_quiet()
            && self.core.buffer_available() == self.core.config().buffer_memory()
    }

    /// When the next thing happens.
    fn next(&self) -> Option<Duration> {
        let deadline = self.core.poll_timeout().map(duration);
        let delivery = self.network.next();
        deadline
            .into_iter()
            .chain(delivery)
            .min()
            .map(|at| at.max(self.now))
    }

    /// Jumps to `at` and lets happen what is due.
    fn advance(&mut self, at: Duration) {
        self.now = at;
        if self
            .core
            .poll_timeout()
            .is_some_and(|deadline| duration(deadline) <= at)
        {
            self.trace.line(
                at,
                format_args!("deadline: {:?}", self.core.timeout_reason()),
            );
            self.core.handle_timeout(instant(at));
            self.turn();
        }
        while let Some(delivery) = self.network.pop(at) {
            self.deliver(delivery);
            self.turn();
        }
    }
}

/// What a test reads.
impl Stage {
    /// The time since the start.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The core, to read counters and deadlines from.
    pub fn core(&self) -> &ProducerCore {
        &self.core
    }

    /// Record `n`: what was sent, and what became of it.
    ///
    /// # Panics
    ///
    /// If there is no such record.
    pub fn sent(&self, n: usize) -> &Sent {
        self.outcomes.sent(n)
    }

    /// What became of record `n`; `None` while that is open.
    ///
    /// # Panics
    ///
    /// If there is no such record.
    pub fn outcome(&self, n: usize) -> Option<&Fate> {
        self.outcomes.sent(n).fate()
    }

    /// Whether record `n` is written.
    pub fn is_written(&self, n: usize) -> bool {
        matches!(self.outcome(n), Some(Fate::Written { .. }))
    }

    /// The numbers of all records that are written.
    pub fn written(&self) -> Vec<usize> {
        self.outcomes
            .all()
            .filter(|(_, s)| matches!(s.fate(), Some(Fate::Written { .. })))
            .map(|(n, _)| n)
            .collect()
    }

    /// The numbers of all records without an outcome.
    pub fn unsettled(&self) -> Vec<usize> {
        self.outcomes.unsettled().collect()
    }

    /// The warnings so far.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The batches of a partition that reached a broker, in order.
    pub fn arrivals(&self, topic: &str, partition: i32) -> Vec<Produced> {
        let of_partition = |p: &&Produced| &*p.topic == topic && p.partition == partition;
        self.model
            .produce_journal()
            .filter(of_partition)
            .cloned()
            .collect()
    }

    /// The values in a partition's log, in order.
    pub fn log(&self, topic: &str, partition: i32) -> Vec<String> {
        let text = |value: Option<bytes::Bytes>| {
            String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
        };
        self.model
            .log(topic, partition)
            .map(|record| text(record.value))
            .collect()
    }

    /// A number that depends on every line of the trace: the same for the same seed, settings and calls.
    pub fn trace_digest(&self) -> u64 {
        self.trace.digest()
    }
}

fn record(sent: &Sent) -> Record<'_> {
    Record {
        topic: sent.handle(),
        partition: sent.partition,
        timestamp: WALL_CLOCK + sent.at.as_millis() as i64,
        key: sent.key.as_deref(),
        value: Some(&sent.value),
        headers: &[],
    }
}

/// The stage's time on the core's clock.
fn instant(at: Duration) -> Instant {
    Instant::ORIGIN + START + at
}

/// The core's time on the stage's clock; what lies before its start counts as its start.
fn duration(at: Instant) -> Duration {
    at.since(Instant::ORIGIN + START)
}
