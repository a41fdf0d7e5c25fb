//! The state machine itself: owns the parts and moves data between them.
//!
//! Its methods stand in files by what they are about; each of them sees the whole.

mod admission;
mod attempt;
mod audit;
mod causes;
mod closing;
mod compressing;
mod delivery;
mod ending;
mod links;
#[cfg(planted)]
mod misreading;
mod refresh;
mod refusal;
mod sending;
mod spares;
mod splitting;
mod timers;
mod verdict;
mod waiters;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{ops::Range, time::Duration};

use crate::{
    accumulator::Accumulator,
    cluster::{Cluster, Leader},
    compress::{Compression, Ratio},
    config::{Acks, Config},
    error::{Cause, Fatal},
    event::{Command, Event, Warning},
    id::{BatchId, FlushId, Topic},
    idempotence::{Identity, Leadership, Pipelining, Sequences},
    memory::Memory,
    metrics::{CompressionTotals, Metrics},
    outcome::Outcome,
    partitioner::Sticky,
    peer::Peer,
    record::Record,
    rng::Rng,
    time::Instant,
    wire::ErrorCode,
};
use compressing::Workshop;
use spares::Spares;
use waiters::Waiters;

pub use admission::Refusal;
#[doc(hidden)]
pub use audit::{Audit, KnownLeader};
pub use timers::TimeoutReason;
#[cfg(test)]
pub(crate) use verdict::{Verdict, judge};

/// A Kafka producer as a pure state machine: records, bytes and the time go in; request bytes, commands, events and
/// the next deadline come out.
///
/// It has four kinds of method. *Verbs* take what the application wants ([`topic`](Self::topic), [`send`](Self::send),
/// [`wait`](Self::wait), [`flush`](Self::flush), [`close`](Self::close) …). *`handle_*`* take what happened. *`poll_*`*
/// give what to do; only the driver calls them, each until it returns `None`, in this order:
///
/// 1. [`poll_command`](Self::poll_command);
/// 2. [`poll_link`](Self::poll_link), and for each link [`poll_transmit`](Self::poll_transmit);
/// 3. [`poll_event`](Self::poll_event).
///
/// After that [`poll_timeout`](Self::poll_timeout) says when to call [`handle_timeout`](Self::handle_timeout) at the
/// latest. A verb may move that deadline earlier: the caller compares it with the one that the driver sleeps on, and
/// wakes the driver only if it must. Getters take `&self`.
///
/// `now` comes from a monotonic clock. It may lag behind and never has to increase. Nothing blocks, and no code of the
/// application is called.
pub struct ProducerCore {
    config: Config,
    rng: Rng,
    /// The latest `now` that was handed in.
    clock: Instant,
    memory: Memory,
    /// A record of this length needs no closer look at `max.request.size` and `buffer.memory`.
    surely_fits: usize,
    waiters: Waiters,
    accumulator: Accumulator,
    cluster: Cluster,
    topics: Vec<TopicPartitions>,
    /// All partitions of all topics, by dense index.
    partitions: Vec<Partition>,
    peers: Vec<Peer>,
    /// For each peer the partitions that have something to send to it, in the order of their turns.
    rings: Vec<VecDeque<u32>>,
    peer_of_broker: BTreeMap<i32, u32>,
    /// Peers whose brokers are gone, to be used again once nothing is left of them.
    spare_peers: Vec<u32>,
    /// Peers that may have something to send.
    links: VecDeque<u32>,
    lookups: u64,
    /// Whom metadata was or will be asked from.
    metadata_peer: Option<u32>,
    producer_id: ProducerId,
    /// The producer ids that were held, the newest first: none of them may come again.
    used_ids: VecDeque<i64>,
    /// Partitions that wait before they send again.
    backoffs: BTreeSet<(Instant, u32)>,
    flushes: VecDeque<Flush>,
    flush_count: u64,
    ending: Ending,
    commands: VecDeque<Command>,
    events: VecDeque<Event>,
    warnings: usize,
    /// The latest trouble with a broker, until one answers.
    trouble: Option<Cause>,
    deadline: Instant,
    reason: TimeoutReason,
    spares: Spares,
    workshop: Workshop,
    metrics: Metrics,
}

/// One partition: its leader, and what is under way to it.
struct Partition {
    topic: Topic,
    index: i32,
    leader: Leader,
    /// The peer that is the leader.
    peer: Option<u32>,
    sequences: Sequences,
    /// Nothing is sent before this.
    retry_at: Option<Instant>,
    /// It stands in its peer's ring.
    in_ring: bool,
    /// It waits for a place where its next batch can be compressed.
    awaits_work: bool,
    /// Why the last attempt of a batch failed; `None` once one is written.
    last: Option<Box<Cause>>,
}

/// A topic's partitions by dense index, and the choice among them for records without a key.
struct TopicPartitions {
    partitions: Vec<u32>,
    sticky: Sticky,
    loads_taken: Option<Instant>,
    ratio: Ratio,
    /// With how many bytes a new batch is full, before it is compressed.
    batch_size: usize,
    compression: CompressionTotals,
    /// A batch of this size was too large for a broker.
    too_large: usize,
    /// [`Event::TopicReady`] was given.
    announced: bool,
}

/// Where the producer id is in its life.
enum ProducerId {
    /// Idempotence is off.
    Off,
    /// To be asked for from then on, for the so manieth time in a row.
    Wanted {
        at: Instant,
        failures: u32,
        peer: Option<u32>,
        /// What the brokers answered last.
        last: Option<ErrorCode>,
    },
    /// Asked for.
    Asked {
        failures: u32,
        last: Option<ErrorCode>,
    },
    Held(Identity),
}

/// A flush that waits for batches.
struct Flush {
    id: FlushId,
    /// It covers the batches before this order …
    before: u64,
    /// … of this scope, of which so many are left.
    scope: Scope,
    left: usize,
}

/// How far the producer's end has come.
enum Ending {
    Running,
    /// Nothing new is taken; what is left is forced to its end at this time.
    Closing(Instant),
    /// Every record has its outcome; links are being closed. If it could not go on, then why.
    Leaving(Option<Fatal>),
    Closed(Option<Fatal>),
}

/// What to wait for.
#[derive(Clone, Copy, Debug)]
pub enum Wait<'a> {
    /// The topic's partitions are known.
    Topic(Topic),
    /// There is room for this record, and its partition is known.
    Record(&'a Record<'a>),
}

/// Which records a flush covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that were accepted before it.
    All,
    /// Those of a topic.
    Topic(Topic),
    /// Those of a partition.
    Partition(Topic, i32),
}

/// Which records a purge ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// Those that are not on the way to a broker.
    Queued,
    /// Those that are.
    InFlight,
    /// Both.
    All,
}

/// A partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// The partition.
    pub partition: i32,
    /// The id of the broker that leads it, if there is a leader.
    pub leader: Option<i32>,
}

impl ProducerCore {
    /// A producer that does nothing before it is asked for a topic.
    ///
    /// `seed` is the only source of randomness (ChaCha): the same seed, settings and inputs give the same outputs.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        let growth = match config.batch_size() {
            0 => 0,
            _ => config
                .batch_growth_max_bytes()
                .min(config.max_request_size()),
        };
        let accumulator = Accumulator::new(
            config.compression_type() != Compression::None,
            growth,
            config.chunk_size(),
            config.linger(),
            config.delivery_timeout(),
        );
        let producer_id = match config.enable_idempotence() {
            true => ProducerId::wanted(now),
            false => ProducerId::Off,
        };
        let mut core = Self {
            rng: Rng::from_seed(seed),
            clock: now,
            memory: Memory::new(config.buffer_memory()),
            surely_fits: admission::surely_fits(&config),
            waiters: Waiters::new(),
            accumulator,
            cluster: Cluster::new(config.metadata_max_age()),
            topics: Vec::new(),
            partitions: Vec::new(),
            peers: Vec::new(),
            rings: Vec::new(),
            peer_of_broker: BTreeMap::new(),
            spare_peers: Vec::new(),
            links: VecDeque::new(),
            lookups: 0,
            metadata_peer: None,
            producer_id,
            used_ids: VecDeque::new(),
            backoffs: BTreeSet::new(),
            flushes: VecDeque::new(),
            flush_count: 0,
            ending: Ending::Running,
            commands: VecDeque::new(),
            events: VecDeque::new(),
            warnings: 0,
            trouble: None,
            deadline: Instant::NEVER,
            reason: TimeoutReason::Output,
            spares: Spares::default(),
            workshop: Workshop::default(),
            metrics: Metrics::default(),
            config,
        };
        core.add_seeds();
        core
    }

    /// The next event, until there is none. Polling the last completion of a batch refunds its memory.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        let Some(mut event) = self.events.pop_front() else {
            // What verbs and the drain itself asked for is pursued now, lest the new deadline forget it.
            self.settle();
            return None;
        };
        match &mut event {
            Event::Completed {
                batch,
                records,
                last,
                ..
            } => self.tell(batch, records, last),
            Event::Admitted(waiter) | Event::WaitFailed(waiter, _) => self.told(*waiter),
            Event::Warning(_) => self.warnings -= 1,
            _ => {}
        }
        Some(event)
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The topic's partitions, by number; `None` until they are known.
    pub fn partitions(&self, topic: Topic) -> Option<impl Iterator<Item = PartitionInfo> + '_> {
        let state = self.cluster.get(topic).filter(|t| !t.leaders.is_empty())?;
        Some(
            (0..)
                .zip(&state.leaders)
                .map(|(partition, l)| PartitionInfo {
                    partition,
                    leader: l.broker,
                }),
        )
    }

    /// The topic's name; `None` if the handle is of another producer.
    #[must_use]
    pub fn topic_name(&self, topic: Topic) -> Option<&str> {
        self.cluster.get(topic).map(|t| &*t.name)
    }

    /// The counters and gauges.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics {
            buffer_available_bytes: self.memory.free(),
            buffer_total_bytes: self.memory.limit(),
            ..self.metrics
        }
    }

    /// The bytes of `buffer.memory` that are free.
    #[must_use]
    #[inline]
    pub fn buffer_available(&self) -> usize {
        self.memory.free()
    }

    /// Every accepted record has its outcome, and every outcome was polled.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.accumulator.is_empty() && self.events.is_empty()
    }

    /// An address, a connection or an answer is on its way.
    #[must_use]
    pub fn awaits_network(&self) -> bool {
        self.peers.iter().any(Peer::awaits_network)
    }

    /// Who leads a partition, as its sequences see it.
    fn leadership(&self, partition: &Partition) -> Leadership {
        Leadership {
            broker: partition.leader.broker.unwrap_or(-1),
            epoch: partition.leader.epoch,
            topic_id: self.cluster.state(partition.topic).id,
            producer_id: self.producer_id.held().map_or(-1, |id| id.producer_id),
        }
    }

    fn new_partition(&self, topic: Topic, index: i32) -> Partition {
        let most = self.config.max_in_flight_requests_per_connection() as usize;
        let pipelining = match (self.config.enable_idempotence(), most) {
            (true, _) => Pipelining::Idempotent(most),
            (false, 1) => Pipelining::Ordered,
            (false, _) => Pipelining::Free,
        };
        Partition {
            topic,
            index,
            leader: Leader {
                broker: None,
                epoch: -1,
            },
            peer: None,
            sequences: Sequences::new(pipelining, self.config.sequence_gap_policy())
                .starting_at(self.config.first_sequence()),
            retry_at: None,
            in_ring: false,
            awaits_work: false,
            last: None,
        }
    }

    /// Gives a batch its outcome.
    fn complete(&mut self, slot: u32, outcome: Outcome) {
        let count = self.accumulator.batch(slot).body.count();
        self.complete_ranges(slot, [(0..count, outcome)]);
    }

    /// Gives the ranges of a batch, which cover it without gaps, their outcomes.
    fn complete_ranges<I>(&mut self, slot: u32, ranges: I)
    where
        I: IntoIterator<Item = (Range<u32>, Outcome)>,
    {
        let batch = self.accumulator.batch(slot);
        let (id, count, order, partition) = (
            batch.id(slot),
            batch.body.count(),
            batch.order,
            batch.partition,
        );
        for (records, outcome) in ranges {
            let n = u64::from(records.end - records.start);
            match outcome {
                Outcome::Written { .. } => self.metrics.records_written += n,
                Outcome::NotWritten(_) => self.metrics.records_not_written += n,
                Outcome::MaybeWritten(_) => self.metrics.records_maybe_written += n,
            }
            let last = records.end == count;
            // Of the piece, if it is one, until it is told.
            self.events.push_back(Event::Completed {
                batch: id,
                records,
                outcome,
                last,
            });
        }
        let held_up = self.accumulator.needs_work(slot);
        self.accumulator.end(slot);
        self.count_for_flushes(order, partition);
        if held_up {
            self.refresh(partition); // what is behind it
        }
        self.is_due_now();
    }

    /// Puts the end of a batch, or of some of its records, as the application knows it: in terms of the batch that their
    /// tickets name.
    fn tell(&mut self, batch: &mut BatchId, records: &mut Range<u32>, last: &mut bool) {
        let slot = batch.slot() as u32;
        let told = self.accumulator.tell(slot, *last);
        if *last {
            self.release(slot);
        }
        let root = told.batch.slot() as u32;
        if told.last && root != slot {
            self.release(root);
        }
        *records = records.start + told.first..records.end + told.first;
        (*batch, *last) = (told.batch, told.last);
    }

    /// Gives back an ended batch's memory once it is told and its bytes are in nobody's hands (H039), and its slot once
    /// no answer to it can come any more.
    fn release(&mut self, slot: u32) {
        let batch = self.accumulator.batch(slot);
        let is_lent = batch.on_the_wire || self.accumulator.is_at_work(slot);
        if !batch.told || (is_lent && !planted!(FreesUnderWay)) {
            return;
        }
        let awaits_answer = self.partitions[batch.partition as usize]
            .sequences
            .holds(slot);
        let bytes = self.accumulator.reclaim(slot);
        if !awaits_answer {
            self.accumulator.vacate(slot);
        }
        self.memory.give(bytes);
        self.admit();
    }

    fn warn(&mut self, warning: Warning) {
        if self.warnings < MAX_WARNINGS {
            self.warnings += 1;
            self.events.push_back(Event::Warning(warning));
            self.is_due_now();
        }
    }

    /// Output waits: the driver is due.
    fn is_due_now(&mut self) {
        self.arm(Instant::ORIGIN, TimeoutReason::Output);
    }

    #[inline]
    fn arm(&mut self, at: Instant, reason: TimeoutReason) {
        if at < self.deadline {
            (self.deadline, self.reason) = (at, reason);
        }
    }

    #[inline]
    fn tick(&mut self, now: Instant) {
        self.clock = match planted!(ClockRunsBack) {
            true => now,
            false => self.clock.max(now),
        };
    }
}

impl ProducerId {
    /// To be asked for at once.
    const fn wanted(now: Instant) -> Self {
        Self::Wanted {
            at: now,
            failures: 0,
            peer: None,
            last: None,
        }
    }

    fn held(&self) -> Option<Identity> {
        match self {
            Self::Held(identity) => Some(*identity),
            _ => None,
        }
    }
}

/// Warnings that may wait to be polled; later ones are dropped.
const MAX_WARNINGS: usize = 64;

fn acks_answered(acks: Acks) -> bool {
    acks != Acks::None
}

fn backoff(config: &Config, rng: &mut Rng, failures: u32) -> Duration {
    crate::backoff::exponential(
        config.retry_backoff(),
        config.retry_backoff_max(),
        failures,
        rng,
    )
}
