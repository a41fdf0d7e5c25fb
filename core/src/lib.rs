//! The sans-IO heart of ottla.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[allow(dead_code)] // until the rooms above use it
mod backoff;
mod config;
mod crc32c;
#[allow(dead_code)] // until the rooms above use it
mod partitioner;
#[allow(dead_code)] // until the rooms above use it
mod rng;

pub use config::{
    Acks, Config, ConfigBuilder, ConfigError, HostPort, PropertiesError, SequenceGap,
    parse_properties,
};
pub use crc32c::{Checksum, crc32c_append};
pub use partitioner::partition_for_key;
