//! The sans-IO model of a Kafka cluster: requests and the time go in, answers come out.

mod admin;
mod append;
mod batch;
mod brokers;
pub(crate) mod codec;
mod control;
mod described;
mod dispatch;
mod envelope;
mod faults;
mod fetch;
mod groups;
mod hostile;
mod incarnations;
mod init_producer_id;
mod journal;
mod layouts;
mod leaders;
mod links;
mod list_offsets;
mod log;
mod losses;
mod metadata;
mod produce;
mod produce_answer;
mod producers;
mod readout;
mod records;
mod replicas;
mod retention;
mod settings;
mod shape;
mod spoil;
mod stamps;
mod topics;
mod versions;
mod views;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Buf, Bytes};
use uuid::Uuid;

use crate::Chance;

use brokers::Broker;
use faults::Faults;
use groups::Groups;
use incarnations::Buried;
use journal::Journal;
use links::Links;
use retention::Retention;
use settings::Settings;
use stamps::Stamps;
use topics::Topics;
use waiting::Waiting;

pub use described::{Described, DescribedTopic};
pub use faults::{Fault, On};
pub use hostile::Hostile;
pub use journal::Produced;
pub use losses::Loss;
pub use readout::LogRecord;
pub use versions::Api;
pub use waiting::Answered;

/// A Kafka cluster that only computes: no socket, no clock, no thread, no randomness but its seed.
///
/// Give each request that a broker receives to [`handle`](Model::handle) and do what the [`Answer`] says. All other methods
/// are for the test around it: they plan faults, move leaders and read what was written. Replication takes no time and all
/// replicas are in sync unless a method says otherwise.
///
/// Methods that take no time happen at the latest time that [`handle`](Model::handle) or
/// [`poll_answer`](Model::poll_answer) was told.
#[derive(Debug)]
pub struct Model {
    /// The latest time there was.
    now: Duration,
    settings: Settings,
    brokers: BTreeMap<i32, Broker>,
    topics: Topics,
    buried: Buried,
    losses: VecDeque<Loss>,
    retention: Retention,
    faults: Faults,
    groups: Groups,
    links: Links,
    waiting: Waiting,
    stamps: Stamps,
    journal: Journal,
    ids: Ids,
}

/// What a broker does about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Sends these bytes now; the frame's length stands in front.
    Reply(Bytes),
    /// Sends these bytes when the time has come, and nothing else on the connection before.
    Later {
        /// When to send, since the start.
        due: Duration,
        /// What to send, the frame's length in front.
        frame: Bytes,
    },
    /// Nothing yet: [`Model::poll_answer`] gives the answer when it is known. What comes on the connection meanwhile waits
    /// too.
    Waits,
    /// Sends nothing: the request asked for no answer, or the broker hangs.
    Silence,
    /// Closes the connection, as Kafka does when it does not understand a request.
    Disconnect,
}

/// The ids that the cluster hands out.
#[derive(Debug)]
struct Ids {
    cluster: String,
    next_topic: u128,
    next_producer: i64,
    /// The epoch that comes with the next producer id.
    next_epoch: i16,
    /// The producer id and epoch that were handed out last.
    last_producer: (i64, i16),
}

impl Model {
    /// A cluster of brokers 1 to `brokers`, at `broker-N:9092` until [`set_address`](Model::set_address) says otherwise.
    ///
    /// The seed chooses the ids of the cluster and its topics. The same seed and the same calls give the same bytes.
    pub fn new(brokers: u16, seed: u64) -> Model {
        let broker = |id: i32| (id, Broker::new(format!("broker-{id}"), 9092));
        Model {
            now: Duration::ZERO,
            settings: Settings::default(),
            brokers: (1..=i32::from(brokers)).map(broker).collect(),
            topics: Topics::default(),
            buried: Buried::default(),
            losses: VecDeque::new(),
            retention: Retention::default(),
            faults: Faults::default(),
            groups: Groups::default(),
            links: Links::default(),
            waiting: Waiting::default(),
            stamps: Stamps::default(),
            journal: Journal::default(),
            ids: Ids::from_seed(seed),
        }
    }

    /// Takes one request, without the length in front, and says what the broker does about it.
    ///
    /// `now` is the time since the start. `broker` is the node that received the request. `connection` tells connections of
    /// one broker apart; it must not be used again for a new connection unless [`closed`](Model::closed) was called.
    /// Answers on one connection are due in the order of their requests. `Bytes` are taken as they are, slices are copied.
    pub fn handle(
        &mut self,
        now: Duration,
        broker: i32,
        connection: u64,
        mut request: impl Buf,
    ) -> Answer {
        self.replicate(now);
        if !self.is_up(broker) {
            return Answer::Disconnect;
        }
        self.check_silence(now, broker, connection);
        if self.links.is_hung(broker, connection) {
            return Answer::Silence;
        }
        let request = request.copy_to_bytes(request.remaining());
        let is_deaf = self.broker(broker).paused || self.is_silent(now, broker, connection);
        if is_deaf || self.waiting.has(broker, connection) {
            return self.waiting.line_up(broker, connection, request);
        }
        self.carry_out(now, broker, connection, request)
    }

    /// A connection is gone; what the model remembers of it goes too.
    pub fn closed(&mut self, broker: i32, connection: u64) {
        self.links.forget(broker, connection);
        self.waiting.forget(broker, connection);
    }

    /// A broker of the cluster. Panics if there is none with this id.
    fn broker(&self, id: i32) -> &Broker {
        self.brokers
            .get(&id)
            .expect("the cluster has a broker with this id")
    }

    /// The wall clock, for log append time.
    fn wall_clock_ms(&self, now: Duration) -> i64 {
        let now = self.settings.wall_clock_at_start.saturating_add(now);
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Ids {
    fn from_seed(seed: u64) -> Ids {
        let mut chance = Chance::new(seed);
        let cluster = format!("ottla-{:016x}", chance.next());
        let next_topic = u128::from(chance.next()) << 64 | u128::from(chance.next());
        Ids {
            cluster,
            next_topic,
            next_producer: 1000,
            next_epoch: 0,
            last_producer: (999, 0),
        }
    }

    fn topic(&mut self) -> Uuid {
        self.next_topic = self.next_topic.wrapping_add(1).max(2);
        Uuid::from_u128(self.next_topic)
    }
}
