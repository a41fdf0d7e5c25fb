//! What an operator may want to see, in words that need no producer to be understood.

use std::fmt;

use ottla_core::{self as core, Cause, HostPort, wire::ErrorCode};

/// Something that an operator may want to see. Nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A broker is out of reach, or its link broke; it is tried again.
    Broker(Cause),
    /// The brokers are another cluster's than before; records go to it under a new producer id.
    AnotherCluster,
    /// The topic was deleted and created again; records go to the new one.
    TopicRecreated {
        /// The topic's name.
        topic: &'static str,
    },
    /// A broker no longer has what it acknowledged, or lost count of the sequence: a new epoch was begun, and no
    /// record was sent twice.
    SequenceGap {
        /// The topic's name.
        topic: &'static str,
        /// The partition.
        partition: i32,
    },
    /// Metadata responses name an error of a topic, or of a partition of it, that may pass, such as
    /// UNKNOWN_TOPIC_OR_PARTITION or LEADER_NOT_AVAILABLE; it is asked about again. Said once, until the error is another.
    Topic {
        /// The topic's name.
        topic: &'static str,
        /// The partition; `None` if it is about the whole topic.
        partition: Option<i32>,
        /// The error code.
        code: ErrorCode,
    },
    /// The brokers give no producer id, which idempotence needs, but this error; they are asked again. Said once, until the
    /// error is another.
    ProducerId(ErrorCode),
    /// A broker's response has bytes after its last field. They are passed over; this is said once per connection.
    TrailingBytes {
        /// The broker's address.
        broker: HostPort,
        /// The request's name.
        api: &'static str,
        /// How many bytes there are.
        bytes: usize,
    },
    /// A warning that this version has no words for.
    Other(core::Warning),
}

impl Warning {
    /// The core's warning with the topics' names, which are in the order of the topics' indexes.
    pub(crate) fn named(warning: core::Warning, topics: &[&'static str]) -> Self {
        let name = |topic: core::Topic| topics[topic.index()];
        match warning {
            core::Warning::Broker(cause) => Self::Broker(cause),
            core::Warning::AnotherCluster => Self::AnotherCluster,
            core::Warning::TopicRecreated(topic) => Self::TopicRecreated { topic: name(topic) },
            core::Warning::SequenceGap { topic, partition } => Self::SequenceGap {
                topic: name(topic),
                partition,
            },
            core::Warning::Topic {
                topic,
                partition,
                code,
            } => Self::Topic {
                topic: name(topic),
                partition,
                code,
            },
            core::Warning::ProducerId(code) => Self::ProducerId(code),
            core::Warning::TrailingBytes { broker, api, bytes } => {
                Self::TrailingBytes { broker, api, bytes }
            }
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(cause) => cause.fmt(f),
            Self::AnotherCluster => f.write_str("the brokers are another cluster's than before"),
            Self::TopicRecreated { topic } => {
                write!(f, "topic {topic} was deleted and created again")
            }
            Self::SequenceGap { topic, partition } => {
                write!(
                    f,
                    "the broker of {topic}-{partition} no longer has what it acknowledged"
                )
            }
            Self::Topic {
                topic,
                partition: None,
                code,
            } => write!(f, "the brokers answer {code} for topic {topic}"),
            Self::Topic {
                topic,
                partition: Some(partition),
                code,
            } => write!(
                f,
                "the brokers answer {code} for partition {topic}-{partition}"
            ),
            Self::ProducerId(code) => write!(f, "the brokers give no producer id: {code}"),
            Self::TrailingBytes { broker, api, bytes } => write!(
                f,
                "{broker}: the response to {api} is longer than its fields (by {bytes} B), which is passed over"
            ),
            Self::Other(warning) => fmt::Debug::fmt(warning, f),
        }
    }
}
