//! Hard cases, section 7: back-pressure, memory, fairness.

use std::time::Duration;

use ottla_core::{Purge, SendError};
use ottla_sim::{Dial, Fate, Fault, On, Stage, code};

use crate::common::{SHORT, SINGLES, warm};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn h097_what_is_refused_at_the_door_keeps_no_memory() {
    let memory = ("buffer.memory", "2000000");
    let mut stage = warm(1, &[SINGLES, &[memory, ("max.block.ms", "1000")]].concat());
    stage.model.set_auto_create(false);
    let large = vec![b'x'; 1_100_000];
    let refused = [
        stage.try_send("letters", -1, None, b"to no partition"),
        stage.try_send("letters", 7, None, b"to a partition too far"),
        stage.try_send("nowhere", None, None, b"to no topic"),
        stage.try_send("letters", 0, None, &large),
    ];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    assert_eq!(stage.core().buffer_available(), 2_000_000);

    let in_vain = ["nowhere", "neither"].map(|topic| stage.send(topic, None, None, b"in vain"));
    let too_far = stage.send("letters", 7, None, b"in vain too");
    stage.run_until(|stage| stage.outcome(too_far).is_some());
    assert!(in_vain.iter().all(|&n| stage.outcome(n).is_some()));
    assert_eq!(stage.core().buffer_available(), 2_000_000);
    stage.check();
}

#[test]
fn h098_a_large_record_is_not_starved_by_small_ones_behind_it() {
    let mut stage = full(4, &[]);
    let large = stage.send("letters", 0, None, &[b'x'; 900_000]);
    let small: Vec<usize> = (0..500)
        .map(|n| stage.send("letters", 0, None, format!("small {n}").as_bytes()))
        .collect();
    stage.release_answers(1);
    stage.run_to_idle();

    let accepted = |n: usize| stage.sent(n).accepted.expect("it was accepted");
    assert!(small.iter().all(|&n| accepted(n) >= accepted(large)));
    assert_eq!(stage.log("letters", 0)[5..].len(), small.len() + 1);
    stage.check(); // the log is in the order of sending
}

#[test]
fn h098_what_was_kept_for_a_waiter_comes_back_when_its_time_is_over() {
    let mut stage = full(3, &[("max.block.ms", "1000")]);
    let large = stage.send("letters", 0, None, &[b'x'; 900_000]);
    stage.run_for(SECOND / 2);
    let small = stage.send("letters", 1, None, &[b'y'; 40_000]);
    stage.run_for(SECOND / 2);
    assert!(matches!(stage.outcome(large), Some(Fate::Refused(_))));
    stage.run_for(10 * MILLISECOND);
    assert!(stage.is_written(small));
    stage.release_answers(1);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h099_room_given_to_one_who_has_gone_goes_to_the_next() {
    for given_up in 0..4 {
        let mut stage = full(4, &[]);
        let waiting: Vec<usize> = (0..6_u8)
            .map(|n| stage.send("letters", 0, None, &[n; 240_000]))
            .collect();
        (0..given_up).for_each(|place| stage.give_up_when_admitted(waiting[place]));
        stage.release_answers(1);
        stage.run_to_idle();

        for (place, &n) in waiting.iter().enumerate() {
            assert_eq!(stage.is_written(n), place >= given_up, "{place}");
        }
        stage.check();
    }
}

#[test]
fn h099_a_wait_may_be_given_up_at_any_time() {
    for steps in 0..12 {
        let mut stage = full(4, &[]);
        let [first, second] = [b'1', b'2'].map(|v| stage.send("letters", 0, None, &[v; 500_000]));
        stage.release_answers(1);
        for _ in 0..steps {
            assert!(stage.step());
        }
        stage.give_up(first);
        stage.run_to_idle();
        assert!(stage.outcome(first).is_some() && stage.is_written(second));
        stage.check();
    }
}

#[test]
fn h100_a_full_memory_does_not_linger() {
    let hour = [
        ("linger.ms", "3600000"),
        ("delivery.timeout.ms", "7200000"),
        ("buffer.memory", "49152"),
    ];
    let mut stage = Stage::new(3, &hour);
    stage.model.create_topic("letters", 3);
    stage.warm_up("letters");
    let (start, count) = (stage.now(), 1_000);
    for n in 0..count {
        let value = format!("{n} {}", "x".repeat(1_000));
        stage.send("letters", n % 3, None, value.as_bytes());
    }
    let last_but_some = (count - 48) as usize;
    stage.run_until(|stage| stage.written().len() >= last_but_some);
    assert!(stage.now() - start < SECOND);
    stage.flush();
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h101_those_who_are_woken_together_fill_batches_together() {
    let settings = [("buffer.memory", "262144"), ("linger.ms", "0")];
    let mut stage = warm(1, &settings);
    stage.set_latency(1, 10 * MILLISECOND);
    for n in 0..4_000 {
        let value = format!("{n} {}", "x".repeat(1_000));
        stage.send("letters", 0, None, value.as_bytes());
    }
    stage.run_to_idle();

    let batches = stage.arrivals("letters", 0).len();
    assert!(4_000 / batches >= 10, "{batches} batches of 4000 records");
    stage.check();
}

#[test]
fn h102_outcomes_that_nobody_takes_hold_their_memory() {
    let mut stage = warm(1, &[SINGLES, &[("buffer.memory", "1048576")]].concat());
    stage.take_no_events(true);
    for _ in 0..10_000 {
        let denied = Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED);
        stage.model.inject(On::produce("letters", 0), denied);
    }
    let taken = (0..10_000_u32)
        .filter(|n| {
            stage.run_for(Duration::from_micros(100));
            stage.try_send("letters", 0, None, &n.to_be_bytes()).is_ok()
        })
        .count();
    assert!(
        taken * 256 <= 1_048_576,
        "{taken} records and their outcomes"
    );
    stage.take_no_events(false);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h103_partitions_take_turns() {
    let one_at_a_time = [
        ("max.in.flight.requests.per.connection", "1"),
        ("max.request.size", "1100"),
    ];
    let mut stage = Stage::new(1, &[SINGLES, &one_at_a_time].concat());
    stage.model.create_topic("letters", 20);
    stage.warm_up("letters");
    for _ in 0..100 {
        let refuse = Fault::Refuse(code::NOT_ENOUGH_REPLICAS);
        stage.model.inject(On::produce("letters", 7), refuse);
    }
    for n in 0..100 {
        let value = format!("{n} {}", "x".repeat(900));
        stage.send("letters", n % 20, None, value.as_bytes());
    }
    stage.run_until(|stage| stage.written().len() == 95);

    let others = stage.model.produce_journal().filter(|p| p.partition != 7);
    let turns: Vec<i32> = others.map(|p| p.partition).collect();
    for round in turns[19..].chunks(19) {
        let mut round = round.to_vec();
        round.sort_unstable();
        round.dedup();
        assert_eq!(round.len(), 19, "each has its turn: {turns:?}");
    }
    stage.model.clear_faults();
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h104_a_dead_broker_gets_few_records_without_a_key_and_blocks_those_with_one() {
    let steering = ("partitioner.availability.timeout.ms", "100");
    let memory = ("buffer.memory", "1048576");
    let mut stage = Stage::new(5, &[steering, memory, ("linger.ms", "0")]);
    stage.model.set_replication(1);
    stage.model.create_topic("letters", 5);
    stage.warm_up("letters");
    stage.set_dial(1, Dial::BlackHole);
    stage.cut(1);
    for n in 0..5_000 {
        let value = format!("{n} {}", "x".repeat(1_000));
        stage.send("letters", None, None, value.as_bytes());
        stage.run_for(MILLISECOND);
    }
    let written = stage.written().len();
    assert!(written > 4_500, "{written} of 5000 to four of five brokers");

    let to_the_dead: Vec<usize> = (0..2_000)
        .map(|n| {
            stage.send(
                "letters",
                0,
                None,
                format!("{n} {}", "y".repeat(1_000)).as_bytes(),
            )
        })
        .collect();
    let blocked = |n: &&usize| stage.sent(**n).accepted.is_none();
    assert!(to_the_dead.iter().filter(blocked).count() > 900);
    stage.set_dial(1, Dial::Accept);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h105_however_a_record_ends_its_memory_comes_back_once() {
    type End = fn(&mut Stage);
    let ends: [End; 6] = [
        |stage| stage.lose_requests(1, true),
        |stage| stage.cut(1),
        |stage| stage.purge(Purge::All),
        |stage| stage.purge(Purge::InFlight),
        |stage| stage.close(MILLISECOND),
        |stage| stage.stop_broker(1),
    ];
    for (place, end) in ends.into_iter().enumerate() {
        for steps in 0..8 {
            let mut stage = warm(2, &[&SHORT[1..], &[("batch.size", "100000")]].concat());
            let memory = stage.core().config().buffer_memory();
            let refuse = Fault::Refuse(code::INVALID_RECORD);
            stage.model.inject(On::produce("letters", 1), refuse);
            for n in 0..6 {
                let value = format!("{n} {}", "x".repeat(60_000));
                stage.send("letters", n % 2, None, value.as_bytes());
            }
            assert!(stage.core().buffer_available() < memory - 6 * 60_000);
            for _ in 0..steps {
                assert!(stage.step());
            }
            end(&mut stage);
            stage.run_until(|stage| stage.unsettled().is_empty());
            stage.lose_requests(1, false);
            stage.run_for(40 * SECOND);
            let free = stage.core().buffer_available();
            assert_eq!(free, memory, "way {place}, after {steps} steps");
        }
    }
}

/// A memory of 1 MB that a few records fill, whose answers broker 1 keeps back.
fn full(records: u8, settings: &[(&str, &str)]) -> Stage {
    let memory = ("buffer.memory", "1000000");
    let mut stage = warm(2, &[SINGLES, &[memory], settings].concat());
    stage.hold_answers(1);
    for n in 0..records {
        let taken = stage.try_send("letters", 0, None, &[b'a' + n; 240_000]);
        taken.expect("there is room");
    }
    let more = stage.try_send("letters", 0, None, &[b'z'; 300_000]);
    assert_eq!(more, Err(SendError::Full));
    stage
}
