//! Topics, leaders, retention, throttling and hints, as a client sees them.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::*;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, MetadataResponse,
    ProduceResponse,
};
use ottla_sim::{Answer, Api, LogRecord, Model, code};
use uuid::Uuid;

fn plain(text: &str) -> Bytes {
    batch(UNSTAMPED, &[value(text)])
}

#[test]
fn topics_are_created_on_demand() {
    let mut model = Model::new(3, 1);
    model.set_default_partitions(4);
    let response = metadata(&mut model, 13, "new");
    let topic = &response.topics[0];
    assert_eq!((topic.error_code, topic.partitions.len()), (code::NONE, 4));
    assert_eq!(topic.topic_id.into_bytes(), model.topic_id("new").unwrap());
    let leaders: Vec<i32> = topic
        .partitions
        .iter()
        .map(|partition| partition.leader_id.0)
        .collect();
    assert_eq!(leaders, [1, 2, 3, 1]);
    assert_eq!(topic.partitions[0].replica_nodes.len(), 3);
    assert_eq!(response.brokers.len(), 3);
}

#[test]
fn topics_are_not_created_against_the_client_s_will_or_the_cluster_s() {
    let mut model = Model::new(1, 1);
    let unwilling = metadata_request("new").with_allow_auto_topic_creation(false);
    let response: MetadataResponse = ask(&mut model, 1, METADATA, 9, &unwilling);
    assert_eq!(
        response.topics[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
    model.set_auto_create(false);
    assert_eq!(
        metadata(&mut model, 9, "new").topics[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(model.topics().count(), 0);
}

#[test]
fn names_that_kafka_refuses_are_refused() {
    let mut model = Model::new(1, 1);
    for name in ["", ".", "..", "a b", "ä", &"x".repeat(250)] {
        assert_eq!(
            metadata(&mut model, 12, name).topics[0].error_code,
            code::INVALID_TOPIC_EXCEPTION,
            "{name:?}"
        );
    }
    assert_eq!(
        metadata(&mut model, 12, &"x".repeat(249)).topics[0].error_code,
        code::NONE
    );
}

#[test]
fn every_version_of_metadata_is_answered() {
    let mut model = cluster();
    for version in 0..=13 {
        let response = metadata(&mut model, version, "t");
        assert_eq!(
            response.topics[0].partitions[0].leader_id.0, 1,
            "v{version}"
        );
        let all =
            MetadataRequest::default().with_topics((version > 0).then(Vec::new).xor(Some(vec![])));
        let everything: MetadataResponse = ask(&mut model, 1, METADATA, version, &all);
        assert_eq!(everything.topics.len(), 1, "v{version}");
    }
}

#[test]
fn topics_can_be_asked_for_by_id() {
    let mut model = cluster();
    let by_id = |id: [u8; 16]| {
        let topic = MetadataRequestTopic::default()
            .with_topic_id(Uuid::from_bytes(id))
            .with_name(None);
        MetadataRequest::default().with_topics(Some(vec![topic]))
    };
    let id = model.topic_id("t").unwrap();
    let response: MetadataResponse = ask(&mut model, 1, METADATA, 12, &by_id(id));
    assert_eq!(response.topics[0].name.as_ref().unwrap().as_str(), "t");
    model.delete_topic("t");
    let response: MetadataResponse = ask(&mut model, 1, METADATA, 12, &by_id(id));
    assert_eq!(response.topics[0].error_code, code::UNKNOWN_TOPIC_ID);
}

#[test]
fn a_topic_created_anew_has_another_id() {
    let mut model = cluster();
    let old = model.topic_id("t").unwrap();
    model.delete_topic("t");
    assert_eq!(model.leader("t", 0), None);
    let response: ProduceResponse = ask(
        &mut model,
        1,
        PRODUCE,
        12,
        &produce(-1, &[("t", 0, plain("v"))]),
    );
    assert_eq!(
        response.responses[0].partition_responses[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
    model.create_topic("t", 1);
    let response: ProduceResponse = ask(
        &mut model,
        1,
        PRODUCE,
        13,
        &produce_by_id(old, 0, &plain("v")),
    );
    assert_eq!(
        response.responses[0].partition_responses[0].error_code,
        code::UNKNOWN_TOPIC_ID
    );
    let new = model.topic_id("t").unwrap();
    let response: ProduceResponse = ask(
        &mut model,
        1,
        PRODUCE,
        13,
        &produce_by_id(new, 0, &plain("v")),
    );
    assert_eq!(
        response.responses[0].partition_responses[0].error_code,
        code::NONE
    );
}

#[test]
fn a_hidden_topic_is_out_of_metadata_only() {
    let mut model = cluster();
    model.hide_topic("t", true);
    assert_eq!(
        metadata(&mut model, 12, "t").topics[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(send(&mut model, "t", 0, &plain("v")).error_code, code::NONE);
    model.hide_topic("t", false);
    assert_eq!(
        metadata(&mut model, 12, "t").topics[0].error_code,
        code::NONE
    );
}

#[test]
fn partitions_can_be_added() {
    let mut model = cluster();
    assert_eq!(
        send_to(&mut model, 2, "t", 1, &plain("v")).error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
    model.add_partitions("t", 2);
    assert_eq!(metadata(&mut model, 12, "t").topics[0].partitions.len(), 3);
    assert_eq!(
        send_to(&mut model, 2, "t", 1, &plain("v")).error_code,
        code::NONE
    );
}

#[test]
fn the_old_leader_points_to_the_new_one() {
    let mut model = cluster();
    model.set_address(2, "elsewhere", 1234);
    model.move_leader("t", 0, 2);
    let body = produce(-1, &[("t", 0, plain("v"))]);
    let response: ProduceResponse = ask(&mut model, 1, PRODUCE, 10, &body);
    let partition = &response.responses[0].partition_responses[0];
    assert_eq!(
        (partition.error_code, partition.base_offset),
        (code::NOT_LEADER_OR_FOLLOWER, -1)
    );
    assert_eq!(
        (
            partition.current_leader.leader_id.0,
            partition.current_leader.leader_epoch
        ),
        (2, 1)
    );
    let endpoint = &response.node_endpoints[0];
    assert_eq!(
        (endpoint.node_id.0, endpoint.host.as_str(), endpoint.port),
        (2, "elsewhere", 1234)
    );

    model.set_leader_hints(false);
    for version in [9, 12] {
        let response: ProduceResponse = ask(&mut model, 1, PRODUCE, version, &body);
        assert_eq!(
            response.responses[0].partition_responses[0]
                .current_leader
                .leader_id
                .0,
            -1
        );
        assert!(response.node_endpoints.is_empty());
    }
    assert_eq!(
        metadata(&mut model, 12, "t").topics[0].partitions[0].leader_epoch,
        1
    );
}

#[test]
fn a_broker_that_stops_hands_over_and_comes_back_as_follower() {
    let mut model = cluster();
    send(&mut model, "t", 0, &plain("v"));
    model.stop_broker(1);
    assert_eq!(
        (model.leader("t", 0), model.leader_epoch("t", 0)),
        (Some(2), 1)
    );
    let body = request(METADATA, 12, 1, &metadata_request("t"));
    assert_eq!(
        model.handle(Duration::ZERO, 1, 1, &body[..]),
        Answer::Disconnect
    );
    let response: MetadataResponse = ask(&mut model, 2, METADATA, 12, &metadata_request("t"));
    assert_eq!((response.brokers.len(), response.controller_id.0), (2, 2));
    assert_eq!(response.topics[0].partitions[0].offline_replicas.len(), 1);
    model.start_broker(1);
    assert_eq!(
        (model.leader("t", 0), model.high_watermark("t", 0)),
        (Some(2), 1)
    );
}

#[test]
fn without_replicas_there_is_no_leader_until_the_broker_is_back() {
    let mut model = Model::new(2, 1);
    model.set_replication(1);
    model.create_topic("t", 1);
    model.stop_broker(1);
    let response: MetadataResponse = ask(&mut model, 2, METADATA, 12, &metadata_request("t"));
    let partition = &response.topics[0].partitions[0];
    assert_eq!(
        (partition.error_code, partition.leader_id.0),
        (code::LEADER_NOT_AVAILABLE, -1)
    );
    assert_eq!(
        send_to(&mut model, 2, "t", 0, &plain("v")).error_code,
        code::NOT_LEADER_OR_FOLLOWER
    );
    model.start_broker(1);
    assert_eq!(model.leader("t", 0), Some(1));
}

#[test]
fn too_few_replicas_refuse_acks_all_only() {
    let mut model = cluster();
    model.set_min_insync_replicas(3);
    model.stop_broker(3);
    assert_eq!(
        send(&mut model, "t", 0, &plain("v")).error_code,
        code::NOT_ENOUGH_REPLICAS
    );
    let response: ProduceResponse = ask(
        &mut model,
        1,
        PRODUCE,
        12,
        &produce(1, &[("t", 0, plain("v"))]),
    );
    assert_eq!(
        response.responses[0].partition_responses[0].error_code,
        code::NONE
    );
}

#[test]
fn the_throttle_time_is_in_every_answer() {
    let mut model = cluster();
    model.set_throttle(Duration::from_millis(1500));
    assert_eq!(metadata(&mut model, 3, "t").throttle_time_ms, 1500);
    let response: ProduceResponse = ask(
        &mut model,
        1,
        PRODUCE,
        3,
        &produce(-1, &[("t", 0, plain("v"))]),
    );
    assert_eq!(response.throttle_time_ms, 1500);
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let response: InitProducerIdResponse = ask(&mut model, 1, INIT_PRODUCER_ID, 1, &request);
    assert_eq!(response.throttle_time_ms, 1500);
}

#[test]
fn retention_takes_the_oldest_batch_of_all_logs_first() {
    let mut model = cluster();
    model.add_partitions("t", 1);
    let size = plain("0").len() as u64;
    model.set_retention_bytes(3 * size);
    for (partition, text) in [(0, "0"), (1, "1"), (0, "2"), (0, "3")] {
        send(&mut model, "t", partition, &plain(text));
    }
    assert_eq!(texts(&model, "t", 0), ["2", "3"]);
    assert_eq!(texts(&model, "t", 1), ["1"]);
    assert_eq!(
        (model.log_start("t", 0), model.high_watermark("t", 0)),
        (1, 3)
    );
    model.truncate("t", 0, 2);
    send(&mut model, "t", 0, &plain("4"));
    assert_eq!(
        (texts(&model, "t", 0), texts(&model, "t", 1)),
        (vec!["2".into(), "4".into()], vec!["1".into()])
    );
    model.delete_topic("t");
    model.create_topic("t", 1);
    (0..4).for_each(|n| drop(send(&mut model, "t", 0, &plain(&n.to_string()))));
    assert_eq!(texts(&model, "t", 0), ["1", "2", "3"]);
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let mut model = cluster();
    send(&mut model, "t", 0, &batch(UNSTAMPED, &values(4, "v")));
    model.delete_records("t", 0, 2);
    assert_eq!(texts(&model, "t", 0), ["v-2", "v-3"]);
    model.delete_records("t", 0, 99);
    assert_eq!((model.log_start("t", 0), model.log("t", 0).count()), (4, 0));
}

#[test]
fn append_time_takes_the_place_of_the_record_s() {
    let mut model = cluster();
    model.set_wall_clock_at_start(Duration::from_millis(5_000_000));
    model.set_log_append_time("t", true);
    let body = produce(-1, &[("t", 0, batch(stamp(9, 0, 0), &values(2, "v")))]);
    let answer = model.handle(
        Duration::from_millis(7),
        1,
        1,
        request(PRODUCE, 12, 7, &body),
    );
    let Answer::Reply(frame) = answer else {
        panic!("{answer:?}")
    };
    let response: ProduceResponse = response(frame, 12, 7);
    assert_eq!(
        response.responses[0].partition_responses[0].log_append_time_ms,
        5_000_007
    );
    assert!(
        model
            .log("t", 0)
            .all(|record| record.timestamp == 5_000_007)
    );
}

#[test]
fn the_log_is_read_back_as_it_was_written() {
    let mut model = cluster();
    let header = |name, value: Option<&'static [u8]>| (name, value.map(Bytes::from_static));
    let items = [
        Item {
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::new()),
            headers: vec![
                header("a", Some(b"1")),
                header("a", None),
                header("", Some(b"")),
            ],
            timestamp: 2_000,
        },
        Item {
            timestamp: 1_000,
            ..Item::default()
        },
    ];
    send(&mut model, "t", 0, &batch(stamp(9, 2, 40), &items));
    let records: Vec<LogRecord> = model.log("t", 0).collect();
    assert_eq!(records[0].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(records[0].value.as_deref(), Some(&b""[..]));
    let headers: Vec<(&[u8], Option<&[u8]>)> = records[0]
        .headers
        .iter()
        .map(|(name, value)| (&name[..], value.as_deref()))
        .collect();
    assert_eq!(
        headers,
        [(&b"a"[..], Some(&b"1"[..])), (b"a", None), (b"", Some(b""))]
    );
    assert_eq!((records[0].timestamp, records[1].timestamp), (2_000, 1_000));
    assert_eq!(
        (records[1].key.clone(), records[1].value.clone()),
        (None, None)
    );
    assert_eq!(
        (records[1].offset, records[1].epoch, records[1].sequence),
        (1, 2, 41)
    );
}

#[test]
fn the_journal_tells_who_sent_what_when() {
    let mut model = cluster();
    let body = produce(1, &[("t", 0, batch(stamp(9, 2, 40), &values(3, "v")))]);
    model.handle(
        Duration::from_secs(3),
        1,
        77,
        request(PRODUCE, 12, 7, &body),
    );
    model.handle(
        Duration::from_secs(4),
        2,
        78,
        request(PRODUCE, 12, 7, &body),
    );
    let entries: Vec<_> = model.produce_journal().collect();
    let first = entries[0];
    assert_eq!(
        (
            first.now.as_secs(),
            first.broker,
            first.connection,
            &*first.topic
        ),
        (3, 1, 77, "t")
    );
    assert_eq!(
        (
            first.producer_id,
            first.epoch,
            first.base_sequence,
            first.count
        ),
        (9, 2, 40, 3)
    );
    assert_eq!(
        (first.acks, first.code, first.base_offset, first.appended),
        (1, code::NONE, 0, true)
    );
    assert_eq!(
        (entries[1].code, entries[1].appended),
        (code::NOT_LEADER_OR_FOLLOWER, false)
    );
    assert_eq!(model.requests(Api::Produce), 2);
}

#[test]
fn producer_ids_count_up_from_where_a_test_puts_them() {
    let mut model = cluster();
    model.set_next_producer(500, 32_766);
    let ids = (0..=5).map(|version| {
        let request = InitProducerIdRequest::default().with_transactional_id(None);
        let response: InitProducerIdResponse =
            ask(&mut model, 1, INIT_PRODUCER_ID, version, &request);
        (response.producer_id.0, response.producer_epoch)
    });
    assert_eq!(
        ids.collect::<Vec<_>>(),
        [
            (500, 32_766),
            (501, 0),
            (502, 0),
            (503, 0),
            (504, 0),
            (505, 0)
        ]
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let mut model = Model::new(2, seed);
        model.handle(
            Duration::ZERO,
            1,
            1,
            request(METADATA, 12, 7, &metadata_request("t")),
        )
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
}
