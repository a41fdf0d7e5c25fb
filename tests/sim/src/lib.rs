//! A model Kafka cluster.

pub mod code;
mod model;

pub use model::{Answer, Api, Fault, LogRecord, Model, On, Produced};
