//! The world itself: it runs applications under faults, and the same seed gives the same run.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ottla::Record;
use ottla_sim::{Dialling, Resolving, Stuck, Tamper, World};

/// Sends 200 records, ten milliseconds apart, and counts those that are written.
fn letters(seed: u64, plan: impl FnOnce(&mut World)) -> (World, usize) {
    let mut world = World::new(3, seed);
    world.cluster.create_topic("letters", 6);
    let settings = [
        ("delivery.timeout.ms", "60000"),
        ("request.timeout.ms", "2000"),
    ];
    let producer = world.producer(&settings).expect("valid settings");
    let (clock, written) = (world.clock(), Rc::new(RefCell::new(0)));
    let count = Rc::clone(&written);
    world.spawn(async move {
        let mut deliveries = Vec::new();
        for n in 0..200 {
            clock.sleep(Duration::from_millis(10)).await;
            let value = format!("letter {n}");
            deliveries.push(
                producer
                    .send(Record::to("letters").value(&value))
                    .await
                    .expect("room"),
            );
        }
        for delivery in deliveries {
            *count.borrow_mut() += usize::from(delivery.await.is_ok());
        }
        producer.close(Duration::from_secs(10)).await;
    });
    plan(&mut world);
    world.run().expect("the application comes to its end");
    let written = *written.borrow();
    (world, written)
}

#[test]
fn without_faults_everything_is_written() {
    let (world, written) = letters(1, |_| ());
    let logged: usize = (0..6)
        .map(|p| world.cluster.log("letters", p).count())
        .sum();
    assert_eq!((written, logged), (200, 200));
}

#[test]
fn a_producer_finds_a_broker_at_an_ipv6_address() {
    let mut world = World::new(1, 1);
    world.cluster.set_address(1, "::1", 9092);
    let producer = world.producer(&[]).expect("the address is in brackets");
    let server = &producer.config().bootstrap_servers()[0];
    assert_eq!((server.host(), server.port()), ("::1", 9092));
}

#[test]
fn everything_is_written_once_through_crashes_cuts_and_tampered_answers() {
    for seed in 0..20 {
        let (world, written) = letters(seed, |world| {
            let ms = Duration::from_millis;
            world.after(ms(300), |world| world.crash(1));
            world.after(ms(900), |world| world.recover(1));
            for (at, tamper) in (400..).step_by(120).zip(Tamper::ALL) {
                world.after(ms(at), move |world| world.tamper(2, tamper));
                world.after(ms(at + 50), move |world| world.cut_next_produce(3, 500));
            }
            world.after(ms(600), |world| world.set_dialling(2, Dialling::Lost));
            world.after(ms(700), |world| {
                world.set_lookup("broker-3", Resolving::Failing)
            });
            world.after(ms(800), |world| world.pause(3, Duration::from_secs(3)));
            world.after(ms(1500), |world| world.lose(2, true, false));
            world.after(ms(2500), World::heal_network);
        });
        let logged: usize = (0..6)
            .map(|p| world.cluster.log("letters", p).count())
            .sum();
        assert_eq!((written, logged), (200, 200), "seed {seed}");
        assert_eq!(world.cluster.violations(), [] as [String; 0]);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        letters(seed, |world| {
            world.after(Duration::from_millis(500), |w| w.crash(2))
        })
    };
    let (first, second, third) = (run(5).0, run(5).0, run(6).0);
    assert_eq!(first.trace_digest(), second.trace_digest());
    assert!(first.trace().eq(second.trace()));
    assert_ne!(first.trace_digest(), third.trace_digest());
}

#[test]
fn an_application_that_waits_for_nothing_is_told_so() {
    let mut world = World::new(1, 1);
    world.spawn(std::future::pending());
    assert_eq!(world.run(), Err(Stuck::Silence));
}
