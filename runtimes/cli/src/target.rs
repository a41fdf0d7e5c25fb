//! Where records go, and how: what every command that produces lets be typed.

use std::path::PathBuf;

use clap::Args;

use crate::{
    args::{Pair, pair},
    runtime::Runtime,
};

#[derive(Args, Debug)]
pub(crate) struct Target {
    /// Brokers to ask for the cluster; without any, also none in -X and --config, the embedded cluster
    #[arg(long, value_name = "HOST:PORT,...")]
    pub(crate) bootstrap_server: Option<String>,

    /// The topic to write to
    #[arg(long, value_name = "TOPIC", default_value = "ottla")]
    pub(crate) topic: String,

    /// A setting of Kafka's producer, such as linger.ms=20; may be repeated, and beats --config. Unlike in Java,
    /// max.block.ms is 10000 if it is not set
    #[arg(short = 'X', value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<Pair>,

    /// Settings in Java's .properties format
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// What drives the producer
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
}
