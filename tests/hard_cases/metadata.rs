//! Hard cases, section 5: metadata, leaders, topics.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_core::{SendError, WaitedFor};
use ottla_sim::{Api, Fate, Fault, On, Stage, code};

use crate::common::{SINGLES, warm};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h059_a_hint_in_the_answer_is_followed_at_once() {
    let mut stage = warm(1, &[]);
    let (old, new) = move_leader(&mut stage);
    let start = stage.now();
    let n = stage.send("letters", 0, None, b"to the old leader first");
    stage.run_until(|stage| stage.is_written(n));
    // Lingering, four ways of a millisecond, and the way up of the new link: no back-off of 100 ms.
    assert!(stage.now() - start < Duration::from_millis(20));
    let brokers: Vec<i32> = stage
        .arrivals("letters", 0)
        .iter()
        .map(|p| p.broker)
        .collect();
    assert!(brokers.ends_with(&[old, new]), "{brokers:?}");
    stage.check();
}

#[test]
fn h059_without_a_hint_the_new_leader_is_found_by_asking() {
    let mut stage = warm(1, &[]);
    stage.model.set_leader_hints(false);
    move_leader(&mut stage);
    let (start, asked) = (stage.now(), stage.model.requests(Api::Metadata));
    let n = stage.send("letters", 0, None, b"to the old leader first");
    stage.run_until(|stage| stage.is_written(n));
    assert!(stage.model.requests(Api::Metadata) > asked);
    assert!(stage.now() - start < Duration::from_millis(250));
    stage.check();
}

#[test]
fn h063_h070_a_topic_that_is_hidden_for_a_while_loses_nothing() {
    let mut stage = warm(1, &[]);
    stage.model.set_leader_hints(false);
    move_leader(&mut stage);
    stage.model.hide_topic("letters", true);
    let numbers: Vec<usize> = (0..5)
        .map(|n| stage.send("letters", 0, None, format!("{n}").as_bytes()))
        .collect();
    stage.run_for(Duration::from_secs(10));
    assert!(numbers.iter().all(|&n| stage.outcome(n).is_none()));
    stage.model.hide_topic("letters", false);
    stage.run_to_idle();
    assert!(numbers.iter().all(|&n| stage.is_written(n)));
    stage.check();
}

#[test]
fn h065_a_partition_that_is_still_to_be_added_is_waited_for() {
    let mut stage = warm(1, &[]);
    let n = stage.send("letters", 3, None, b"for the fourth partition");
    let later = stage.send("letters", 0, None, b"others go on");
    stage.run_for(Duration::from_secs(5));
    assert!(stage.outcome(n).is_none() && stage.is_written(later));
    stage.model.add_partitions("letters", 3);
    stage.run_for(Duration::from_secs(2));
    assert!(stage.is_written(n), "it was asked about again meanwhile");
    stage.check();
}

#[test]
fn h065_a_partition_that_never_comes_is_refused_in_time() {
    let mut stage = warm(1, &[]);
    let start = stage.now();
    let n = stage.send("letters", 3, None, b"for the fourth partition");
    stage.run_until(|stage| stage.outcome(n).is_some());
    let (partition, partitions) = (3, 1);
    let refused = SendError::InvalidPartition {
        topic: "letters".into(),
        partition,
        partitions,
    };
    assert_eq!(stage.outcome(n), Some(&Fate::Refused(refused)));
    assert_eq!(stage.now() - start, Duration::from_secs(60));
    stage.check();
}

#[test]
fn h068_without_any_leader_records_wait_and_spread_and_others_flow() {
    let settings = [SINGLES, &[("metadata.max.age.ms", "500"), ("retries", "1")]].concat();
    let mut stage = warm(3, &settings);
    (0..3).for_each(|p| stage.model.remove_leader("letters", p));
    stage.run_for(SECOND);
    let waiting: Vec<usize> = (0..30)
        .map(|n| stage.send("letters", None, None, format!("letter {n}").as_bytes()))
        .collect();
    let other = stage.send("others", None, None, b"to another topic");
    stage.run_for(10 * SECOND);
    assert!(stage.is_written(other));
    assert!(waiting.iter().all(|&n| stage.outcome(n).is_none()));

    (0..3).for_each(|p| stage.model.move_leader("letters", p, 1 + p));
    stage.run_to_idle();
    assert!(waiting.iter().all(|&n| stage.is_written(n)));
    let chosen: BTreeSet<_> = waiting.iter().map(|&n| stage.sent(n).partition).collect();
    assert_eq!(chosen.len(), 3);
    stage.check();
}

#[test]
fn h069_h076_an_unknown_topic_waits_and_holds_up_no_other() {
    let mut stage = warm(1, &[]);
    stage.model.set_auto_create(false);
    let unknown = stage.send("nowhere", None, None, b"lost");
    let other = stage.send("letters", 0, None, b"found");
    stage.run_until(|stage| stage.outcome(unknown).is_some());
    let waited_for = WaitedFor::Metadata;
    assert!(matches!(
        stage.outcome(unknown),
        Some(Fate::Refused(SendError::TimedOut { waited_for: w, .. })) if *w == waited_for
    ));
    assert!(stage.is_written(other));
    stage.check();
}

#[test]
fn h072_many_failures_ask_for_metadata_once() {
    let mut stage = Stage::new(3, &[]);
    stage.model.create_topic("letters", 100);
    stage.warm_up("letters");
    stage.model.set_leader_hints(false);
    for partition in 0..100 {
        let leader = stage.model.leader("letters", partition).unwrap();
        stage
            .model
            .move_leader("letters", partition, leader % 3 + 1);
    }
    let asked = stage.model.requests(Api::Metadata);
    for partition in 0..100 {
        stage.send("letters", partition, None, b"to a leader of yesterday");
    }
    stage.run_to_idle();
    assert_eq!(
        stage.written().len(),
        stage.core().metrics().records_accepted as usize
    );
    let asked = stage.model.requests(Api::Metadata) - asked;
    assert!((1..=3).contains(&asked), "{asked} requests for metadata");
    stage.check();
}

#[test]
fn h071_topics_in_use_by_turns_are_never_forgotten() {
    let mut stage = warm(1, &[]);
    stage.model.create_topic("parcels", 1);
    stage.warm_up("parcels");
    for minute in 0..20 {
        let topic = ["letters", "parcels"][minute % 2];
        let value = format!("minute {minute}");
        stage
            .try_send(topic, None, None, value.as_bytes())
            .expect("nothing is to be looked up");
        stage.run_for(60 * SECOND);
    }
    assert_eq!(stage.written().len(), 21);
    stage.check();
}

#[test]
fn h073_a_broker_that_does_not_answer_is_asked_in_vain_once() {
    let mut stage = warm(1, &[]);
    stage.model.inject(On::Metadata, Fault::Silence);
    let start = stage.now();
    let n = stage.send("others", None, None, b"patient");
    stage.run_until(|stage| stage.is_written(n));
    let took = stage.now() - start;
    assert!(
        took > 30 * SECOND && took < 31 * SECOND,
        "request.timeout.ms, and then another broker: {took:?}"
    );
    stage.check();
}

#[test]
fn h073_a_broker_that_throttles_is_not_asked() {
    let mut stage = warm(1, SINGLES);
    stage.model.set_throttle(10 * SECOND);
    stage.send("letters", 0, None, b"its answer throttles");
    stage.run_for(Duration::from_millis(10));
    stage.model.set_throttle(Duration::ZERO);
    let start = stage.now();
    let n = stage.send("others", 1, None, b"elsewhere");
    stage.model.create_topic("others", 3);
    stage.run_until(|stage| stage.is_written(n));
    assert!(stage.now() - start < SECOND, "{:?}", stage.now() - start);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h076_a_topic_used_the_moment_it_was_created_loses_nothing() {
    let mut stage = warm(1, &[]);
    for _ in 0..3 {
        let of_new = On::MetadataOf {
            topic: "new".into(),
        };
        let not_yet = Fault::Refuse(code::LEADER_NOT_AVAILABLE);
        stage.model.inject(of_new, not_yet);
        let unknown = Fault::Refuse(code::UNKNOWN_TOPIC_OR_PARTITION);
        stage.model.inject(On::produce("new", 0), unknown);
    }
    let start = stage.now();
    let five = ["a", "b", "c", "d", "e"].map(|v| stage.send("new", None, None, v.as_bytes()));
    stage.run_to_idle();
    assert!(five.iter().all(|&n| stage.is_written(n)));
    assert!(
        stage.now() - start < 3 * SECOND,
        "{:?}",
        stage.now() - start
    );
    stage.check();
}

/// Moves the leader of partition 0 of `letters`; says from whom to whom.
fn move_leader(stage: &mut Stage) -> (i32, i32) {
    let old = stage.model.leader("letters", 0).unwrap();
    let new = old % 3 + 1;
    stage.model.move_leader("letters", 0, new);
    (old, new)
}
