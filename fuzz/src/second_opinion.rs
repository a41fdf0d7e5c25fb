//! Responses as `kafka-protocol` decodes them, in ottla's words.

use bytes::Bytes;
use kafka_protocol::messages::{self, ResponseHeader};
use kafka_protocol::messages::{metadata_response, produce_response};
use kafka_protocol::protocol::{Decodable, StrBytes};
use ottla_core::wire::{
    ApiKey, ApiVersion, ApiVersionsResponse, CurrentLeader, ErrorCode, InitProducerIdResponse,
    MetadataResponse, NodeEndpoint, PartitionMetadata, PartitionProduceResponse, ProduceResponse,
    Reader, RecordError, TopicKey, TopicMetadata, TopicProduceResponse,
};

use crate::responses::{Answer, Question, Response};

/// A frame as `kafka-protocol` understands it.
pub struct SecondOpinion {
    correlation: i32,
    version: i16,
    response: Theirs,
}

enum Theirs {
    ApiVersions(messages::ApiVersionsResponse),
    Metadata(messages::MetadataResponse),
    Produce(messages::ProduceResponse),
    InitProducerId(messages::InitProducerIdResponse),
}

impl SecondOpinion {
    /// Decodes a frame; `None` if `kafka-protocol` does not, or leaves a rest.
    ///
    /// It takes memory for arrays by their claimed lengths alone, so it may see only what ottla decodes.
    pub fn of(question: Question, frame: &[u8]) -> Option<Self> {
        let mut rest = Bytes::copy_from_slice(frame);
        let header = question.theirs.response_header_version(question.version);
        let header = ResponseHeader::decode(&mut rest, header).ok()?;
        let version = question.version;
        let response = match question.theirs {
            messages::ApiKey::ApiVersions => {
                let version = understood_version(&rest, version)?;
                Theirs::ApiVersions(whole(rest, version)?)
            }
            messages::ApiKey::Metadata => Theirs::Metadata(whole(rest, version)?),
            messages::ApiKey::Produce => Theirs::Produce(whole(rest, version)?),
            _ => Theirs::InitProducerId(whole(rest, version)?),
        };
        Some(Self {
            correlation: header.correlation_id,
            version,
            response,
        })
    }

    /// The same in ottla's words.
    pub fn answer(&self) -> Answer<'_> {
        let response = match &self.response {
            Theirs::ApiVersions(theirs) => Response::ApiVersions(api_versions(theirs)),
            Theirs::Metadata(theirs) => Response::Metadata(metadata(theirs)),
            Theirs::Produce(theirs) => Response::Produce(produce(theirs, self.version)),
            Theirs::InitProducerId(theirs) => Response::InitProducerId(InitProducerIdResponse {
                throttle_time_ms: theirs.throttle_time_ms,
                error_code: ErrorCode(theirs.error_code),
                producer_id: theirs.producer_id.0,
                producer_epoch: theirs.producer_epoch,
            }),
        };
        (self.correlation, response)
    }
}

fn whole<R: Decodable>(mut body: Bytes, version: i16) -> Option<R> {
    let response = R::decode(&mut body, version).ok()?;
    body.is_empty().then_some(response)
}

/// The version in which a body of ApiVersions is to be read: 0 after UNSUPPORTED_VERSION, if it can be (KIP-511). `None`
/// if there are features, which ottla passes over unread: their lengths may be anything.
fn understood_version(body: &[u8], version: i16) -> Option<i16> {
    let mut rest = body;
    if body.starts_with(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes())
        && ApiVersionsResponse::decode(&mut rest, 0).is_ok()
        && rest.is_empty()
    {
        return Some(0);
    }
    let mut reader = Reader::new(body, version >= 3);
    reader.i16("").ok()?;
    let pass = |r: &mut Reader<'_>| r.raw(6, "").and_then(|_| r.skip_tagged_fields());
    reader.array("", 6, pass).ok()?;
    if version >= 1 {
        reader.i32("").ok()?;
    }
    let mut has_features = false;
    let see = |tag, _: &mut Reader<'_>| {
        has_features |= tag < 4;
        Ok(())
    };
    reader.tagged_fields(see).ok()?;
    (!has_features).then_some(version)
}

fn api_versions(theirs: &messages::ApiVersionsResponse) -> ApiVersionsResponse {
    let api_keys = theirs.api_keys.iter().map(|api| ApiVersion {
        api_key: ApiKey(api.api_key),
        min_version: api.min_version,
        max_version: api.max_version,
    });
    ApiVersionsResponse {
        error_code: ErrorCode(theirs.error_code),
        api_keys: api_keys.collect(),
        throttle_time_ms: theirs.throttle_time_ms,
    }
}

fn metadata(theirs: &messages::MetadataResponse) -> MetadataResponse<'_> {
    let brokers = theirs.brokers.iter().map(|broker| NodeEndpoint {
        node_id: broker.node_id.0,
        host: &broker.host,
        port: broker.port,
        rack: text(&broker.rack),
    });
    MetadataResponse {
        throttle_time_ms: theirs.throttle_time_ms,
        brokers: brokers.collect(),
        cluster_id: text(&theirs.cluster_id),
        controller_id: theirs.controller_id.0,
        topics: theirs.topics.iter().map(topic).collect(),
        error_code: ErrorCode(theirs.error_code),
    }
}

fn topic(theirs: &metadata_response::MetadataResponseTopic) -> TopicMetadata<'_> {
    let partitions = theirs.partitions.iter().map(|partition| PartitionMetadata {
        error_code: ErrorCode(partition.error_code),
        partition_index: partition.partition_index,
        leader_id: partition.leader_id.0,
        leader_epoch: partition.leader_epoch,
    });
    TopicMetadata {
        error_code: ErrorCode(theirs.error_code),
        name: theirs.name.as_ref().map(|name| &***name),
        topic_id: theirs.topic_id.into_bytes(),
        is_internal: theirs.is_internal,
        partitions: partitions.collect(),
    }
}

fn produce(theirs: &messages::ProduceResponse, version: i16) -> ProduceResponse<'_> {
    let topics = theirs.responses.iter().map(|topic| TopicProduceResponse {
        topic: match version {
            13.. => TopicKey::Id(topic.topic_id.into_bytes()),
            _ => TopicKey::Name(&topic.name),
        },
        partitions: topic.partition_responses.iter().map(produced).collect(),
    });
    let nodes = theirs.node_endpoints.iter().map(|node| NodeEndpoint {
        node_id: node.node_id.0,
        host: &node.host,
        port: node.port,
        rack: text(&node.rack),
    });
    ProduceResponse {
        topics: topics.collect(),
        throttle_time_ms: theirs.throttle_time_ms,
        node_endpoints: nodes.collect(),
    }
}

fn produced(theirs: &produce_response::PartitionProduceResponse) -> PartitionProduceResponse<'_> {
    let errors = theirs.record_errors.iter().map(|error| RecordError {
        batch_index: error.batch_index,
        message: text(&error.batch_index_error_message),
    });
    let leader = &theirs.current_leader;
    PartitionProduceResponse {
        index: theirs.index,
        error_code: ErrorCode(theirs.error_code),
        base_offset: theirs.base_offset,
        log_append_time_ms: theirs.log_append_time_ms,
        log_start_offset: theirs.log_start_offset,
        record_errors: errors.collect(),
        error_message: text(&theirs.error_message),
        current_leader: (leader.leader_id.0 >= 0).then_some(CurrentLeader {
            leader_id: leader.leader_id.0,
            leader_epoch: leader.leader_epoch,
        }),
    }
}

fn text(theirs: &Option<StrBytes>) -> Option<&str> {
    theirs.as_deref()
}
