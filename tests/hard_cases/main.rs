//! The hard cases of a producer's life, told one by one on the deterministic stage.

#[path = "../common/mod.rs"]
mod common;

mod acks;
mod bootstrap;
mod brokers;
mod epochs;
mod expiry;
mod frames;
mod identity;
mod links;
mod liveness;
mod memory;
mod metadata;
mod ordering;
mod retries;
mod sequences;
mod topics;
mod versions;
