//! The Apache Kafka producer for Rust.
