//! Hard cases, section 2: sequences, and batches of which nobody knows whether they were written.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, Purge};
use ottla_sim::{Fate, Fault, On, code};

use crate::common::{SHORT, SINGLES, arrivals, send_letters, warm};

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
            cause: Cause::Metadata { .. }
        }))
    ));

    stage.model.move_leader("letters", 0, 2);
    stage.run_for(Duration::from_secs(2));
    let next = stage.send("letters", 0, None, b"next");
    stage.run_to_idle();
    assert!(stage.is_written(next));
    stage.check();
}
