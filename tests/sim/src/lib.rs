//! A model Kafka cluster.

pub mod code;
mod model;
mod server;

pub use model::{Answer, Api, Fault, LogRecord, Model, On, Produced};
pub use server::{Builder, Cluster};
