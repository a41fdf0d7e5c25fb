//! The producer's settings: the file, then `-X`, then `--bootstrap-server`.

use std::{fs, time::Duration};

use ottla::{Config, ConfigBuilder, parse_properties};
use ottla_sim::Cluster;

use crate::{Failure, target::Target};

/// Less than Java's minute: somebody waits in front of the terminal.
const MAX_BLOCK: Duration = Duration::from_secs(10);
/// Partitions that a topic of the embedded cluster has.
pub(crate) const PARTITIONS: i32 = 3;
const BOOTSTRAP_SERVERS: &str = "bootstrap.servers";

/// What was asked for.
pub(crate) struct Settings {
    pub(crate) builder: ConfigBuilder,
    /// Nobody named a server.
    pub(crate) embedded: bool,
}

impl Settings {
    pub(crate) fn read(target: &Target) -> Result<Self, Failure> {
        let mut builder = Config::builder();
        builder.max_block(MAX_BLOCK);
        let mut settings = Self {
            builder,
            embedded: true,
        };
        if let Some(path) = &target.config {
            let origin = format!("{}: ", path.display());
            let said = |e: &dyn std::fmt::Display| Failure::usage(format!("{origin}{e}"));
            let text = fs::read(path)
                .map_err(|e| Failure::usage(format!("can't read {}: {e}", path.display())))?;
            for (name, value) in parse_properties(&decoded(text)).map_err(|e| said(&e))? {
                settings.set(&name, &value, &origin)?;
            }
        }
        for pair in &target.settings {
            settings.set(&pair.name, &pair.value, "")?;
        }
        if let Some(servers) = &target.bootstrap_server {
            settings.set(BOOTSTRAP_SERVERS, servers, "")?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str, origin: &str) -> Result<(), Failure> {
        self.embedded &= name != BOOTSTRAP_SERVERS;
        match self.builder.set(name, value) {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::usage(format!("{origin}{error}"))),
        }
    }
}

/// The most bytes that a record can have, and the setting that says so.
pub(crate) fn longest(config: &Config) -> (usize, &'static str) {
    let request = (config.max_request_size(), "max.request.size");
    request.min((config.buffer_memory(), "buffer.memory"))
}

/// Has an embedded cluster take batches as large as the producer sends them, where that is more than Kafka's default.
pub(crate) fn take_as_large(cluster: &Cluster, config: &Config) {
    const DEFAULT: usize = 1_048_588;
    let largest = config.max_request_size().max(DEFAULT);
    cluster.with_model(|model| model.set_max_message_bytes(largest));
}

/// A properties file is UTF-8, as they are written today, or else ISO 8859-1, as Java always has it.
fn decoded(text: Vec<u8>) -> String {
    String::from_utf8(text)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}
