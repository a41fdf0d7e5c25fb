//! Hard cases, section 6: links that do not come up, break, or fall silent.

use std::net::SocketAddr;
use std::time::Duration;

use ottla_core::{DeliveryError, Disconnect};
use ottla_sim::{Api, Cut, Dial, Fate, Fault, Lookup, On, Stage, code};

use crate::common::{is_unreachable, send_letters, singles};

#[test]
fn h079_a_half_open_link_is_closed_when_a_request_times_out() {
    type Break = fn(&mut Stage);
    let both: Break = |stage| {
        stage.lose_requests(1, true);
        stage.lose_answers_after(1, 0);
    };
    let ways: [Break; 3] = [
        |stage| stage.lose_requests(1, true),
        |stage| stage.lose_answers_after(1, 0),
        both,
    ];
    for broken in ways {
        let mut stage = singles(&[]);
        broken(&mut stage);
        send_letters(&mut stage, 3);
        stage.run_for(Duration::from_secs(29));
        assert_eq!(stage.written().len(), 1);
        let asked = stage.model.requests(Api::Metadata);
        stage.run_for(Duration::from_millis(1_100));
        assert!(
            stage.model.requests(Api::Metadata) > asked,
            "the leader is looked up again"
        );
        stage.lose_requests(1, false);
        stage.pass_answers(1);
        stage.run_to_idle();

        assert_eq!(stage.written().len(), 4);
        assert_eq!(stage.core().metrics().epoch_bumps, 0);
        stage.check();
    }
}

#[test]
fn h079_behind_a_half_open_link_there_may_be_a_new_leader() {
    let mut stage = singles(&[]);
    stage.lose_requests(1, true);
    stage.set_dial(1, Dial::BlackHole);
    let n = send_letters(&mut stage, 1)[0];
    stage.run_for(Duration::from_secs(10));
    stage.model.move_leader("letters", 0, 2);
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert!(stage.now() < Duration::from_secs(31), "{:?}", stage.now());
    stage.check();
}

#[test]
fn h080_one_timeout_covers_the_whole_setup_and_grows() {
    type Break = fn(&mut Stage);
    let stalls: [Break; 2] = [
        |stage| stage.set_dial(1, Dial::BlackHole),
        |stage| (0..9).for_each(|_| stage.model.inject(On::ApiVersions, Fault::Silence)),
    ];
    for stall in stalls {
        let mut stage = Stage::new(1, &[("max.block.ms", "200000")]);
        stall(&mut stage);
        stage.send("letters", None, None, b"patient");
        let mut setups = Vec::new();
        for _ in 0..4 {
            stage.run_until(|stage| stage.links(1) == 1);
            let start = stage.now();
            stage.run_until(|stage| stage.links(1) == 0);
            setups.push((stage.now() - start).as_millis());
        }
        for (took, mean) in setups.iter().zip([10_000, 20_000, 30_000, 30_000]) {
            assert!(
                (mean * 8 / 10..=30_000).contains(took) && *took <= mean * 12 / 10,
                "{setups:?}"
            );
        }
        stage.set_dial(1, Dial::Accept);
        stage.model.clear_faults();
        stage.run_to_idle();
        assert_eq!(stage.written(), [0]);
        stage.check();
    }
}

#[test]
fn h080_the_next_address_is_tried() {
    let mut stage = Stage::new(
        2,
        &[
            ("bootstrap.servers", "seed:9092"),
            ("max.block.ms", "30000"),
        ],
    );
    let nobody = SocketAddr::from(([127, 0, 0, 9], 1));
    let second = SocketAddr::from(([127, 0, 0, 1], 9092));
    stage.set_lookup("seed", Lookup::Found(vec![nobody, second]));
    let n = stage.send("letters", None, None, b"by the second address");
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert!(
        stage.now() < Duration::from_millis(50),
        "at once: {:?}",
        stage.now()
    );
    stage.check();
}

#[test]
fn h082_after_a_half_written_request_the_link_is_closed() {
    let mut stage = singles(&[
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "20000"),
    ]);
    stage.set_writer(1, Some(1));
    let long = stage.send("letters", 0, None, &[b'x'; 5_000]);
    stage.run_for(Duration::from_secs(3));
    assert_eq!(stage.outcome(long), None);
    stage.set_writer(1, None);
    stage.send("letters", 0, None, b"behind it");
    stage.run_to_idle();

    assert_eq!(stage.written().len(), 3);
    assert!(is_unreachable(stage.warnings(), |why| matches!(
        why,
        Disconnect::RequestTimedOut { .. }
    )));
    stage.check();
}

#[test]
fn h083_what_was_never_touched_is_not_written_and_costs_no_attempt() {
    let mut stage = singles(&[("retries", "1")]);
    stage.cut_at_next_produce(1, Cut::Untouched);
    let n = send_letters(&mut stage, 1)[0];
    stage.run_for(Duration::from_millis(1));
    stage.set_dial(1, Dial::Refuse);
    stage.run_for(Duration::from_secs(119));
    assert_eq!(stage.arrivals("letters", 0).len(), 1);
    stage.run_until(|stage| stage.outcome(n).is_some());

    let Some(Fate::NotWritten(DeliveryError::Expired { .. })) = stage.outcome(n) else {
        panic!("{:?}", stage.outcome(n));
    };
    stage.check();
}

#[test]
fn h083_what_was_never_touched_is_sent_again_under_its_stamp() {
    for retries in ["1", "2147483647"] {
        let mut stage = singles(&[("retries", retries)]);
        stage.cut_at_next_produce(1, Cut::Untouched);
        stage.model.inject(
            On::produce("letters", 0),
            Fault::Refuse(code::NOT_ENOUGH_REPLICAS),
        );
        send_letters(&mut stage, 1);
        stage.run_to_idle();
        assert_eq!(
            stage.written().len(),
            2,
            "the refusal was the first attempt"
        );
        assert!(
            stage
                .arrivals("letters", 0)
                .iter()
                .skip(1)
                .all(|a| a.base_sequence == 1)
        );
        stage.check();
    }
}

#[test]
fn h088_a_drip_does_not_keep_a_link_alive() {
    let mut stage = singles(&[]);
    stage.set_pieces(1, Some((1, Duration::from_secs(1))));
    let n = send_letters(&mut stage, 1)[0];
    stage.run_for(Duration::from_secs(31));
    assert!(is_unreachable(stage.warnings(), |why| matches!(
        why,
        Disconnect::RequestTimedOut { .. }
    )));
    stage.set_pieces(1, None);
    stage.run_to_idle();
    assert!(stage.is_written(n));
    stage.check();
}

#[test]
fn h089_a_link_is_not_used_again_after_its_idle_limit() {
    let mut stage = singles(&[
        ("connections.max.idle.ms", "240000"),
        ("metadata.max.age.ms", "3600000"),
    ]);
    stage.run_for(Duration::from_secs(241));
    assert_eq!(
        (stage.links(1), stage.warnings()),
        (0, &[][..]),
        "a planned end is nobody's trouble"
    );
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert_eq!(stage.core().metrics().batches_retried, 0);
    stage.check();
}

#[test]
fn h089_a_link_that_died_in_silence_is_no_error_for_anybody() {
    let mut stage = singles(&[]);
    stage.run_for(Duration::from_secs(240));
    stage.cut_at_next_produce(1, Cut::After(40));
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert!(stage.is_written(n));
    stage.check();
}

#[test]
fn h095_metadata_does_not_wait_behind_a_silent_produce_request() {
    let mut stage = singles(&[]);
    stage.hold_answers(1);
    send_letters(&mut stage, 1);
    stage.run_for(Duration::from_millis(10));
    let start = stage.now();
    let other = stage.send("others", None, None, b"another topic");
    stage.run_until(|stage| stage.sent(other).accepted.is_some());
    assert!(
        stage.now() - start < Duration::from_millis(20),
        "{:?}",
        stage.now() - start
    );
    stage.release_answers(1);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h096_a_link_that_never_gets_ready_is_tried_less_and_less_often() {
    let mut stage = Stage::new(1, &[("max.block.ms", "100000")]);
    (0..100).for_each(|_| stage.model.inject(On::ApiVersions, Fault::Disconnect));
    let n = stage.send("letters", None, None, b"patient");
    for _ in 0..50 {
        stage.send("letters", None, None, b"all through one dial");
    }
    let mut dials = Vec::new();
    for _ in 0..12 {
        stage.run_until(|stage| stage.links(1) == 1);
        dials.push(stage.now().as_millis());
        stage.run_until(|stage| stage.links(1) == 0);
    }
    let round = 5; // look-up, connect, ApiVersions
    for (pair, mean) in dials
        .windows(2)
        .zip([50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000])
    {
        let wait = pair[1] - pair[0];
        assert!(
            (mean * 8 / 10..=(mean * 12 / 10).min(1_000) + round + 1).contains(&wait),
            "{dials:?}"
        );
    }
    stage.model.clear_faults();
    stage.run_to_idle();
    assert!(stage.is_written(n));
}

#[test]
fn h096_the_back_off_begins_anew_once_a_link_was_ready() {
    let mut stage = singles(&[]);
    for _ in 0..20 {
        let n = send_letters(&mut stage, 1)[0];
        stage.run_to_idle();
        assert!(stage.is_written(n));
        let start = stage.now();
        stage.cut(1);
        let n = stage.send("letters", 0, None, format!("at {start:?}").as_bytes());
        stage.run_until(|stage| stage.is_written(n));
        assert!(
            stage.now() - start < Duration::from_millis(80),
            "{:?}",
            stage.now() - start
        );
    }
}
