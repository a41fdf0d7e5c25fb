use super::super::second_opinion::{
    arrays_refused, decoded, encoded, no_byte_panics, only_the_whole_decodes, uuid, whole,
};
use super::*;
use bytes::Bytes;
use kafka_protocol::messages::{
    self, BrokerId, TopicName, TransactionalId, produce_request as their_request,
    produce_response as theirs,
};
use kafka_protocol::protocol::StrBytes;
use std::vec;

fn text(s: &'static str) -> StrBytes {
    StrBytes::from_static_str(s)
}

/// Topics of a request: name, the byte that its id repeats, partitions with their records.
type Topics<'a> = &'a [(&'static str, u8, &'a [(i32, &'static [u8])])];

const TWO_TOPICS: Topics<'_> = &[
    ("orders", 1, &[(0, b"first records"), (7, b"")]),
    ("payments", 2, &[(i32::MAX, &[0xab; 300])]),
];

fn our_request(request: &ProduceRequest<'_>, topics: Topics<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    request.head(&mut out, topics.len());
    for (name, id, partitions) in topics {
        request.topic(&mut out, name, [*id; 16], partitions.len());
        for (index, records) in *partitions {
            request.partition(&mut out, *index, records.len());
            out.extend_from_slice(records);
            request.partition_end(&mut out);
        }
        request.topic_end(&mut out);
    }
    request.end(&mut out);
    out
}

fn their_request(request: &ProduceRequest<'_>, topics: Topics<'_>) -> messages::ProduceRequest {
    let topic_data = topics.iter().map(|(name, id, partitions)| {
        let data = partitions.iter().map(|(index, records)| {
            their_request::PartitionProduceData::default()
                .with_index(*index)
                .with_records(Some(Bytes::from_static(records)))
        });
        let topic = their_request::TopicProduceData::default().with_partition_data(data.collect());
        if request.version >= 13 {
            topic.with_topic_id(uuid(*id))
        } else {
            topic.with_name(TopicName(text(name)))
        }
    });
    let transactional_id = request
        .transactional_id
        .map(|_| TransactionalId(text("tx-1")));
    messages::ProduceRequest::default()
        .with_transactional_id(transactional_id)
        .with_acks(request.acks)
        .with_timeout_ms(request.timeout_ms)
        .with_topic_data(topic_data.collect())
}

#[test]
fn requests_equal_those_of_kafka_protocol() {
    for version in API.versions() {
        for (transactional_id, acks) in [(None, -1), (Some("tx-1"), 1), (None, 0)] {
            for topics in [&[], TWO_TOPICS] {
                let request = ProduceRequest {
                    version,
                    transactional_id,
                    acks,
                    timeout_ms: 30_000,
                };
                let out = our_request(&request, topics);
                let expected = their_request(&request, topics);
                assert_eq!(out, encoded(&expected, version), "version {version}");
                assert_eq!(decoded::<messages::ProduceRequest>(&out, version), expected);
            }
        }
    }
}

fn refused(version: i16) -> theirs::PartitionProduceResponse {
    let mut partition = theirs::PartitionProduceResponse::default()
        .with_index(3)
        .with_error_code(ErrorCode::INVALID_RECORD.0)
        .with_base_offset(-1);
    if version >= 8 {
        let error = |index, message: Option<&'static str>| {
            theirs::BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(message.map(text))
        };
        partition.record_errors = vec![error(0, Some("no key")), error(5, None)];
        partition.error_message = Some(text("one or more records were rejected"));
    }
    partition
}

fn moved(version: i16) -> theirs::PartitionProduceResponse {
    let mut partition = theirs::PartitionProduceResponse::default()
        .with_index(0)
        .with_error_code(ErrorCode::NOT_LEADER_OR_FOLLOWER.0)
        .with_base_offset(-1);
    if version >= 10 {
        partition.current_leader = theirs::LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(2))
            .with_leader_epoch(9);
        partition
            .current_leader
            .unknown_tagged_fields
            .insert(0, Bytes::from_static(b"in it"));
    }
    if version >= 9 {
        partition
            .unknown_tagged_fields
            .insert(1, Bytes::from_static(b"beside it"));
    }
    partition
}

fn written(version: i16) -> theirs::PartitionProduceResponse {
    let mut partition = theirs::PartitionProduceResponse::default()
        .with_index(1)
        .with_base_offset(1 << 40)
        .with_log_append_time_ms(1_700_000_000_000);
    if version >= 5 {
        partition.log_start_offset = 17;
    }
    partition
}

fn their_response(version: i16) -> messages::ProduceResponse {
    let topic = |name, id, partitions| {
        let topic = theirs::TopicProduceResponse::default().with_partition_responses(partitions);
        if version >= 13 {
            topic.with_topic_id(uuid(id))
        } else {
            topic.with_name(TopicName(text(name)))
        }
    };
    let mut response = messages::ProduceResponse::default()
        .with_responses(vec![
            topic("orders", 1, vec![written(version), refused(version)]),
            topic("payments", 2, vec![moved(version)]),
            topic("empty", 3, vec![]),
        ])
        .with_throttle_time_ms(40);
    if version >= 9 {
        response.responses[2]
            .unknown_tagged_fields
            .insert(0, Bytes::from_static(b"odd"));
        response
            .unknown_tagged_fields
            .insert(128, Bytes::from_static(&[0xff; 200]));
    }
    if version >= 10 {
        let node = |id, host, rack| {
            theirs::NodeEndpoint::default()
                .with_node_id(BrokerId(id))
                .with_host(text(host))
                .with_port(9092)
                .with_rack(rack)
        };
        response.node_endpoints = vec![node(2, "two", None), node(4, "four", Some(text("r")))];
    }
    response
}

fn expected_response(version: i16) -> ProduceResponse<'static> {
    let written = PartitionProduceResponse {
        index: 1,
        error_code: ErrorCode::NONE,
        base_offset: 1 << 40,
        log_append_time_ms: 1_700_000_000_000,
        log_start_offset: if version >= 5 { 17 } else { -1 },
        record_errors: vec![],
        error_message: None,
        current_leader: None,
    };
    let failed = |index, error_code| PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..written.clone()
    };
    let mut refused = failed(3, ErrorCode::INVALID_RECORD);
    if version >= 8 {
        refused.record_errors = vec![
            RecordError {
                batch_index: 0,
                message: Some("no key"),
            },
            RecordError {
                batch_index: 5,
                message: None,
            },
        ];
        refused.error_message = Some("one or more records were rejected");
    }
    let mut moved = failed(0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let mut node_endpoints = vec![];
    if version >= 10 {
        moved.current_leader = Some(CurrentLeader {
            leader_id: 2,
            leader_epoch: 9,
        });
        node_endpoints = vec![
            NodeEndpoint {
                node_id: 2,
                host: "two",
                port: 9092,
                rack: None,
            },
            NodeEndpoint {
                node_id: 4,
                host: "four",
                port: 9092,
                rack: Some("r"),
            },
        ];
    }
    let topic = |name, id, partitions| TopicProduceResponse {
        topic: if version >= 13 {
            TopicKey::Id([id; 16])
        } else {
            TopicKey::Name(name)
        },
        partitions,
    };
    ProduceResponse {
        topics: vec![
            topic("orders", 1, vec![written.clone(), refused]),
            topic("payments", 2, vec![moved]),
            topic("empty", 3, vec![]),
        ],
        throttle_time_ms: 40,
        node_endpoints,
    }
}

#[test]
fn responses_of_every_version_decode() {
    for version in API.versions() {
        let body = encoded(&their_response(version), version);
        assert_eq!(
            ProduceResponse::decode(&mut &body[..], version),
            Ok(expected_response(version)),
            "version {version}"
        );
    }
}

#[test]
fn no_version_trusts_its_bytes() {
    for version in API.versions() {
        let body = encoded(&their_response(version), version);
        let decode = whole(|body| ProduceResponse::decode(body, version).map(drop));
        only_the_whole_decodes(&body, &decode);
        no_byte_panics(&body, &decode);
        let mut arrays = vec!["partition_responses", "responses"];
        if version >= 8 {
            arrays.insert(1, "record_errors");
        }
        if version >= 10 {
            arrays.insert(0, "node_endpoints");
        }
        assert_eq!(arrays_refused(&body, &decode), arrays, "version {version}");
    }
}

#[test]
fn a_leader_that_the_broker_does_not_know_is_none() {
    let mut partition = moved(10);
    partition.current_leader = theirs::LeaderIdAndEpoch::default()
        .with_leader_id(BrokerId(-1))
        .with_leader_epoch(3);
    let topic = theirs::TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let body = encoded(
        &messages::ProduceResponse::default().with_responses(vec![topic]),
        10,
    );
    let response = ProduceResponse::decode(&mut &body[..], 10).unwrap();
    assert_eq!(response.topics[0].partitions[0].current_leader, None);
}

/// Version 9 has tagged fields but knows none: a tag 0 there is somebody else's.
#[test]
fn version_9_has_no_leader_hint() {
    let mut partition = written(9);
    partition
        .unknown_tagged_fields
        .insert(1, Bytes::from_static(b"not a leader"));
    let topic = theirs::TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let mut response = messages::ProduceResponse::default().with_responses(vec![topic]);
    response
        .unknown_tagged_fields
        .insert(1, Bytes::from_static(b"not a list"));
    let mut body = encoded(&response, 9);
    for field in [&b"not a leader"[..], b"not a list"] {
        let at = body
            .windows(field.len())
            .position(|bytes| bytes == field)
            .unwrap();
        assert_eq!(body[at - 2..at], [1, field.len() as u8]);
        body[at - 2] = 0; // kafka-protocol does not write an unknown tag 0 itself
    }
    let response = ProduceResponse::decode(&mut &body[..], 9).unwrap();
    assert_eq!(response.topics[0].partitions[0].current_leader, None);
    assert_eq!(response.node_endpoints, []);
}
