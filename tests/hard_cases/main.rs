//! The hard cases of a producer's life, told one by one on the deterministic stage.

#[path = "../common/mod.rs"]
mod common;

mod connections;
mod expiry;
mod idempotence;
mod liveness;
mod metadata;
mod ordering;
