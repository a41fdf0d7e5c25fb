//! Hard cases, section 1: what is tried again, when, and how often.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError};
use ottla_sim::{Api, Fate, Fault, On, Stage, code};

use crate::common::{SINGLES, arrivals, send_letters, warm};

#[test]
fn h010_a_rejected_batch_fails_alone() {
    for rejected in 0..5 {
        let mut stage = warm(1, SINGLES);
        (0..rejected).for_each(|_| stage.model.inject(On::produce("letters", 0), Fault::Pass));
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::INVALID_RECORD),
        );
        let five = send_letters(&mut stage, 5);
        stage.run_to_idle();

        for (n, &number) in five.iter().enumerate() {
            assert_eq!(
                stage.is_written(number),
                n != rejected,
                "{n}: {:?}",
                stage.outcome(number)
            );
        }
        assert_eq!(
            stage.core().metrics().epoch_bumps,
            1,
            "its part of the sequence is spent"
        );
        stage.check();
    }
}

#[test]
fn h011_the_back_off_doubles_up_to_a_second() {
    let mut stage = warm(1, SINGLES);
    (0..7).for_each(|_| {
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
        )
    });
    send_letters(&mut stage, 1);
    stage.run_to_idle();

    let times: Vec<Duration> = arrivals(&stage).iter().map(|a| a.now).collect();
    for (pair, mean) in times[1..]
        .windows(2)
        .zip([100, 200, 400, 800, 1000, 1000, 1000])
    {
        let (wait, round_trip) = ((pair[1] - pair[0]).as_micros(), 2_000);
        assert!(wait >= mean * 800 + round_trip, "{wait} µs after {mean} ms");
        assert!(
            wait <= (mean * 1_200).min(1_000_000) + round_trip + 1,
            "{wait} µs after {mean} ms"
        );
    }
    stage.check();
}

#[test]
fn h011_a_newer_leader_is_asked_at_once_and_the_same_one_is_not() {
    let mut stage = warm(1, SINGLES);
    stage.model.move_leader("letters", 0, 2);
    send_letters(&mut stage, 1);
    stage.run_to_idle();
    let moved = arrivals(&stage);
    assert_eq!((moved[1].broker, moved[2].broker), (1, 2));
    assert!(
        moved[2].now - moved[1].now < Duration::from_millis(20),
        "the hint is followed without a wait"
    );

    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_LEADER_OR_FOLLOWER),
    );
    stage.send("letters", 0, None, b"again");
    stage.run_to_idle();
    let same = arrivals(&stage);
    assert!(
        same[4].now - same[3].now >= Duration::from_millis(80),
        "the leader is unchanged"
    );
    stage.check();
}

#[test]
fn h012_when_retries_run_out_the_last_error_is_the_reason() {
    let mut stage = warm(
        1,
        &[("retries", "2"), ("batch.size", "0"), ("linger.ms", "0")],
    );
    (0..3).for_each(|_| {
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
        )
    });
    let refused = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    let next = stage.send("letters", 0, None, b"next");
    stage.run_to_idle();

    let Some(Fate::NotWritten(DeliveryError::RetriesExhausted {
        last: Cause::Broker { code, .. },
    })) = stage.outcome(refused)
    else {
        panic!("{:?}", stage.outcome(refused));
    };
    assert_eq!(code.0, ottla_sim::code::NOT_ENOUGH_REPLICAS);
    assert!(
        stage.is_written(next),
        "the sequence goes on, under another epoch"
    );
    assert_eq!(arrivals(&stage)[4].epoch, 1);
    stage.check();
}

#[test]
fn h012_when_retries_run_out_after_an_unknown_attempt_nobody_knows() {
    let mut stage = warm(
        1,
        &[("retries", "2"), ("batch.size", "0"), ("linger.ms", "0")],
    );
    stage
        .model
        .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
    (0..2).for_each(|_| {
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
        )
    });
    let unknown = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    stage.send("letters", 0, None, b"next");
    stage.run_to_idle();

    assert!(matches!(
        stage.outcome(unknown),
        Some(Fate::MaybeWritten(DeliveryError::RetriesExhausted { .. }))
    ));
    assert_eq!(stage.log("letters", 0), ["first", "letter 0", "next"]);
    stage.check();
}

#[test]
fn h014_only_the_partition_that_failed_is_sent_again() {
    let mut stage = Stage::new(3, &[]);
    stage.model.create_topic("letters", 9);
    stage.warm_up("letters");
    stage.model.inject(
        On::produce("letters", 3),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    let [good, retried, other] = [0, 3, 6].map(|partition| {
        stage.send(
            "letters",
            partition,
            None,
            format!("to {partition}").as_bytes(),
        )
    });
    stage.run_until(|stage| stage.is_written(good));
    assert!(stage.is_written(other) && stage.outcome(retried).is_none());

    stage.run_to_idle();
    assert!(stage.is_written(retried));
    assert_eq!(
        stage.model.requests(Api::Produce),
        2,
        "one for all three, one for the retry"
    );
    stage.check();
}
