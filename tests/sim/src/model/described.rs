//! What a broker told of the cluster, for those who watch it.

use std::collections::BTreeSet;
use std::fmt;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

use super::envelope::Caller;

/// Nobody makes topics with more partitions than that here.
const MOST_PARTITIONS: usize = 1_000;

/// An answer to Metadata.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Described {
    /// The broker that told it.
    pub broker: i32,
    /// The connection it was asked on.
    pub connection: u64,
    /// The version of the request.
    pub version: i16,
    /// The code of the whole answer.
    pub code: i16,
    /// The cluster's id.
    pub cluster: String,
    /// Each broker's id, host and port.
    pub brokers: Vec<(i32, String, i32)>,
    /// The topics.
    pub topics: Vec<DescribedTopic>,
}

/// A topic in an answer to Metadata.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DescribedTopic {
    /// Its name; empty if it was asked for by an id that the broker has no name for.
    pub name: String,
    /// Its id; zero where the version has none.
    pub id: [u8; 16],
    /// Its code.
    pub code: i16,
    /// Each partition's number, leader and leader epoch; -1 for none.
    pub partitions: Vec<(i32, i32, i32)>,
}

impl Described {
    pub(crate) fn new(caller: Caller, answer: &MetadataResponse) -> Described {
        let brokers = answer.brokers.iter();
        Described {
            broker: caller.broker,
            connection: caller.connection,
            version: caller.version,
            code: answer.error_code,
            cluster: answer
                .cluster_id
                .as_ref()
                .map_or(String::new(), |id| id.to_string()),
            brokers: brokers
                .map(|broker| (broker.node_id.0, broker.host.to_string(), broker.port))
                .collect(),
            topics: answer.topics.iter().map(DescribedTopic::new).collect(),
        }
    }

    /// The answer can't be true: it contradicts itself, or names what there can't be.
    pub fn makes_no_sense(&self) -> bool {
        let ids: BTreeSet<i32> = self.brokers.iter().map(|broker| broker.0).collect();
        let is_somewhere = |(id, host, port): &(i32, String, i32)| {
            *id >= 0 && !host.is_empty() && (1..=65_535).contains(port)
        };
        let names: BTreeSet<&str> = self.topics.iter().map(|topic| &*topic.name).collect();
        let places: BTreeSet<(&str, i32)> = self
            .brokers
            .iter()
            .map(|(_, host, port)| (&**host, *port))
            .collect();
        ids.len() != self.brokers.len()
            || places.len() != self.brokers.len()
            || ids.is_empty()
            || !self.brokers.iter().all(is_somewhere)
            || names.len() != self.topics.len()
            || self.topics.iter().any(|topic| topic.makes_no_sense(&ids))
    }
}

impl DescribedTopic {
    fn new(topic: &MetadataResponseTopic) -> DescribedTopic {
        let partitions = topic.partitions.iter();
        DescribedTopic {
            name: topic
                .name
                .as_ref()
                .map_or(String::new(), |name| name.to_string()),
            id: topic.topic_id.into_bytes(),
            code: topic.error_code,
            partitions: partitions
                .map(|p| (p.partition_index, p.leader_id.0, p.leader_epoch))
                .collect(),
        }
    }

    /// Partitions are numbered from zero without a gap, each once, and led by brokers that there are.
    fn makes_no_sense(&self, brokers: &BTreeSet<i32>) -> bool {
        let numbers: BTreeSet<i32> = self.partitions.iter().map(|p| p.0).collect();
        let count = self.partitions.len();
        count > MOST_PARTITIONS
            || numbers.len() != count
            || numbers.first().is_some_and(|&first| first != 0)
            || numbers
                .last()
                .is_some_and(|&last| last as usize + 1 != count)
            || self.partitions.iter().any(|&(_, leader, epoch)| {
                epoch < -1 || (leader != -1 && !brokers.contains(&leader))
            })
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tells of {} brokers", self.broker, self.brokers.len())?;
        if self.code != 0 {
            write!(f, ", code {}", self.code)?;
        }
        for topic in &self.topics {
            match topic.code {
                0 => write!(f, ", {} with {}", topic.name, topic.partitions.len())?,
                code => write!(f, ", {}: code {code}", topic.name)?,
            }
        }
        Ok(())
    }
}
