//! Hard cases, sections 8 and 12: flush, and records that are given up.

use std::time::Duration;

use ottla_core::{DeliveryError, Purge};
use ottla_sim::{Fate, Fault, On, code};

use crate::common::{SINGLES, send_letters, warm};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h106_a_flush_waits_for_earlier_records_only() {
    let mut stage = warm(1, SINGLES);
    stage.set_latency(1, 20 * MILLISECOND);
    let earlier = send_letters(&mut stage, 3);
    let flush = stage.flush();
    while !stage.is_flushed(flush) {
        let value = format!("at {:?}", stage.now());
        stage.send("letters", 0, None, value.as_bytes());
        stage.run_for(MILLISECOND);
        assert!(stage.now() < SECOND, "later records are not waited for");
    }
    assert!(earlier.iter().all(|&n| stage.is_written(n)));
    assert!(!stage.unsettled().is_empty());
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h106_a_flush_ends_when_what_it_waits_for_fails() {
    let mut stage = warm(1, SINGLES);
    let rejected = Fault::Refuse(code::INVALID_RECORD);
    stage.model.inject(On::produce("letters", 0), rejected);
    let n = send_letters(&mut stage, 1)[0];
    let flush = stage.flush();
    stage.run_until(|stage| stage.is_flushed(flush));
    assert!(matches!(stage.outcome(n), Some(Fate::NotWritten(_))));
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h106_a_record_that_waits_for_room_does_not_hold_a_flush_up() {
    let mut stage = warm(1, SINGLES);
    stage.model.set_auto_create(false);
    let waits = stage.send("nowhere", None, None, b"not accepted yet");
    let flush = stage.flush();
    assert!(stage.is_flushed(flush));
    stage.give_up(waits);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h107_a_flush_overrides_lingering_once() {
    let rejected = Fault::Refuse(code::INVALID_RECORD);
    for fault in [Fault::Pass, rejected] {
        let mut stage = warm(1, &[("linger.ms", "1000")]);
        stage.model.inject(On::produce("letters", 0), fault);
        let flushed = stage.send("letters", 0, None, b"flushed");
        let flushes = [stage.flush(), stage.flush()];
        stage.run_for(5 * MILLISECOND);
        assert!(stage.outcome(flushed).is_some());
        assert!(flushes.iter().all(|&flush| stage.is_flushed(flush)));

        let start = stage.now();
        let lingers = stage.send("letters", 0, None, b"lingers again");
        stage.run_until(|stage| stage.outcome(lingers).is_some());
        assert_eq!(stage.now() - start, SECOND + 2 * MILLISECOND);
        stage.check();
    }
}

#[test]
fn h108_a_record_sent_from_within_an_outcome_is_not_part_of_the_flush() {
    let mut stage = warm(1, &[("linger.ms", "1000")]);
    let first = stage.send("letters", 0, None, b"flushed");
    let from_within = stage.send_when_ended(first, "letters", 0, None, b"sent from the callback");
    let flush = stage.flush();
    stage.run_until(|stage| stage.is_flushed(flush));
    assert!(stage.is_written(first) && stage.outcome(from_within).is_none());
    let second = stage.flush();
    stage.run_until(|stage| stage.is_flushed(second));
    assert!(stage.is_written(from_within));
    stage.check();
}

#[test]
fn h114_a_purge_ends_what_waits_and_what_is_on_the_way_each_in_its_words() {
    let mut stage = warm(1, SINGLES);
    stage.hold_answers(1);
    let on_the_way = send_letters(&mut stage, 5);
    let queued = stage.send("letters", 0, None, b"the sixth");
    stage.purge(Purge::Queued);
    let purged = || DeliveryError::Purged;
    assert_eq!(stage.outcome(queued), Some(&Fate::NotWritten(purged())));
    assert!(on_the_way.iter().all(|&n| stage.outcome(n).is_none()));

    stage.purge(Purge::InFlight);
    let is_unknown = |&n: &usize| stage.outcome(n) == Some(&Fate::MaybeWritten(purged()));
    assert!(on_the_way.iter().all(is_unknown));
    stage.release_answers(1);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h114_a_purge_at_any_moment_leaves_the_sequence_sound() {
    for what in [Purge::Queued, Purge::InFlight, Purge::All] {
        for steps in 0..25 {
            let mut stage = warm(2, SINGLES);
            let refuse = Fault::Refuse(code::NOT_ENOUGH_REPLICAS);
            stage.model.inject(On::produce("letters", 0), refuse);
            let lost = Fault::AppendThenDisconnect;
            stage.model.inject(On::produce("letters", 0), lost);
            for n in 0..10 {
                stage.send("letters", n % 2, None, format!("before {n}").as_bytes());
            }
            (0..steps).for_each(|_| _ = stage.step());
            stage.purge(what);
            let after: Vec<usize> = (0..10)
                .map(|n| stage.send("letters", n % 2, None, format!("after {n}").as_bytes()))
                .collect();
            stage.run_to_idle();

            assert!(after.iter().all(|&n| stage.is_written(n)), "{what:?}");
            assert_eq!(stage.closed(), None);
            stage.check();
        }
    }
}

#[test]
fn h161_what_is_given_up_after_an_unknown_attempt_may_be_written() {
    for what in [Purge::Queued, Purge::All] {
        let mut stage = warm(1, SINGLES);
        let lost = Fault::AppendThenDisconnect;
        stage.model.inject(On::produce("letters", 0), lost);
        let unknown = send_letters(&mut stage, 1)[0];
        stage.run_for(5 * MILLISECOND); // it waits to be asked about again
        stage.purge(what);
        let maybe = Fate::MaybeWritten(DeliveryError::Purged);
        assert_eq!(stage.outcome(unknown), Some(&maybe));
        let next = stage.send("letters", 0, None, b"next");
        stage.run_to_idle();
        assert!(stage.is_written(next));
        assert_eq!(stage.log("letters", 0), ["first", "letter 0", "next"]);
        stage.check();
    }
}
