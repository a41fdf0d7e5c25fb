//! The settings that a topic may have, and what they may be.

use super::Refused;
use crate::code;
use crate::model::Model;

/// Where a setting's value comes from, as DescribeConfigs tells it.
pub(super) const OF_TOPIC: i8 = 1;
pub(super) const OF_SERVER: i8 = 4;
pub(super) const DEFAULT: i8 = 5;

/// The kinds of values, as DescribeConfigs tells them.
pub(super) const BOOLEAN: i8 = 1;
pub(super) const STRING: i8 = 2;
pub(super) const INT: i8 = 3;
pub(super) const LIST: i8 = 7;

pub(super) const CLEANUP_POLICY: &str = "cleanup.policy";
pub(super) const COMPRESSION_TYPE: &str = "compression.type";
pub(super) const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
pub(super) const TIMESTAMP_TYPE: &str = "message.timestamp.type";

/// Settings that decide when and how a disk is written and cleaned, of which the embedded cluster has none: it keeps what it
/// is given, and shows it.
const OF_DISKS: [&str; 17] = [
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "max.compaction.lag.ms",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "preallocate",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
    "local.retention.ms",
];
/// The longest value.
const LONGEST: usize = 256;

/// The value, if a topic may have this setting and this value.
pub(super) fn check<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Refused> {
    let refuse = |why: String| Err((code::INVALID_CONFIG, why));
    let Some(value) = value else {
        return refuse(format!("{name} has no value."));
    };
    let is_right = match name {
        CLEANUP_POLICY => value
            .split(',')
            .all(|one| matches!(one, "delete" | "compact")),
        MAX_MESSAGE_BYTES => value
            .parse()
            .is_ok_and(|bytes: u32| bytes <= i32::MAX as u32),
        TIMESTAMP_TYPE => matches!(value, "CreateTime" | "LogAppendTime"),
        COMPRESSION_TYPE if value != "producer" => {
            return refuse(format!(
                "The embedded cluster keeps batches as producers compress them: {name} is producer."
            ));
        }
        COMPRESSION_TYPE => true,
        name if OF_DISKS.contains(&name) => value.len() <= LONGEST,
        name => {
            return refuse(format!(
                "The embedded cluster has no setting {name:?} for a topic."
            ));
        }
    };
    match is_right {
        true => Ok(value),
        false => refuse(format!("Invalid value {value:?} for {name}.")),
    }
}

impl Model {
    /// Makes a topic do as its settings say.
    pub(super) fn apply_configs(&mut self, topic: &str) {
        let max_message_bytes = self.settings.max_message_bytes;
        let topic = self.topic_mut(topic);
        let config = |name: &str| topic.configs.get(name).map(String::as_str);
        let compacted = config(CLEANUP_POLICY).is_some_and(|policy| policy.contains("compact"));
        let log_append_time = config(TIMESTAMP_TYPE) == Some("LogAppendTime");
        let bytes = config(MAX_MESSAGE_BYTES).and_then(|bytes| bytes.parse().ok());
        topic.compacted = compacted;
        topic.log_append_time = log_append_time;
        topic.max_message_bytes = bytes.unwrap_or(max_message_bytes);
    }
}
