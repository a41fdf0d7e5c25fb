//! What holds for the whole cluster.

use std::time::Duration;

use super::producers::ProducerRules;

/// Cluster-wide settings, with the defaults of an empty `server.properties` where Kafka has the setting.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) partitions: i32,
    pub(crate) replication: usize,
    pub(crate) min_insync_replicas: usize,
    pub(crate) auto_create: bool,
    pub(crate) max_message_bytes: usize,
    /// `message.timestamp.after.max.ms`.
    pub(crate) timestamp_lead: i64,
    pub(crate) throttle: Duration,
    pub(crate) leader_hints: bool,
    /// Brokers serve, and name, only what producers ask for, and Fetch and ListOffsets.
    pub(crate) serves_producers_alone: bool,
    pub(crate) producer_rules: ProducerRules,
    /// How long a request and an answer may be on their way, if throttling is watched.
    pub(crate) throttle_grace: Option<Duration>,
    pub(crate) listens_while_throttling: bool,
    pub(crate) answers_unacknowledged: bool,
    /// What the clock on the wall shows when the time since the start is zero.
    pub(crate) wall_clock_at_start: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            partitions: 1,
            replication: 3,
            min_insync_replicas: 1,
            auto_create: true,
            max_message_bytes: 1_048_588,
            timestamp_lead: 3_600_000,
            throttle: Duration::ZERO,
            leader_hints: true,
            serves_producers_alone: false,
            producer_rules: ProducerRules::default(),
            throttle_grace: None,
            listens_while_throttling: false,
            answers_unacknowledged: false,
            wall_clock_at_start: Duration::from_secs(1_800_000_000),
        }
    }
}
