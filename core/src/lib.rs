//! The sans-IO heart of ottla, the Apache Kafka producer for Rust.
//!
//! [`ProducerCore`] is a state machine. Records, bytes and the time go in; request bytes, commands, events and the
//! next deadline come out. It has no socket, no thread, no clock and no `std`; all its randomness comes from a seed.
//! Applications use it through the crate `ottla`, which drives it with the usual runtimes. Whoever drives it from
//! another loop, a simulator or a microcontroller, starts here.
//!
//! # The run loop
//!
//! One record to one broker, over a blocking socket:
//!
//! ```no_run
//! use std::{collections::HashMap, io::{Read, Write}, net::{TcpStream, ToSocketAddrs}, time};
//! use ottla_core::{Command, Config, Disconnect, Event, Instant, ProducerCore, Record, ResolveError};
//!
//! let start = time::Instant::now();
//! let now = || Instant::from_nanos(start.elapsed().as_nanos() as u64);
//! let config = Config::builder().bootstrap_servers("localhost:9092").build()?;
//! let mut core = ProducerCore::new(config, [7; 32], now());
//! let topic = core.topic(now(), "letters")?;
//! let mut links = HashMap::new();
//! loop {
//!     core.handle_timeout(now());
//!     while let Some(command) = core.poll_command() {
//!         match command {
//!             Command::Resolve { lookup, host, port } => {
//!                 let found = (&*host, port).to_socket_addrs().map(Vec::from_iter);
//!                 core.handle_resolved(now(), lookup, found.as_deref().map_err(|_| ResolveError::Failed));
//!             }
//!             Command::Connect { connection, address } => match TcpStream::connect(address) {
//!                 Ok(socket) => {
//!                     socket.set_read_timeout(Some(time::Duration::from_millis(1)))?;
//!                     links.insert(connection, socket);
//!                     core.handle_connected(now(), connection);
//!                 }
//!                 Err(_) => core.handle_disconnected(now(), connection, Disconnect::Refused, None),
//!             },
//!             Command::Disconnect { connection } => {
//!                 links.remove(&connection);
//!                 core.handle_disconnected(now(), connection, Disconnect::Requested, None);
//!             }
//!             Command::Work(mut work) => {
//!                 work.run(); // compresses
//!                 core.handle_work(now(), work);
//!             }
//!             _ => {}
//!         }
//!     }
//!     while let Some(connection) = core.poll_link() {
//!         while let Some(mut transmit) = core.poll_transmit(now(), connection) {
//!             transmit.prepare(); // takes the checksums
//!             for slice in transmit.slices() {
//!                 (&links[&connection]).write_all(slice)?;
//!             }
//!             drop(transmit);
//!             core.handle_written(now(), connection);
//!         }
//!     }
//!     while let Some(event) = core.poll_event() {
//!         match event {
//!             Event::TopicReady(topic) => {
//!                 let (timestamp, value) = (1_767_225_600_000, Some(&b"Dear Ottla"[..]));
//!                 let record = Record { topic, partition: None, timestamp, key: None, value, headers: &[] };
//!                 core.send(now(), &record)?;
//!             }
//!             Event::Completed { outcome, .. } => return Ok(println!("{outcome:?}")),
//!             _ => {}
//!         }
//!     }
//!     let mut buffer = [0; 4096];
//!     for (&connection, socket) in &mut links {
//!         if let Ok(n @ 1..) = socket.read(&mut buffer) {
//!             core.handle_input(now(), connection, &buffer[..n]);
//!         }
//!     }
//! }
//! # #[allow(unreachable_code)] Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A driver that means to last also sleeps until [`ProducerCore::poll_timeout`], reports links that end, and gives an
//! unfinished [`Transmit`] back when they do.
//!
//! # The contract
//!
//! - Every record that [`ProducerCore::send`] accepts gets exactly one [`Outcome`]: written, not written, or maybe
//!   written. A record that it refuses was only borrowed.
//! - One transmit per link is outstanding. It is dropped or [recycled](ProducerCore::recycle) before
//!   [`ProducerCore::handle_written`] is called.
//! - [`Command::Disconnect`] is always answered with [`ProducerCore::handle_disconnected`].
//! - [`Command::Work`] always comes back with [`ProducerCore::handle_work`], done or not.
//! - After [`ProducerCore::handle_timeout`] and polling everything to `None` the deadline lies after `now`.
//! - Whatever a broker sends, nothing panics, and memory stays within `buffer.memory` and
//!   `receive.message.max.bytes` for each link.
//!
//! # Features
//!
//! - `gzip`, `snappy`, `lz4`, `zstd`: the codecs of `compression.type`, each without C. Off by default.
//! - `tracing`: decisions are logged as events of the `tracing` crate. Off by default.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

/// Whether this defect is to be had here: never, but in a build with `--cfg planted` that was told so.
#[cfg(planted)]
macro_rules! planted {
    ($defect:ident) => {
        $crate::planted::is_chosen($crate::planted::Defect::$defect)
    };
}
#[cfg(not(planted))]
macro_rules! planted {
    ($defect:ident) => {
        false
    };
}

mod accumulator;
mod backoff;
mod batch;
mod cluster;
mod compress;
mod config;
mod connection;
mod crc32c;
mod error;
mod event;
mod frames;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod idempotence;
mod log;
mod memory;
mod metrics;
mod outcome;
mod partitioner;
mod peer;
#[cfg(planted)]
pub mod planted;
mod pool;
mod producer;
mod record;
mod rng;
mod time;
mod transmit;
pub mod wire;
mod work;

pub use cluster::{MAX_PARTITIONS, MAX_TOPICS};
pub use compress::Compression;
pub use config::{
    Acks, Config, ConfigBuilder, ConfigError, HostPort, PropertiesError, SequenceGap,
    parse_properties,
};
pub use crc32c::{Checksum, crc32c_append};
pub use error::{
    Cause, Deadlock, DeliveryError, Disconnect, Fatal, InvalidTopic, ProtocolError, ResolveError,
    SendError, WaitedFor,
};
pub use event::{Command, Event, Warning};
pub use id::{BatchId, ConnectionId, FlushId, LookupId, Ticket, Topic, Waiter};
pub use metrics::{CompressionTotals, Metrics};
pub use outcome::Outcome;
pub use partitioner::partition_for_key;
#[doc(hidden)]
pub use producer::{Audit, KnownLeader};
pub use producer::{PartitionInfo, ProducerCore, Purge, Refusal, Scope, TimeoutReason, Wait};
pub use record::{Header, Record};
pub use time::Instant;
pub use transmit::Transmit;
pub use work::Work;
