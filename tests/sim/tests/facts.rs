//! What a checker reads: the journal, violations, throttling, and logs under a codec.

mod common;

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use kafka_protocol::messages::{MetadataResponse, ProduceResponse};
use ottla_sim::{Answer, Fault, Model, On, code};

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn one(sequence: i32) -> Bytes {
    batch(stamp(9, 0, sequence), &values(1, &sequence.to_string()))
}

#[test]
fn the_journal_says_what_became_of_a_batch() {
    let mut model = cluster();
    for sequence in 0..6 {
        assert_eq!(
            send(&mut model, "t", 0, &one(sequence)).error_code,
            code::NONE
        );
    }
    send(&mut model, "t", 0, &one(5));
    send(&mut model, "t", 0, &one(0));
    send(&mut model, "t", 0, &one(9));
    let entries: Vec<_> = model.produce_journal().collect();
    let pushed: Vec<usize> = entries.iter().map(|entry| entry.pushed_out).collect();
    assert_eq!(pushed, [0, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert!(entries[6].duplicate && !entries[6].appended && !entries[6].old_duplicate);
    assert!(
        entries[7].old_duplicate && !entries[7].duplicate,
        "pushed out of the window"
    );
    assert!(!entries[8].old_duplicate && !entries[8].duplicate, "a gap");
    assert_eq!(entries[7].code, entries[8].code);
    assert!(
        entries
            .iter()
            .all(|entry| Some(entry.topic_id) == model.topic_id("t"))
    );
    assert_eq!((entries[0].bytes, entries[0].version), (one(0).len(), 12));
    assert_eq!(entries[0].fault, None);
}

#[test]
fn the_journal_names_the_fault_that_struck() {
    let mut model = cluster();
    model.inject(
        On::produce("t", 0),
        Fault::Refuse(code::NOT_LEADER_OR_FOLLOWER),
    );
    model.inject(On::AnyProduce, Fault::Pass);
    model.inject(On::AnyProduce, Fault::AppendThen(code::REQUEST_TIMED_OUT));
    send(&mut model, "t", 0, &one(0));
    send(&mut model, "t", 0, &one(0));
    let named: Vec<_> = model.produce_journal().map(|entry| entry.fault).collect();
    assert_eq!(named, [Some("refuse"), Some("append, then an error")]);
}

#[test]
fn violations_have_the_name_of_their_rule() {
    let mut model = cluster();
    send(&mut model, "t", 0, &one(0));
    send(
        &mut model,
        "t",
        0,
        &batch(stamp(9, 0, 0), &values(1, "other")),
    );
    let unknown = produce_by_id([3; 16], 0, &one(1));
    let _: kafka_protocol::messages::ProduceResponse = ask(&mut model, 1, PRODUCE, 13, &unknown);
    let weak = produce(1, &[("t", 0, one(1))]);
    let _: kafka_protocol::messages::ProduceResponse = ask(&mut model, 1, PRODUCE, 12, &weak);
    let mut twice = produce(-1, &[("t", 0, one(2))]);
    let again = twice.topic_data[0].partition_data[0].clone();
    twice.topic_data[0].partition_data.push(again);
    let _: kafka_protocol::messages::ProduceResponse = ask(&mut model, 1, PRODUCE, 12, &twice);
    model.handle(Duration::ZERO, 1, 1, &[0, 3, 0, 9, 0, 0][..]);
    model.handle(Duration::ZERO, 1, 1, &[0, 3, 0, 9, 0, 0, 0, 0][..]);

    let rules = model
        .violations()
        .iter()
        .map(|v| v.split(": ").next().unwrap());
    let expected = [
        "I8",
        "topic id",
        "request",
        "request",
        "malformed",
        "malformed",
    ];
    assert_eq!(
        rules.collect::<Vec<_>>(),
        expected,
        "{:?}",
        model.violations()
    );
}

#[test]
fn the_id_of_a_deleted_topic_was_handed_out() {
    let mut model = cluster();
    let id = model.topic_id("t").unwrap();
    model.recreate_topic("t", 1, 0);
    let request = produce_by_id(id, 0, &one(0));
    let answer: kafka_protocol::messages::ProduceResponse =
        ask(&mut model, 1, PRODUCE, 13, &request);
    let code = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(code, code::UNKNOWN_TOPIC_ID);
    assert_eq!(model.violations(), [] as [&str; 0]);
    assert_eq!(model.produce_journal().next().unwrap().topic_id, id);
}

/// Asks for metadata and returns the throttle time in the answer; `None` if the broker does not look at it yet.
fn ask_at(model: &mut Model, now: u64, connection: u64, version: i16) -> Option<i32> {
    let request = request(METADATA, version, 7, &metadata_request("t"));
    match model.handle(ms(now), 1, connection, &request[..]) {
        Answer::Reply(frame) => {
            let answer: MetadataResponse = response(frame, version, 7);
            Some(answer.throttle_time_ms)
        }
        Answer::Waits => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_while_throttled_is_a_violation() {
    let mut model = cluster();
    model.set_throttle_grace(Some(ms(10)));
    model.inject(On::Metadata, Fault::Throttle(ms(100)));
    assert_eq!(ask_at(&mut model, 0, 1, 12), Some(100));
    // It may have been on its way, and waits.
    assert_eq!(ask_at(&mut model, 10, 1, 12), None);
    assert_eq!(ask_at(&mut model, 50, 2, 12), Some(0));
    assert_eq!(model.poll_answer(ms(99)), None);
    assert_eq!(model.next_answer(), Some(ms(100)));
    assert!(model.poll_answer(ms(100)).is_some());
    assert_eq!(ask_at(&mut model, 100, 1, 12), Some(0));
    assert_eq!(model.violations(), [] as [&str; 0]);
    model.inject(On::Metadata, Fault::Throttle(ms(100)));
    ask_at(&mut model, 200, 1, 12);
    ask_at(&mut model, 211, 1, 12);
    assert_eq!(model.violations().len(), 1);
    assert!(model.violations()[0].starts_with("I13: "));
}

#[test]
fn throttling_is_judged_only_where_the_client_has_to_wait() {
    let mut model = cluster();
    model.set_broker_throttle(1, Some(ms(500)));
    assert_eq!(ask_at(&mut model, 0, 1, 12), Some(500));
    ask_at(&mut model, 100, 1, 12);
    assert_eq!(model.violations(), [] as [&str; 0], "nobody watches yet");
    model.set_throttle_grace(Some(ms(1)));
    ask_at(&mut model, 2_000, 2, 5);
    ask_at(&mut model, 2_100, 2, 5);
    assert_eq!(
        model.violations(),
        [] as [&str; 0],
        "before KIP-219 the broker waits"
    );
    model.set_broker_throttle(1, None);
    assert_eq!(ask_at(&mut model, 3_000, 3, 12), Some(0));
    ask_at(&mut model, 3_100, 3, 12);
    assert_eq!(model.violations(), [] as [&str; 0]);
}

#[test]
fn a_batch_under_a_codec_is_opened() {
    let mut model = cluster();
    send(&mut model, "t", 0, &one(0));
    let packed = under_lz4(&batch(stamp(9, 0, 1), &values(3, "x")));
    assert_eq!(send(&mut model, "t", 0, &packed).error_code, code::NONE);
    let log: Vec<_> = model.log("t", 0).collect();
    let seen: Vec<_> = log
        .iter()
        .map(|r| (r.offset, r.sequence, r.codec, r.value.as_deref()))
        .collect();
    assert_eq!(seen[1], (1, 1, 3, Some(&b"x-0"[..])));
    assert_eq!(seen[3], (3, 3, 3, Some(&b"x-2"[..])));
}

#[test]
fn what_a_codec_can_t_open_is_refused_as_by_kafka() {
    for codec in 1..=4 {
        let mut model = cluster();
        let raw = altered(&batch(stamp(9, 0, 0), &values(3, "x")), 21, &[0, codec]);
        let answer = send(&mut model, "t", 0, &raw);
        assert_eq!(answer.error_code, code::UNKNOWN_SERVER_ERROR, "{codec}");
        assert_eq!(model.log("t", 0).count(), 0);
    }
}

/// The batch with its records under LZ4.
fn under_lz4(batch: &[u8]) -> bytes::Bytes {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&batch[61..]).unwrap();
    let body = encoder.finish().unwrap();
    let mut packed = bytes::BytesMut::from(&batch[..61]);
    packed.extend_from_slice(&body);
    let len = packed.len() as i32 - 12;
    packed[8..12].copy_from_slice(&len.to_be_bytes());
    packed[22] = 3;
    common::sealed(packed)
}

#[test]
fn older_brokers_do_not_know_a_producer_whose_records_are_gone() {
    let fill = |model: &mut Model| {
        for sequence in 0..2 {
            assert_eq!(send(model, "t", 0, &one(sequence)).error_code, code::NONE);
        }
        model.delete_records("t", 0, 2);
    };
    let mut model = cluster();
    fill(&mut model);
    assert_eq!(
        send(&mut model, "t", 0, &one(2)).error_code,
        code::NONE,
        "today's do"
    );

    let mut model = cluster();
    model.set_names_unknown_producers(true);
    fill(&mut model);
    let answer = send(&mut model, "t", 0, &one(2));
    assert_eq!(
        (answer.error_code, answer.log_start_offset),
        (code::UNKNOWN_PRODUCER_ID, 2)
    );
    assert_eq!(
        send(&mut model, "t", 0, &one(0)).error_code,
        code::NONE,
        "it begins anew"
    );

    model.forget_producers("t", 0);
    assert_eq!(
        send(&mut model, "t", 0, &one(1)).error_code,
        code::UNKNOWN_PRODUCER_ID
    );
    let request = produce(-1, &[("t", 0, one(1))]);
    let response: ProduceResponse = ask(&mut model, 1, PRODUCE, 4, &request);
    assert_eq!(
        response.responses[0].partition_responses[0].error_code,
        code::OUT_OF_ORDER_SEQUENCE_NUMBER,
        "the code came with version 5"
    );
}

#[test]
fn retention_goes_on_after_many_deletions() {
    let mut model = Model::new(1, 1);
    model.create_topic("t", 1);
    model.create_topic("u", 1);
    let unstamped = batch(UNSTAMPED, &values(1, "x"));
    let size = unstamped.len() as u64;
    model.set_retention_bytes(10 * size);
    let append = |model: &mut Model, topic| {
        assert_eq!(send(model, topic, 0, &unstamped).error_code, code::NONE);
    };
    append(&mut model, "u");
    for round in 1..=2_000 {
        append(&mut model, "t");
        model.delete_records("t", 0, round);
    }
    assert_eq!(model.log_start("u", 0), 0, "what is deleted takes no room");
    for _ in 0..10 {
        append(&mut model, "t");
    }
    assert_eq!(
        (model.log_start("u", 0), model.log_start("t", 0)),
        (1, 2_000)
    );
    append(&mut model, "t");
    assert_eq!(model.log_start("t", 0), 2_001);
}
