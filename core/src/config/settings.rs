//! The table of settings: Java's name, the name in Rust, type, default and kind, one row each.

use alloc::format;
use core::time::Duration;

use super::value::*;
use super::{Acks, Compression, Config, ConfigBuilder, ConfigError, SequenceGap};

macro_rules! settings {
    ($($(#[$doc:meta])* $java:literal $name:ident: $type:ty = $default:expr, $kind:expr;)*) => {
        /// A value for every setting.
        #[derive(Clone, Debug)]
        pub(super) struct Settings {
            $(pub(super) $name: $type,)*
        }

        /// The settings that were given explicitly.
        #[derive(Clone, Debug, Default)]
        pub(super) struct Chosen {
            $(pub(super) $name: Option<$type>,)*
        }

        /// Java's names of all settings in the table.
        pub(super) const NAMES: &[&str] = &[$($java),*];

        impl Chosen {
            /// Reads the setting with Java's name `name`; false if it is not in the table.
            pub(super) fn set(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
                match name {
                    $($java => self.$name = Some(read($java, value, &$kind)?),)*
                    _ => return Ok(false),
                }
                Ok(true)
            }

            /// Fills up with the defaults.
            pub(super) fn settle(&self) -> Result<Settings, ConfigError> {
                Ok(Settings {
                    $($name: match self.$name {
                        Some(value) => fit($java, value, &$kind)?,
                        None => $default,
                    },)*
                })
            }
        }

        /// The settings. Each is named as in Java's producer, with `_` for `.` and without the unit.
        impl Config {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nKafka's name: `", $java, "`.")]
                pub fn $name(&self) -> $type {
                    self.settings.$name
                }
            )*
        }

        /// The settings. What they mean stands at the methods of [`Config`] with the same names.
        impl ConfigBuilder {
            $(
                #[doc = concat!("Sets [`", $java, "`](Config::", stringify!($name), ").")]
                pub fn $name(&mut self, $name: $type) -> &mut Self {
                    self.chosen.$name = Some($name);
                    self
                }
            )*
        }

        #[cfg(test)]
        impl Settings {
            /// The setting with Java's name `name`, as `Debug` shows it.
            pub(super) fn show(&self, name: &str) -> alloc::string::String {
                match name {
                    $($java => format!("{:?}", self.$name),)*
                    _ => panic!("{name} is not in the table"),
                }
            }
        }
    };
}

settings! {
    /// How many copies the broker confirms: by default all that are in sync.
    "acks" acks: Acks = Acks::All, ACKS;

    /// Whether the broker drops what a retry sends again and keeps the order, as it does by default.
    ///
    /// Needs `acks=all`, `retries` above 0 and at most 5 requests in flight. If one of the first two does not hold,
    /// idempotence is off, see [`idempotence_disabled_by`](Config::idempotence_disabled_by); if `true` was set
    /// explicitly, that is an error. More than 5 requests in flight are an error unless `false` was set explicitly.
    "enable.idempotence" enable_idempotence: bool = true, BOOLEAN;

    /// How often a batch is sent again after a failure that may pass. The default leaves it to
    /// [`delivery_timeout`](Config::delivery_timeout).
    "retries" retries: u32 = i32::MAX as u32, COUNT;

    /// How long to wait before the first repetition of a request (100 ms); doubles with every other.
    "retry.backoff.ms" retry_backoff: Duration = ms(100), LONG_MS;

    /// The longest wait before a request is repeated (1 s). If it is not above [`retry_backoff`](Config::retry_backoff)
    /// every wait is this long.
    "retry.backoff.max.ms" retry_backoff_max: Duration = ms(1000), LONG_MS;

    /// How many bytes a batch holds before it is worth sending (16 KiB), compressed ones as far as that can be told
    /// beforehand. With 0 every record has its own batch.
    "batch.size" batch_size: usize = 16_384, SIZE;

    /// How many bytes the last batch of a partition may grow to while the way to its broker is blocked (64 KiB): fewer and
    /// larger batches then wait in place of many small ones, and it goes as soon as it can. It never grows beyond
    /// half of what a broker has called too large, nor beyond [`max_request_size`](Config::max_request_size). With 0, and with a
    /// [`batch_size`](Config::batch_size) of 0, no batch grows. ottla's own setting.
    "batch.growth.max.bytes" batch_growth_max_bytes: usize = 64 << 10, SIZE;

    /// How long a batch that is not full waits for more records (5 ms).
    "linger.ms" linger: Duration = ms(5), LONG_MS;

    /// How batches are compressed; by default not at all. A codec that this build does not have, by its features, is an
    /// error.
    "compression.type" compression_type: Compression = Compression::None, COMPRESSION;

    /// How hard gzip tries, from 1 to 9; the default, -1, is its own, 6 (KIP-390).
    "compression.gzip.level" compression_gzip_level: i32 = -1, GZIP_LEVEL;

    /// How hard LZ4 tries, from 1 to 17. The default, 9, is the fast search; every other level is the thorough one, as in
    /// Java (KIP-390).
    "compression.lz4.level" compression_lz4_level: i32 = 9, LZ4_LEVEL;

    /// How hard Zstandard tries, from -131072 to 22 (3); 0 stands for the default (KIP-390).
    "compression.zstd.level" compression_zstd_level: i32 = 3, ZSTD_LEVEL;

    /// How many bytes may wait for delivery (32 MiB).
    "buffer.memory" buffer_memory: usize = 32 << 20, MEMORY_SIZE;

    /// How long a record waits for memory or for the metadata of its topic before it is refused (60 s).
    "max.block.ms" max_block: Duration = ms(60_000), LONG_MS;

    /// How many bytes a request, and so a record, has at most (1 MiB).
    "max.request.size" max_request_size: usize = 1 << 20, SIZE;

    /// When an accepted record must have its outcome (120 s).
    ///
    /// Not below [`linger`](Config::linger) + [`request_timeout`](Config::request_timeout): that is an error if it was
    /// set explicitly, and otherwise it is raised to their sum.
    "delivery.timeout.ms" delivery_timeout: Duration = ms(120_000), INT_MS;

    /// How long the answer to a request may take (30 s).
    "request.timeout.ms" request_timeout: Duration = ms(30_000), INT_MS;

    /// How many requests may wait for their answers on one connection (5).
    "max.in.flight.requests.per.connection" max_in_flight_requests_per_connection: u32 = 5, AT_LEAST_ONE;

    /// How long to wait before the first attempt to connect again (50 ms); doubles with every other.
    "reconnect.backoff.ms" reconnect_backoff: Duration = ms(50), LONG_MS;

    /// The longest wait before an attempt to connect again (1 s). If it is not above
    /// [`reconnect_backoff`](Config::reconnect_backoff) every wait is this long; so it is, as in Java, if that one was set
    /// and this one was not.
    "reconnect.backoff.max.ms" reconnect_backoff_max: Duration = ms(1000), LONG_MS;

    /// After how long an unused connection is closed (9 min); `None` for never.
    "connections.max.idle.ms" connections_max_idle: Option<Duration> = Some(ms(540_000)), MS_OR_NEVER;

    /// How long the first attempt to connect to a server may take (10 s); doubles with every attempt that fails.
    "socket.connection.setup.timeout.ms" socket_connection_setup_timeout: Duration = ms(10_000), LONG_MS;

    /// The longest time an attempt to connect may take (30 s). If it is not above
    /// [`socket_connection_setup_timeout`](Config::socket_connection_setup_timeout) every attempt may take this long.
    "socket.connection.setup.timeout.max.ms" socket_connection_setup_timeout_max: Duration = ms(30_000), LONG_MS;

    /// After how long the cluster is asked for its brokers and leaders even if nothing seems to have changed (5 min).
    "metadata.max.age.ms" metadata_max_age: Duration = ms(300_000), LONG_MS;

    /// The socket's send buffer in bytes (128 KiB); `None` leaves it to the system.
    "send.buffer.bytes" send_buffer_bytes: Option<usize> = Some(128 << 10), SOCKET_BUFFER;

    /// The socket's receive buffer in bytes (32 KiB); `None` leaves it to the system.
    "receive.buffer.bytes" receive_buffer_bytes: Option<usize> = Some(32 << 10), SOCKET_BUFFER;

    /// Whether records without a key prefer partitions with short queues, as they do by default (KIP-794).
    "partitioner.adaptive.partitioning.enable" partitioner_adaptive_partitioning_enable: bool = true, BOOLEAN;

    /// After how long the partitions of a broker that takes nothing get no more records without a key. The default, 0,
    /// means never.
    "partitioner.availability.timeout.ms" partitioner_availability_timeout: Duration = ms(0), LONG_MS;

    /// Whether records with a key are treated like those without; off by default.
    "partitioner.ignore.keys" partitioner_ignore_keys: bool = false, BOOLEAN;

    /// How many bytes an answer may have (64 MiB); a larger one ends the connection. librdkafka's setting, unknown to
    /// Java.
    "receive.message.max.bytes" receive_message_max_bytes: usize = 64 << 20, FRAME_SIZE;

    /// What becomes of a batch that may be in the log while the broker misses what came before it. ottla's own setting.
    "sequence.gap.policy" sequence_gap_policy: SequenceGap = SequenceGap::MaybeWritten, SEQUENCE_GAP;
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn read<T>(name: &'static str, value: &str, kind: &Kind<T>) -> Result<T, ConfigError> {
    (kind.read)(value).ok_or_else(|| ConfigError::Invalid {
        name,
        value: value.into(),
        expected: kind.valid,
    })
}

fn fit<T: Copy + core::fmt::Debug>(
    name: &'static str,
    value: T,
    kind: &Kind<T>,
) -> Result<T, ConfigError> {
    let wrong = || ConfigError::Invalid {
        name,
        value: format!("{value:?}"),
        expected: kind.valid,
    };
    (kind.fit)(value).ok_or_else(wrong)
}
