//! Hard cases, section 3: deadlines, to the tick.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, SendError, WaitedFor, wire::ErrorCode};
use ottla_sim::{Dial, Fate, Fault, On, Stage, code};

use crate::common::{SHORT, warm};

#[test]
fn h037_every_record_has_its_outcome_at_its_deadline() {
    for broken in [
        break_nothing,
        black_hole_links,
        black_hole_dials,
        remove_leader,
    ] {
        let mut stage = warm(2, SHORT);
        broken(&mut stage);
        stage.hold_answers(1);
        let numbers: Vec<usize> = (0..30)
            .map(|n| {
                stage.run_for(Duration::from_millis(97));
                send(&mut stage, &format!("letter {n}"))
            })
            .collect();
        stage.run_until(|stage| stage.unsettled().is_empty());
        for n in numbers {
            assert_eq!(life(&stage, n), LIMIT, "{:?}", stage.sent(n));
        }
    }
}

#[test]
fn h037_a_batch_counts_from_its_first_record() {
    let mut stage = warm(
        2,
        &[
            ("linger.ms", "1000"),
            ("request.timeout.ms", "4000"),
            ("delivery.timeout.ms", "5000"),
        ],
    );
    black_hole_links(&mut stage);
    let first = send(&mut stage, "opens the batch");
    stage.run_for(Duration::from_millis(700));
    let second = send(&mut stage, "joins it");
    stage.run_until(|stage| stage.unsettled().is_empty());
    assert_eq!(life(&stage, first), LIMIT);
    assert_eq!(life(&stage, second), LIMIT - Duration::from_millis(700));
}

#[test]
fn h038_a_success_after_the_deadline_is_not_told_but_resolves_the_sequence() {
    for (late, is_written) in [(-1_i64, true), (0, false), (1, false), (50, false)] {
        let mut stage = warm(2, SHORT);
        refuse_once(&mut stage);
        let n = send(&mut stage, "late");
        stage.run_for(Duration::from_millis(10));
        stage.hold_answers(1); // of the retry, whose time to be answered ends after the deadline
        let one_way = 1;
        stage.run_for(Duration::from_millis(
            5_000_u64.saturating_add_signed(late) - 10 - one_way,
        ));
        stage.release_answers(1);
        let fresh = send(&mut stage, "fresh");
        stage.run_to_idle();

        assert_eq!(
            stage.is_written(n),
            is_written,
            "{late} ms after the deadline"
        );
        if !is_written {
            assert_eq!(life(&stage, n), LIMIT);
            assert!(matches!(stage.outcome(n), Some(Fate::MaybeWritten(_))));
        }
        assert!(stage.is_written(fresh));
        assert_eq!(stage.core().metrics().epoch_bumps, 0);
        stage.check();
    }
}

#[test]
fn h039_memory_of_an_expired_batch_is_not_used_again_while_it_is_being_written() {
    let mut stage = warm(
        2,
        &[
            &SHORT[1..],
            &[("batch.size", "16384"), ("buffer.memory", "131072")],
        ]
        .concat(),
    );
    let memory = stage.core().config().buffer_memory();
    refuse_once(&mut stage);
    let value = "x".repeat(60_000);
    let expires = send(&mut stage, &value);
    stage.run_for(Duration::from_millis(10));
    stage.set_writer(1, Some(11));
    stage.run_until(|stage| stage.outcome(expires).is_some());
    assert!(
        stage.core().buffer_available() < memory - 60_000,
        "still charged, since the socket still reads it"
    );
    for n in 0..20 {
        stage.send(
            "letters",
            1,
            None,
            format!("{n} {}", "y".repeat(16_000)).as_bytes(),
        );
    }
    stage.run_for(Duration::from_millis(20));
    stage.set_writer(1, None);
    stage.run_to_idle();

    assert_eq!(
        stage.log("letters", 0),
        ["first", &value],
        "the bytes that were sent, untouched"
    );
    assert_eq!(stage.written().len(), 21);
    stage.check();
}

#[test]
fn h039_memory_of_an_expired_batch_is_free_once_its_bytes_are_in_nobodys_hands() {
    let memory = |stage: &Stage| stage.core().buffer_available();
    for is_whole in [true, false] {
        let mut stage = warm(2, &[SHORT, &[("request.timeout.ms", "4999")]].concat());
        let free = memory(&stage);
        refuse_once(&mut stage);
        let n = send(&mut stage, &"x".repeat(10_000));
        stage.run_for(Duration::from_millis(10));
        stage.hold_answers(1);
        stage.set_writer(1, (!is_whole).then_some(1));
        stage.run_until(|stage| stage.outcome(n).is_some());
        assert_eq!(memory(&stage) == free, is_whole, "no answer came yet");
        stage.cut(1);
        assert_eq!(memory(&stage), free, "nor will one ever come");
        stage.set_writer(1, None);
        stage.release_answers(1);
        let after = send(&mut stage, "after");
        stage.run_to_idle();
        assert!(stage.is_written(after));
        stage.check();
    }
}

#[test]
fn h040_expiry_needs_no_event_of_the_network() {
    let mut stage = warm(2, SHORT);
    (1..=3).for_each(|broker| {
        stage.set_dial(broker, Dial::Refuse);
        stage.cut(broker);
    });
    let n = send(&mut stage, "nowhere to go");
    stage.run_until(|stage| stage.outcome(n).is_some());
    assert_eq!(life(&stage, n), LIMIT);
    let Some(Fate::NotWritten(DeliveryError::Expired { cause })) = stage.outcome(n) else {
        panic!("{:?}", stage.outcome(n));
    };
    assert!(matches!(cause, Cause::Unreachable { .. }), "{cause:?}");
    stage.check();
}

#[test]
fn h041_an_expired_batch_is_neither_sent_again_nor_split() {
    for late in [
        code::NOT_LEADER_OR_FOLLOWER,
        code::NOT_ENOUGH_REPLICAS,
        code::MESSAGE_TOO_LARGE,
    ] {
        let mut stage = warm(2, SHORT);
        refuse_once(&mut stage);
        stage
            .model
            .inject(On::produce("letters", 0), Fault::Refuse(late));
        let n = send(&mut stage, "late");
        stage.run_for(Duration::from_millis(10));
        stage.hold_answers(1);
        stage.run_until(|stage| stage.outcome(n).is_some());
        stage.run_for(Duration::from_millis(20));
        stage.release_answers(1);
        let next = send(&mut stage, "next");
        stage.run_to_idle();

        assert!(
            matches!(stage.outcome(n), Some(Fate::MaybeWritten(_))),
            "what is on the way ends so"
        );
        assert!(stage.is_written(next));
        assert_eq!(stage.log("letters", 0), ["first", "next"]);
        assert_eq!(
            stage.arrivals("letters", 0).len(),
            4,
            "first, twice the late one, next"
        );
        stage.check();
    }
}

#[test]
fn h042_the_largest_times_never_end() {
    let most = i64::MAX.to_string();
    let mut stage = warm(2, &[("delivery.timeout.ms", "2147483647")]);
    stage.run_to_idle();
    let mut stage_that_lingers = Stage::new(3, &[("linger.ms", &most), ("max.block.ms", &most)]);
    for stage in [&mut stage, &mut stage_that_lingers] {
        stage.model.create_topic("letters", 2);
        stage.warm_up("letters");
        let n = send(stage, "patient");
        let waits = stage.core().config().linger() > Duration::from_secs(1);
        stage.run_for(Duration::from_secs(20 * 24 * 3_600));
        assert_eq!(stage.outcome(n).is_none(), waits);
        stage.flush();
        stage.run_to_idle();
        assert!(stage.is_written(n));
        stage.check();
    }
}

#[test]
fn h043_a_batch_goes_when_it_has_lingered_to_the_tick() {
    let mut stage = warm(2, &[("linger.ms", "40")]);
    let n = send(&mut stage, "lingers");
    stage.run_to_idle();
    let lingered = Duration::from_millis(40);
    let latency = Duration::from_millis(1);
    assert_eq!(
        stage.arrivals("letters", 0)[1].now,
        stage.sent(n).at + lingered + latency
    );
}

#[test]
fn h043_an_idle_producer_wakes_only_for_metadata_and_idle_links() {
    let mut stage = warm(2, SHORT);
    stage.run_for(Duration::from_secs(1_000));
    let (mut steps, until) = (0, stage.now() + Duration::from_secs(3_000));
    while stage.now() < until {
        assert!(stage.step());
        steps += 1;
    }
    // Every five minutes: the deadline, perhaps a dial of three steps, ApiVersions and Metadata of two each.
    assert!(
        steps <= 11 * 10,
        "{steps} steps in {:?}",
        Duration::from_secs(3_000)
    );
}

#[test]
fn h044_a_retry_that_can_t_end_before_the_deadline_is_not_sent() {
    let mut stage = warm(2, SHORT);
    refuse_once(&mut stage);
    stage.hold_answers(1);
    let n = send(&mut stage, "too late to try again");
    stage.run_for(LIMIT - Duration::from_millis(50));
    stage.release_answers(1);
    stage.run_to_idle();

    assert_eq!(
        stage.arrivals("letters", 0).len(),
        2,
        "first, and this one once"
    );
    assert!(life(&stage, n) <= LIMIT);
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
fn h045_a_record_sent_from_within_an_expiry_has_its_own_deadline() {
    let mut stage = warm(2, SHORT);
    black_hole_links(&mut stage);
    let expires = send(&mut stage, "expires");
    let sent_then = stage.send_when_ended(expires, "letters", 0, None, b"sent from the callback");
    stage.run_until(|stage| stage.outcome(expires).is_some());
    assert_eq!(stage.outcome(sent_then), None, "not part of the same pass");
    assert_eq!(stage.sent(sent_then).accepted, Some(stage.now()));
    stage.run_until(|stage| stage.outcome(sent_then).is_some());
    assert_eq!(life(&stage, sent_then), LIMIT);
}

#[test]
fn h046_max_block_is_one_budget_for_metadata_and_memory() {
    let mut stage = Stage::new(
        3,
        &[
            ("max.block.ms", "10000"),
            ("buffer.memory", "65536"),
            ("batch.size", "16384"),
            ("linger.ms", "0"),
        ],
    );
    stage.model.create_topic("full", 1);
    stage.warm_up("full");
    stage.model.set_auto_create(false);
    stage.hold_answers(1);
    for n in 0..4 {
        stage.send(
            "full",
            0,
            None,
            format!("{n}{}", "x".repeat(16_000)).as_bytes(),
        );
    }
    let (start, blocked) = (stage.now(), stage.send("letters", 0, None, &[b'y'; 16_000]));
    stage.run_for(Duration::from_secs(9));
    stage.model.create_topic("letters", 1);
    stage.run_until(|stage| stage.outcome(blocked).is_some());

    let Some(Fate::Refused(SendError::TimedOut { waited_for, .. })) = stage.outcome(blocked) else {
        panic!("{:?}", stage.outcome(blocked));
    };
    assert_eq!(*waited_for, WaitedFor::Memory);
    assert_eq!(stage.now() - start, Duration::from_secs(10));
    stage.release_answers(1);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h046_the_error_names_what_stood_in_the_way_of_metadata() {
    let mut stage = Stage::new(1, &[("max.block.ms", "10000")]);
    stage.set_dial(1, Dial::Refuse);
    let n = stage.send("letters", None, None, b"nobody there");
    stage.run_until(|stage| stage.outcome(n).is_some());
    let Some(Fate::Refused(SendError::TimedOut {
        waited_for: WaitedFor::Metadata,
        cause: Some(cause),
    })) = stage.outcome(n)
    else {
        panic!("{:?}", stage.outcome(n));
    };
    assert!(matches!(cause, Cause::Unreachable { .. }), "{cause:?}");
    assert_eq!(stage.now(), Duration::from_secs(10));
    stage.check();
}

#[test]
fn h047_what_is_throttled_until_its_deadline_is_not_written_and_says_why() {
    let mut stage = warm(2, SHORT);
    stage.model.set_throttle(Duration::from_secs(600));
    send(&mut stage, "its answer throttles");
    stage.run_for(Duration::from_millis(5));
    let n = send(&mut stage, "throttled");
    stage.run_until(|stage| stage.outcome(n).is_some());

    let error = DeliveryError::Expired {
        cause: Cause::Throttled,
    };
    assert_eq!(stage.outcome(n), Some(&Fate::NotWritten(error)));
    assert_eq!(life(&stage, n), LIMIT);
    stage.model.set_throttle(Duration::ZERO);
    stage.check();
}

#[test]
fn h047_what_finds_no_leader_says_so() {
    let mut stage = warm(2, SHORT);
    stage.model.remove_leader("letters", 1);
    let n = stage.send("letters", 1, None, b"no leader");
    stage.run_until(|stage| stage.outcome(n).is_some());
    assert_eq!(life(&stage, n), LIMIT);
    let Some(Fate::NotWritten(DeliveryError::Expired { .. }) | Fate::MaybeWritten(_)) =
        stage.outcome(n)
    else {
        panic!("{:?}", stage.outcome(n));
    };
    let second = stage.send("letters", 1, None, b"still none");
    stage.run_until(|stage| stage.outcome(second).is_some());
    let error = DeliveryError::Expired {
        cause: Cause::Metadata {
            topic: "letters".into(),
            partition: Some(1),
            code: ErrorCode::LEADER_NOT_AVAILABLE,
        },
    };
    assert_eq!(stage.outcome(second), Some(&Fate::NotWritten(error)));
    stage.check();
}

const LIMIT: Duration = Duration::from_secs(5);

fn send(stage: &mut Stage, value: &str) -> usize {
    stage.send("letters", 0, None, value.as_bytes())
}

fn refuse_once(stage: &mut Stage) {
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
}

/// The time from a record's acceptance to its outcome.
fn life(stage: &Stage, n: usize) -> Duration {
    let sent = stage.sent(n);
    sent.ended.expect("it has its outcome") - sent.accepted.expect("it was accepted")
}

fn break_nothing(_: &mut Stage) {}

fn black_hole_links(stage: &mut Stage) {
    stage.lose_requests(1, true);
}

fn black_hole_dials(stage: &mut Stage) {
    stage.set_dial(1, Dial::BlackHole);
    stage.cut(1);
}

fn remove_leader(stage: &mut Stage) {
    stage.model.remove_leader("letters", 0);
}
