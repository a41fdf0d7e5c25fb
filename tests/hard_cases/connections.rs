//! Hard cases, section 6: links and frames.

use std::net::SocketAddr;
use std::time::Duration;

use ottla_core::{Cause, DeliveryError, Disconnect, ProtocolError, ResolveError, Warning};
use ottla_sim::{Api, Cut, Dial, Fate, Fault, Lookup, On, Stage, code};

use crate::common::{SINGLES, send_letters};

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
        let mut stage = warm(&[]);
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
    let mut stage = warm(&[]);
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
fn h081_an_answer_that_stops_half_way_is_no_answer() {
    let whole = 66;
    for bytes in 0..whole {
        let mut stage = warm(&[]);
        stage.lose_answers_after(1, bytes);
        let n = send_letters(&mut stage, 1)[0];
        stage.run_for(Duration::from_millis(30_001));
        assert_eq!(stage.outcome(n), None, "after {bytes} bytes");
        stage.pass_answers(1);
        stage.run_to_idle();

        assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(1) }));
        assert_eq!(stage.core().metrics().batches_retried, 1);
        stage.check();
    }
}

#[test]
fn h082_after_a_half_written_request_the_link_is_closed() {
    let mut stage = warm(&[
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
    let mut stage = warm(&[("retries", "1")]);
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
        let mut stage = warm(&[("retries", retries)]);
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
fn h084_a_hostile_length_closes_the_link() {
    let hostile: [(&[u8], Option<&str>); 4] = [
        (&[0xff, 0xff, 0xff, 0xff], None),
        (&[0x7f, 0xff, 0xff, 0xff], None),
        (b"HTTP/1.1 400 Bad Request\r\n", Some("HTTP")),
        (&[0x15, 3, 1, 0, 2, 2, 70], Some("TLS")),
    ];
    for (bytes, expected) in hostile {
        let mut stage = warm(&[]);
        stage
            .model
            .inject(On::AnyProduce, Fault::Garbage(bytes.to_vec()));
        send_letters(&mut stage, 1);
        stage.run_to_idle();

        let is_told = |why: &Disconnect| match why {
            Disconnect::Protocol(ProtocolError::FrameLength { hint, .. }) => *hint == expected,
            _ => false,
        };
        assert!(
            is_unreachable(stage.warnings(), is_told),
            "{:?}",
            stage.warnings()
        );
        assert_eq!(stage.written().len(), 2);
        stage.check();
    }
}

#[test]
fn h085_an_answer_to_another_request_completes_nothing() {
    let mut stage = warm(&[]);
    stage.tamper(1, |frame| frame[7] ^= 1);
    let n = send_letters(&mut stage, 1)[0];
    stage.run_for(Duration::from_millis(50));
    assert_eq!(stage.outcome(n), None);
    stage.run_to_idle();
    assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(1) }));
    assert!(is_unreachable(stage.warnings(), is_correlation));
    stage.check();
}

#[test]
fn h085_an_answer_that_nobody_waits_for_closes_the_link() {
    let mut stage = warm(&[]);
    stage.send_stray_bytes(1, &[0, 0, 0, 4, 0, 0, 0, 2]);
    stage.run_for(Duration::from_millis(10));
    assert_eq!(stage.links(1), 0);
    assert!(is_unreachable(stage.warnings(), is_correlation));
    send_letters(&mut stage, 1);
    stage.run_to_idle();
    assert_eq!(stage.written().len(), 2);
    stage.check();
}

#[test]
fn h086_an_answer_that_can_t_be_read_leaves_its_batches_unknown() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 3] = [
        |frame| {
            frame.truncate(30);
            frame[..4].copy_from_slice(&26_u32.to_be_bytes());
        },
        |frame| frame[9] = 0x7f, // 126 topics
        |frame| {
            frame.extend_from_slice(b"more");
            frame[3] += 4;
        },
    ];
    for change in changes {
        let mut stage = warm(&[]);
        stage.tamper(1, change);
        let n = send_letters(&mut stage, 1)[0];
        stage.run_to_idle();
        assert_eq!(stage.outcome(n), Some(&Fate::Written { offset: Some(1) }));
        assert_eq!(stage.arrivals("letters", 0).len(), 3, "asked again");
        assert!(is_unreachable(stage.warnings(), |why| {
            matches!(why, Disconnect::Protocol(ProtocolError::Body(_)))
        }));
        stage.check();
    }
}

#[test]
fn h086_a_flipped_bit_in_an_answer_harms_nobody() {
    for bit in 0..66 * 8 {
        let mut stage = warm(&[
            ("request.timeout.ms", "1000"),
            ("delivery.timeout.ms", "8000"),
        ]);
        stage.excuse_losses(); // an offset may be the one that was flipped
        stage.tamper(1, move |frame| frame[bit / 8] ^= 1 << (bit % 8));
        send_letters(&mut stage, 3);
        stage.send("letters", 1, None, b"elsewhere");
        stage.run_to_idle();
        assert!(stage.is_written(4), "bit {bit}");
    }
}

#[test]
fn h087_a_missing_answer_is_unknown_a_second_one_and_a_stranger_are_nothing() {
    type Change = fn(&mut Vec<u8>);
    let missing: Change = |frame| remove_partition(frame, 1);
    let repeated: Change = |frame| {
        let mut again = partitions(frame)[0].to_vec();
        again[5] = 87; // INVALID_RECORD
        insert_partition(frame, &again);
    };
    let stranger: Change = |frame| {
        let mut other = partitions(frame)[0].to_vec();
        other[3] = 77;
        insert_partition(frame, &other);
    };
    for (change, arrivals) in [(missing, [1, 2]), (repeated, [1, 1]), (stranger, [1, 1])] {
        let mut stage = Stage::new(1, &[]);
        stage.model.set_versions(1, Api::Produce, Some((3, 5)));
        stage.model.create_topic("letters", 2);
        stage.warm_up("letters");
        stage.tamper(1, change);
        let two = [0, 1].map(|p| stage.send("letters", p, None, format!("to {p}").as_bytes()));
        stage.run_to_idle();

        assert_eq!(two.map(|n| stage.is_written(n)), [true, true]);
        assert_eq!([0, 1].map(|p| stage.arrivals("letters", p).len()), arrivals);
        stage.check();
    }
}

#[test]
fn h088_a_drip_does_not_keep_a_link_alive() {
    let mut stage = warm(&[]);
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
fn answers_come_in_any_pieces() {
    for size in [1, 2, 3, 5, 7, 64] {
        let mut stage = Stage::new(3, &[]);
        (1..=3).for_each(|broker| stage.set_pieces(broker, Some((size, Duration::ZERO))));
        stage.model.create_topic("letters", 4);
        for n in 0..100 {
            stage.send("letters", n % 4, None, format!("letter {n}").as_bytes());
        }
        stage.run_to_idle();
        assert_eq!(stage.written().len(), 100);
        stage.check();
    }
}

#[test]
fn h089_a_link_is_not_used_again_after_its_idle_limit() {
    let mut stage = warm(&[
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
    let mut stage = warm(&[]);
    stage.run_for(Duration::from_secs(240));
    stage.cut_at_next_produce(1, Cut::After(40));
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert!(stage.is_written(n));
    stage.check();
}

#[test]
fn h092_a_broker_that_does_not_know_our_api_versions_is_asked_in_its_own() {
    for newest in 0..4 {
        let mut stage = Stage::new(1, &[]);
        stage
            .model
            .set_versions(1, Api::ApiVersions, Some((0, newest)));
        let n = stage.send("letters", None, None, b"to an old broker");
        stage.run_to_idle();
        assert!(stage.is_written(n));
        assert_eq!(
            stage.model.requests(Api::ApiVersions),
            2,
            "once too new, once right"
        );
        stage.check();
    }
}

#[test]
fn h092_a_broker_that_breaks_at_api_versions_is_asked_in_the_oldest() {
    let mut stage = Stage::new(1, &[]);
    stage.model.inject(On::ApiVersions, Fault::Disconnect);
    let n = stage.send("letters", None, None, b"to a very old broker");
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert!(
        stage.now() < Duration::from_millis(200),
        "{:?}",
        stage.now()
    );
    stage.check();
}

#[test]
fn h092_refusing_every_version_ends_in_an_error_and_not_in_a_loop() {
    let mut stage = Stage::new(1, &[("max.block.ms", "5000")]);
    for _ in 0..1_000 {
        stage
            .model
            .inject(On::ApiVersions, Fault::Refuse(code::UNSUPPORTED_VERSION));
    }
    let n = stage.send("letters", None, None, b"in vain");
    stage.run_until(|stage| stage.outcome(n).is_some());
    assert_eq!(stage.now(), Duration::from_secs(5));
    assert!(
        stage.model.requests(Api::ApiVersions) < 40,
        "{}",
        stage.model.requests(Api::ApiVersions)
    );
    assert!(is_unreachable(stage.warnings(), |why| {
        matches!(
            why,
            Disconnect::Protocol(ProtocolError::UnsupportedVersion { .. })
        )
    }));
}

#[test]
fn h093_versions_are_each_links_own() {
    let mut stage = warm(&[]);
    for (round, (broker, newest)) in [(1, 9), (2, 3), (3, 12), (1, 13), (2, 7)]
        .into_iter()
        .enumerate()
    {
        stage
            .model
            .set_versions(broker, Api::Produce, Some((3, newest)));
        stage
            .model
            .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
        stage.send("letters", 0, None, format!("round {round}").as_bytes());
        stage.run_for(Duration::from_millis(5));
        stage.model.move_leader("letters", 0, broker);
        stage.cut(broker);
        stage.run_to_idle();
    }
    assert_eq!(stage.written().len(), 6);
    stage.check(); // the batches' bytes are the same under every version
}

#[test]
fn h093_a_broker_that_lost_support_refuses_and_nobody_wonders() {
    let mut stage = warm(&[]);
    stage.model.set_versions(1, Api::Produce, Some((0, 2)));
    stage.cut(1);
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert_eq!(
        stage.outcome(n),
        Some(&Fate::NotWritten(DeliveryError::UnsupportedVersion))
    );

    stage.model.set_versions(1, Api::Produce, Some((0, 13)));
    stage.cut(1);
    let next = stage.send("letters", 0, None, b"after the upgrade");
    stage.run_to_idle();
    assert!(stage.is_written(next));
    stage.check();
}

#[test]
fn h077_where_metadata_has_no_ids_topics_go_by_their_names() {
    let mut stage = warm(&[]);
    for broker in 1..=3 {
        stage
            .model
            .set_versions(broker, Api::Metadata, Some((0, 9)));
        stage.cut(broker);
    }
    stage.model.delete_topic("letters");
    stage.model.create_topic("letters", 2);
    stage.excuse_losses();
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert!(stage.now() < Duration::from_secs(2), "{:?}", stage.now());
    stage.check();
}

#[test]
fn h095_metadata_does_not_wait_behind_a_silent_produce_request() {
    let mut stage = warm(&[]);
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
    let mut stage = warm(&[]);
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

#[test]
fn h139_without_acknowledgements_a_close_ends_with_the_last_write() {
    let mut stage = warm(&[("acks", "0")]);
    send_letters(&mut stage, 5);
    let start = stage.now();
    stage.close(Duration::from_secs(10));
    stage.run_until(|stage| stage.closed().is_some());
    assert!(stage.now() - start < Duration::from_millis(10));
    assert_eq!(stage.written().len(), 6);
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
    stage.set_lookup(
        "broker-1",
        Lookup::Found(vec![SocketAddr::from(([127, 0, 0, 1], 9091))]),
    );
    stage.run_to_idle();
    assert!(stage.is_written(n));
    stage.check();
}

/// Three brokers, and the topic `letters` with two partitions led by brokers 1 and 2; the first has the record `first`.
/// Every record is a batch of its own, sent at once.
fn warm(settings: &[(&str, &str)]) -> Stage {
    crate::common::warm(2, &[SINGLES, settings].concat())
}

/// Some warning names a broker out of reach for such a reason.
fn is_unreachable(warnings: &[Warning], reason: impl Fn(&Disconnect) -> bool) -> bool {
    warnings
        .iter()
        .any(|w| matches!(w, Warning::Broker(Cause::Unreachable { why, .. }) if reason(why)))
}

fn is_correlation(why: &Disconnect) -> bool {
    matches!(why, Disconnect::Protocol(ProtocolError::Correlation { .. }))
}

// An answer to Produce 5 about one topic: length, correlation id, number of topics, the name behind its length, number of
// partitions, 30 bytes for each (index, code, base offset, append time, log start offset), throttle time.
const PARTITION: usize = 30;
const COUNT: usize = 12 + 2 + "letters".len();

fn partitions(frame: &[u8]) -> Vec<&[u8]> {
    frame[COUNT + 4..frame.len() - 4]
        .chunks(PARTITION)
        .collect()
}

fn remove_partition(frame: &mut Vec<u8>, place: usize) {
    let at = COUNT + 4 + place * PARTITION;
    frame.drain(at..at + PARTITION);
    frame[COUNT + 3] -= 1;
    set_length(frame);
}

fn insert_partition(frame: &mut Vec<u8>, partition: &[u8]) {
    let at = frame.len() - 4;
    frame.splice(at..at, partition.iter().copied());
    frame[COUNT + 3] += 1;
    set_length(frame);
}

fn set_length(frame: &mut [u8]) {
    let length = frame.len() as u32 - 4;
    frame[..4].copy_from_slice(&length.to_be_bytes());
}
