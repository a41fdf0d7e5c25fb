//! Metadata (3), versions 1 to 13: brokers, topics, and who leads which partition.

use super::{ApiKey, DecodeError, ErrorCode, Reader, Writer};
use alloc::vec::Vec;

/// Asks for the brokers and some topics, or all; always without authorized operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataRequest<'a> {
    /// The names of the topics; `None` asks for all, an empty list for none.
    pub topics: Option<&'a [&'a str]>,
    /// Whether the broker may create the topics, if it is set up to do so. Below version 4 the
    /// broker decides alone.
    pub allow_auto_topic_creation: bool,
}

impl MetadataRequest<'_> {
    /// Appends the request.
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) {
        debug_assert!(API.versions().contains(&version));
        let mut w = Writer::new(out, API.is_flexible(version));
        match self.topics {
            None => w.null_array(),
            Some(topics) => w.array_len(topics.len()),
        }
        for name in self.topics.unwrap_or_default() {
            if version >= 10 {
                w.uuid(&[0; 16]); // by name
            }
            w.string(name);
            w.no_tagged_fields();
        }
        if version >= 4 {
            w.bool(self.allow_auto_topic_creation);
        }
        if (8..=10).contains(&version) {
            w.bool(false); // include_cluster_authorized_operations
        }
        if version >= 8 {
            w.bool(false); // include_topic_authorized_operations
        }
        w.no_tagged_fields();
    }
}

/// The brokers and the topics that were asked for, borrowed from the response's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataResponse<'a> {
    /// How long to send nothing (KIP-219); 0 below version 3.
    pub throttle_time_ms: i32,
    /// The brokers that are alive.
    pub brokers: Vec<NodeEndpoint<'a>>,
    /// The cluster's id; `None` below version 2.
    pub cluster_id: Option<&'a str>,
    /// The controller's node id, or -1.
    pub controller_id: i32,
    /// The topics.
    pub topics: Vec<TopicMetadata<'a>>,
    /// An error of the whole response, such as REBOOTSTRAP_REQUIRED (KIP-1102); NONE below version
    /// 13.
    pub error_code: ErrorCode,
}

impl<'a> MetadataResponse<'a> {
    /// Decodes the body of the response to a request of `version`, and leaves in `body` what follows it.
    pub fn decode(body: &mut &'a [u8], version: i16) -> Result<Self, DecodeError> {
        debug_assert!(API.versions().contains(&version));
        let mut r = Reader::new(body, API.is_flexible(version));
        let throttle_time_ms = if version >= 3 {
            r.i32("throttle_time_ms")?
        } else {
            0
        };
        let brokers = r.array("brokers", NodeEndpoint::MIN_SIZE, NodeEndpoint::decode)?;
        let cluster_id = if version >= 2 {
            r.nullable_string("cluster_id")?
        } else {
            None
        };
        let controller_id = r.i32("controller_id")?;
        let topics = r.array("topics", TopicMetadata::MIN_SIZE, |r| {
            TopicMetadata::decode(r, version)
        })?;
        if (8..=10).contains(&version) {
            r.i32("cluster_authorized_operations")?;
        }
        let error_code = if version >= 13 {
            r.i16("error_code")?
        } else {
            0
        };
        r.skip_tagged_fields()?;
        *body = r.rest();
        Ok(Self {
            throttle_time_ms,
            brokers,
            cluster_id,
            controller_id,
            topics,
            error_code: ErrorCode(error_code),
        })
    }
}

/// Where a broker can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeEndpoint<'a> {
    /// The broker's id.
    pub node_id: i32,
    /// Its host name or address.
    pub host: &'a str,
    /// Its port.
    pub port: i32,
    /// Where it stands, if it says so.
    pub rack: Option<&'a str>,
}

impl<'a> NodeEndpoint<'a> {
    pub(super) const MIN_SIZE: usize = 4 + 1 + 4 + 1;

    /// The same in Metadata from version 1 as in Produce from version 10.
    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let node_id = r.i32("node_id")?;
        let host = r.string("host")?;
        let port = r.i32("port")?;
        let rack = r.nullable_string("rack")?;
        r.skip_tagged_fields()?;
        Ok(Self {
            node_id,
            host,
            port,
            rack,
        })
    }
}

/// A topic, or why it can't be described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata<'a> {
    /// What is wrong with the topic as a whole.
    pub error_code: ErrorCode,
    /// The topic's name; `None` only, from version 12, if it was asked for by an unknown id.
    pub name: Option<&'a str>,
    /// The topic's id (KIP-516); zero if unknown, and below version 10.
    pub topic_id: [u8; 16],
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// The partitions, in any order.
    pub partitions: Vec<PartitionMetadata>,
}

impl<'a> TopicMetadata<'a> {
    const MIN_SIZE: usize = 2 + 2 + 1 + 4;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let error_code = ErrorCode(r.i16("error_code")?);
        let name = if version >= 12 {
            r.nullable_string("name")?
        } else {
            Some(r.string("name")?)
        };
        let topic_id = if version >= 10 {
            r.uuid("topic_id")?
        } else {
            [0; 16]
        };
        let is_internal = r.bool("is_internal")?;
        let partitions = r.array("partitions", PartitionMetadata::MIN_SIZE, |r| {
            PartitionMetadata::decode(r, version)
        })?;
        if version >= 8 {
            r.i32("topic_authorized_operations")?;
        }
        r.skip_tagged_fields()?;
        Ok(Self {
            error_code,
            name,
            topic_id,
            is_internal,
            partitions,
        })
    }
}

/// A partition and its leader; the replicas are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// What is wrong with the partition, such as LEADER_NOT_AVAILABLE.
    pub error_code: ErrorCode,
    /// The partition.
    pub partition_index: i32,
    /// The leader's node id, or -1.
    pub leader_id: i32,
    /// The leader's epoch; -1 if unknown, and below version 7. Below version 9 it can go back in
    /// time while partitions are reassigned, so Java does not compare it.
    pub leader_epoch: i32,
}

impl PartitionMetadata {
    const MIN_SIZE: usize = 2 + 4 + 4 + 4 + 4;

    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let error_code = ErrorCode(r.i16("error_code")?);
        let partition_index = r.i32("partition_index")?;
        let leader_id = r.i32("leader_id")?;
        let leader_epoch = if version >= 7 {
            r.i32("leader_epoch")?
        } else {
            -1
        };
        r.skip_array("replica_nodes", 4)?;
        r.skip_array("isr_nodes", 4)?;
        if version >= 5 {
            r.skip_array("offline_replicas", 4)?;
        }
        r.skip_tagged_fields()?;
        Ok(Self {
            error_code,
            partition_index,
            leader_id,
            leader_epoch,
        })
    }
}

const API: ApiKey = ApiKey::METADATA;

#[cfg(test)]
mod tests {
    use super::super::second_opinion::{
        arrays_refused, decoded, encoded, no_byte_panics, only_the_whole_decodes, uuid, whole,
    };
    use super::*;
    use bytes::Bytes;
    use kafka_protocol::messages::{
        self, BrokerId, TopicName, metadata_request as their_request, metadata_response as theirs,
    };
    use kafka_protocol::protocol::StrBytes;
    use std::vec;

    fn text(s: &'static str) -> StrBytes {
        StrBytes::from_static_str(s)
    }

    #[test]
    fn requests_equal_those_of_kafka_protocol() {
        let lists: [Option<&[&'static str]>; 4] = [
            None,
            Some(&[]),
            Some(&["orders"]),
            Some(&["orders", "a.b_c-d"]),
        ];
        for version in API.versions() {
            for topics in lists {
                for allow_auto_topic_creation in [true, false] {
                    let mut out = Vec::new();
                    MetadataRequest {
                        topics,
                        allow_auto_topic_creation,
                    }
                    .encode(version, &mut out);
                    let topic = |name: &&'static str| {
                        their_request::MetadataRequestTopic::default()
                            .with_name(Some(TopicName(text(name))))
                    };
                    let expected = messages::MetadataRequest::default()
                        .with_topics(topics.map(|topics| topics.iter().map(topic).collect()))
                        .with_allow_auto_topic_creation(allow_auto_topic_creation || version < 4);
                    assert_eq!(out, encoded(&expected, version), "version {version}");
                    assert_eq!(
                        decoded::<messages::MetadataRequest>(&out, version),
                        expected
                    );
                }
            }
        }
    }

    fn their_partition(
        version: i16,
        index: i32,
        error: ErrorCode,
    ) -> theirs::MetadataResponsePartition {
        let mut partition = theirs::MetadataResponsePartition::default()
            .with_error_code(error.0)
            .with_partition_index(index)
            .with_leader_id(BrokerId(index - 1))
            .with_replica_nodes(vec![BrokerId(1), BrokerId(2), BrokerId(3)])
            .with_isr_nodes(vec![BrokerId(1)]);
        if version >= 5 {
            partition.offline_replicas = vec![BrokerId(2), BrokerId(3)];
        }
        if version >= 7 {
            partition.leader_epoch = 40 + index;
        }
        if version >= 9 {
            partition
                .unknown_tagged_fields
                .insert(0, Bytes::from_static(b"?"));
        }
        partition
    }

    fn their_response(version: i16) -> messages::MetadataResponse {
        let broker = |id: i32, host, rack| {
            let mut broker = theirs::MetadataResponseBroker::default()
                .with_node_id(BrokerId(id))
                .with_host(text(host))
                .with_port(9092 + id)
                .with_rack(rack);
            if version >= 9 {
                broker.unknown_tagged_fields.insert(5, Bytes::new());
            }
            broker
        };
        let partitions = vec![
            their_partition(version, 1, ErrorCode::NONE),
            their_partition(version, 0, ErrorCode::LEADER_NOT_AVAILABLE),
        ];
        let mut orders = theirs::MetadataResponseTopic::default()
            .with_name(Some(TopicName(text("orders"))))
            .with_partitions(partitions);
        let mut gone = theirs::MetadataResponseTopic::default()
            .with_error_code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0)
            .with_name(Some(TopicName(text("gone"))))
            .with_is_internal(true);
        if version >= 10 {
            orders.topic_id = uuid(7);
        }
        if version >= 12 {
            gone.name = None;
            gone.topic_id = uuid(8);
        }
        if version >= 9 {
            gone.unknown_tagged_fields
                .insert(1, Bytes::from_static(b"new"));
        }
        let mut response = messages::MetadataResponse::default()
            .with_brokers(vec![
                broker(1, "one.example", None),
                broker(2, "::1", Some(text("r2"))),
            ])
            .with_controller_id(BrokerId(2))
            .with_topics(vec![orders, gone]);
        if version >= 2 {
            response.cluster_id = Some(text("cluster"));
        }
        if version >= 3 {
            response.throttle_time_ms = 5;
        }
        if version >= 13 {
            response.error_code = ErrorCode::REBOOTSTRAP_REQUIRED.0;
        }
        if version >= 9 {
            response
                .unknown_tagged_fields
                .insert(300, Bytes::from_static(b"tagged"));
        }
        response
    }

    #[test]
    fn responses_of_every_version_decode() {
        for version in API.versions() {
            let body = encoded(&their_response(version), version);
            let epoch = |index: i32| if version >= 7 { 40 + index } else { -1 };
            let partition = |index, error_code| PartitionMetadata {
                error_code,
                partition_index: index,
                leader_id: index - 1,
                leader_epoch: epoch(index),
            };
            let expected = MetadataResponse {
                throttle_time_ms: if version >= 3 { 5 } else { 0 },
                brokers: vec![
                    NodeEndpoint {
                        node_id: 1,
                        host: "one.example",
                        port: 9093,
                        rack: None,
                    },
                    NodeEndpoint {
                        node_id: 2,
                        host: "::1",
                        port: 9094,
                        rack: Some("r2"),
                    },
                ],
                cluster_id: (version >= 2).then_some("cluster"),
                controller_id: 2,
                topics: vec![
                    TopicMetadata {
                        error_code: ErrorCode::NONE,
                        name: Some("orders"),
                        topic_id: if version >= 10 { [7; 16] } else { [0; 16] },
                        is_internal: false,
                        partitions: vec![
                            partition(1, ErrorCode::NONE),
                            partition(0, ErrorCode::LEADER_NOT_AVAILABLE),
                        ],
                    },
                    TopicMetadata {
                        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                        name: (version < 12).then_some("gone"),
                        topic_id: if version >= 12 { [8; 16] } else { [0; 16] },
                        is_internal: true,
                        partitions: vec![],
                    },
                ],
                error_code: if version >= 13 {
                    ErrorCode::REBOOTSTRAP_REQUIRED
                } else {
                    ErrorCode::NONE
                },
            };
            assert_eq!(
                MetadataResponse::decode(&mut &body[..], version),
                Ok(expected),
                "{version}"
            );
        }
    }

    #[test]
    fn no_version_trusts_its_bytes() {
        for version in API.versions() {
            let body = encoded(&their_response(version), version);
            let decode = whole(|body| MetadataResponse::decode(body, version).map(drop));
            only_the_whole_decodes(&body, &decode);
            no_byte_panics(&body, &decode);
            let mut arrays = vec![
                "brokers",
                "isr_nodes",
                "partitions",
                "replica_nodes",
                "topics",
            ];
            if version >= 5 {
                arrays.insert(2, "offline_replicas");
            }
            assert_eq!(arrays_refused(&body, &decode), arrays, "version {version}");
        }
    }

    #[test]
    fn a_topic_without_a_name_is_an_error_below_version_12() {
        let mut response = their_response(11);
        response.topics[1].name = None;
        let body = encoded(&response, 11);
        assert!(matches!(
            MetadataResponse::decode(&mut &body[..], 11),
            Err(DecodeError::UnexpectedNull { field: "name", .. })
        ));
    }
}
