//! Hard cases, section 2: epochs, and what a gap in the sequence means.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_core::{Purge, Warning};
use ottla_sim::{Fate, Fault, Hostile, On, Produced, Stage, code};

use crate::common::{SINGLES, arrivals, send_letters, warm};

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
fn h029_between_any_two_steps_a_new_epoch_tears_no_stamp() {
    for steps in 0..60 {
        let mut stage = warm(4, &[("linger.ms", "0")]);
        for round in 0..20 {
            (0..4).for_each(|p| {
                stage.send("letters", p, None, format!("{round} to {p}").as_bytes());
            });
            if round == 10 {
                let gap = Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER);
                stage.model.inject(On::produce("letters", 1), gap);
                (0..steps).for_each(|_| assert!(stage.step()));
            }
        }
        stage.run_to_idle();

        assert_eq!(stage.core().metrics().epoch_bumps, 1, "after {steps} steps");
        assert_eq!(stage.written().len(), 81);
        (0..4).for_each(|p| assert_whole_sequence(&stage, p));
        stage.check();
    }
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

/// What was written to a partition has, epoch by epoch, the sequence 0, 1, 2 and so on.
fn assert_whole_sequence(stage: &Stage, partition: i32) {
    let mut next = BTreeMap::new();
    for a in stage.arrivals("letters", partition) {
        if a.appended {
            let next = next.entry(a.epoch).or_insert(0);
            assert_eq!(a.base_sequence, *next, "{a:?}");
            *next += a.count;
        }
    }
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
fn h167_a_hint_of_an_epoch_that_never_was_is_given_up() {
    let mut stage = warm(1, SINGLES);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Hostile(Hostile::HintFromTheFuture),
    );
    let letters = send_letters(&mut stage, 3);
    stage.run_for(Duration::from_secs(10));
    assert!(letters.iter().all(|&n| stage.is_written(n)));
    assert_eq!(
        stage.log("letters", 0),
        ["first", "letter 0", "letter 1", "letter 2"]
    );
    stage.check();
}
