//! A model Kafka cluster.
