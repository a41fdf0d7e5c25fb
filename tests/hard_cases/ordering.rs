//! Hard cases, section 1: order within a partition, and retries that keep it.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla_core::DeliveryError;
use ottla_sim::{Api, Cut, Fate, Fault, On, Produced, Stage, code};

use crate::common::{SINGLES, arrivals, send_letters, warm};

#[test]
fn all_records_are_written_once_in_order_over_all_partitions() {
    let mut stage = Stage::new(3, &[]);
    stage.model.set_default_partitions(6);
    for n in 0..10_000 {
        stage.send("letters", n % 6, None, format!("letter {n}").as_bytes());
    }
    stage.run_to_idle();
    assert_eq!(stage.written().len(), 10_000);
    assert!(stage.now() < Duration::from_secs(1), "{:?}", stage.now());
    assert_eq!(stage.model.requests(Api::InitProducerId), 1);
    stage.check();
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        let mut stage = Stage::with_seed(3, SINGLES, seed);
        stage.model.set_default_partitions(6);
        for n in 0..100 {
            stage.send("letters", None, None, format!("letter {n}").as_bytes());
        }
        stage.run_to_idle();
        stage.check();
        assert_eq!(stage.written().len(), 100);
        stage.trace_digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn h001_first_of_several_fails_the_rest_get_out_of_order() {
    let mut stage = warm(1, SINGLES);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    let five = send_letters(&mut stage, 5);
    stage.run_to_idle();

    assert!(five.iter().all(|&n| stage.is_written(n)));
    let arrivals = arrivals(&stage);
    let codes: Vec<i16> = arrivals.iter().map(|a| a.code).collect();
    assert_eq!(codes, [0, 19, 45, 45, 45, 45, 0, 0, 0, 0, 0]);
    assert_eq!(
        sequences(&arrivals),
        [0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5],
        "the same stamps again, in order"
    );
    assert!(
        arrivals[7].now > arrivals[6].now,
        "the head goes alone first"
    );
    assert_eq!(stage.core().metrics().epoch_bumps, 0);
    stage.check();
}

#[test]
fn h002_the_old_leader_s_answer_comes_after_the_new_one_s() {
    for idempotence in ["true", "false"] {
        let age = ("metadata.max.age.ms", "500");
        let idempotence = ("enable.idempotence", idempotence);
        let mut stage = warm(1, &[SINGLES, &[age, idempotence]].concat());
        let refuse = Fault::Refuse(code::NOT_ENOUGH_REPLICAS);
        let on_first = || On::produce("letters", 0);
        stage.model.inject(on_first(), refuse.clone());
        stage.hold_answers(1);
        send_letters(&mut stage, 1);
        stage.run_for(Duration::from_millis(5));
        stage.model.move_leader("letters", 0, 2);
        stage.run_for(Duration::from_secs(1));
        stage.model.inject(on_first(), refuse);
        stage.send("letters", 0, None, b"letter 1");
        stage.run_for(Duration::from_millis(20));
        stage.release_answers(1);
        stage.run_to_idle();

        assert_eq!(stage.log("letters", 0), ["first", "letter 0", "letter 1"]);
        stage.check();
    }
}

#[test]
fn h003_a_partition_that_retries_has_one_batch_on_the_way() {
    let mut stage = warm(1, SINGLES);
    for fault in [19, 0, 7, 19, 0, 0, 3, 56, 19, 0, 20] {
        let fault = if fault == 0 {
            Fault::Pass
        } else {
            Fault::Refuse(fault)
        };
        stage.model.inject(On::produce("letters", 0), fault);
    }
    send_letters(&mut stage, 20);
    stage.run_to_idle();

    let (mut seen, mut written) = (BTreeSet::from([0]), BTreeSet::from([0]));
    for a in arrivals(&stage) {
        let lower_are_written = (0..a.base_sequence).all(|s| written.contains(&s));
        let is_retry = !seen.insert(a.base_sequence);
        assert!(
            !is_retry || lower_are_written,
            "a retry overtook the head: {a:?}"
        );
        if a.code == code::NONE {
            written.insert(a.base_sequence);
        }
    }
    assert_eq!(written.len(), 21);
    stage.check();
}

#[test]
fn h004_with_one_in_flight_an_expired_batch_mutes_its_partition_until_its_answer() {
    let mut stage = warm(
        1,
        &[
            ("enable.idempotence", "false"),
            ("max.in.flight.requests.per.connection", "1"),
            ("request.timeout.ms", "5000"),
            ("delivery.timeout.ms", "5000"),
            ("batch.size", "0"),
            ("linger.ms", "0"),
        ],
    );
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Delay(Duration::from_millis(4_950)),
    );
    let (start, first) = (stage.now(), send_letters(&mut stage, 1)[0]);
    stage.run_for(Duration::from_secs(4));
    let second = stage.send("letters", 0, None, b"the second");
    stage.run_for(Duration::from_millis(1_010));
    assert!(matches!(
        stage.outcome(first),
        Some(Fate::MaybeWritten(DeliveryError::Expired { .. }))
    ));
    assert_eq!(
        arrivals(&stage).len(),
        3,
        "the second is not sent while the first is on the way"
    );

    stage.run_to_idle();
    assert!(stage.is_written(second));
    assert!(arrivals(&stage)[3].now > start + Duration::from_millis(5_020));
    stage.check();
}

#[test]
fn h004_a_move_of_the_leader_does_not_unmute_the_partition() {
    let mut stage = warm(
        1,
        &[
            ("enable.idempotence", "false"),
            ("max.in.flight.requests.per.connection", "1"),
            ("metadata.max.age.ms", "500"),
            ("request.timeout.ms", "5000"),
            ("delivery.timeout.ms", "5000"),
            ("batch.size", "0"),
            ("linger.ms", "0"),
        ],
    );
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    let first = send_letters(&mut stage, 1)[0];
    stage.run_for(Duration::from_millis(10));
    stage.hold_answers(1);
    stage.run_for(Duration::from_secs(2));
    stage.model.move_leader("letters", 0, 2);
    let second = stage.send("letters", 0, None, b"the second");
    stage.run_until(|stage| stage.outcome(first).is_some());
    stage.run_for(Duration::from_millis(20));
    assert!(arrivals(&stage).iter().all(|a| a.broker == 1));

    stage.run_to_idle();
    assert!(stage.is_written(second), "once the link was given up");
    assert_eq!(stage.log("letters", 0), ["first", "letter 0", "the second"]);
    stage.check();
}

#[test]
fn h005_without_idempotence_retries_may_reorder_but_lose_nothing() {
    let mut stage = warm(
        1,
        &[
            ("enable.idempotence", "false"),
            ("batch.size", "0"),
            ("linger.ms", "0"),
        ],
    );
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    stage
        .model
        .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
    let five = send_letters(&mut stage, 5);
    stage.run_to_idle();

    assert!(five.iter().all(|&n| stage.is_written(n)));
    assert_ne!(
        stage.log("letters", 0)[1],
        "letter 0",
        "the first was overtaken, as it may"
    );
    stage.check();
}

#[test]
fn h006_the_new_leader_gets_nothing_before_the_old_one_answered() {
    let mut stage = warm(
        1,
        &[
            ("metadata.max.age.ms", "1000"),
            ("batch.size", "0"),
            ("linger.ms", "0"),
        ],
    );
    stage.hold_answers(1);
    let held = send_letters(&mut stage, 2);
    stage.run_for(Duration::from_millis(5));
    stage.model.move_leader("letters", 0, 2);
    stage.run_for(Duration::from_secs(2));
    let later = stage.send("letters", 0, None, b"later");
    stage.run_for(Duration::from_secs(2));
    assert!(
        arrivals(&stage).iter().all(|a| a.broker == 1),
        "two batches are owed an answer by the old leader"
    );

    stage.release_answers(1);
    stage.run_to_idle();
    assert!(held.iter().all(|&n| stage.is_written(n)) && stage.is_written(later));
    let brokers: Vec<i32> = arrivals(&stage).iter().map(|a| a.broker).collect();
    assert_eq!(
        brokers,
        [1, 1, 1, 2],
        "what the old leader acknowledged is not sent again"
    );
    stage.check();
}

#[test]
fn h007_nothing_is_pipelined_to_a_leader_that_has_taken_nothing_yet() {
    let mut stage = Stage::new(3, SINGLES);
    stage.model.create_topic("letters", 1);
    stage.warm_up("letters");
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
    );
    send_letters(&mut stage, 5);
    stage.run_to_idle();

    let arrivals = arrivals(&stage);
    assert_eq!(sequences(&arrivals), [0, 0, 1, 2, 3, 4]);
    assert!(
        arrivals[2].now > arrivals[1].now && arrivals[5].now == arrivals[2].now,
        "then they are pipelined"
    );
    stage.check();
}

#[test]
fn h008_a_retry_is_byte_identical() {
    let mut stage = warm(1, &[("linger.ms", "10")]);
    stage.cut_at_next_produce(1, Cut::Whole);
    send_letters(&mut stage, 50);
    stage.run_for(Duration::from_millis(15));
    stage.cut_at_next_produce(1, Cut::After(70));
    let more = stage.send("letters", 0, None, b"more");
    stage.run_to_idle();

    assert!(stage.is_written(more));
    let stamps: Vec<(i32, i32)> = arrivals(&stage)
        .iter()
        .map(|a| (a.base_sequence, a.count))
        .collect();
    assert_eq!(
        stamps,
        [(0, 1), (1, 50), (1, 50), (51, 1)],
        "what was sent did not grow"
    );
    stage.check(); // the model compares the bytes under each stamp
}

#[test]
fn h009_a_disconnect_is_one_unknown_attempt_of_each_batch_on_the_way() {
    for pause in 0..=5 {
        let mut stage = warm(1, SINGLES);
        for n in 0..5 {
            stage.send("letters", 0, None, format!("letter {n}").as_bytes());
            stage.run_for(Duration::from_micros(400));
        }
        stage.run_for(Duration::from_micros(300 * pause));
        stage.cut(1);
        let open = stage.unsettled().len() as u64;
        stage.run_to_idle();

        assert_eq!(stage.core().metrics().batches_retried, open, "each once");
        assert_eq!(stage.written().len(), 6);
        stage.check();
    }
}

#[test]
fn h013_enqueue_order_is_log_order_at_volume() {
    for (linger, count) in [("0", 100_000), ("5", 300_000), ("1000", 100_000)] {
        let mut stage = Stage::new(3, &[("linger.ms", linger)]);
        stage.model.set_default_partitions(7);
        for n in 0..count {
            stage.send("letters", None, Some(&[n as u8]), &u32::to_be_bytes(n));
            if n % 1_000 == 0 {
                stage.run_for(Duration::from_micros(700));
            }
        }
        stage.run_to_idle();
        assert_eq!(stage.written().len(), count as usize);
        stage.check();
    }
}

fn sequences(arrivals: &[Produced]) -> Vec<i32> {
    arrivals.iter().map(|a| a.base_sequence).collect()
}
