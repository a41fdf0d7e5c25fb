//! The stage: a producer's core and the model cluster, with a network and a clock that only a test moves.

mod application;
mod arrival;
mod check;
mod control;
mod driver;
mod link;
mod network;
mod outcomes;
mod run;
mod trace;

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_core::{Config, Fatal, FlushId, Instant, ProducerCore, Warning};

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
    /// The application takes no events.
    is_aside: bool,
    /// How long the process stood still, all in all.
    stood_still: Duration,
    /// How long work on a batch takes.
    work_time: Duration,
    /// Work comes back as it was handed out.
    leaves_work: bool,
    /// What the clock on the wall shows at the start, and how far it has jumped since, in milliseconds since 1970.
    wall_clock: i64,
    trace: Trace,
}

/// Where the core's clock stands when the stage's shows zero: not at its origin, so that nobody takes the one for the
/// other.
const START: Duration = Duration::from_secs(3_600);

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
            is_aside: false,
            stood_still: Duration::ZERO,
            work_time: link::TICK,
            leaves_work: false,
            wall_clock: 1_800_000_000_000,
            trace: Trace::new(seed),
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

/// The stage's time on the core's clock.
fn instant(at: Duration) -> Instant {
    Instant::ORIGIN + START + at
}

/// The core's time on the stage's clock; what lies before its start counts as its start.
fn duration(at: Instant) -> Duration {
    at.since(Instant::ORIGIN + START)
}
