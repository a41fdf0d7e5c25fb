//! The settings, under the names and with the defaults of Java's producer.

mod address;
mod error;
mod foreign;
mod properties;
mod settings;
mod value;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use address::HostPort;
pub(crate) use address::write_host_port;
pub use error::ConfigError;
pub use properties::{PropertiesError, parse_properties};

use crate::{
    compress::Compression,
    crc32c::{Checksum, crc32c_append},
};
use address::BOOTSTRAP_SERVERS;
use settings::{Chosen, Settings};

const CLIENT_ID: &str = "client.id";
/// A frame's length is 31 bits; some of it goes to what is not records.
pub(crate) const LARGEST_REQUEST: usize = i32::MAX as usize - (1 << 16);

/// The settings of a producer; they never change, and they fit together.
#[derive(Clone, Debug)]
pub struct Config {
    bootstrap_servers: Vec<HostPort>,
    client_id: String,
    checksum: Checksum,
    parallel_works: usize,
    first_sequence: i32,
    idempotence_disabled_by: Option<&'static str>,
    settings: Settings,
}

/// Collects settings for a [`Config`]. What is not set has Java's default; only `bootstrap.servers` has none.
///
/// A time beyond Kafka's largest value counts as the largest. Setting something again replaces it.
///
/// ```
/// use core::time::Duration;
/// use ottla_core::{Acks, Config};
///
/// let config = Config::builder()
///     .bootstrap_servers("localhost:9092,[::1]:9093")
///     .acks(Acks::All)
///     .linger(Duration::from_millis(20))
///     .set("batch.size", "65536")?
///     .build()?;
/// assert_eq!(config.batch_size(), 65536);
/// # Ok::<(), ottla_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfigBuilder {
    bootstrap_servers: Option<String>,
    client_id: String,
    checksum: Checksum,
    chosen: Chosen,
}

/// How many copies of a batch the broker confirms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// All that are in sync (`all`, `-1`).
    #[default]
    All,
    /// The leader's own (`1`): lost if the leader fails before others have it.
    Leader,
    /// None (`0`): nothing tells whether the batch arrived.
    None,
}

/// What becomes of a batch whose first attempt ended without an answer when the broker answers the next one, at the head
/// of its partition, that it misses the batch before it (OUT_OF_ORDER_SEQUENCE_NUMBER).
///
/// The broker then knows neither the batch nor the one before it, for example after its log was cut. Whether the batch
/// was written, and by whom it was read, can't be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SequenceGap {
    /// It ends as `MaybeWritten` (`maybe-written`): no record is ever written twice.
    #[default]
    MaybeWritten,
    /// It is sent again under a new sequence (`resend`), as Java does: fewer records without an outcome, at the price of
    /// a possible duplicate.
    Resend,
}

impl Config {
    /// A builder with nothing set.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder {
            bootstrap_servers: None,
            client_id: String::new(),
            checksum: crc32c_append,
            chosen: Chosen::default(),
        }
    }

    /// Reads Java's names and values; of a name that comes again the last value counts.
    pub fn from_properties<N: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError> {
        let mut builder = Self::builder();
        for (name, value) in properties {
            builder.set(name.as_ref(), value.as_ref())?;
        }
        builder.build()
    }

    /// The servers that are asked for the cluster, at least one.
    ///
    /// Kafka's name: `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &[HostPort] {
        &self.bootstrap_servers
    }

    /// The name under which the brokers log this client; empty if none was set.
    ///
    /// Kafka's name: `client.id`.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The function that takes the checksum of a batch.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The same settings with another function for checksums, such as an adapter's that uses the processor's instructions.
    #[must_use]
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    /// How many [works](crate::Work) the driver has at once, each with a codec's memory of its own.
    #[must_use]
    pub fn parallel_works(&self) -> usize {
        self.parallel_works
    }

    /// The same settings for a driver that can do so many works at once, batches of different partitions; at least 1,
    /// which is the default, and at most 64.
    #[must_use]
    pub fn with_parallel_works(mut self, works: usize) -> Self {
        self.parallel_works = works.clamp(1, 64);
        self
    }

    /// The same settings for producers whose partitions begin with this sequence instead of 0, which brokers take from a
    /// producer that they do not know: so that a simulation comes to the sequences' end (H024). Negative counts as 0.
    #[doc(hidden)]
    #[must_use]
    pub fn with_first_sequence(mut self, first: i32) -> Self {
        self.first_sequence = first.max(0);
        self
    }

    pub(crate) fn first_sequence(&self) -> i32 {
        self.first_sequence
    }

    /// The same settings under another [`client.id`](Self::client_id), such as the one that an adapter makes up if none was
    /// set. What Kafka's protocol can't carry is cut off.
    #[must_use]
    pub fn with_client_id(mut self, client_id: &str) -> Self {
        let len = client_id.floor_char_boundary(i16::MAX as usize);
        self.client_id = client_id[..len].into();
        self
    }

    /// The setting whose value switched idempotence off, if neither that nor idempotence itself was asked for explicitly:
    /// `acks` or `retries`.
    pub fn idempotence_disabled_by(&self) -> Option<&'static str> {
        self.idempotence_disabled_by
    }

    /// The level for the codec that is set; any for one without levels.
    pub(crate) fn compression_level(&self) -> i32 {
        match self.compression_type() {
            Compression::Gzip => self.compression_gzip_level(),
            Compression::Lz4 => self.compression_lz4_level(),
            Compression::Zstd => self.compression_zstd_level(),
            Compression::None | Compression::Snappy => 0,
        }
    }

    /// The size of the pieces of memory that batches are made of: 4 KiB, or less if `batch.size` or `buffer.memory` is
    /// small; a power of two.
    pub(crate) fn chunk_size(&self) -> usize {
        let most = self
            .batch_size()
            .min(self.buffer_memory() / 4)
            .clamp(256, 4096);
        1 << most.ilog2()
    }
}

impl ConfigBuilder {
    /// Sets [`bootstrap.servers`](Config::bootstrap_servers): `host:port`, or several with commas between them. An IPv6
    /// address stands in brackets.
    pub fn bootstrap_servers(&mut self, servers: &str) -> &mut Self {
        self.bootstrap_servers = Some(servers.into());
        self
    }

    /// Sets [`client.id`](Config::client_id).
    pub fn client_id(&mut self, client_id: &str) -> &mut Self {
        self.client_id = client_id.into();
        self
    }

    /// Sets the function that takes the checksum of a batch; by default [`crc32c_append`], which uses tables alone.
    pub fn checksum(&mut self, checksum: Checksum) -> &mut Self {
        self.checksum = checksum;
        self
    }

    /// Sets what Java calls `name`, from text. White space around the value does not count.
    ///
    /// Fails if there is no such setting, if the value does not fit, or if the setting is one of Kafka's that ottla does
    /// not have, unless its value says what ottla does anyway.
    pub fn set(&mut self, name: &str, value: &str) -> Result<&mut Self, ConfigError> {
        let value = value.trim();
        match name {
            BOOTSTRAP_SERVERS => self.bootstrap_servers = Some(value.into()),
            CLIENT_ID => self.client_id = value.into(),
            _ if self.chosen.set(name, value)? => {}
            _ => foreign::check(name, value)?,
        }
        Ok(self)
    }

    /// Checks how the settings fit together.
    pub fn build(&self) -> Result<Config, ConfigError> {
        let servers = self
            .bootstrap_servers
            .as_deref()
            .ok_or(ConfigError::Missing {
                name: BOOTSTRAP_SERVERS,
            })?;
        let mut settings = self.chosen.settle()?;
        if !settings.compression_type.is_built_in() {
            return Err(ConfigError::NotBuiltIn {
                name: "compression.type",
                value: settings.compression_type.name(),
            });
        }
        self.settle_delivery_timeout(&mut settings)?;
        settings.max_request_size = settings.max_request_size.min(LARGEST_REQUEST);
        self.settle_reconnect_backoff(&mut settings);
        Ok(Config {
            bootstrap_servers: HostPort::list(servers)?,
            client_id: wire_string(CLIENT_ID, &self.client_id)?,
            checksum: self.checksum,
            parallel_works: 1,
            first_sequence: 0,
            idempotence_disabled_by: self.settle_idempotence(&mut settings)?,
            settings,
        })
    }

    /// Kafka 4's rules; the order of the checks is Java's. Returns what switched idempotence off.
    fn settle_idempotence(
        &self,
        settings: &mut Settings,
    ) -> Result<Option<&'static str>, ConfigError> {
        if !settings.enable_idempotence {
            return Ok(None);
        }
        let conflict = |with, rule| {
            Err(ConfigError::Conflict {
                name: "enable.idempotence",
                value: "true".into(),
                with,
                rule,
            })
        };
        let explicit = self.chosen.enable_idempotence.is_some();
        let mut disabled_by = None;
        if settings.retries == 0 {
            if explicit {
                return conflict(
                    "retries=0".into(),
                    "an idempotent producer must be allowed to send again",
                );
            }
            disabled_by = Some("retries");
        }
        if settings.acks != Acks::All {
            if explicit {
                return conflict(
                    format!("acks={}", settings.acks.code()),
                    "an idempotent producer needs acks=all",
                );
            }
            disabled_by = Some("acks");
        }
        let in_flight = settings.max_in_flight_requests_per_connection;
        if in_flight > 5 {
            return conflict(
                format!("max.in.flight.requests.per.connection={in_flight}"),
                "an idempotent producer has at most 5 requests in flight; enable.idempotence=false allows more",
            );
        }
        settings.enable_idempotence = disabled_by.is_none();
        Ok(disabled_by)
    }

    fn settle_delivery_timeout(&self, settings: &mut Settings) -> Result<(), ConfigError> {
        let (linger, request) = (settings.linger, settings.request_timeout);
        let least = linger
            .saturating_add(request)
            .min(Duration::from_millis(i32::MAX as u64));
        if settings.delivery_timeout >= least {
            return Ok(());
        }
        if self.chosen.delivery_timeout.is_some() {
            return Err(ConfigError::Conflict {
                name: "delivery.timeout.ms",
                value: format!("{}", settings.delivery_timeout.as_millis()),
                with: format!(
                    "linger.ms={} + request.timeout.ms={}",
                    linger.as_millis(),
                    request.as_millis()
                ),
                rule: "it must not be below their sum",
            });
        }
        settings.delivery_timeout = least;
        Ok(())
    }

    fn settle_reconnect_backoff(&self, settings: &mut Settings) {
        if self.chosen.reconnect_backoff.is_some() && self.chosen.reconnect_backoff_max.is_none() {
            settings.reconnect_backoff_max = settings.reconnect_backoff;
        }
    }
}

impl Acks {
    /// The value in a Produce request: -1, 1 or 0.
    pub fn code(self) -> i16 {
        match self {
            Self::All => -1,
            Self::Leader => 1,
            Self::None => 0,
        }
    }
}

/// A string that Kafka's protocol can carry.
fn wire_string(name: &'static str, value: &str) -> Result<String, ConfigError> {
    if value.len() > i16::MAX as usize {
        return Err(ConfigError::Invalid {
            name,
            value: value.into(),
            expected: "at most 32767 bytes",
        });
    }
    Ok(value.into())
}

#[cfg(test)]
mod tests;
