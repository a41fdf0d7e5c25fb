//! Hard cases, section 2: sequences, epochs, and batches of which nobody knows whether they were written.

mod common;

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, Fatal, Purge, Warning};
use ottla_sim::{Api, Fate, Fault, On, Produced, Stage, code};

use common::{SHORT, SINGLES, arrivals, send_letters, warm};

#[test]
fn h015_written_and_the_answer_lost() {
    let mut stage = warm(2, SINGLES);
    stage
        .model
        .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
    let lost = stage.send("letters", 0, None, b"lost");
    stage.run_to_idle();

    assert_eq!(
        stage.outcome(lost),
        Some(&Fate::Written { offset: Some(1) }),
        "the original offset"
    );
    assert_eq!(stage.log("letters", 0), ["first", "lost"]);
    stage.check();
}

#[test]
fn h016_written_and_pushed_out_of_the_window() {
    let mut stage = warm(2, SINGLES);
    stage
        .model
        .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::DUPLICATE_SEQUENCE_NUMBER),
    );
    let lost = stage.send("letters", 0, None, b"lost");
    stage.run_to_idle();

    assert_eq!(
        stage.outcome(lost),
        Some(&Fate::Written { offset: None }),
        "no made-up offset"
    );
    assert_eq!(stage.core().metrics().epoch_bumps, 0);
    stage.check();
}

#[test]
fn h017_what_is_possibly_persisted_moves_nothing() {
    for in_flight in 1..=5 {
        for applied in 0..=in_flight {
            let mut stage = warm(2, SINGLES);
            stage.hold_answers(1);
            (0..applied).for_each(|_| stage.model.inject(On::produce("letters", 0), Fault::Pass));
            stage
                .model
                .inject(On::produce("letters", 0), Fault::Disconnect);
            send_letters(&mut stage, in_flight);
            stage.run_for(Duration::from_millis(1));
            stage.cut(1);
            stage.model.clear_faults();
            stage.release_answers(1);
            stage.send("letters", 0, None, b"after");
            stage.run_to_idle();

            assert_eq!(
                stage.written().len(),
                in_flight + 2,
                "{applied} of {in_flight}"
            );
            assert_eq!(stage.core().metrics().epoch_bumps, 0);
            stage.check();
        }
    }
}

#[test]
fn h018_out_of_order_behind_a_head_that_failed_is_no_gap() {
    let mut stage = warm(2, SINGLES);
    stage.send("letters", 1, None, b"on the other partition");
    stage.run_to_idle();
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    send_letters(&mut stage, 3);
    stage.send("letters", 1, None, b"and another");
    stage.run_to_idle();

    assert_eq!(stage.core().metrics().epoch_bumps, 0);
    assert!(stage.arrivals("letters", 1).iter().all(|a| a.epoch == 0));
    assert_eq!(stage.warnings(), []);
    stage.check();
}

#[test]
fn h019_a_gap_behind_unknown_attempts_bumps_the_epoch_once() {
    let mut stage = warm(2, SINGLES);
    send_letters(&mut stage, 3);
    stage.run_to_idle();
    stage.model.move_leader_losing("letters", 0, 2, 2);
    stage.excuse_losses();
    let after: Vec<usize> = ["a", "b", "c"]
        .map(|v| stage.send("letters", 0, None, v.as_bytes()))
        .into();
    stage.run_to_idle();

    // The old leader's answer says NOT_LEADER, after which nobody knows (H165).
    assert!(
        after
            .iter()
            .all(|&n| matches!(stage.outcome(n), Some(Fate::MaybeWritten(_))))
    );
    assert_eq!(stage.log("letters", 0), ["first", "letter 0"]);
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    assert!(
        matches!(
            stage.warnings(),
            [Warning::SequenceGap { partition: 0, .. }]
        ),
        "{:?}",
        stage.warnings()
    );
    stage.check();
}

#[test]
fn h019_a_gap_with_nothing_unresolved_sends_everything_again() {
    let mut stage = warm(2, SINGLES);
    send_letters(&mut stage, 3);
    stage.run_to_idle();
    let end = stage.model.high_watermark("letters", 0);
    stage.model.truncate("letters", 0, end - 2);
    stage.excuse_losses();
    let after: Vec<usize> = ["a", "b", "c"]
        .map(|v| stage.send("letters", 0, None, v.as_bytes()))
        .into();
    stage.run_to_idle();

    assert!(after.iter().all(|&n| stage.is_written(n)));
    assert_eq!(
        stage.log("letters", 0),
        ["first", "letter 0", "a", "b", "c"]
    );
    let last = arrivals(&stage).split_off(7);
    assert_eq!(
        last.iter()
            .map(|a| (a.epoch, a.base_sequence))
            .collect::<Vec<_>>(),
        [(1, 0), (1, 1), (1, 2)]
    );
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    stage.check();
}

#[test]
fn h019_a_head_with_an_unknown_attempt_ends_as_maybe_written() {
    let mut stage = warm(2, SINGLES);
    send_letters(&mut stage, 3);
    stage.run_to_idle();
    stage
        .model
        .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
    let unknown = stage.send("letters", 0, None, b"unknown");
    stage.run_for(Duration::from_millis(5));
    let behind = stage.send("letters", 0, None, b"behind");
    stage.model.truncate("letters", 0, 2);
    stage.excuse_losses();
    stage.run_to_idle();

    assert!(
        matches!(stage.outcome(unknown), Some(Fate::MaybeWritten(_))),
        "{:?}",
        stage.outcome(unknown)
    );
    assert!(stage.is_written(behind));
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    stage.check();
}

#[test]
fn h019_what_follows_a_batch_with_a_new_stamp_never_comes_before_it() {
    let mut stage = warm(2, SINGLES);
    for fault in [
        Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        Fault::Silence,
    ] {
        stage.model.inject(On::produce("letters", 0), fault);
    }
    let letters = send_letters(&mut stage, 3);
    stage.run_for(Duration::from_secs(1));
    stage.model.forget_producers("letters", 0); // now it takes whatever comes first
    stage.run_to_idle();

    assert!(stage.is_written(letters[0]));
    for &unknown in &letters[1..] {
        let outcome = stage.outcome(unknown);
        assert!(
            matches!(outcome, Some(Fate::MaybeWritten(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(stage.log("letters", 0), ["first", "letter 0"]);
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    stage.check();
}

#[test]
fn h114_a_purge_ends_what_the_end_of_another_ends_too() {
    let mut stage = warm(2, SINGLES);
    for fault in [
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
        Fault::Disconnect,
    ] {
        stage.model.inject(On::produce("letters", 0), fault);
    }
    let letters = send_letters(&mut stage, 3);
    stage.run_for(Duration::from_millis(3));
    stage.purge(Purge::All);
    stage.run_to_idle();

    assert!(matches!(
        stage.outcome(letters[0]),
        Some(Fate::NotWritten(_))
    ));
    assert!(matches!(
        stage.outcome(letters[2]),
        Some(Fate::MaybeWritten(_))
    ));
    let after = stage.send("letters", 0, None, b"after");
    stage.run_to_idle();
    assert!(stage.is_written(after));
    stage.check();
}

#[test]
fn h019_what_a_forgetful_leader_refused_never_comes_behind_what_it_took() {
    let mut stage = warm(2, SINGLES);
    stage.model.forget_producers("letters", 0);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    let letters = send_letters(&mut stage, 3);
    stage.run_to_idle();

    let outcome = stage.outcome(letters[0]);
    assert!(matches!(outcome, Some(Fate::NotWritten(_))), "{outcome:?}");
    assert_eq!(stage.log("letters", 0), ["first", "letter 1", "letter 2"]);
    assert!(
        matches!(
            stage.warnings(),
            [Warning::SequenceGap { partition: 0, .. }]
        ),
        "{:?}",
        stage.warnings()
    );
    stage.check();
}

#[test]
fn h019_java_s_way_is_a_setting_and_what_was_unknown_stays_unknown() {
    let java = ("sequence.gap.policy", "resend");
    for finds_a_leader in [true, false] {
        let mut stage = warm(2, &[SINGLES, &[java]].concat());
        stage
            .model
            .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        );
        let unknown = stage.send("letters", 0, None, b"unknown");
        stage.run_until(|stage| stage.core().metrics().epoch_bumps == 1);
        if !finds_a_leader {
            stage.model.stop_broker(1);
            stage.cut(1);
            (2..=3).for_each(|broker| stage.stop_broker(broker));
        }
        stage.run_until(|stage| stage.unsettled().is_empty());

        match stage.outcome(unknown) {
            Some(Fate::Written { .. }) if finds_a_leader => {
                assert_eq!(stage.log("letters", 0), ["first", "unknown", "unknown"]);
            }
            Some(Fate::MaybeWritten(_)) if !finds_a_leader => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn h020_a_bump_restarts_every_partition_at_zero() {
    let mut stage = Stage::new(3, SINGLES);
    stage.model.create_topic("letters", 50);
    for round in 0..3 {
        if round == 2 {
            stage.model.inject(
                On::produce("letters", 17),
                Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
            );
        }
        (0..50).for_each(|p| {
            stage.send("letters", p, None, format!("{round} to {p}").as_bytes());
        });
        stage.run_to_idle();
    }
    (0..50).for_each(|p| {
        stage.send("letters", p, None, format!("last to {p}").as_bytes());
    });
    stage.run_to_idle();

    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    for p in 0..50 {
        let last = stage
            .arrivals("letters", p)
            .pop()
            .expect("each partition got records");
        assert_eq!((last.epoch, last.code), (1, code::NONE));
    }
    stage.check();
}

#[test]
fn h021_unresolved_batches_keep_their_stamp_over_a_bump() {
    let mut stage = warm(2, SINGLES);
    stage.send("letters", 1, None, b"first of another partition");
    stage.run_to_idle();
    stage.hold_answers(2);
    let unresolved = stage.send("letters", 1, None, b"unresolved");
    stage.run_for(Duration::from_millis(5));
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
    );
    stage.send("letters", 0, None, b"bumps the epoch");
    stage.run_for(Duration::from_millis(500));
    let fresh = stage.send("letters", 1, None, b"fresh");
    stage.run_for(Duration::from_millis(500));
    stage.model.move_leader("letters", 1, 3);
    stage.cut(2);
    stage.run_to_idle();

    assert!(stage.is_written(unresolved) && stage.is_written(fresh));
    let stamps: Vec<(i32, i16, i32)> = stage
        .arrivals("letters", 1)
        .iter()
        .skip(1)
        .map(|a| (a.broker, a.epoch, a.base_sequence))
        .collect();
    assert_eq!(stamps, [(2, 0, 1), (3, 0, 1), (3, 1, 0)]);
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    stage.check();
}

#[test]
fn h022_many_failures_under_one_epoch_are_one_bump() {
    let mut stage = Stage::new(1, &[]);
    stage.model.create_topic("letters", 10);
    let round = |stage: &mut Stage, name: &str| {
        (0..10).for_each(|p| {
            stage.send("letters", p, None, format!("{name} to {p}").as_bytes());
        });
        stage.run_to_idle();
    };
    round(&mut stage, "first");
    (0..10).for_each(|p| {
        stage.model.inject(
            On::produce("letters", p),
            Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        );
    });
    round(&mut stage, "second");

    assert_eq!(stage.written().len(), 20);
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    stage.check();
}

#[test]
fn h023_when_epochs_are_used_up_there_is_a_new_id() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_next_producer(7, i16::MAX - 1);
    stage.model.create_topic("letters", 2);
    for value in ["a", "b", "c", "d"] {
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        );
        stage.send("letters", 0, None, value.as_bytes());
        stage.send("letters", 1, None, value.to_uppercase().as_bytes());
        stage.run_to_idle();
    }

    assert_eq!(stage.written().len(), 8);
    let good = arrivals(&stage)
        .into_iter()
        .filter(|a| a.code == code::NONE);
    let identities: Vec<(i64, i16)> = good.map(|a| (a.producer_id, a.epoch)).collect();
    assert_eq!(identities, [(7, i16::MAX), (8, 0), (8, 1), (8, 2)]);
    assert_eq!(stage.model.requests(Api::InitProducerId), 2);
    stage.check();
}

#[test]
fn h025_an_unknown_producer_is_a_retry_a_retention_or_a_gap() {
    // Log start offset of the answer; is it sent again under the same stamp; is it a gap.
    for (log_start, same_stamp, is_gap) in [(-1, true, false), (5, false, false), (0, false, true)]
    {
        let mut stage = warm(2, SINGLES);
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::UNKNOWN_PRODUCER_ID),
        );
        stage.tamper(1, move |bytes| set_log_start(bytes, log_start));
        let n = stage.send("letters", 0, None, b"after long silence");
        stage.run_to_idle();

        assert!(stage.is_written(n));
        let stamp = |a: &Produced| (a.epoch, a.base_sequence);
        let arrivals = arrivals(&stage);
        assert_eq!(
            stamp(&arrivals[1]) == stamp(&arrivals[2]),
            same_stamp,
            "log start {log_start}"
        );
        assert_eq!(
            stage.warnings().len(),
            usize::from(is_gap),
            "log start {log_start}"
        );
        stage.check();
    }
}

#[test]
fn h026_an_idle_producer_may_be_forgotten() {
    for refuses in [false, true] {
        let mut stage = warm(2, SINGLES);
        send_letters(&mut stage, 3);
        stage.run_for(Duration::from_secs(7 * 3_600));
        stage.model.forget_producers("letters", 0);
        if refuses {
            stage.model.inject(
                On::produce("letters", 0),
                Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
            );
        }
        let n = stage.send("letters", 0, None, b"after long silence");
        stage.run_to_idle();
        assert!(stage.is_written(n));
        stage.check();
    }
}

#[test]
fn h027_a_topic_that_disappears_for_a_while_keeps_its_sequence() {
    let mut stage = warm(
        2,
        &[
            ("metadata.max.age.ms", "500"),
            ("batch.size", "0"),
            ("linger.ms", "0"),
        ],
    );
    send_letters(&mut stage, 3);
    stage.run_to_idle();
    stage.model.hide_topic("letters", true);
    stage.run_for(Duration::from_secs(5));
    stage.send("letters", 0, None, b"while it is hidden");
    stage.cut(1);
    stage.run_for(Duration::from_secs(5));
    stage.model.hide_topic("letters", false);
    stage.send("letters", 0, None, b"when it is back");
    stage.run_to_idle();

    assert_eq!(stage.written().len(), 6);
    let stamps: Vec<(i16, i32)> = arrivals(&stage)
        .iter()
        .map(|a| (a.epoch, a.base_sequence))
        .collect();
    assert_eq!(stamps, [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    stage.check();
}

#[test]
fn h028_a_producer_id_that_does_not_come_at_once_is_waited_for() {
    const LOADING: i16 = 14;
    const CONCURRENT: i16 = 51;
    let faults = [
        Fault::Refuse(LOADING),
        Fault::Refuse(CONCURRENT),
        Fault::Disconnect,
        Fault::AppendThenDisconnect,
    ];
    for fault in faults {
        for times in 1..4 {
            let mut stage = Stage::new(3, SINGLES);
            (0..times).for_each(|_| stage.model.inject(On::InitProducerId, fault.clone()));
            let n = stage.send("letters", None, None, b"patient");
            stage.run_to_idle();
            assert!(stage.is_written(n), "{fault:?}, {times} times");
            assert!(stage.now() < Duration::from_secs(3), "{:?}", stage.now());
            stage.check();
        }
    }
}

#[test]
fn h028_a_refused_producer_id_fails_what_waits_and_nothing_later() {
    let mut stage = Stage::new(3, SINGLES);
    stage.model.inject(
        On::InitProducerId,
        Fault::Refuse(code::CLUSTER_AUTHORIZATION_FAILED),
    );
    stage.model.create_topic("letters", 1);
    let refused = stage.send("letters", 0, None, b"refused");
    stage.run_until(|stage| stage.outcome(refused).is_some());
    assert!(
        matches!(
            stage.outcome(refused),
            Some(Fate::NotWritten(_) | Fate::Refused(_))
        ),
        "{:?}",
        stage.outcome(refused)
    );

    let granted = stage.send("letters", 0, None, b"granted");
    stage.run_to_idle();
    assert!(stage.is_written(granted));
    stage.check();
}

#[test]
fn h028_brokers_without_producer_ids_are_fatal() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_versions(1, Api::InitProducerId, None);
    let n = stage.send("letters", None, None, b"in vain");
    stage.run_until(|stage| stage.closed().is_some());

    assert!(matches!(stage.closed(), Some(Some(Fatal::ProducerId(_)))));
    assert!(matches!(
        stage.outcome(n),
        Some(Fate::NotWritten(_) | Fate::Refused(_))
    ));
    stage.run_to_idle();
    assert_eq!(stage.links(1), 0);
    stage.check();
}

#[test]
fn h030_five_batches_are_unresolved_at_most_over_all_brokers() {
    let mut stage = warm(2, SINGLES);
    send_letters(&mut stage, 30);
    for round in 0..10 {
        let broker = 1 + round % 3;
        stage.hold_answers(broker);
        stage.run_for(Duration::from_millis(150));
        stage.model.move_leader("letters", 0, 1 + (round + 1) % 3);
        stage.cut(broker);
        stage.release_answers(broker);
        let sent = arrivals(&stage)
            .iter()
            .map(|a| a.base_sequence)
            .max()
            .unwrap_or(0) as usize
            + 1;
        assert!(
            sent - stage.written().len() <= 5,
            "{sent} sent, {} resolved",
            stage.written().len()
        );
    }
    stage.run_to_idle();
    assert_eq!(stage.written().len(), 31);
    stage.check();
}

#[test]
fn h031_after_an_ambiguous_code_nothing_new_takes_the_place_of_the_old() {
    for ambiguous in [
        code::REQUEST_TIMED_OUT,
        code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ] {
        let mut stage = warm(2, SINGLES);
        stage
            .model
            .inject(On::produce("letters", 0), Fault::AppendThen(ambiguous));
        let old = stage.send("letters", 0, None, b"old");
        stage.run_for(Duration::from_millis(10));
        stage.purge(Purge::All);
        let new = stage.send("letters", 0, None, b"new");
        stage.run_to_idle();

        assert!(matches!(
            stage.outcome(old),
            Some(Fate::MaybeWritten(DeliveryError::Purged))
        ));
        assert!(stage.is_written(new));
        assert_eq!(stage.log("letters", 0), ["first", "old", "new"]);
        stage.check();
    }
}

#[test]
fn h031_ambiguous_answers_are_asked_about_beyond_the_number_of_retries() {
    let mut stage = warm(
        2,
        &[("retries", "1"), ("batch.size", "0"), ("linger.ms", "0")],
    );
    (0..5).for_each(|_| {
        stage.model.inject(
            On::produce("letters", 0),
            Fault::AppendThen(code::REQUEST_TIMED_OUT),
        );
    });
    let n = stage.send("letters", 0, None, b"asked about");
    stage.run_to_idle();
    assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(1) }));
    stage.check();
}

#[test]
fn h165_not_leader_after_the_append_is_unknown() {
    for replicated in [true, false] {
        let mut stage = warm(2, SINGLES);
        stage.model.inject(
            On::produce("letters", 0),
            Fault::AppendThen(code::NOT_LEADER_OR_FOLLOWER),
        );
        let n = stage.send("letters", 0, None, b"between two leaders");
        stage.run_for(Duration::from_millis(3));
        match replicated {
            true => stage.model.move_leader("letters", 0, 2),
            false => stage.model.move_leader_losing("letters", 0, 2, 1),
        }
        stage.run_to_idle();

        assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(1) }));
        assert_eq!(stage.log("letters", 0), ["first", "between two leaders"]);
        assert!(
            arrivals(&stage)
                .iter()
                .skip(1)
                .all(|a| (a.epoch, a.base_sequence) == (0, 1)),
            "one stamp"
        );
        stage.check();
    }
}

#[test]
fn h165_not_leader_after_the_append_is_never_stamped_anew_by_a_bump() {
    let mut stage = warm(2, SINGLES);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::AppendThen(code::NOT_LEADER_OR_FOLLOWER),
    );
    stage.model.inject(
        On::produce("letters", 1),
        Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
    );
    let n = stage.send("letters", 0, None, b"between two leaders");
    stage.send("letters", 1, None, b"bumps the epoch");
    stage.run_for(Duration::from_millis(10));
    stage.model.remove_leader("letters", 0);
    stage.run_for(Duration::from_secs(130));
    assert!(matches!(
        stage.outcome(n),
        Some(Fate::MaybeWritten(DeliveryError::Expired { .. }))
    ));

    stage.model.move_leader("letters", 0, 3);
    let next = stage.send("letters", 0, None, b"next");
    stage.run_to_idle();
    assert!(stage.is_written(next));
    assert_eq!(
        stage.log("letters", 0),
        ["first", "between two leaders", "next"]
    );
    stage.check();
}

#[test]
fn h032_a_later_success_shows_that_the_expired_batch_was_written() {
    let mut stage = warm(2, SHORT);
    stage.hold_answers(1);
    let expired = stage.send("letters", 0, None, b"expires");
    stage.run_for(Duration::from_secs(1));
    let second = stage.send("letters", 0, None, b"second");
    stage.run_until(|stage| stage.outcome(expired).is_some());
    stage.release_answers(1);
    let fresh = stage.send("letters", 0, None, b"fresh");
    stage.run_to_idle();

    assert!(matches!(
        stage.outcome(expired),
        Some(Fate::MaybeWritten(_))
    ));
    assert!(stage.is_written(second) && stage.is_written(fresh));
    assert_eq!(stage.core().metrics().epoch_bumps, 0);
    stage.check();
}

#[test]
fn h032_if_all_later_ones_fail_there_is_one_bump() {
    let mut stage = warm(2, SHORT);
    stage.lose_requests(1, true);
    let expired = stage.send("letters", 0, None, b"expires");
    stage.run_for(Duration::from_secs(1));
    stage.send("letters", 0, None, b"second");
    stage.run_for(Duration::from_secs(1));
    stage.send("letters", 0, None, b"third");
    stage.run_until(|stage| stage.outcome(expired).is_some());
    stage.lose_requests(1, false);
    let fresh = stage.send("letters", 0, None, b"fresh");
    stage.run_for(Duration::from_secs(4));

    assert!(stage.is_written(fresh), "{:?}", stage.outcome(fresh));
    assert_eq!(stage.core().metrics().epoch_bumps, 1);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h033_what_expires_unsent_takes_no_sequence() {
    let mut stage = warm(2, SHORT);
    stage.model.remove_leader("letters", 0);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_LEADER_OR_FOLLOWER),
    );
    let first = stage.send("letters", 0, None, b"finds that there is no leader");
    stage.run_for(Duration::from_secs(1));
    let unsent = stage.send("letters", 0, None, b"never sent");
    stage.run_for(Duration::from_secs(6));
    assert!(stage.outcome(first).is_some());
    assert!(matches!(
        stage.outcome(unsent),
        Some(Fate::NotWritten(DeliveryError::Expired {
            cause: Cause::NoLeader
        }))
    ));

    stage.model.move_leader("letters", 0, 2);
    stage.run_for(Duration::from_secs(2));
    let next = stage.send("letters", 0, None, b"next");
    stage.run_to_idle();
    assert!(stage.is_written(next));
    stage.check();
}

#[test]
fn h034_a_newer_epoch_of_somebody_else_means_a_new_id() {
    let mut stage = warm(2, SINGLES);
    let id = arrivals(&stage)[0].producer_id;
    stage.model.fence_producer("letters", 0, id, 5);
    let three = send_letters(&mut stage, 3);
    stage.run_to_idle();

    assert!(
        three.iter().all(|&n| stage.is_written(n)),
        "{:?}",
        stage.outcome(three[0])
    );
    let last = arrivals(&stage).pop().expect("three arrived");
    assert_ne!(last.producer_id, id);
    assert_eq!(stage.model.requests(Api::InitProducerId), 2);
    stage.check();
}

#[test]
fn h034_a_leader_that_took_a_batch_of_the_old_id_has_taken_nothing_of_the_new_one() {
    let mut stage = warm(2, SINGLES);
    let on_first = || On::produce("letters", 0);
    stage
        .model
        .inject(on_first(), Fault::Refuse(code::NOT_ENOUGH_REPLICAS));
    stage.send("letters", 0, None, b"again after the id has changed");
    stage.model.inject(
        On::produce("letters", 1),
        Fault::Refuse(code::INVALID_PRODUCER_EPOCH),
    );
    stage.send("letters", 1, None, b"costs the id");
    stage.run_for(Duration::from_millis(50));
    stage.model.inject(on_first(), Fault::Pass);
    stage
        .model
        .inject(on_first(), Fault::Refuse(code::NOT_ENOUGH_REPLICAS));
    send_letters(&mut stage, 3);
    stage.run_to_idle();

    assert_eq!(stage.written().len(), 6);
    stage.check(); // in order: nothing was pipelined behind the batch that was refused
}

#[test]
fn h035_acknowledged_data_that_an_unclean_election_lost_is_told_once() {
    let mut stage = warm(2, SINGLES);
    send_letters(&mut stage, 4);
    stage.run_to_idle();
    stage.model.move_leader_losing("letters", 0, 2, 3);
    stage.excuse_losses();
    stage.run_for(Duration::from_secs(301));
    let after: Vec<usize> = ["a", "b", "c"]
        .map(|v| stage.send("letters", 0, None, v.as_bytes()))
        .into();
    stage.run_to_idle();

    assert!(after.iter().all(|&n| stage.is_written(n)));
    assert!(
        matches!(
            stage.warnings(),
            [Warning::SequenceGap { partition: 0, .. }]
        ),
        "{:?}",
        stage.warnings()
    );
    stage.check();
}

#[test]
fn h036_a_broker_without_record_batches_is_a_clear_error_at_once() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_versions(1, Api::Produce, Some((0, 2)));
    let n = stage.send("letters", None, None, b"too new");
    stage.run_to_idle();
    assert_eq!(
        stage.outcome(n),
        Some(&Fate::NotWritten(DeliveryError::UnsupportedVersion))
    );
    assert!(stage.now() < Duration::from_secs(1));
    stage.check();
}

/// Sets the log start offset of an answer that refuses one batch as from an unknown producer.
fn set_log_start(answer: &mut [u8], log_start: i64) {
    // Code 59, then base offset, append time and log start offset, all -1.
    let refusal: Vec<u8> = [0, 59].into_iter().chain([0xff; 24]).collect();
    let at = answer
        .windows(refusal.len())
        .position(|w| w == refusal)
        .expect("the answer refuses a batch");
    answer[at + 18..at + 26].copy_from_slice(&log_start.to_be_bytes());
}
