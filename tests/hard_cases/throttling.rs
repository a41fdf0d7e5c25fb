//! Hard cases, section 10: brokers that throttle.

use std::time::Duration;

use ottla_core::Disconnect;
use ottla_sim::Stage;

use crate::common::{is_unreachable, send_letters, singles};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h138_a_broker_that_throttles_is_left_alone_and_the_others_are_not() {
    let mut stage = throttled(&[40]);
    let until = stage.now() + 40 * SECOND;
    let muted = stage.send("letters", 0, None, b"waits");
    let other = stage.send("letters", 1, None, b"goes to another broker");
    stage.run_until(|stage| stage.is_written(other));
    assert!(stage.now() < SECOND, "{:?}", stage.now());
    stage.run_until(|stage| stage.is_written(muted));

    let last = stage.arrivals("letters", 0).pop().expect("it arrived");
    assert!(last.now > until - Duration::from_millis(20));
    assert!(stage.now() < until + SECOND / 2);
    assert_eq!(stage.warnings(), [], "no link was given up for it");
    stage.check();
}

#[test]
fn h138_of_several_times_the_latest_end_counts() {
    for times in [&[40, 10][..], &[10, 40], &[40, 0], &[20, 40, 20, 0]] {
        let mut stage = throttled(times);
        let start = stage.now();
        let muted = stage.send("letters", 0, None, b"waits");
        stage.run_until(|stage| stage.is_written(muted));
        let waited = stage.now() - start;
        assert!(waited > 39 * SECOND && waited < 41 * SECOND, "{waited:?}");
        stage.check();
    }
}

#[test]
fn h138_an_answer_may_be_late_by_the_time_of_throttling_and_no_more() {
    let mut stage = singles(&[]);
    stage.model.set_throttle(10 * SECOND);
    let five = send_letters(&mut stage, 4);
    stage.run_until(|stage| stage.model.produce_journal().count() == 5);
    stage.hold_answers(1);
    let start = stage.now();
    let held = stage.send("letters", 0, None, b"its answer is lost");
    stage.run_until(|stage| five.iter().all(|&n| stage.is_written(n)));
    stage.run_until(|stage| !stage.warnings().is_empty());
    assert!(is_unreachable(stage.warnings(), |why| matches!(
        why,
        Disconnect::RequestTimedOut { .. }
    )));
    let patience = stage.now() - start;
    assert!(patience < 41 * SECOND, "{patience:?}");
    stage.model.set_throttle(Duration::ZERO);
    stage.release_answers(1);
    stage.run_to_idle();
    assert!(stage.is_written(held));
    stage.check();
}

#[test]
fn h138_a_flush_and_a_close_end_though_a_broker_throttles() {
    let mut stage = throttled(&[600]);
    let n = stage.send("letters", 0, None, b"muted until its deadline");
    let flush = stage.flush();
    let start = stage.now();
    stage.run_until(|stage| stage.is_flushed(flush));
    assert_eq!(stage.now() - start, 120 * SECOND, "delivery.timeout.ms");
    assert!(stage.outcome(n).is_some());

    stage.send("letters", 0, None, b"muted until the close");
    let start = stage.now();
    stage.close(SECOND);
    stage.run_until(|stage| stage.closed().is_some());
    assert_eq!(stage.now() - start, SECOND);
    stage.check();
}

/// Broker 1 has just asked for so many seconds of peace, in one answer close behind the other.
fn throttled(times: &[u32]) -> Stage {
    let mut stage = singles(&[]);
    stage.model.set_listens_while_throttling(true);
    for (n, seconds) in times.iter().enumerate() {
        let value = format!("{n} is answered with {seconds} s");
        stage.send("letters", 0, None, value.as_bytes());
        stage.run_for(Duration::from_micros(100));
    }
    let before = stage.model.produce_journal().count();
    for (n, &seconds) in (1..).zip(times) {
        stage.model.set_throttle(seconds * SECOND);
        stage.run_until(|stage| stage.model.produce_journal().count() == before + n);
    }
    stage.model.set_throttle(Duration::ZERO);
    stage.run_for(Duration::from_millis(5));
    stage
}
