//! An Apache Kafka producer: a sans-IO core, thin adapters, nothing lost in silence.
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use ottla::{Config, Record, Undelivered};
//!
//! let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
//! let producer = ottla::tokio::start(config)?;
//!
//! let record = Record::to("payments").key("customer-7").value("42.00 EUR");
//! let delivery = producer.send(record).await?; // waits for room only
//! match delivery.await {
//!     Ok(written) => println!("{}-{} at {:?}", written.topic, written.partition, written.offset),
//!     Err(Undelivered::NotWritten(why)) => println!("safe to send again: {why}"),
//!     Err(Undelivered::MaybeWritten(why)) => println!("look before sending again: {why}"),
//! }
//! producer.close(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # The contract
//!
//! - Every record that is accepted has exactly one outcome: written, not written, or perhaps written. It comes as a
//!   [`Delivery`], or to a callback ([`Producer::send_with`]).
//! - A record that is refused ([`SendError`]) was only borrowed: nothing of it was kept.
//! - Records of one partition are written in the order in which they were sent.
//! - Dropping anything, at any point, never blocks and leaks nothing: not a future, not a [`Producer`], not a runtime.
//! - A blocking call returns within its own time-out by the caller's clock, and a second of grace; one that would hold up
//!   the driver gets an error ([`Deadlock`]), at once where that can be told.
//! - Users' code (callbacks, the hook for warnings, wakers) runs with no lock held, and its panics harm nobody else.
//!
//! # Features
//!
//! - `tokio` (on by default): the adapter for tokio, `ottla::tokio::start`.
//! - `smol`: the adapter for smol, `ottla::smol::start`.
//! - `blocking`: the adapter without an async runtime, `ottla::blocking::start`: a thread of its own, or the caller's.
//!
//!   An adapter for another loop needs no feature: see [`driver`].
//! - `gzip`, `lz4`, `snappy`, `zstd` (on by default): the codecs of `compression.type`, each without C.
//! - `tracing`: the core's decisions as events of the `tracing` crate.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// Whether this defect is to be had here: never, but in a build with `--cfg planted` that was told so.
#[cfg(planted)]
macro_rules! planted {
    ($defect:ident) => {
        ottla_core::planted::is_chosen(ottla_core::planted::Defect::$defect)
    };
}
#[cfg(not(planted))]
macro_rules! planted {
    ($defect:ident) => {
        false
    };
}

#[cfg(feature = "blocking")]
pub mod blocking;
mod clock;
mod compressing;
mod delivery;
pub mod driver;
mod link;
mod names;
mod outbox;
mod parking;
#[cfg(feature = "tokio")]
mod paused;
#[cfg(feature = "blocking")]
mod poller;
mod producer;
mod record;
mod reply;
mod runtime;
mod sending;
mod setup;
mod share;
mod shared;
#[cfg(feature = "smol")]
pub mod smol;
#[cfg(any(feature = "tokio", feature = "smol", feature = "blocking"))]
mod socket;
mod state;
#[cfg(feature = "tokio")]
pub mod tokio;
mod wait;
mod warning;

pub use clock::TimeSource;
pub use delivery::{Delivery, RecordMetadata, Undelivered};
pub use ottla_core::{
    Acks, Cause, Compression, CompressionTotals, Config, ConfigBuilder, ConfigError, Deadlock,
    DeliveryError, Disconnect, Fatal, HostPort, InvalidTopic, Metrics, PartitionInfo,
    PropertiesError, ProtocolError, Purge, ResolveError, SendError, SequenceGap, WaitedFor,
    parse_properties, partition_for_key, wire::ErrorCode,
};
#[doc(hidden)]
pub use ottla_core::{Audit, KnownLeader};
pub use producer::{Producer, SendAllError};
pub use record::{Header, Record, Timestamp, Topic, TopicRef};
pub use setup::{Setup, StartError};
pub use wait::WaitError;
pub use warning::Warning;

/// The page that a newcomer sees first: its example has to compile.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
