//! Hard cases, section 5: topics that are deleted and made anew.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, SendError, Warning};
use ottla_sim::{Api, Fate, Fault, On, Stage};

use crate::common::{SINGLES, warm};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h061_a_topic_made_anew_counts_its_epochs_from_zero() {
    let mut stage = fresh(1);
    for leader in [2, 3, 2, 3] {
        stage.model.move_leader("letters", 0, leader);
    }
    stage.run_for(SECOND);
    let (leader, epoch) = leader_of(&stage);
    make_anew(&mut stage, 1);
    assert_ne!(leader_of(&stage).0, leader);
    assert!(leader_of(&stage).1 < epoch);
    stage.run_for(SECOND);
    let n = stage.send("letters", 0, None, b"to the new topic");
    stage.run_to_idle();

    assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(0) }));
    assert_eq!(stage.arrivals("letters", 0).len(), 2, "at the first try");
    assert!(matches!(stage.warnings(), [Warning::TopicRecreated(_)]));
    stage.check();
}

#[test]
fn h061_a_topic_made_anew_is_found_out_without_ids() {
    let mut stage = fresh(1);
    for broker in 1..=3 {
        stage
            .model
            .set_versions(broker, Api::Metadata, Some((0, 9)));
    }
    for leader in [2, 3, 2, 3] {
        stage.model.move_leader("letters", 0, leader);
    }
    stage.send("letters", 0, None, b"to the old topic");
    stage.run_to_idle();
    let leader = leader_of(&stage).0;
    make_anew(&mut stage, 1);
    assert_ne!(leader_of(&stage).0, leader);
    let n = stage.send("letters", 0, None, b"to the new topic");
    stage.run_to_idle();

    assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(0) }));
    let is_told = |warning: &Warning| matches!(warning, Warning::TopicRecreated(_));
    assert!(stage.warnings().iter().any(is_told));
    stage.check();
}

#[test]
fn h061_a_topic_without_an_id_takes_none_that_has_one_along_by_name() {
    let mut stage = Stage::new(2, SINGLES);
    stage.model.create_topic("letters", 2);
    stage.model.create_topic("notes", 1);
    stage.warm_up("letters");
    stage.model.set_versions(2, Api::Metadata, Some((0, 9)));
    stage.send("letters", 1, None, b"to the other broker");
    stage.run_to_idle();
    // The first broker is busy, so that the other is asked about the second topic: it knows no ids.
    stage.hold_answers(1);
    stage.send("letters", 0, None, b"on the way");
    stage.run_for(SECOND);
    stage.warm_up("notes");
    stage.release_answers(1);
    // What is being written lets the next two gather.
    stage.set_writer(1, Some(0));
    stage.send("letters", 0, None, b"being written");
    stage.run_for(SECOND);
    stage.send("notes", 0, None, b"one");
    stage.send("letters", 0, None, b"two");
    stage.run_for(SECOND);
    stage.set_writer(1, None);
    stage.run_to_idle();

    let versions = |topic| {
        let arrivals = stage.arrivals(topic, 0);
        arrivals
            .iter()
            .map(|batch| batch.version)
            .collect::<Vec<_>>()
    };
    assert_eq!(versions("letters"), [13; 3], "by its id");
    assert_eq!(versions("notes"), [12], "by its name");
    stage.check();
}

#[test]
fn h062_an_answer_is_about_the_topic_that_was_asked_for() {
    let mut stage = fresh(1);
    let late = Fault::Delay(3 * SECOND);
    stage.model.inject(On::produce("letters", 0), late);
    let old = stage.send("letters", 0, None, b"to the old topic");
    stage.run_for(Duration::from_millis(10));
    make_anew(&mut stage, 1);
    stage.run_for(SECOND);
    let new = stage.send("letters", 0, None, b"to the new topic");
    stage.run_to_idle();

    assert_eq!(stage.outcome(old), Some(&Fate::Written { offset: Some(1) }));
    assert_eq!(stage.outcome(new), Some(&Fate::Written { offset: Some(0) }));
    assert_eq!(stage.log("letters", 0), ["to the new topic"]);
    stage.check();
}

#[test]
fn h064_what_waits_for_a_vanished_partition_ends_in_time_and_says_why() {
    let mut stage = fresh(16);
    stage.model.remove_leader("letters", 9);
    stage.run_for(SECOND);
    let queued = stage.send("letters", 9, None, b"there is no tenth any more");
    make_anew(&mut stage, 4);
    stage.run_for(SECOND);
    let keyed = (0..20_u8).map(|n| stage.send("letters", None, Some(&[n]), &[n]));
    let keyed: Vec<usize> = keyed.collect();
    let late = stage.send("letters", 9, None, b"nor is there one now");
    stage.run_until(|stage| stage.unsettled().is_empty());

    let cause = Cause::NoLeader;
    let error = DeliveryError::Expired { cause };
    assert_eq!(stage.outcome(queued), Some(&Fate::NotWritten(error)));
    let (partition, partitions) = (9, 4);
    let refused = SendError::InvalidPartition {
        topic: "letters".into(),
        partition,
        partitions,
    };
    assert_eq!(stage.outcome(late), Some(&Fate::Refused(refused)));
    assert!(keyed.iter().all(|&n| stage.is_written(n)));
    stage.check();
}

/// A topic of which the producer hears within half a second.
fn fresh(partitions: i32) -> Stage {
    let mut stage = warm(
        partitions,
        &[SINGLES, &[("metadata.max.age.ms", "500")]].concat(),
    );
    stage.excuse_losses(); // the records of the old topic go with it
    stage
}

fn make_anew(stage: &mut Stage, partitions: i32) {
    stage.model.delete_topic("letters");
    stage.model.create_topic("letters", partitions);
}

fn leader_of(stage: &Stage) -> (i32, i32) {
    let leader = stage.model.leader("letters", 0).expect("it has one");
    (leader, stage.model.leader_epoch("letters", 0))
}

#[test]
fn h158_records_with_a_key_don_t_move_those_without() {
    let mut stage = warm(3, &[("batch.size", "1000"), ("linger.ms", "5000")]);
    let mut without = Vec::new();
    for n in 0..6 {
        let value = format!("without a key {n}");
        without.push(stage.send("letters", None, None, value.as_bytes()));
        for m in 0..20 {
            let value = format!("with a key {n}.{m} {:200}", "");
            stage.send("letters", None, Some(b"key"), value.as_bytes());
        }
    }
    stage.run_to_idle();

    let partitions: Vec<_> = without.iter().map(|&n| stage.sent(n).partition).collect();
    assert_eq!(
        partitions, [partitions[0]; 6],
        "far fewer bytes than batch.size"
    );
    stage.check();
}
