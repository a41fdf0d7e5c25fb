//! Hard cases, section 5: brokers that move, leave and restart.

use std::time::Duration;

use ottla_sim::{Stage, code};

use crate::common::{SINGLES, arrivals, send_letters, warm};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h075_a_broker_that_moves_is_found_at_its_new_address() {
    let mut stage = aware();
    stage.hold_answers(1);
    let owed = send_letters(&mut stage, 3);
    stage.run_for(Duration::from_millis(10));
    stage.model.set_address(1, "broker-1-moved", 9191);
    stage.run_for(SECOND);
    stage.release_answers(1);
    stage.run_to_idle();

    assert!(owed.iter().all(|&n| stage.is_written(n)));
    assert_eq!(stage.log("letters", 0).len(), 4, "no duplicate");
    stage.check();
}

#[test]
fn h075_what_a_seed_owes_is_not_overtaken_at_its_broker_s_new_address() {
    let mut stage = warm(2, &[SINGLES, &[("metadata.max.age.ms", "500")]].concat());
    stage.hold_answers(1);
    let owed = send_letters(&mut stage, 3);
    stage.run_for(Duration::from_millis(10));
    stage.model.set_address(1, "broker-1-moved", 9191);
    stage.run_for(SECOND);
    let late = [0, 1].map(|n| stage.send("letters", 0, None, format!("late {n}").as_bytes()));
    stage.run_for(SECOND);
    stage.release_answers(1);
    stage.run_to_idle();

    assert!(owed.iter().chain(&late).all(|&n| stage.is_written(n)));
    assert_eq!(stage.log("letters", 0).len(), 6, "no duplicate");
    stage.check();
}

#[test]
fn h075_brokers_that_come_and_go_leave_nothing_behind() {
    let mut stage = aware();
    for port in 9200..9264 {
        stage.model.set_address(1, "broker-1", port);
        stage.model.remove_broker(2);
        stage.run_for(SECOND);
        stage.model.add_broker(2, "broker-2", 100 + port);
        stage.run_for(SECOND);
    }
    stage.model.move_leader("letters", 1, 2);
    let two = [0, 1].map(|p| stage.send("letters", p, None, format!("to {p}").as_bytes()));
    stage.run_to_idle();

    assert!(two.iter().all(|&n| stage.is_written(n)));
    let open: usize = (1..=3).map(|broker| stage.links(broker)).sum();
    assert!(
        open <= 4,
        "{open} links: one to each broker, and one to the seed"
    );
    stage.check();
}

#[test]
fn h075_brokers_that_swap_their_addresses_are_told_apart() {
    let mut stage = aware();
    stage.model.set_address(1, "broker-2", 9092);
    stage.model.set_address(2, "broker-1", 9091);
    stage.run_for(SECOND);
    let start = stage.now();
    let two = [0, 1].map(|p| stage.send("letters", p, None, format!("to {p}").as_bytes()));
    stage.run_to_idle();

    assert!(two.iter().all(|&n| stage.is_written(n)));
    assert!(stage.now() - start < SECOND, "{:?}", stage.now() - start);
    let misled = arrivals(&stage).iter().any(|a| a.code != code::NONE);
    assert!(!misled, "nobody was asked who does not lead");
    stage.check();
}

#[test]
fn h075_what_a_broker_owes_that_left_is_asked_of_its_successor() {
    let mut stage = aware();
    stage.hold_answers(1);
    let owed = send_letters(&mut stage, 3);
    stage.run_for(Duration::from_millis(10));
    stage.model.stop_broker(1); // its links stay
    stage.run_for(SECOND);
    assert_eq!(stage.links(1), 0, "they are of no use any more");
    stage.run_to_idle();

    assert!(owed.iter().all(|&n| stage.is_written(n)));
    assert_eq!(stage.log("letters", 0).len(), 4, "no duplicate");
    stage.check();
}

#[test]
fn h078_a_rolling_restart_under_load_loses_nothing() {
    let mut stage = warm(6, &[]);
    for round in 0..6 {
        let broker = 1 + round % 3;
        stage.stop_broker(broker);
        send_for(&mut stage, Duration::from_secs(5 + 4 * round as u64), round);
        stage.start_broker(broker);
        stage.model.move_leader("letters", broker - 1, broker);
        send_for(&mut stage, SECOND, round + 100);
    }
    let healed = stage.now();
    let last = stage.send("letters", 0, None, b"when all is well");
    stage.run_until(|stage| stage.is_written(last));
    assert!(stage.now() - healed < Duration::from_millis(100));
    stage.run_to_idle();
    assert_eq!(
        stage.written().len() as u64,
        stage.core().metrics().records_accepted
    );
    stage.check();
}

/// A producer that knows one seed, broker 3, and hears of a change within half a second.
fn aware() -> Stage {
    let own = [
        ("bootstrap.servers", "broker-3:9093"),
        ("metadata.max.age.ms", "500"),
    ];
    warm(2, &[SINGLES, &own].concat())
}

/// A record to each of six partitions every 50 ms.
fn send_for(stage: &mut Stage, time: Duration, round: i32) {
    let until = stage.now() + time;
    while stage.now() < until {
        for partition in 0..6 {
            let value = format!("{round}, {:?}, to {partition}", stage.now());
            stage.send("letters", partition, None, value.as_bytes());
        }
        stage.run_for(Duration::from_millis(50));
    }
}
