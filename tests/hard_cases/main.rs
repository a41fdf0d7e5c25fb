//! The hard cases of a producer's life, told one by one on the deterministic stage.

mod acks;
mod bootstrap;
mod brokers;
mod clocks;
mod closing;
mod common;
mod compression;
mod epochs;
mod expiry;
mod flushing;
mod frames;
mod growth;
mod identity;
mod links;
mod liveness;
mod memory;
mod metadata;
mod named;
mod ordering;
mod retries;
mod sequences;
mod splitting;
mod throttling;
mod topics;
mod versions;
mod views;
