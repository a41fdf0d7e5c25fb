//! Fetch and ListOffsets, in every version.

mod common;

use std::time::Duration;

use common::*;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};
use kafka_protocol::records::RecordBatchDecoder;
use ottla_sim::{Answer, Model, code};
use uuid::Uuid;

/// Three batches: offsets 0 and 1 at time 1,000, 2 to 4 at 1,000, 5 at 2,000.
fn filled() -> Model {
    let mut model = cluster();
    send(&mut model, "t", 0, &batch(stamp(9, 0, 0), &values(2, "a")));
    send(&mut model, "t", 0, &batch(stamp(9, 0, 2), &values(3, "b")));
    send(
        &mut model,
        "t",
        0,
        &batch(
            stamp(9, 0, 5),
            &[Item {
                timestamp: 2_000,
                ..value("c")
            }],
        ),
    );
    model
}

fn fetch_request(model: &Model, version: i16, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let mut topic = FetchTopic::default().with_partitions(vec![partition]);
    match version {
        13.. => topic.topic_id = Uuid::from_bytes(model.topic_id("t").unwrap()),
        _ => topic.topic = name("t"),
    }
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_min_bytes(0)
        .with_topics(vec![topic])
}

fn fetch(model: &mut Model, broker: i32, version: i16, request: &FetchRequest) -> PartitionData {
    let mut response: FetchResponse = ask(model, broker, FETCH, version, request);
    response.responses.remove(0).partitions.remove(0)
}

/// Offsets and values of what was fetched.
fn records(data: &PartitionData) -> Vec<(i64, String)> {
    let sets = RecordBatchDecoder::decode_all(&mut data.records.clone().unwrap()).unwrap();
    let all = sets.into_iter().flat_map(|set| set.records);
    all.map(|record| {
        (
            record.offset,
            String::from_utf8(record.value.unwrap().to_vec()).unwrap(),
        )
    })
    .collect()
}

#[test]
fn every_version_of_fetch_reads_the_log() {
    let mut model = filled();
    for version in 4..=16 {
        let request = fetch_request(&model, version, 0);
        let data = fetch(&mut model, 1, version, &request);
        assert_eq!(
            (data.error_code, data.high_watermark),
            (code::NONE, 6),
            "v{version}"
        );
        let expected = [
            (0, "a-0"),
            (1, "a-1"),
            (2, "b-0"),
            (3, "b-1"),
            (4, "b-2"),
            (5, "c"),
        ];
        assert_eq!(
            records(&data),
            expected.map(|(offset, text)| (offset, text.to_owned())),
            "v{version}"
        );
    }
}

#[test]
fn a_fetch_begins_with_the_batch_that_holds_the_offset() {
    let mut model = filled();
    let request = fetch_request(&model, 12, 3);
    assert_eq!(records(&fetch(&mut model, 1, 12, &request))[0].0, 2);
}

#[test]
fn a_fetch_gives_one_batch_at_least_and_no_more_than_fits() {
    let mut model = filled();
    let mut request = fetch_request(&model, 12, 0);
    request.max_bytes = 1;
    assert_eq!(records(&fetch(&mut model, 1, 12, &request)).len(), 2);
    request.max_bytes = 300;
    request.topics[0].partitions[0].partition_max_bytes = 200;
    assert_eq!(records(&fetch(&mut model, 1, 12, &request)).len(), 5);
}

#[test]
fn an_empty_fetch_is_held_back_for_a_while() {
    let mut model = filled();
    let mut wanted = fetch_request(&model, 12, 6);
    assert!(
        records(&fetch(&mut model, 1, 12, &wanted)).is_empty(),
        "min_bytes 0 does not wait"
    );
    (wanted.min_bytes, wanted.max_wait_ms) = (1, 500);
    let answer = model.handle(Duration::from_secs(1), 1, 1, request(FETCH, 12, 7, &wanted));
    let Answer::Later { due, .. } = answer else {
        panic!("{answer:?}")
    };
    assert!(due > Duration::from_secs(1) && due <= Duration::from_millis(1_500));
}

#[test]
fn a_fetch_that_can_t_be_served_says_why() {
    let mut model = filled();
    let outside = fetch_request(&model, 12, 7);
    assert_eq!(
        fetch(&mut model, 1, 12, &outside).error_code,
        code::OFFSET_OUT_OF_RANGE
    );
    let mut good = fetch_request(&model, 12, 0);
    assert_eq!(
        fetch(&mut model, 2, 12, &good).error_code,
        code::NOT_LEADER_OR_FOLLOWER
    );
    good.topics[0].partitions[0].current_leader_epoch = 3;
    assert_eq!(
        fetch(&mut model, 1, 12, &good).error_code,
        code::UNKNOWN_LEADER_EPOCH
    );
    model.move_leader("t", 0, 1);
    good.topics[0].partitions[0].current_leader_epoch = 0;
    assert_eq!(
        fetch(&mut model, 1, 12, &good).error_code,
        code::FENCED_LEADER_EPOCH
    );
    let by_id = fetch_request(&model, 13, 0);
    model.delete_topic("t");
    assert_eq!(
        fetch(&mut model, 1, 13, &by_id).error_code,
        code::UNKNOWN_TOPIC_ID
    );
    assert_eq!(
        fetch(&mut model, 1, 12, &good).error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
}

fn list(model: &mut Model, version: i16, timestamp: i64) -> (i16, i64) {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default()
        .with_name(name("t"))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_topics(vec![topic]);
    let response: ListOffsetsResponse = ask(model, 1, LIST_OFFSETS, version, &request);
    let partition = &response.topics[0].partitions[0];
    (partition.error_code, partition.offset)
}

#[test]
fn offsets_are_found_by_time() {
    let mut model = filled();
    model.delete_records("t", 0, 1);
    for version in 1..=9 {
        for (timestamp, offset) in [
            (-1, 6),
            (-2, 1),
            (0, 1),
            (1_001, 5),
            (2_000, 5),
            (2_001, -1),
            (-3, 5),
        ] {
            assert_eq!(
                list(&mut model, version, timestamp),
                (code::NONE, offset),
                "v{version} {timestamp}"
            );
        }
    }
    model.delete_topic("t");
    assert_eq!(list(&mut model, 9, -1).0, code::UNKNOWN_TOPIC_OR_PARTITION);
}
