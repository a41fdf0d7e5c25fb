//! Planned faults: what each does to the request it waits for, and to nothing else.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::*;
use kafka_protocol::messages::{
    ApiVersionsRequest, InitProducerIdRequest, InitProducerIdResponse, MetadataResponse,
    ProduceResponse,
};
use ottla_sim::{Answer, Api, Fault, Model, On, code};

/// Sends a batch for `t`-0 on a connection and returns what the broker does.
fn attempt(
    model: &mut Model,
    now: u64,
    connection: u64,
    correlation: i32,
    batch: &Bytes,
) -> Answer {
    let body = produce(-1, &[("t", 0, batch.clone())]);
    model.handle(
        Duration::from_millis(now),
        1,
        connection,
        request(PRODUCE, 12, correlation, &body),
    )
}

fn first() -> Bytes {
    batch(stamp(9, 0, 0), &values(2, "v"))
}

/// The cluster after one Produce under a fault, and what the broker did.
fn under(fault: Fault) -> (Model, Answer) {
    let mut model = cluster();
    model.inject(On::produce("t", 0), fault);
    let answer = attempt(&mut model, 0, 1, 7, &first());
    assert_eq!(model.planned_faults(), 0);
    (model, answer)
}

fn decode(answer: Answer) -> ProduceResponse {
    match answer {
        Answer::Reply(frame) | Answer::Later { frame, .. } => response(frame, 12, 7),
        other => panic!("expected an answer, got {other:?}"),
    }
}

fn code_and_offset(answer: Answer) -> (i16, i64) {
    let partition = decode(answer)
        .responses
        .remove(0)
        .partition_responses
        .remove(0);
    (partition.error_code, partition.base_offset)
}

#[test]
fn a_refusal_appends_nothing_and_strikes_once() {
    let (mut model, answer) = under(Fault::Refuse(code::NOT_ENOUGH_REPLICAS));
    assert_eq!(code_and_offset(answer), (code::NOT_ENOUGH_REPLICAS, -1));
    assert_eq!(model.high_watermark("t", 0), 0);
    assert_eq!(
        code_and_offset(attempt(&mut model, 0, 1, 7, &first())),
        (code::NONE, 0)
    );
}

#[test]
fn an_error_after_the_append_keeps_its_base_offset() {
    let (mut model, answer) = under(Fault::AppendThen(code::REQUEST_TIMED_OUT));
    assert_eq!(code_and_offset(answer), (code::REQUEST_TIMED_OUT, 0));
    assert_eq!(model.high_watermark("t", 0), 2);
    assert_eq!(
        code_and_offset(attempt(&mut model, 0, 1, 7, &first())),
        (code::NONE, 0),
        "a duplicate"
    );
    assert_eq!(model.high_watermark("t", 0), 2);
}

#[test]
fn a_batch_that_is_refused_anyway_keeps_its_own_code() {
    let mut model = cluster();
    send(&mut model, "t", 0, &first());
    model.inject(
        On::produce("t", 0),
        Fault::AppendThen(code::REQUEST_TIMED_OUT),
    );
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 0, 5), &[value("gap")]));
    assert_eq!(answer.error_code, code::OUT_OF_ORDER_SEQUENCE_NUMBER);
}

#[test]
fn a_lost_answer_leaves_the_records() {
    let (model, answer) = under(Fault::AppendThenDisconnect);
    assert_eq!(
        (answer, model.high_watermark("t", 0)),
        (Answer::Disconnect, 2)
    );
    let entry = model.produce_journal().next_back().unwrap();
    assert!(entry.appended);
}

#[test]
fn a_lost_request_leaves_nothing() {
    let (model, answer) = under(Fault::Disconnect);
    assert_eq!(
        (answer, model.high_watermark("t", 0)),
        (Answer::Disconnect, 0)
    );
    let entry = model.produce_journal().next_back().unwrap();
    assert_eq!(
        (entry.appended, entry.code),
        (false, code::UNKNOWN_SERVER_ERROR)
    );
}

#[test]
fn silence_lasts_as_long_as_the_connection() {
    for (fault, written) in [(Fault::AppendThenSilence, 2), (Fault::Silence, 0)] {
        let (mut model, answer) = under(fault);
        assert_eq!(
            (answer, model.high_watermark("t", 0)),
            (Answer::Silence, written)
        );
        assert_eq!(attempt(&mut model, 5, 1, 8, &first()), Answer::Silence);
        assert_eq!(
            model.high_watermark("t", 0),
            written,
            "a broker that hangs appends nothing more"
        );
        assert_eq!(
            code_and_offset(attempt(&mut model, 5, 2, 7, &first())),
            (code::NONE, 0)
        );
        model.closed(1, 1);
        assert_eq!(
            code_and_offset(attempt(&mut model, 6, 1, 7, &first())),
            (code::NONE, 0)
        );
    }
}

#[test]
fn a_delay_holds_back_the_answers_behind_it() {
    let (mut model, answer) = under(Fault::Delay(Duration::from_millis(50)));
    let due = Duration::from_millis(50);
    assert!(
        matches!(answer, Answer::Later { due: at, .. } if at == due),
        "{answer:?}"
    );
    assert_eq!(model.high_watermark("t", 0), 2, "carried out at once");
    let second = attempt(&mut model, 10, 1, 8, &batch(stamp(9, 0, 2), &[value("w")]));
    assert!(
        matches!(second, Answer::Later { due: at, .. } if at == due),
        "{second:?}"
    );
    let other = attempt(&mut model, 20, 2, 8, &batch(stamp(9, 0, 3), &[value("w")]));
    assert!(
        matches!(other, Answer::Reply(_)),
        "another connection goes on: {other:?}"
    );
    let third = attempt(&mut model, 50, 1, 9, &batch(stamp(9, 0, 4), &[value("w")]));
    assert!(matches!(third, Answer::Reply(_)), "{third:?}");
}

#[test]
fn garbage_takes_the_place_of_the_answer() {
    let (model, answer) = under(Fault::Garbage(b"HTTP/1.1 400".to_vec()));
    assert_eq!(answer, Answer::Reply(Bytes::from_static(b"HTTP/1.1 400")));
    assert_eq!(model.high_watermark("t", 0), 2);
}

#[test]
fn single_records_can_be_blamed() {
    let (model, answer) = under(Fault::RefuseRecords {
        code: code::INVALID_RECORD,
        records: vec![(1, Some("too blue".to_owned()))],
        message: Some("one is too blue".to_owned()),
    });
    let partition = decode(answer)
        .responses
        .remove(0)
        .partition_responses
        .remove(0);
    assert_eq!(partition.error_code, code::INVALID_RECORD);
    assert_eq!(partition.error_message.as_deref(), Some("one is too blue"));
    assert_eq!(partition.record_errors[0].batch_index, 1);
    assert_eq!(
        partition.record_errors[0]
            .batch_index_error_message
            .as_deref(),
        Some("too blue")
    );
    assert_eq!(model.high_watermark("t", 0), 0);
}

#[test]
fn an_error_masks_its_partition_only() {
    let mut model = cluster();
    model.add_partitions("t", 3);
    (0..4).for_each(|partition| model.move_leader("t", partition, 1));
    model.inject(
        On::produce("t", 2),
        Fault::Refuse(code::KAFKA_STORAGE_ERROR),
    );
    let batches: Vec<_> = (0..4).map(|partition| ("t", partition, first())).collect();
    let response: ProduceResponse = ask(&mut model, 1, PRODUCE, 12, &produce(-1, &batches));
    let codes: Vec<i16> = response
        .responses
        .iter()
        .map(|topic| topic.partition_responses[0].error_code)
        .collect();
    assert_eq!(codes, [0, 0, code::KAFKA_STORAGE_ERROR, 0]);
    let written: Vec<i64> = (0..4)
        .map(|partition| model.high_watermark("t", partition))
        .collect();
    assert_eq!(written, [2, 2, 0, 2]);
}

#[test]
fn a_disconnect_on_one_partition_keeps_all_from_being_appended() {
    let mut model = cluster();
    model.add_partitions("t", 1);
    model.move_leader("t", 1, 1);
    model.inject(On::produce("t", 1), Fault::Disconnect);
    let body = produce(-1, &[("t", 0, first()), ("t", 1, first())]);
    let answer = model.handle(Duration::ZERO, 1, 1, request(PRODUCE, 12, 7, &body));
    assert_eq!(answer, Answer::Disconnect);
    assert_eq!(
        (model.high_watermark("t", 0), model.high_watermark("t", 1)),
        (0, 0)
    );
}

#[test]
fn faults_strike_in_the_order_of_planning() {
    let mut model = cluster();
    model.inject(On::produce("t", 0), Fault::Pass);
    model.inject(
        On::produce("t", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    let codes = [0, 2, 2].map(|sequence| {
        send(
            &mut model,
            "t",
            0,
            &batch(stamp(9, 0, sequence), &values(2, &sequence.to_string())),
        )
        .error_code
    });
    assert_eq!(codes, [code::NONE, code::NOT_ENOUGH_REPLICAS, code::NONE]);
}

#[test]
fn a_whole_produce_request_can_be_refused() {
    let mut model = cluster();
    model.inject(
        On::AnyProduce,
        Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED),
    );
    assert_eq!(
        send(&mut model, "t", 0, &first()).error_code,
        code::TOPIC_AUTHORIZATION_FAILED
    );
    model.inject(On::AnyProduce, Fault::Disconnect);
    assert_eq!(attempt(&mut model, 0, 1, 7, &first()), Answer::Disconnect);
    model.inject(On::AnyProduce, Fault::AppendThenDisconnect);
    assert_eq!(attempt(&mut model, 0, 1, 7, &first()), Answer::Disconnect);
    assert_eq!(model.high_watermark("t", 0), 2);
}

#[test]
fn init_producer_id_faults() {
    let mut model = cluster();
    model.inject(
        On::InitProducerId,
        Fault::Refuse(code::CLUSTER_AUTHORIZATION_FAILED),
    );
    let refused: InitProducerIdResponse = ask(
        &mut model,
        1,
        INIT_PRODUCER_ID,
        4,
        &InitProducerIdRequest::default().with_transactional_id(None),
    );
    assert_eq!(
        (refused.error_code, refused.producer_id.0),
        (code::CLUSTER_AUTHORIZATION_FAILED, -1)
    );
    model.inject(On::InitProducerId, Fault::Silence);
    let body = InitProducerIdRequest::default().with_transactional_id(None);
    let answer = model.handle(Duration::ZERO, 1, 5, request(INIT_PRODUCER_ID, 4, 1, &body));
    assert_eq!(answer, Answer::Silence);
}

#[test]
fn metadata_faults() {
    let mut model = cluster();
    model.inject(
        On::Metadata,
        Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED),
    );
    let refused = metadata(&mut model, 13, "t");
    assert_eq!((refused.error_code, refused.topics[0].error_code), (29, 29));
    model.inject(
        On::Metadata,
        Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED),
    );
    assert_eq!(metadata(&mut model, 12, "t").topics[0].error_code, 29);
    model.inject(
        On::MetadataOf {
            topic: "t".to_owned(),
        },
        Fault::Refuse(code::LEADER_NOT_AVAILABLE),
    );
    assert_eq!(
        metadata(&mut model, 12, "other").topics[0].error_code,
        code::NONE
    );
    assert_eq!(
        metadata(&mut model, 12, "t").topics[0].error_code,
        code::LEADER_NOT_AVAILABLE
    );
    model.inject(On::Metadata, Fault::Delay(Duration::from_secs(1)));
    let answer = model.handle(
        Duration::from_secs(1),
        1,
        1,
        request(METADATA, 12, 7, &metadata_request("t")),
    );
    let Answer::Later { due, frame } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(due, Duration::from_secs(2));
    assert_eq!(response::<MetadataResponse>(frame, 12, 7).topics.len(), 1);
}

#[test]
fn api_versions_faults() {
    let mut model = cluster();
    model.inject(On::ApiVersions, Fault::Disconnect);
    let body = ApiVersionsRequest::default();
    let answer = model.handle(Duration::ZERO, 1, 1, request(API_VERSIONS, 0, 1, &body));
    assert_eq!(answer, Answer::Disconnect);
    assert_eq!(model.requests(Api::ApiVersions), 1);
}

#[test]
fn without_an_answer_wanted_an_error_closes_the_connection() {
    let mut model = cluster();
    let body = produce(0, &[("t", 0, first())]);
    let bytes = request(PRODUCE, 12, 1, &body);
    assert_eq!(
        model.handle(Duration::ZERO, 1, 1, &bytes[..]),
        Answer::Silence
    );
    assert_eq!(model.high_watermark("t", 0), 2);
    assert_eq!(
        model.handle(Duration::ZERO, 2, 1, &bytes[..]),
        Answer::Disconnect,
        "broker 2 does not lead"
    );
}
