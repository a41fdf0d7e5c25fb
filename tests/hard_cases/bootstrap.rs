//! Hard cases, section 11: names, addresses and seeds.

use std::net::SocketAddr;
use std::time::Duration;

use ottla_core::{Cause, ResolveError, Warning, wire::ErrorCode};
use ottla_sim::{Api, Fault, Lookup, On, Stage};

use crate::common::{SINGLES, arrivals, send_letters, singles};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h147_when_all_addresses_have_failed_the_name_is_looked_up_again() {
    let mut stage = Stage::new(1, &[]);
    stage.set_lookup("broker-1", Lookup::Found(vec![nobody(8), nobody(9)]));
    let n = stage.send("letters", None, None, b"patient");
    stage.run_for(SECOND);
    assert_eq!(stage.model.requests(Api::ApiVersions), 0);
    stage.set_lookup("broker-1", Lookup::Found(vec![nobody(9), at(9091)]));
    stage.run_until(|stage| stage.is_written(n));
    assert!(stage.now() < 3 * SECOND, "{:?}", stage.now());
    stage.check();
}

#[test]
fn h147_when_a_link_that_was_up_breaks_the_name_is_looked_up_again() {
    let mut stage = Stage::new(1, SINGLES);
    stage.set_lookup("broker-1", Lookup::Found(vec![at(9091), nobody(9)]));
    stage.send("letters", None, None, b"by the first address");
    stage.run_to_idle();
    stage.set_lookup("broker-1", Lookup::Found(vec![at(9091)]));
    stage.cut(1);
    let n = stage.send("letters", None, None, b"by the same, without a detour");
    while !stage.is_written(n) {
        assert!(stage.step());
        assert_eq!(stage.links(0), 0, "the old answer's rest is not tried");
    }
    stage.check();
}

#[test]
fn h147_a_silent_resolver_holds_up_nobody_else() {
    let mut stage = singles(&[]);
    stage.set_lookup("broker-2", Lookup::Silent);
    stage.cut(2);
    let held_up = stage.send("letters", 1, None, b"whose leader's name is looked up");
    let start = stage.now();
    let other = stage.send("letters", 0, None, b"elsewhere");
    stage.run_until(|stage| stage.is_written(other));
    assert!(stage.now() - start < Duration::from_millis(10));
    stage.run_for(SECOND);
    stage.set_lookup("broker-2", Lookup::Found(vec![at(9092)]));
    stage.run_until(|stage| stage.is_written(held_up));
    assert!(
        stage.now() - start < 14 * SECOND,
        "{:?}",
        stage.now() - start
    );
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h148_when_all_brokers_have_gone_the_seeds_know_where() {
    let mut stage = by_seed(9091);
    send_letters(&mut stage, 3);
    stage.run_to_idle();
    for broker in 1..=3 {
        let port = 9190 + broker as u16;
        stage
            .model
            .set_address(broker, &format!("moved-{broker}"), port);
        stage.cut(broker);
    }
    stage.set_lookup("seed", Lookup::Found(vec![at(9193)]));
    let start = stage.now();
    let moved = stage.send("letters", 0, None, b"after the move");
    stage.run_to_idle();

    assert!(stage.is_written(moved));
    assert!(
        stage.now() - start < 5 * SECOND,
        "{:?}",
        stage.now() - start
    );
    assert_eq!(stage.model.requests(Api::InitProducerId), 1);
    let stamps: Vec<_> = arrivals(&stage)
        .iter()
        .map(|a| (a.epoch, a.base_sequence))
        .collect();
    assert_eq!(stamps, [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]);
    stage.check();
}

#[test]
fn h149_a_broker_may_send_the_producer_back_to_its_seeds() {
    let mut stage = by_seed(9091);
    stage.set_lookup("seed", Lookup::Found(vec![at(9092)]));
    stage.hold_answers(1);
    let owed = send_letters(&mut stage, 3);
    let begin_anew = Fault::Refuse(ErrorCode::REBOOTSTRAP_REQUIRED.0);
    stage.model.inject(On::Metadata, begin_anew);
    stage.send("others", None, None, b"asks for metadata");
    stage.run_until(|stage| (1..=3).all(|broker| stage.links(broker) == 0));
    stage.release_answers(1);
    stage.run_to_idle();

    assert!(owed.iter().all(|&n| stage.is_written(n)));
    assert_eq!(stage.log("letters", 0).len(), 4, "no duplicate");
    stage.check();
}

#[test]
fn h150_in_another_cluster_the_producer_has_another_id() {
    let mut stage = by_seed(9091);
    send_letters(&mut stage, 3);
    stage.run_to_idle();
    let id = arrivals(&stage)[0].producer_id;
    another_cluster(&mut stage, id);
    stage.excuse_losses(); // they are in the other cluster
    let start = stage.now();
    let n = stage.send("letters", 0, None, b"to the other cluster");
    stage.run_to_idle();

    assert!(stage.is_written(n));
    assert!(
        stage.now() - start < 5 * SECOND,
        "{:?}",
        stage.now() - start
    );
    let last = arrivals(&stage).pop().expect("it arrived");
    assert_ne!(last.producer_id, id);
    assert!(stage.warnings().contains(&Warning::AnotherCluster));
    stage.check();
}

#[test]
fn h151_seeds_that_do_not_resolve_at_first_are_tried_again() {
    let mut stage = Stage::new(1, &[("max.block.ms", "10000")]);
    stage.set_lookup("broker-1", Lookup::Failed(ResolveError::Failed));
    let n = stage.send("letters", None, None, b"patient");
    stage.run_for(Duration::from_secs(3));
    assert!(matches!(
        stage.warnings()[0],
        Warning::Broker(Cause::Unresolved { .. })
    ));
    stage.set_lookup("broker-1", Lookup::Found(vec![at(9091)]));
    stage.run_to_idle();
    assert!(stage.is_written(n));
    stage.check();
}

/// A producer that knows one seed, which leads to a broker of three, and the topic `letters` with one record.
fn by_seed(port: u16) -> Stage {
    let seed = [("bootstrap.servers", "seed:9092")];
    let mut stage = Stage::new(3, &[SINGLES, &seed].concat());
    stage.set_lookup("seed", Lookup::Found(vec![at(port)]));
    stage.model.create_topic("letters", 1);
    stage.warm_up("letters");
    stage.send("letters", 0, None, b"first");
    stage.run_to_idle();
    stage
}

/// Puts another cluster in the place of the one that was there, in which somebody else has the producer's id.
fn another_cluster(stage: &mut Stage, id: i64) {
    stage.model.replace_cluster(8);
    stage.model.fence_producer("letters", 0, id, 0);
    stage.model.set_next_producer(id + 1, 0);
    (1..=3).for_each(|broker| stage.cut(broker));
}

/// Where a broker listens.
fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// An address where nobody does.
fn nobody(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 1))
}
