//! Hard cases, section 2: producer ids, and what a producer is without one.

use std::time::Duration;

use ottla_core::{DeliveryError, Fatal};
use ottla_sim::{Api, Fate, Fault, On, Stage, code};

use crate::common::{SINGLES, arrivals, send_letters, warm};

#[test]
fn h023_when_epochs_are_used_up_there_is_a_new_id() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_next_producer(7, i16::MAX - 1);
    stage.model.create_topic("letters", 2);
    for value in ["a", "b", "c", "d"] {
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        );
        stage.send("letters", 0, None, value.as_bytes());
        stage.send("letters", 1, None, value.to_uppercase().as_bytes());
        stage.run_to_idle();
    }

    assert_eq!(stage.written().len(), 8);
    let good = arrivals(&stage)
        .into_iter()
        .filter(|a| a.code == code::NONE);
    let identities: Vec<(i64, i16)> = good.map(|a| (a.producer_id, a.epoch)).collect();
    assert_eq!(identities, [(7, i16::MAX), (8, 0), (8, 1), (8, 2)]);
    assert_eq!(stage.model.requests(Api::InitProducerId), 2);
    stage.check();
}

#[test]
fn h023_a_producer_id_that_was_held_before_is_not_taken_again() {
    let mut stage = warm(2, SINGLES);
    let (id, epoch) = (arrivals(&stage)[0].producer_id, arrivals(&stage)[0].epoch);
    // A cluster that was set back gives out again what it gave before.
    stage.model.set_next_producer(id, epoch);
    stage.model.inject(
        On::produce("letters", 1),
        Fault::Refuse(code::INVALID_PRODUCER_EPOCH),
    );
    stage.send("letters", 1, None, b"costs the id");
    stage.run_to_idle();
    let two = send_letters(&mut stage, 2);
    stage.run_to_idle();

    assert!(two.iter().all(|&n| stage.is_written(n)));
    assert!(
        stage.model.requests(Api::InitProducerId) >= 3,
        "asked again"
    );
    let last = arrivals(&stage).pop().expect("two arrived");
    assert_ne!(last.producer_id, id);
    stage.check();
}

#[test]
fn h028_a_producer_id_that_does_not_come_at_once_is_waited_for() {
    const LOADING: i16 = 14;
    const CONCURRENT: i16 = 51;
    let faults = [
        Fault::Refuse(LOADING),
        Fault::Refuse(CONCURRENT),
        Fault::Disconnect,
        Fault::AppendThenDisconnect,
    ];
    for fault in faults {
        for times in 1..4 {
            let mut stage = Stage::new(3, SINGLES);
            (0..times).for_each(|_| stage.model.inject(On::InitProducerId, fault.clone()));
            let n = stage.send("letters", None, None, b"patient");
            stage.run_to_idle();
            assert!(stage.is_written(n), "{fault:?}, {times} times");
            assert!(stage.now() < Duration::from_secs(3), "{:?}", stage.now());
            stage.check();
        }
    }
}

#[test]
fn h028_a_refused_producer_id_fails_what_waits_and_nothing_later() {
    let mut stage = Stage::new(3, SINGLES);
    stage.model.inject(
        On::InitProducerId,
        Fault::Refuse(code::CLUSTER_AUTHORIZATION_FAILED),
    );
    stage.model.create_topic("letters", 1);
    let refused = stage.send("letters", 0, None, b"refused");
    stage.run_until(|stage| stage.outcome(refused).is_some());
    assert!(
        matches!(
            stage.outcome(refused),
            Some(Fate::NotWritten(_) | Fate::Refused(_))
        ),
        "{:?}",
        stage.outcome(refused)
    );

    let granted = stage.send("letters", 0, None, b"granted");
    stage.run_to_idle();
    assert!(stage.is_written(granted));
    stage.check();
}

#[test]
fn h028_brokers_without_producer_ids_are_fatal() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_versions(1, Api::InitProducerId, None);
    let n = stage.send("letters", None, None, b"in vain");
    stage.run_until(|stage| stage.closed().is_some());

    assert!(matches!(stage.closed(), Some(Some(Fatal::ProducerId(_)))));
    assert!(matches!(
        stage.outcome(n),
        Some(Fate::NotWritten(_) | Fate::Refused(_))
    ));
    stage.run_to_idle();
    assert_eq!(stage.links(1), 0);
    stage.check();
}

#[test]
fn h034_a_newer_epoch_of_somebody_else_means_a_new_id() {
    let mut stage = warm(2, SINGLES);
    let id = arrivals(&stage)[0].producer_id;
    stage.model.fence_producer("letters", 0, id, 5);
    let three = send_letters(&mut stage, 3);
    stage.run_to_idle();

    assert!(
        three.iter().all(|&n| stage.is_written(n)),
        "{:?}",
        stage.outcome(three[0])
    );
    let last = arrivals(&stage).pop().expect("three arrived");
    assert_ne!(last.producer_id, id);
    assert_eq!(stage.model.requests(Api::InitProducerId), 2);
    stage.check();
}

#[test]
fn h034_a_leader_that_took_a_batch_of_the_old_id_has_taken_nothing_of_the_new_one() {
    let mut stage = warm(2, SINGLES);
    let on_first = || On::produce("letters", 0);
    stage
        .model
        .inject(on_first(), Fault::Refuse(code::NOT_ENOUGH_REPLICAS));
    stage.send("letters", 0, None, b"again after the id has changed");
    stage.model.inject(
        On::produce("letters", 1),
        Fault::Refuse(code::INVALID_PRODUCER_EPOCH),
    );
    stage.send("letters", 1, None, b"costs the id");
    stage.run_for(Duration::from_millis(50));
    stage.model.inject(on_first(), Fault::Pass);
    stage
        .model
        .inject(on_first(), Fault::Refuse(code::NOT_ENOUGH_REPLICAS));
    send_letters(&mut stage, 3);
    stage.run_to_idle();

    assert_eq!(stage.written().len(), 6);
    stage.check(); // in order: nothing was pipelined behind the batch that was refused
}

#[test]
fn h036_a_broker_without_record_batches_is_a_clear_error_at_once() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.set_versions(1, Api::Produce, Some((0, 2)));
    let n = stage.send("letters", None, None, b"too new");
    stage.run_to_idle();
    assert_eq!(
        stage.outcome(n),
        Some(&Fate::NotWritten(DeliveryError::UnsupportedVersion))
    );
    assert!(stage.now() < Duration::from_secs(1));

    // The link goes with the refusal: the next one asks again, and the broker is a newer one by now.
    stage.model.set_versions(1, Api::Produce, Some((0, 13)));
    let after = stage.send("letters", None, None, b"new enough");
    stage.run_to_idle();
    assert!(stage.is_written(after));
    stage.check();
}
