//! What an operator may want to see, in words that need no producer to be understood.

use std::fmt;

use ottla_core::{self as core, Cause};

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
            Self::Other(warning) => fmt::Debug::fmt(warning, f),
        }
    }
}
