//! What a broker checks before it takes a batch, and requests that no broker understands.

mod common;

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use common::*;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdRequest, ProduceResponse,
};
use kafka_protocol::records::RecordBatchDecoder;
use ottla_sim::{Answer, Api, code};

/// The code that a batch is refused with, and whether the model calls it a violation.
fn judged(batch: &Bytes) -> (i16, bool) {
    let mut model = cluster();
    let answer = send(&mut model, "t", 0, batch);
    assert_eq!(
        model.high_watermark("t", 0) > 0,
        answer.error_code == code::NONE
    );
    (answer.error_code, !model.violations().is_empty())
}

#[test]
fn a_good_batch_is_good_for_the_other_decoder_too() {
    assert_eq!(judged(&good()), (code::NONE, false));
    let decoded = RecordBatchDecoder::decode(&mut good()).unwrap();
    assert_eq!(decoded.records.len(), 2);
    assert_eq!(decoded.records[1].value.as_deref(), Some(&b"w"[..]));
}

#[test]
fn the_head_is_checked() {
    // The codes are those of Kafka 4.3.1 for the same bytes.
    let cases: [(&str, usize, &[u8], i16); 12] = [
        ("base offset", 0, &1i64.to_be_bytes(), code::INVALID_RECORD),
        (
            "length beyond the end",
            8,
            &4_000i32.to_be_bytes(),
            code::INVALID_RECORD,
        ),
        (
            "length of less than a head",
            8,
            &40i32.to_be_bytes(),
            code::CORRUPT_MESSAGE,
        ),
        (
            "negative length",
            8,
            &(-1i32).to_be_bytes(),
            code::CORRUPT_MESSAGE,
        ),
        ("old version", 16, &[1], code::INVALID_RECORD),
        ("unknown version", 16, &[3], code::CORRUPT_MESSAGE),
        (
            "control batch",
            21,
            &0b10_0000i16.to_be_bytes(),
            code::INVALID_RECORD,
        ),
        (
            "unknown codec",
            21,
            &5i16.to_be_bytes(),
            code::UNKNOWN_SERVER_ERROR,
        ),
        (
            "transaction",
            21,
            &0b1_0000i16.to_be_bytes(),
            code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ),
        (
            "last offset delta",
            23,
            &0i32.to_be_bytes(),
            code::INVALID_RECORD,
        ),
        ("sequence", 53, &(-1i32).to_be_bytes(), code::INVALID_RECORD),
        ("no records", 57, &0i32.to_be_bytes(), code::INVALID_RECORD),
    ];
    for (what, at, bytes, code) in cases {
        assert_eq!(
            judged(&altered(&good(), at, bytes)),
            (code, false),
            "{what}"
        );
    }
}

#[test]
fn the_checksum_is_checked() {
    let short = good().len() as i32 - 12 - 8;
    assert_eq!(
        judged(&altered(&good(), 8, &short.to_be_bytes())),
        (code::CORRUPT_MESSAGE, false)
    );
    for at in [17, 30, 61, good().len() - 1] {
        let mut flipped = BytesMut::from(&good()[..]);
        flipped[at] ^= 1;
        assert_eq!(
            judged(&flipped.freeze()),
            (code::CORRUPT_MESSAGE, false),
            "byte {at}"
        );
    }
}

#[test]
fn the_records_are_counted() {
    let mut more = BytesMut::from(&good()[..]);
    more[23..27].copy_from_slice(&2i32.to_be_bytes());
    more[57..61].copy_from_slice(&3i32.to_be_bytes());
    assert_eq!(judged(&sealed(more)), (code::INVALID_RECORD, false));
    let mut fewer = BytesMut::from(&good()[..]);
    fewer[23..27].copy_from_slice(&0i32.to_be_bytes());
    fewer[57..61].copy_from_slice(&1i32.to_be_bytes());
    assert_eq!(judged(&sealed(fewer)), (code::INVALID_RECORD, false));
}

#[test]
fn what_kafka_forgives_is_a_violation_here() {
    let trailed = Bytes::from([&good()[..], b"more"].concat());
    assert_eq!(
        judged(&trailed),
        (code::INVALID_RECORD, true),
        "bytes behind the batch"
    );
    let late = altered(&good(), 35, &6i64.to_be_bytes());
    assert_eq!(
        judged(&late),
        (code::INVALID_RECORD, true),
        "maximum timestamp"
    );
    // The second record is the last eight bytes: length, attributes, time, offset, no key, length, value, no headers.
    let at = good().len() - 5;
    assert_eq!(good()[at], 2, "the zigzag of offset delta 1");
    assert_eq!(
        judged(&altered(&good(), at, &[4])),
        (code::INVALID_RECORD, true),
        "offset delta"
    );
}

#[test]
fn every_byte_of_the_records_is_framed() {
    for at in 61..good().len() {
        for byte in 0..=255 {
            let (code, _) = judged(&altered(&good(), at, &[byte]));
            assert!(
                matches!(code, code::NONE | code::INVALID_RECORD),
                "byte {at} = {byte}: {code}"
            );
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..good().len() {
        let (code, _) = judged(&good().slice(..length));
        assert_eq!(code, code::INVALID_RECORD, "{length} bytes");
    }
    let two = [good(), good()].concat().into();
    assert_eq!(judged(&two).0, code::INVALID_RECORD, "two batches");
}

#[test]
fn large_batches_are_refused_by_the_topic_s_limit() {
    let mut model = cluster();
    model.set_max_message_bytes(good().len() - 1);
    assert_eq!(
        send(&mut model, "t", 0, &good()).error_code,
        code::MESSAGE_TOO_LARGE
    );
    model.set_topic_max_message_bytes("t", good().len());
    assert_eq!(send(&mut model, "t", 0, &good()).error_code, code::NONE);
}

#[test]
fn compacted_topics_blame_each_record_without_a_key() {
    let mut model = cluster();
    model.set_compacted("t", true);
    let keyed = Item {
        key: Some(Bytes::from_static(b"k")),
        ..value("v")
    };
    let answer = send(
        &mut model,
        "t",
        0,
        &batch(UNSTAMPED, &[value("a"), keyed.clone(), value("b")]),
    );
    assert_eq!(answer.error_code, code::INVALID_RECORD);
    assert_eq!(
        answer
            .record_errors
            .iter()
            .map(|error| error.batch_index)
            .collect::<Vec<_>>(),
        [0, 2]
    );
    assert!(answer.error_message.is_some());
    assert_eq!(
        send(&mut model, "t", 0, &batch(UNSTAMPED, &[keyed])).error_code,
        code::NONE
    );
}

#[test]
fn acks_are_minus_one_zero_or_one() {
    let mut model = cluster();
    let response: ProduceResponse =
        ask(&mut model, 1, PRODUCE, 12, &produce(2, &[("t", 0, good())]));
    assert_eq!(
        response.responses[0].partition_responses[0].error_code,
        code::INVALID_REQUIRED_ACKS
    );
}

#[test]
fn every_version_of_produce_is_answered() {
    for version in 3..=13 {
        let mut model = cluster();
        let body = match version {
            13 => produce_by_id(model.topic_id("t").unwrap(), 0, &good()),
            _ => produce(-1, &[("t", 0, good())]),
        };
        let response: ProduceResponse = ask(&mut model, 1, PRODUCE, version, &body);
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(
            (partition.error_code, partition.base_offset),
            (code::NONE, 0),
            "v{version}"
        );
    }
}

#[test]
fn every_version_of_api_versions_is_answered() {
    let mut model = cluster();
    for version in 0..=4 {
        let response: ApiVersionsResponse =
            ask(&mut model, 1, API_VERSIONS, version, &api_versions(version));
        assert_eq!(response.error_code, code::NONE);
        let produce = response
            .api_keys
            .iter()
            .find(|api| api.api_key == PRODUCE)
            .unwrap();
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
    }
    let unnamed: ApiVersionsResponse = ask(
        &mut model,
        1,
        API_VERSIONS,
        3,
        &ApiVersionsRequest::default(),
    );
    assert_eq!(unnamed.error_code, code::INVALID_REQUEST);
}

#[test]
fn a_newer_api_versions_is_answered_in_the_oldest_words() {
    let mut model = cluster();
    model.set_versions(1, Api::ApiVersions, Some((0, 2)));
    for version in [3, 4, 5, 99] {
        let mut bytes = BytesMut::from(&request(API_VERSIONS, 4, 7, &api_versions(4))[..]);
        bytes[2..4].copy_from_slice(&i16::to_be_bytes(version));
        let Answer::Reply(frame) = model.handle(Duration::ZERO, 1, 1, &bytes[..]) else {
            panic!()
        };
        let answer: ApiVersionsResponse = response(frame, 0, 7);
        assert_eq!(answer.error_code, code::UNSUPPORTED_VERSION);
        let range: Vec<_> = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        assert_eq!(range, [(API_VERSIONS, 0, 2)]);
    }
}

#[test]
fn versions_off_the_table_close_the_connection() {
    let mut model = cluster();
    let body = produce(-1, &[("t", 0, good())]);
    model.set_versions(1, Api::Produce, Some((0, 8)));
    let newer = request(PRODUCE, 9, 1, &body);
    assert_eq!(
        model.handle(Duration::ZERO, 1, 1, &newer[..]),
        Answer::Disconnect
    );
    assert!(matches!(
        model.handle(Duration::ZERO, 1, 1, request(PRODUCE, 8, 1, &body)),
        Answer::Reply(_)
    ));
    let init = request(
        INIT_PRODUCER_ID,
        0,
        1,
        &InitProducerIdRequest::default().with_transactional_id(None),
    );
    model.set_versions(1, Api::InitProducerId, None);
    assert_eq!(
        model.handle(Duration::ZERO, 1, 1, &init[..]),
        Answer::Disconnect
    );
    assert!(
        matches!(
            model.handle(Duration::ZERO, 2, 1, &init[..]),
            Answer::Reply(_)
        ),
        "broker 2 has its own table"
    );
}

#[test]
fn every_request_is_understood_whole_and_no_part_of_it_panics() {
    let mut model = cluster();
    for (connection, request) in (0..).zip(all_requests(&model)) {
        let what = format!("API {} v{}", request[1], request[3]);
        let answer = model.handle(Duration::ZERO, 1, connection, &request[..]);
        assert!(
            !matches!(answer, Answer::Disconnect | Answer::Silence),
            "{what}: {answer:?}"
        );
    }
    assert_eq!(model.violations(), [] as [&str; 0]);
    for (connection, request) in (0..).zip(all_requests(&model)) {
        let what = format!("API {} v{}", request[1], request[3]);
        for length in 0..request.len() {
            let answer = model.handle(Duration::ZERO, 1, connection, &request[..length]);
            let fallback = request[1] == 18; // its first eight bytes are enough for an answer
            assert!(
                answer == Answer::Disconnect || fallback,
                "{what}, {length} bytes: {answer:?}"
            );
        }
    }
    let named = |violation: &String| violation.starts_with("malformed: ");
    assert!(model.violations().iter().all(named));
    assert!(!model.violations().is_empty());
}

#[test]
fn arrays_longer_than_their_request_close_the_connection() {
    let mut model = cluster();
    let mut bytes = BytesMut::from(&request(METADATA, 1, 1, &metadata_request("t"))[..]);
    let count = bytes.len() - 3 - 4;
    bytes[count..count + 4].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(
        model.handle(Duration::ZERO, 1, 1, &bytes[..]),
        Answer::Disconnect
    );
    let mut compact = BytesMut::from(&request(METADATA, 9, 1, &metadata_request("t"))[..]);
    compact.truncate(compact.len() - 8);
    compact.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(
        model.handle(Duration::ZERO, 1, 1, &compact[..]),
        Answer::Disconnect
    );
}

#[test]
fn bytes_behind_a_request_are_a_violation() {
    let mut model = cluster();
    let mut bytes = BytesMut::from(&request(METADATA, 1, 1, &metadata_request("t"))[..]);
    bytes.put_u8(0);
    assert!(matches!(
        model.handle(Duration::ZERO, 1, 1, &bytes[..]),
        Answer::Reply(_)
    ));
    assert_eq!(model.violations().len(), 1);
}
