//! The sans-IO heart of ottla.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod accumulator;
mod backoff;
mod batch;
mod cluster;
mod config;
mod connection;
mod crc32c;
mod error;
mod event;
mod id;
mod idempotence;
mod log;
mod memory;
mod metrics;
mod outcome;
mod partitioner;
mod peer;
mod pool;
mod producer;
mod record;
mod rng;
mod time;
mod transmit;
pub mod wire;

pub use cluster::{MAX_PARTITIONS, MAX_TOPICS};
pub use config::{
    Acks, Config, ConfigBuilder, ConfigError, HostPort, PropertiesError, SequenceGap,
    parse_properties,
};
pub use crc32c::{Checksum, crc32c_append};
pub use error::{
    Cause, DeliveryError, Disconnect, Fatal, InvalidTopic, ProtocolError, ResolveError, SendError,
    WaitedFor,
};
pub use event::{Command, Event, Warning};
pub use id::{BatchId, ConnectionId, FlushId, LookupId, Ticket, Topic, Waiter};
pub use metrics::Metrics;
pub use outcome::Outcome;
pub use partitioner::partition_for_key;
pub use producer::{PartitionInfo, ProducerCore, Purge, Scope, TimeoutReason, Wait};
pub use record::{Header, Record};
pub use time::Instant;
pub use transmit::Transmit;
