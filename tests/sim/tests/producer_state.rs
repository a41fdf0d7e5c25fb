//! The rules by which a partition judges idempotent batches, one test each.

mod common;

use std::time::Duration;

use common::*;
use ottla_sim::{Fault, Model, On, code};

/// Sends five batches of one record each, sequences 0 to 4.
fn send_five(model: &mut Model) {
    for sequence in 0..5 {
        let answer = send(model, "t", 0, &batch(stamp(9, 0, sequence), &[value("v")]));
        assert_eq!(
            (answer.error_code, answer.base_offset),
            (code::NONE, i64::from(sequence))
        );
    }
}

#[test]
fn batches_in_sequence_are_appended() {
    let mut model = cluster();
    send_five(&mut model);
    assert_eq!(model.high_watermark("t", 0), 5);
    let records: Vec<_> = model
        .log("t", 0)
        .map(|record| (record.offset, record.sequence, record.producer_id))
        .collect();
    assert_eq!(
        records,
        [(0, 0, 9), (1, 1, 9), (2, 2, 9), (3, 3, 9), (4, 4, 9)]
    );
}

#[test]
fn a_duplicate_of_the_last_five_gets_its_first_offset() {
    let mut model = cluster();
    send_five(&mut model);
    for sequence in 0..5 {
        let answer = send(
            &mut model,
            "t",
            0,
            &batch(stamp(9, 0, sequence), &[value("v")]),
        );
        assert_eq!(
            (answer.error_code, answer.base_offset),
            (code::NONE, i64::from(sequence))
        );
        assert_eq!(
            answer.log_append_time_ms, 1_000,
            "Kafka gives the duplicate's timestamp"
        );
    }
    assert_eq!(model.high_watermark("t", 0), 5);
    assert_eq!(model.violations(), [] as [&str; 0]);
}

#[test]
fn a_duplicate_must_match_first_and_last_sequence() {
    let mut model = cluster();
    send(&mut model, "t", 0, &batch(stamp(9, 0, 0), &values(3, "v")));
    for (sequence, count) in [(0, 2), (0, 4), (1, 2), (2, 1)] {
        let answer = send(
            &mut model,
            "t",
            0,
            &batch(stamp(9, 0, sequence), &values(count, "v")),
        );
        assert_eq!(
            answer.error_code,
            code::OUT_OF_ORDER_SEQUENCE_NUMBER,
            "{sequence}+{count}"
        );
        assert_eq!(answer.base_offset, -1);
    }
    assert_eq!(model.high_watermark("t", 0), 3);
}

#[test]
fn a_gap_is_refused() {
    let mut model = cluster();
    send_five(&mut model);
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 0, 6), &[value("v")]));
    assert_eq!(answer.error_code, code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(answer.log_start_offset, 0);
}

#[test]
fn a_duplicate_that_was_pushed_out_is_out_of_order_or_named_by_old_brokers() {
    let mut model = cluster();
    let first = batch(stamp(9, 0, 0), &[value("v")]);
    send_five(&mut model);
    send(&mut model, "t", 0, &batch(stamp(9, 0, 5), &[value("v")]));
    assert_eq!(
        send(&mut model, "t", 0, &first).error_code,
        code::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    model.set_names_old_duplicates(true);
    assert_eq!(
        send(&mut model, "t", 0, &first).error_code,
        code::DUPLICATE_SEQUENCE_NUMBER
    );
    let gap = batch(stamp(9, 0, 7), &[value("v")]);
    assert_eq!(
        send(&mut model, "t", 0, &gap).error_code,
        code::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
}

#[test]
fn an_older_epoch_is_refused() {
    let mut model = cluster();
    send(&mut model, "t", 0, &batch(stamp(9, 3, 0), &[value("v")]));
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 2, 0), &[value("v")]));
    assert_eq!(answer.error_code, code::INVALID_PRODUCER_EPOCH);
}

#[test]
fn a_new_epoch_starts_at_zero() {
    let mut model = cluster();
    send_five(&mut model);
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 1, 5), &[value("v")]));
    assert_eq!(answer.error_code, code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 1, 0), &[value("v")]));
    assert_eq!((answer.error_code, answer.base_offset), (code::NONE, 5));
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 1, 1), &[value("v")]));
    assert_eq!(answer.error_code, code::NONE);
}

#[test]
fn a_fenced_producer_starts_anew_in_the_new_epoch() {
    let mut model = cluster();
    send_five(&mut model);
    model.fence_producer("t", 0, 9, 4);
    let old = send(&mut model, "t", 0, &batch(stamp(9, 0, 5), &[value("v")]));
    assert_eq!(old.error_code, code::INVALID_PRODUCER_EPOCH);
    let late = send(&mut model, "t", 0, &batch(stamp(9, 4, 5), &[value("v")]));
    assert_eq!(late.error_code, code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(
        send(&mut model, "t", 0, &batch(stamp(9, 4, 0), &[value("v")])).error_code,
        code::NONE
    );
}

#[test]
fn without_state_any_sequence_is_taken() {
    let mut model = cluster();
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 7, 1234), &[value("v")]));
    assert_eq!((answer.error_code, answer.base_offset), (code::NONE, 0));
    model.forget_producers("t", 0);
    assert_eq!(
        send(&mut model, "t", 0, &batch(stamp(9, 7, 99), &[value("v")])).error_code,
        code::NONE
    );
}

#[test]
fn sequences_wrap_to_zero() {
    let mut model = cluster();
    send(
        &mut model,
        "t",
        0,
        &batch(stamp(9, 0, i32::MAX), &[value("v")]),
    );
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 0, 0), &[value("w")]));
    assert_eq!((answer.error_code, answer.base_offset), (code::NONE, 1));
}

#[test]
fn a_batch_may_straddle_the_wrap() {
    let mut model = cluster();
    let straddling = batch(stamp(9, 0, i32::MAX - 1), &values(4, "v"));
    assert_eq!(send(&mut model, "t", 0, &straddling).error_code, code::NONE);
    let sequences: Vec<_> = model.log("t", 0).map(|record| record.sequence).collect();
    assert_eq!(sequences, [i32::MAX - 1, i32::MAX, 0, 1]);
    assert_eq!(
        send(&mut model, "t", 0, &straddling).base_offset,
        0,
        "known as a duplicate"
    );
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 0, 2), &[value("w")]));
    assert_eq!((answer.error_code, answer.base_offset), (code::NONE, 4));
}

#[test]
fn old_duplicates_are_named_across_the_wrap() {
    let mut model = cluster();
    model.set_names_old_duplicates(true);
    let first = batch(stamp(9, 0, i32::MAX), &[value("v")]);
    send(&mut model, "t", 0, &first);
    for sequence in 0..5 {
        send(
            &mut model,
            "t",
            0,
            &batch(stamp(9, 0, sequence), &[value("v")]),
        );
    }
    assert_eq!(
        send(&mut model, "t", 0, &first).error_code,
        code::DUPLICATE_SEQUENCE_NUMBER
    );
}

#[test]
fn producers_and_partitions_do_not_share_state() {
    let mut model = cluster();
    model.add_partitions("t", 1);
    send_five(&mut model);
    assert_eq!(
        send(&mut model, "t", 0, &batch(stamp(10, 0, 0), &[value("v")])).error_code,
        code::NONE
    );
    assert_eq!(
        send(&mut model, "t", 1, &batch(stamp(9, 0, 0), &[value("v")])).error_code,
        code::NONE
    );
}

#[test]
fn without_idempotence_everything_is_appended() {
    let mut model = cluster();
    let same = batch(UNSTAMPED, &[value("v")]);
    for offset in 0..8 {
        assert_eq!(send(&mut model, "t", 0, &same).base_offset, offset);
    }
    assert_eq!(texts(&model, "t", 0).len(), 8);
}

#[test]
fn a_replicated_leader_knows_its_producers() {
    let mut model = cluster();
    send_five(&mut model);
    model.move_leader("t", 0, 2);
    let answer = send(&mut model, "t", 0, &batch(stamp(9, 0, 4), &[value("v")]));
    assert_eq!((answer.error_code, answer.base_offset), (code::NONE, 4));
}

#[test]
fn a_leader_that_lost_batches_knows_what_is_left() {
    let mut model = cluster();
    send_five(&mut model);
    model.move_leader_losing("t", 0, 2, 2);
    assert_eq!(model.high_watermark("t", 0), 3);
    let gap = send(&mut model, "t", 0, &batch(stamp(9, 0, 5), &[value("v")]));
    assert_eq!(gap.error_code, code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let again = send(&mut model, "t", 0, &batch(stamp(9, 0, 3), &[value("v")]));
    assert_eq!((again.error_code, again.base_offset), (code::NONE, 3));
}

#[test]
fn retention_leaves_producer_state_alone() {
    let mut model = cluster();
    send_five(&mut model);
    model.delete_records("t", 0, 5);
    assert_eq!((model.log_start("t", 0), model.log("t", 0).count()), (5, 0));
    let duplicate = send(&mut model, "t", 0, &batch(stamp(9, 0, 4), &[value("v")]));
    assert_eq!(
        (
            duplicate.error_code,
            duplicate.base_offset,
            duplicate.log_start_offset
        ),
        (code::NONE, 4, 5)
    );
}

#[test]
fn one_stamp_on_different_bytes_is_a_violation() {
    let mut model = cluster();
    send(&mut model, "t", 0, &batch(stamp(9, 0, 0), &[value("v")]));
    send(
        &mut model,
        "t",
        0,
        &batch(stamp(9, 0, 0), &[value("other")]),
    );
    assert_eq!(model.violations().len(), 1, "{:?}", model.violations());
    model.delete_topic("t");
    model.create_topic("t", 1);
    send(
        &mut model,
        "t",
        0,
        &batch(stamp(9, 0, 0), &[value("third")]),
    );
    assert_eq!(model.violations().len(), 1, "another topic id, another log");
}

#[test]
fn a_stamp_counts_even_where_the_request_is_lost_or_refused() {
    let faults = [
        Fault::Disconnect,
        Fault::Refuse(code::REQUEST_TIMED_OUT),
        Fault::AppendThenDisconnect,
    ];
    for fault in faults {
        let mut model = cluster();
        model.inject(On::produce("t", 0), fault);
        let first = produce(-1, &[("t", 0, batch(stamp(9, 0, 0), &[value("v")]))]);
        model.handle(Duration::ZERO, 1, 1, request(PRODUCE, 12, 1, &first));
        assert_eq!(model.violations(), [] as [&str; 0]);
        send(
            &mut model,
            "t",
            0,
            &batch(stamp(9, 0, 0), &[value("other")]),
        );
        assert_eq!(model.violations().len(), 1);
    }
}

#[test]
fn a_batch_that_is_too_large_may_come_again_in_pieces() {
    let mut model = cluster();
    let whole = batch(stamp(9, 0, 0), &values(2, "v"));
    model.set_max_message_bytes(whole.len() - 1);
    assert_eq!(
        send(&mut model, "t", 0, &whole).error_code,
        code::MESSAGE_TOO_LARGE
    );
    for (sequence, item) in (0..).zip(values(2, "v")) {
        assert_eq!(
            send(&mut model, "t", 0, &batch(stamp(9, 0, sequence), &[item])).error_code,
            code::NONE
        );
    }
    assert_eq!(model.violations(), [] as [&str; 0]);
}
