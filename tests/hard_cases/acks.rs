//! Hard cases, section 10: acknowledgements, and what a broker says of single records.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, wire::ErrorCode};
use ottla_sim::{Cut, Fate, Fault, On, code};

use crate::common::{SHORT, arrivals, send_letters, singles, warm};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h139_without_acknowledgements_a_break_is_known_only_before_the_first_byte() {
    for bytes in 0..130 {
        let mut stage = singles(&[("acks", "0")]);
        stage.cut_at_next_produce(1, Cut::After(bytes));
        let n = send_letters(&mut stage, 1)[0];
        stage.run_to_idle();
        let (is_written, is_tried_again) =
            (stage.is_written(n), stage.core().metrics().batches_sent > 2);
        assert_eq!(
            (is_written, is_tried_again),
            (bytes == 0, bytes == 0),
            "{bytes} bytes"
        );
        if bytes > 0 {
            let maybe = DeliveryError::Disconnected(ottla_core::Disconnect::Reset);
            assert_eq!(stage.outcome(n), Some(&Fate::MaybeWritten(maybe)));
        }
        stage.check();
    }
}

#[test]
fn h139_an_answer_that_nobody_asked_for_is_passed_over() {
    let survivors = (0..9_u8).filter(|&correlation_id| {
        let mut stage = singles(&[("acks", "0")]);
        stage.send_stray_bytes(1, &[0, 0, 0, 8, 0, 0, 0, correlation_id, 0, 0, 0, 0]);
        stage.run_for(Duration::from_millis(5));
        let survives = stage.links(1) == 1;
        send_letters(&mut stage, 1);
        stage.run_to_idle();
        assert_eq!(stage.written().len(), 2);
        stage.check();
        survives
    });
    assert_eq!(survivors.count(), 1, "only that to the one Produce request");
}

#[test]
fn h139_without_acknowledgements_a_record_too_large_is_a_broken_link_only() {
    let mut stage = singles(&[("acks", "0")]);
    stage.model.set_topic_max_message_bytes("letters", 500);
    let large = stage.send("letters", 0, None, &[b'x'; 1_000]);
    stage.run_for(Duration::from_millis(10));
    assert!(stage.is_written(large), "as far as anybody can tell");
    assert_eq!(stage.links(1), 0);
    let next = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert!(stage.is_written(next));
    assert_eq!(stage.log("letters", 0), ["first", "letter 0"]);
    stage.check();
}

#[test]
fn h139_without_acknowledgements_a_close_ends_with_the_last_write() {
    let mut stage = singles(&[("acks", "0")]);
    send_letters(&mut stage, 5);
    let start = stage.now();
    stage.close(Duration::from_secs(10));
    stage.run_until(|stage| stage.closed().is_some());
    assert!(stage.now() - start < Duration::from_millis(10));
    assert_eq!(stage.written().len(), 6);
    stage.check();
}

#[test]
fn h169_a_link_without_acknowledgements_is_closed_once_the_broker_has_read_it() {
    let mut stage = singles(&[("acks", "0")]);
    let last = send_letters(&mut stage, 1)[0];
    let start = stage.now();
    stage.close(Duration::from_secs(10));
    assert!(stage.is_written(last), "it is with the socket");
    stage.run_for(Duration::from_micros(1_500));
    assert_eq!((stage.links(1), stage.closed()), (1, None), "it is read on");
    stage.run_until(|stage| stage.closed().is_some());
    // To the broker and back; nobody waits any longer.
    assert!(stage.now() - start <= Duration::from_millis(3));
    assert_eq!(stage.log("letters", 0), ["first", "letter 0"]);
    stage.check();
}

#[test]
fn h169_a_broker_that_never_closes_holds_up_a_close_for_a_second_at_most_and_within_its_time() {
    for (grace, most) in [(10_000, 1_000), (400, 400), (0, 0)] {
        let mut stage = singles(&[("acks", "0")]);
        stage.lose_requests(1, true);
        send_letters(&mut stage, 1);
        stage.run_for(Duration::from_millis(1));
        let start = stage.now();
        stage.close(Duration::from_millis(grace));
        stage.run_until(|stage| stage.closed().is_some());
        assert_eq!(stage.now() - start, Duration::from_millis(most));
    }
}

#[test]
fn h169_a_close_hurries_a_link_that_is_drained_already() {
    let settings = [("acks", "0"), ("connections.max.idle.ms", "1000")];
    let mut stage = singles(&settings);
    stage.lose_requests(1, true);
    send_letters(&mut stage, 1);
    stage.run_for(Duration::from_millis(1_100));
    assert_eq!(
        (stage.links(1), stage.closed()),
        (1, None),
        "idle, and drained"
    );
    let start = stage.now();
    stage.close(Duration::ZERO);
    stage.run_until(|stage| stage.closed().is_some());
    assert_eq!(stage.now(), start);
}

#[test]
fn h169_with_acknowledgements_a_close_waits_for_nobody() {
    for acks in ["1", "all"] {
        let mut stage = singles(&[("acks", acks)]);
        stage.close(Duration::from_secs(10));
        assert_eq!(stage.closed(), Some(None));
    }
}

#[test]
fn h139_responses_to_many_requests_that_ask_for_none_are_passed_over() {
    let mut stage = singles(&[("acks", "0"), ("metadata.max.age.ms", "500")]);
    stage.model.set_answers_unacknowledged(true);
    stage.hold_answers(1);
    let letters = send_letters(&mut stage, 200);
    stage.run_for(Duration::from_millis(100));
    stage.release_answers(1);
    stage.run_for(Duration::from_secs(2));
    assert!(letters.iter().all(|&n| stage.is_written(n)));
    assert_eq!((stage.links(1), stage.warnings()), (1, &[][..]));
    assert_eq!(stage.log("letters", 0).len(), 201);
    stage.check();
}

#[test]
fn h140_what_the_leader_alone_acknowledged_may_die_with_it() {
    let mut stage = singles(&[("acks", "1")]);
    let acknowledged = send_letters(&mut stage, 3);
    stage.run_to_idle();
    stage.model.move_leader_losing("letters", 0, 2, 2);
    stage.excuse_losses();
    stage.send("letters", 0, None, b"to the new leader");
    stage.run_to_idle();

    assert!(acknowledged.iter().all(|&n| stage.is_written(n)));
    assert_eq!(
        stage.log("letters", 0),
        ["first", "letter 0", "to the new leader"]
    );
    assert_eq!(stage.warnings(), [], "nobody can know");
    stage.check();
}

#[test]
fn h141_while_replicas_are_missing_records_wait_for_them() {
    let mut stage = singles(&[]);
    stage.model.set_min_insync_replicas(3);
    stage.stop_broker(3);
    let three = send_letters(&mut stage, 3);
    stage.run_for(20 * SECOND);
    assert!(three.iter().all(|&n| stage.outcome(n).is_none()));
    stage.start_broker(3);
    stage.run_to_idle();

    assert!(three.iter().all(|&n| stage.is_written(n)));
    assert!(stage.now() < 22 * SECOND, "{:?}", stage.now());
    stage.check();
}

#[test]
fn h141_if_replicas_are_missing_until_the_deadline_nothing_is_written() {
    let mut stage = warm(1, SHORT);
    stage.model.set_min_insync_replicas(3);
    stage.stop_broker(3);
    let n = send_letters(&mut stage, 1)[0];
    stage.run_until(|stage| stage.outcome(n).is_some());
    let Some(Fate::NotWritten(DeliveryError::Expired {
        cause: Cause::Broker { code, .. },
    })) = stage.outcome(n)
    else {
        panic!("{:?}", stage.outcome(n));
    };
    assert_eq!(code.0, ottla_sim::code::NOT_ENOUGH_REPLICAS);
    stage.check();
}

#[test]
fn h144_only_the_culprits_of_a_batch_are_blamed() {
    let sets: [&[i32]; 5] = [
        &[0],
        &[4],
        &[1, 3],
        &[3, 1, 1, -1, 5, i32::MAX],
        &[0, 1, 2, 3, 4],
    ];
    for culprits in sets {
        let mut stage = warm(1, &[("linger.ms", "10")]);
        let blame = |&index: &i32| (index, Some(format!("number {index} is bad")));
        let refused = Fault::RefuseRecords {
            code: code::INVALID_RECORD,
            records: culprits.iter().map(blame).collect(),
            message: Some("some are bad".to_owned()),
        };
        stage.model.inject(On::produce("letters", 0), refused);
        let five = send_letters(&mut stage, 5);
        stage.run_to_idle();

        for (index, &n) in (0..).zip(&five) {
            let code = ErrorCode(code::INVALID_RECORD);
            let error = if culprits.contains(&index) {
                let message = Some(format!("number {index} is bad").into());
                DeliveryError::Broker { code, message }
            } else {
                DeliveryError::BatchMate { code }
            };
            assert_eq!(
                stage.outcome(n),
                Some(&Fate::NotWritten(error)),
                "{culprits:?}"
            );
        }
        let again = stage.send("letters", 0, None, b"sent again");
        stage.run_to_idle();
        assert!(stage.is_written(again));
        stage.check();
    }
}

#[test]
fn h144_a_compacted_topic_blames_each_record_without_a_key() {
    let mut stage = warm(1, &[("linger.ms", "10")]);
    stage.model.set_compacted("letters", true);
    let keys = [Some(&b"a"[..]), None, Some(b"b"), None];
    let four = keys.map(|key| {
        stage.send(
            "letters",
            0,
            key,
            format!("{key:?} {}", stage.now().as_nanos()).as_bytes(),
        )
    });
    stage.run_to_idle();
    for (key, n) in keys.iter().zip(four) {
        let is_mate = matches!(
            stage.outcome(n),
            Some(Fate::NotWritten(DeliveryError::BatchMate { .. }))
        );
        assert_eq!(is_mate, key.is_some(), "{:?}", stage.outcome(n));
    }
    assert_eq!(arrivals(&stage).len(), 2, "nothing is tried again");
    stage.check();
}
