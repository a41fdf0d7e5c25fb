//! A client that speaks through `kafka-protocol` alone, and batches to send with it.
#![allow(dead_code)] // each test file uses its part of this one

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
    MetadataResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use ottla_sim::{Answer, Model};
use uuid::Uuid;

pub(crate) const PRODUCE: i16 = 0;
pub(crate) const FETCH: i16 = 1;
pub(crate) const LIST_OFFSETS: i16 = 2;
pub(crate) const METADATA: i16 = 3;
pub(crate) const OFFSET_COMMIT: i16 = 8;
pub(crate) const OFFSET_FETCH: i16 = 9;
pub(crate) const FIND_COORDINATOR: i16 = 10;
pub(crate) const JOIN_GROUP: i16 = 11;
pub(crate) const HEARTBEAT: i16 = 12;
pub(crate) const LEAVE_GROUP: i16 = 13;
pub(crate) const SYNC_GROUP: i16 = 14;
pub(crate) const DESCRIBE_GROUPS: i16 = 15;
pub(crate) const LIST_GROUPS: i16 = 16;
pub(crate) const API_VERSIONS: i16 = 18;
pub(crate) const CREATE_TOPICS: i16 = 19;
pub(crate) const DELETE_TOPICS: i16 = 20;
pub(crate) const INIT_PRODUCER_ID: i16 = 22;
pub(crate) const DESCRIBE_CONFIGS: i16 = 32;
pub(crate) const CREATE_PARTITIONS: i16 = 37;
pub(crate) const DELETE_GROUPS: i16 = 42;
pub(crate) const INCREMENTAL_ALTER_CONFIGS: i16 = 44;
pub(crate) const LIST_PARTITION_REASSIGNMENTS: i16 = 46;
pub(crate) const DESCRIBE_CLUSTER: i16 = 60;
pub(crate) const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
pub(crate) const DESCRIBE_TOPIC_PARTITIONS: i16 = 75;

/// Bytes of a request, without the length in front.
pub(crate) fn request<R: Encodable + HeaderVersion>(
    key: i16,
    version: i16,
    correlation: i32,
    body: &R,
) -> Bytes {
    let mut out = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("test")))
        .encode(&mut out, R::header_version(version))
        .unwrap();
    body.encode(&mut out, version).unwrap();
    out.freeze()
}

/// Decodes an answer, the length in front included; checks the length, the correlation id and that nothing is left over.
pub(crate) fn response<R: Decodable + HeaderVersion>(
    mut frame: Bytes,
    version: i16,
    correlation: i32,
) -> R {
    assert_eq!(frame.get_i32() as usize, frame.len());
    let header = ResponseHeader::decode(&mut frame, R::header_version(version)).unwrap();
    assert_eq!(header.correlation_id, correlation);
    let decoded = R::decode(&mut frame, version).unwrap();
    assert!(frame.is_empty(), "{} bytes left over", frame.len());
    decoded
}

/// Asks the model and decodes its answer.
pub(crate) fn ask<Q, R>(model: &mut Model, broker: i32, key: i16, version: i16, body: &Q) -> R
where
    Q: Encodable + HeaderVersion,
    R: Decodable + HeaderVersion,
{
    match model.handle(Duration::ZERO, broker, 1, request(key, version, 7, body)) {
        Answer::Reply(frame) => response(frame, version, 7),
        other => panic!("expected an answer, got {other:?}"),
    }
}

/// What a batch says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

/// No idempotence.
pub(crate) const UNSTAMPED: Stamp = Stamp {
    producer: -1,
    epoch: -1,
    sequence: -1,
};

pub(crate) fn stamp(producer: i64, epoch: i16, sequence: i32) -> Stamp {
    Stamp {
        producer,
        epoch,
        sequence,
    }
}

/// One record of a [`batch`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(&'static str, Option<Bytes>)>,
    pub(crate) timestamp: i64,
}

pub(crate) fn value(text: &str) -> Item {
    Item {
        value: Some(Bytes::copy_from_slice(text.as_bytes())),
        timestamp: 1_000,
        ..Item::default()
    }
}

/// `count` records that differ from each other and from those of other seeds.
pub(crate) fn values(count: i32, seed: &str) -> Vec<Item> {
    (0..count)
        .map(|index| value(&format!("{seed}-{index}")))
        .collect()
}

/// A record batch of version 2, written here by hand: no codec under test has part in it.
pub(crate) fn batch(stamp: Stamp, items: &[Item]) -> Bytes {
    let first = items.first().map_or(0, |item| item.timestamp);
    let last = items.iter().map(|item| item.timestamp).max().unwrap_or(0);
    let mut body = BytesMut::new();
    for (index, item) in items.iter().enumerate() {
        let record = record(item, item.timestamp - first, index as i64);
        varint(&mut body, record.len() as i64);
        body.put(record);
    }
    let count = items.len() as i32;
    let mut out = BytesMut::new();
    out.put_i64(0);
    out.put_i32(49 + body.len() as i32);
    out.put_i32(-1);
    out.put_i8(2);
    out.put_u32(0);
    out.put_i16(0);
    out.put_i32(count - 1);
    out.put_i64(first);
    out.put_i64(last);
    out.put_i64(stamp.producer);
    out.put_i16(stamp.epoch);
    out.put_i32(stamp.sequence);
    out.put_i32(count);
    out.put(body);
    sealed(out)
}

/// The batch with `bytes` put at `at` and the checksum made right again.
pub(crate) fn altered(batch: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut copy = BytesMut::from(&batch[..]);
    copy[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(copy)
}

pub(crate) fn sealed(mut batch: BytesMut) -> Bytes {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

fn record(item: &Item, timestamp_delta: i64, offset_delta: i64) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i8(0);
    varint(&mut out, timestamp_delta);
    varint(&mut out, offset_delta);
    nullable(&mut out, item.key.as_deref());
    nullable(&mut out, item.value.as_deref());
    varint(&mut out, item.headers.len() as i64);
    for (name, value) in &item.headers {
        nullable(&mut out, Some(name.as_bytes()));
        nullable(&mut out, value.as_deref());
    }
    out
}

fn nullable(out: &mut BytesMut, bytes: Option<&[u8]>) {
    varint(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.put_slice(bytes.unwrap_or_default());
}

fn varint(out: &mut BytesMut, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.put_u8(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.put_u8(raw as u8);
}

/// A Produce request up to version 12 with one batch per (topic, partition).
pub(crate) fn produce(acks: i16, batches: &[(&str, i32, Bytes)]) -> ProduceRequest {
    let topics = batches.iter().map(|(topic, partition, batch)| {
        TopicProduceData::default()
            .with_name(name(topic))
            .with_partition_data(vec![data(*partition, batch)])
    });
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(1_000)
        .with_topic_data(topics.collect())
}

/// A Produce request of version 13 with one batch.
pub(crate) fn produce_by_id(id: [u8; 16], partition: i32, batch: &Bytes) -> ProduceRequest {
    let topic = TopicProduceData::default()
        .with_topic_id(Uuid::from_bytes(id))
        .with_partition_data(vec![data(partition, batch)]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1_000)
        .with_topic_data(vec![topic])
}

fn data(partition: i32, batch: &Bytes) -> PartitionProduceData {
    PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(batch.clone()))
}

pub(crate) fn name(topic: &str) -> TopicName {
    StrBytes::from_string(topic.to_owned()).into()
}

/// Sends one batch with acks=all to the partition's leader and returns what the partition answers.
pub(crate) fn send(
    model: &mut Model,
    topic: &str,
    partition: i32,
    batch: &Bytes,
) -> PartitionProduceResponse {
    let leader = model
        .leader(topic, partition)
        .expect("the partition has a leader");
    send_to(model, leader, topic, partition, batch)
}

/// Sends one batch with acks=all to a broker and returns what the partition answers.
pub(crate) fn send_to(
    model: &mut Model,
    broker: i32,
    topic: &str,
    partition: i32,
    batch: &Bytes,
) -> PartitionProduceResponse {
    let request = produce(-1, &[(topic, partition, batch.clone())]);
    let mut response: ProduceResponse = ask(model, broker, PRODUCE, 12, &request);
    response.responses.remove(0).partition_responses.remove(0)
}

/// Asks for one topic.
pub(crate) fn metadata(model: &mut Model, version: i16, topic: &str) -> MetadataResponse {
    ask(model, 1, METADATA, version, &metadata_request(topic))
}

pub(crate) fn metadata_request(topic: &str) -> MetadataRequest {
    use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
    let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true)
}

/// A model of three brokers with the topic `t` of one partition, led by broker 1.
pub(crate) fn cluster() -> Model {
    let mut model = Model::new(3, 1);
    model.create_topic("t", 1);
    model
}

/// The values of a partition, as text.
pub(crate) fn texts(model: &Model, topic: &str, partition: i32) -> Vec<String> {
    let text =
        |bytes: Option<Bytes>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
    model
        .log(topic, partition)
        .map(|record| text(record.value))
        .collect()
}

/// A batch of two records that every broker takes.
pub(crate) fn good() -> Bytes {
    batch(
        stamp(9, 0, 0),
        &[
            Item {
                timestamp: 5,
                ..value("v")
            },
            Item {
                timestamp: 3,
                ..value("w")
            },
        ],
    )
}

pub(crate) fn api_versions(version: i16) -> ApiVersionsRequest {
    let text = StrBytes::from_static_str(if version >= 3 { "1.0" } else { "" });
    ApiVersionsRequest::default()
        .with_client_software_name(text.clone())
        .with_client_software_version(text)
}

/// One request of every API in every version that the model serves.
pub(crate) fn all_requests(model: &Model) -> Vec<Bytes> {
    let id = model.topic_id("t").unwrap();
    let mut all = Vec::new();
    for version in 0..=16 {
        let v = version;
        if (3..=12).contains(&v) {
            all.push(request(PRODUCE, v, 1, &produce(-1, &[("t", 0, good())])));
        }
        if v == 13 {
            all.push(request(PRODUCE, v, 1, &produce_by_id(id, 0, &good())));
        }
        if v <= 13 {
            all.push(request(METADATA, v, 1, &metadata_request("t")));
        }
        if v <= 4 {
            all.push(request(API_VERSIONS, v, 1, &api_versions(v)));
        }
        if v <= 5 {
            all.push(request(
                INIT_PRODUCER_ID,
                v,
                1,
                &InitProducerIdRequest::default().with_transactional_id(None),
            ));
        }
        if v >= 4 {
            all.push(request(FETCH, v, 1, &FetchRequest::default()));
        }
        if (1..=9).contains(&v) {
            all.push(request(LIST_OFFSETS, v, 1, &ListOffsetsRequest::default()));
        }
    }
    all
}
