//! A Kafka cluster in the process, for tests and for first steps: the same rules as Kafka's, without its weight.
//!
//! - [`Model`] is the cluster as a pure state machine: a request and the time go in, an [`Answer`] comes out. It decides as
//!   Kafka 4.3 does about versions, leaders, epochs, sequences, sizes and checksums, and does what a test tells it behind the
//!   producer's back: moves leaders, lets followers lag and elections lose records (and lists what they lost), shows old
//!   metadata, deletes and replaces, pauses and throttles, and lets planned [`Fault`]s and [`Hostile`] answers strike.
//! - [`Cluster`] serves a model over TCP.
//! - [`World`] is what applications are tested in: producers, a model, a network between them, an executor and virtual time.
//!   [`Trial`] is one run of it by a seed that decides everything.
//! - [`Stage`] puts a model and a producer's core on a stage: links between them, and a clock that only the test moves.
//!
//! # The loop around a model
//!
//! The harness owns the clock and the network. It gives each frame that reaches a broker to [`Model::handle`] and does what
//! the answer says.
//!
//! ```
//! use std::time::Duration;
//!
//! use ottla_sim::{Answer, Api, Fault, Model, On, code};
//!
//! let mut model = Model::new(3, /* seed */ 7);
//! model.create_topic("letters", 6);
//! model.inject(On::produce("letters", 0), Fault::AppendThen(code::REQUEST_TIMED_OUT));
//! let leader = model.leader("letters", 0).expect("all brokers are up");
//!
//! // ApiVersions 0, correlation id 1, no client id: a request as it comes off a link, without its length.
//! let request = [0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
//! match model.handle(Duration::ZERO, leader, /* connection */ 1, &request[..]) {
//!     Answer::Reply(frame) => assert_eq!(&frame[4..8], [0, 0, 0, 1]), // send it now
//!     Answer::Later { due, frame } => drop((due, frame)),              // send it when `due` has come
//!     Answer::Waits => {}                                              // `Model::poll_answer` will give the answer
//!     Answer::Silence => {}                                            // send nothing
//!     Answer::Disconnect => {}                                         // close the connection
//! }
//! assert_eq!(model.requests(Api::ApiVersions), 1);
//! assert!(model.violations().is_empty());
//! ```
//!
//! # What is checked, and by whom
//!
//! Requests and answers are decoded and encoded by the crate `kafka-protocol`, behind a walk of this crate's own over the
//! lengths in a request. Record batches are checked by this crate's own reading of the format, without building anything
//! per record: length, checksum, counts, sequence, and the framing, offset delta, timestamp and headers of every record,
//! under a codec as without. No code is shared with the producer under test: codecs are opened by `zune-inflate`, `snap`,
//! `lz4_flex` and `ruzstd`.
//!
//! # What is left out
//!
//! Transactions, authentication, compaction, compression by the broker, message formats older than 2, Fetch sessions. A
//! follower that comes back has thrown away what its leader does not have; a broker that was deposed knows it at once.
//! Replication takes no time and loses nothing unless a test says so.
//!
//! Groups are classic ones: the newer protocol (`group.protocol=consumer`) and share groups are refused, an instance id
//! (`group.instance.id`) is kept and shown, and makes no member static, and offsets stay until their group or topic goes.
//! There are 256 groups and 4,096 members at most. Administrators create, delete, list and describe topics, add partitions
//! and change `cleanup.policy`, `max.message.bytes` and `message.timestamp.type`; settings of disks (`retention.ms`,
//! `segment.bytes`) are kept and shown without an effect, others refused. They can't place replicas, alter brokers, delete
//! records or move partitions.

mod cases;
mod chance;
pub mod code;
#[cfg(fuzzing)]
pub mod fuzzing;
mod model;
mod network;
mod server;
mod stage;
mod trial;
mod world;

pub use cases::{CASES, Case, Section};
pub use chance::Chance;
pub use model::{
    Answer, Answered, Api, Described, DescribedTopic, Fault, Hostile, LogRecord, Loss, Model, On,
    Produced,
};
pub use network::{Dialling, Lookup as Resolving, Tamper};
pub use server::{Builder, Cluster, Port};
pub use stage::{Cut, Dial, Fate, Lookup, Sent, Stage};
pub use trial::{Broken, ELSEWHERE, Report, Trial};
pub use world::{Clock, Fact, FaultKind, Layer, Line, Spawner, Stuck, Told, World};

/// The guide's page about this crate: its examples have to run.
#[cfg(doctest)]
#[doc = include_str!("../../../runtimes/docs/simulation.md")]
struct Page;
