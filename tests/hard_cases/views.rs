//! Hard cases, section 5: brokers that lag behind, and answers that contradict themselves.

use std::time::Duration;

use ottla_sim::{Fault, Hostile, On, Stage, code};

use crate::common::{SINGLES, arrivals, warm};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h060_a_broker_that_lags_behind_misleads_nobody() {
    let mut stage = curious();
    stage.model.lag_metadata(3);
    stage.model.move_leader("letters", 0, 2);
    for n in 0..50 {
        stage.send("letters", 0, None, format!("letter {n}").as_bytes());
        stage.run_for(SECOND / 10);
    }
    stage.run_to_idle();

    let is_misled = |a: &&ottla_sim::Produced| a.code == code::NOT_LEADER_OR_FOLLOWER;
    let misled = arrivals(&stage).iter().filter(is_misled).count();
    assert!(misled <= 1, "{misled} times to the leader of yesterday");
    assert_eq!(stage.written().len(), 51);
    stage.check();
}

#[test]
fn h060_a_leader_without_a_newer_epoch_is_believed() {
    let mut stage = curious();
    stage.model.lag_metadata(1);
    stage.model.remove_leader("letters", 0);
    stage.run_for(SECOND);
    stage.model.catch_up_metadata(1);
    stage.model.move_leader("letters", 0, 3);
    stage.run_for(SECOND);
    let n = stage.send("letters", 0, None, b"to the third leader");
    stage.run_until(|stage| stage.is_written(n));
    assert_eq!(
        stage.arrivals("letters", 0).last().map(|a| a.broker),
        Some(3)
    );
    stage.check();
}

#[test]
fn h066_records_survive_that_a_broker_leaves_their_partition_out() {
    let mut stage = curious();
    stage.model.lag_metadata(2);
    stage.model.lag_metadata(3);
    stage.model.add_partitions("letters", 3);
    for n in 0..50 {
        stage.send("letters", 3, None, format!("letter {n}").as_bytes());
        stage.run_for(SECOND / 10);
    }
    stage.run_to_idle();
    assert_eq!(stage.written().len(), 51);
    stage.check();
}

#[test]
fn h067_a_topic_without_partitions_is_not_known_yet() {
    let mut stage = curious();
    answer(&mut stage, Hostile::NoPartitions, 5);
    let start = stage.now();
    let keyed = stage.send("others", None, Some(b"key"), b"hashed over no partition");
    let keyless = stage.send("others", None, None, b"chosen among none");
    let known = stage.send("letters", 0, None, b"whose partitions were known");
    stage.run_to_idle();

    assert!([keyed, keyless, known].iter().all(|&n| stage.is_written(n)));
    assert!(
        stage.now() - start < 10 * SECOND,
        "{:?}",
        stage.now() - start
    );
    stage.check();
}

#[test]
fn h074_an_answer_that_makes_no_sense_does_no_lasting_harm() {
    use Hostile::*;
    let kinds = [
        UnknownLeader,
        RepeatedPartition,
        NegativePartition,
        HugePartition,
        ManyPartitions,
        NegativeEpoch,
        RepeatedBroker,
        ManyBrokers,
        NoBrokers,
        NegativeBrokers,
        EmptyHost,
        PortOutOfRange,
        OtherTopics,
        RepeatedTopic,
    ];
    for hostile in kinds {
        let mut stage = curious();
        answer(&mut stage, hostile, 3);
        let new = stage.send("others", 0, None, b"to a topic that is asked about");
        let known = stage.send("letters", 0, None, b"to one that is known");
        stage.run_for(2 * SECOND);
        let later = stage.send("letters", 0, None, b"when all make sense again");
        stage.run_to_idle();
        for n in [new, known, later] {
            assert!(stage.is_written(n), "{hostile:?}: {:?}", stage.outcome(n));
        }
        stage.check();
    }
}

/// A producer that asks for metadata three times a second, of whichever broker.
fn curious() -> Stage {
    warm(1, &[SINGLES, &[("metadata.max.age.ms", "300")]].concat())
}

fn answer(stage: &mut Stage, hostile: Hostile, times: usize) {
    (0..times).for_each(|_| stage.model.inject(On::Metadata, Fault::Hostile(hostile)));
}
