//! What a cluster answers, decoded, with everything named that may rightly differ from cluster to cluster.

use std::ops::RangeInclusive;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsResponse, InitProducerIdResponse, MetadataResponse, ProduceResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};
use uuid::Uuid;

use super::ask::{Ask, What};
use super::world::Heard;

/// One answer, comparable field by field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Closed,
    Silence,
    Produce(ProduceResponse),
    InitProducerId(InitProducerIdResponse),
    Metadata(MetadataResponse),
    ApiVersions(ApiVersionsResponse),
}

/// The names that one cluster made up, each in the place of its first appearance.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// What the tape's own topics are called begins with this; all others are of no concern.
    pub(crate) prefix: String,
    /// Times of the broker's own clock.
    pub(crate) clock: RangeInclusive<i64>,
    pub(crate) topics: Vec<Uuid>,
    clusters: Vec<StrBytes>,
    addresses: Vec<(StrBytes, i32)>,
    producers: Vec<i64>,
}

/// What stands for a time of the broker's own clock.
const NOW: i64 = -77;
/// The newest version of ApiVersions; an answer to a newer one comes in the oldest.
const API_VERSIONS: i16 = 4;

impl Answer {
    /// Decodes what was heard of a request with this correlation id.
    pub(crate) fn read(ask: &Ask, correlation: i32, heard: Heard) -> Result<Self, String> {
        let frame = match heard {
            Heard::Closed => return Ok(Self::Closed),
            Heard::Silence => return Ok(Self::Silence),
            Heard::Frame(frame) => Bytes::from(frame),
        };
        let version = ask.version;
        Ok(match ask.what {
            What::Produce(_) => Self::Produce(decode(frame, version, correlation)?),
            What::InitProducerId(_) => Self::InitProducerId(decode(frame, version, correlation)?),
            What::Metadata(_) => Self::Metadata(decode(frame, version, correlation)?),
            What::ApiVersions(_) => {
                let version = if (0..=API_VERSIONS).contains(&version) {
                    version
                } else {
                    0
                };
                Self::ApiVersions(decode(frame, version, correlation)?)
            }
        })
    }

    /// What became of each batch of a Produce request.
    pub(crate) fn batch_codes(&self) -> impl Iterator<Item = i16> {
        let topics = match self {
            Self::Produce(answer) => answer.responses.as_slice(),
            _ => &[],
        };
        let partitions = topics.iter().flat_map(|topic| &topic.partition_responses);
        partitions.map(|partition| partition.error_code)
    }

    /// The producer id in it.
    pub(crate) fn producer_id(&self) -> Option<i64> {
        match self {
            Self::InitProducerId(answer) => Some(answer.producer_id.0),
            _ => None,
        }
    }

    /// Replaces made-up names, and puts in order what comes in any.
    pub(crate) fn in_other_words(mut self, names: &mut Names) -> Self {
        match &mut self {
            Self::Closed | Self::Silence => {}
            Self::Produce(answer) => produce(answer, names),
            Self::InitProducerId(answer) => {
                if answer.producer_id.0 >= 0 {
                    answer.producer_id.0 = place(&mut names.producers, answer.producer_id.0) as i64;
                }
            }
            Self::Metadata(answer) => metadata(answer, names),
            Self::ApiVersions(answer) => answer.api_keys.sort_by_key(|api| api.api_key),
        }
        self
    }
}

impl Names {
    pub(crate) fn new(prefix: String, clock: RangeInclusive<i64>, topics: Vec<Uuid>) -> Self {
        Self {
            prefix,
            clock,
            topics,
            clusters: Vec::new(),
            addresses: Vec::new(),
            producers: Vec::new(),
        }
    }

    /// The id of a topic that the tape knows becomes its number; no other id is made up by a cluster.
    fn topic(&self, id: &mut Uuid) {
        if let Some(number) = self.topics.iter().position(|known| known == id) {
            *id = Uuid::from_u128(number as u128 + 1);
        }
    }

    fn address(&mut self, host: &mut StrBytes, port: &mut i32) {
        *port = place(&mut self.addresses, (host.clone(), *port)) as i32;
        *host = StrBytes::from_static_str("host");
    }
}

fn produce(answer: &mut ProduceResponse, names: &mut Names) {
    for topic in &mut answer.responses {
        names.topic(&mut topic.topic_id);
        for partition in &mut topic.partition_responses {
            if names.clock.contains(&partition.log_append_time_ms) {
                partition.log_append_time_ms = NOW;
            }
        }
        topic.partition_responses.sort_by_key(|part| part.index);
    }
    let key = |t: &kafka_protocol::messages::produce_response::TopicProduceResponse| {
        (t.name.to_string(), t.topic_id)
    };
    answer.responses.sort_by_key(key);
    for node in &mut answer.node_endpoints {
        names.address(&mut node.host, &mut node.port);
    }
}

fn metadata(answer: &mut MetadataResponse, names: &mut Names) {
    answer.brokers.sort_by_key(|broker| broker.node_id);
    for broker in &mut answer.brokers {
        names.address(&mut broker.host, &mut broker.port);
    }
    if let Some(id) = &mut answer.cluster_id {
        let number = place(&mut names.clusters, id.clone());
        *id = StrBytes::from_string(format!("cluster {number}"));
    }
    // A list of all topics has those of the other tapes too.
    answer.topics.retain(|topic| {
        let strange = |name: &str| name.starts_with("tape-") && !name.starts_with(&names.prefix);
        !topic.name.as_ref().is_some_and(|name| strange(name))
    });
    for topic in &mut answer.topics {
        names.topic(&mut topic.topic_id);
        topic.partitions.sort_by_key(|part| part.partition_index);
    }
    answer
        .topics
        .sort_by_key(|topic| (topic.name.clone().map(|n| n.to_string()), topic.topic_id));
}

fn decode<R: Decodable + HeaderVersion>(
    mut frame: Bytes,
    version: i16,
    correlation: i32,
) -> Result<R, String> {
    let header = ResponseHeader::decode(&mut frame, R::header_version(version));
    let header = header.map_err(|e| format!("a broken header: {e}"))?;
    if header.correlation_id != correlation {
        return Err(format!("an answer to {}", header.correlation_id));
    }
    let answer = R::decode(&mut frame, version).map_err(|e| format!("a broken answer: {e}"))?;
    match frame.is_empty() {
        true => Ok(answer),
        false => Err(format!("{} bytes behind the answer", frame.len())),
    }
}

/// Where a value stands in a list, at the end of which it is put if need be.
fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().position(|v| *v == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}
