//! Hard cases, section 5: metadata, leaders, topics.

use std::time::Duration;

use ottla_core::{SendError, WaitedFor};
use ottla_sim::{Api, Fate, Stage};

use crate::common::warm;

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
        partition,
        partitions,
    };
    assert_eq!(stage.outcome(n), Some(&Fate::Refused(refused)));
    assert_eq!(stage.now() - start, Duration::from_secs(60));
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

/// Moves the leader of partition 0 of `letters`; says from whom to whom.
fn move_leader(stage: &mut Stage) -> (i32, i32) {
    let old = stage.model.leader("letters", 0).unwrap();
    let new = old % 3 + 1;
    stage.model.move_leader("letters", 0, new);
    (old, new)
}
