//! Hard cases, section 8: the end of a producer.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, Fatal, SendError};
use ottla_sim::{Api, Dial, Fate, Fault, On, Stage, code};

use crate::common::{SINGLES, send_letters, warm};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h109_a_close_ends_everything_when_its_time_is_over() {
    let memory = ("buffer.memory", "4096");
    let mut stage = warm(2, &[SINGLES, &[memory]].concat());
    stage.lose_requests(1, true);
    stage.set_dial(2, Dial::BlackHole);
    stage.cut(2);
    let on_the_way = send_letters(&mut stage, 5);
    let queued = stage.send("letters", 1, None, b"behind a link that is not up");
    let waits = stage.send("letters", 1, None, &[b'x'; 3_000]);
    assert_eq!(stage.sent(waits).accepted, None);
    let start = stage.now();
    stage.close(SECOND);
    stage.run_until(|stage| stage.closed().is_some());

    assert_eq!(stage.now() - start, SECOND);
    // With what stood in the way (H168).
    let busy = DeliveryError::Closed { cause: Cause::Busy };
    let is_unknown = |&n: &usize| stage.outcome(n) == Some(&Fate::MaybeWritten(busy.clone()));
    assert!(on_the_way.iter().all(is_unknown));
    let Some(Fate::NotWritten(DeliveryError::Closed { cause })) = stage.outcome(queued) else {
        panic!("{:?}", stage.outcome(queued));
    };
    assert!(matches!(cause, Cause::NotConnected { .. }), "{cause:?}");
    assert_eq!(
        stage.outcome(waits),
        Some(&Fate::Refused(SendError::Closed))
    );
    stage.check();
}

#[test]
fn h109_a_close_without_time_ends_at_once() {
    let mut stage = warm(1, SINGLES);
    let on_the_way = send_letters(&mut stage, 3);
    let start = stage.now();
    stage.close(Duration::ZERO);
    stage.run_until(|stage| stage.closed().is_some());
    assert_eq!(stage.now(), start);
    let is_unknown = |&n: &usize| matches!(stage.outcome(n), Some(Fate::MaybeWritten(_)));
    assert!(on_the_way.iter().all(is_unknown));
    stage.check();
}

#[test]
fn h110_what_races_with_a_close_is_refused_or_has_its_outcome() {
    for steps in 0..40 {
        let mut stage = Stage::new(3, &[("buffer.memory", "8192")]);
        stage.model.create_topic("letters", 2);
        for n in 0..20 {
            let value = format!("{n} {}", "x".repeat(1_000));
            stage.send("letters", n % 2, None, value.as_bytes());
        }
        (0..steps).for_each(|_| _ = stage.step());
        let start = stage.now();
        stage.close(10 * SECOND);
        let late = stage.try_send("letters", 0, None, b"too late");
        assert_eq!(late, Err(SendError::Closed));
        stage.run_until(|stage| stage.closed().is_some());

        assert!(stage.now() - start < SECOND, "nothing is in the way");
        let is_fair = |&n: &usize| match stage.outcome(n) {
            Some(Fate::Written { .. }) => true,
            Some(Fate::Refused(SendError::Closed)) => stage.sent(n).accepted.is_none(),
            _ => false,
        };
        assert!((0..20).all(|n| is_fair(&n)), "after {steps} steps");
        stage.check();
    }
}

#[test]
fn h111_a_close_does_not_wait_for_what_nobody_waits_for() {
    type Lack = fn(&mut Stage);
    let lacks: [Lack; 3] = [
        |stage| stage.set_dial(1, Dial::BlackHole),
        |stage| stage.model.inject(On::Metadata, Fault::Silence),
        |stage| stage.model.inject(On::ApiVersions, Fault::Silence),
    ];
    for lack in lacks {
        let mut stage = Stage::new(1, &[]);
        lack(&mut stage);
        let n = stage.send("letters", None, None, b"waits for metadata");
        stage.run_for(100 * MILLISECOND);
        stage.close(60 * SECOND);
        assert_eq!(stage.outcome(n), Some(&Fate::Refused(SendError::Closed)));
        assert_eq!(stage.closed(), Some(None), "at once");
        stage.check();
    }
}

#[test]
fn h111_a_close_ends_in_time_whatever_records_wait_for() {
    type Lack = fn(&mut Stage);
    let lacks: [Lack; 4] = [
        |stage| (0..9).for_each(|_| stage.model.inject(On::InitProducerId, Fault::Refuse(14))),
        |stage| {
            stage.warm_up("letters");
            stage.model.set_throttle(600 * SECOND);
        },
        |stage| stage.model.remove_leader("letters", 0),
        |stage| {
            for _ in 0..99 {
                let refuse = Fault::Refuse(code::NOT_ENOUGH_REPLICAS);
                stage.model.inject(On::produce("letters", 0), refuse);
            }
        },
    ];
    for lack in lacks {
        for grace in [Duration::ZERO, SECOND] {
            let mut stage = Stage::new(1, SINGLES);
            stage.model.create_topic("letters", 1);
            lack(&mut stage);
            for n in 0..8 {
                stage.send("letters", 0, None, format!("letter {n}").as_bytes());
            }
            stage.run_for(100 * MILLISECOND);
            let start = stage.now();
            stage.close(grace);
            stage.run_until(|stage| stage.closed().is_some());
            assert_eq!(stage.now() - start, grace);
            stage.check();
        }
    }
}

#[test]
fn h113_a_second_close_may_only_shorten_the_time() {
    for (second, ends_after) in [(3, 3), (30, 5)] {
        let mut stage = warm(1, SINGLES);
        stage.lose_requests(1, true);
        send_letters(&mut stage, 3);
        let start = stage.now();
        stage.close(5 * SECOND);
        stage.close(second * SECOND);
        stage.run_until(|stage| stage.closed().is_some());
        assert_eq!(stage.now() - start, ends_after * SECOND);
        stage.check();
    }
}

#[test]
fn h113_after_the_end_nothing_is_left_to_do() {
    let mut stage = warm(1, SINGLES);
    send_letters(&mut stage, 3);
    stage.close(SECOND);
    stage.run_until(|stage| stage.closed().is_some());
    for _ in 0..3 {
        stage.close(SECOND);
        stage.purge(ottla_core::Purge::All);
        let flush = stage.flush();
        assert!(stage.is_flushed(flush), "there is nothing to wait for");
    }
    assert_eq!(stage.core().poll_timeout(), None, "no live timer");
    assert_eq!((1..=3).map(|broker| stage.links(broker)).sum::<usize>(), 0);
    stage.check();
}

#[test]
fn h113_a_close_after_a_fatal_error_changes_nothing() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_versions(1, Api::InitProducerId, None);
    stage.send("letters", None, None, b"in vain");
    stage.run_until(|stage| stage.closed().is_some());
    stage.close(SECOND);
    stage.run_for(2 * SECOND);
    assert!(matches!(stage.closed(), Some(Some(Fatal::ProducerId(_)))));
    assert_eq!(stage.core().poll_timeout(), None);
    stage.check();
}
