//! Hard cases, section 6: what comes in on a link.

use std::time::Duration;

use ottla_core::{Disconnect, ProtocolError, Warning};
use ottla_sim::{Api, Fate, Fault, On, Stage};

use crate::common::{SINGLES, is_unreachable, send_letters, singles};

#[test]
fn h081_an_answer_that_stops_half_way_is_no_answer() {
    let whole = 66;
    for bytes in 0..whole {
        let mut stage = singles(&[]);
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
fn h084_a_hostile_length_closes_the_link() {
    let hostile: [(&[u8], Option<&str>); 4] = [
        (&[0xff, 0xff, 0xff, 0xff], None),
        (&[0x7f, 0xff, 0xff, 0xff], None),
        (b"HTTP/1.1 400 Bad Request\r\n", Some("HTTP")),
        (&[0x15, 3, 1, 0, 2, 2, 70], Some("TLS")),
    ];
    for (bytes, expected) in hostile {
        let mut stage = singles(&[]);
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
    let mut stage = singles(&[]);
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
    let mut stage = singles(&[]);
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
            frame.extend_from_slice(b"far more than one"); // 17 bytes, one above the bound
            frame[3] += 17;
        },
    ];
    for change in changes {
        let mut stage = singles(&[]);
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
fn h086_a_few_bytes_after_the_last_field_are_passed_over_with_one_warning_per_link() {
    for bytes in [1, 16] {
        let mut stage = singles(&[]);
        for round in 1..=3 {
            stage.tamper(1, move |frame| {
                frame.extend(std::iter::repeat_n(0, bytes));
                frame[3] += bytes as u8;
            });
            let n = stage.send("letters", 0, None, format!("letter {round}").as_bytes());
            stage.run_to_idle();
            let offset = Some(round);
            assert_eq!(stage.outcome(n), Some(&Fate::Written { offset }));
        }
        assert_eq!(stage.arrivals("letters", 0).len(), 4, "none is sent again");
        let [
            Warning::TrailingBytes {
                broker,
                api,
                bytes: warned,
            },
        ] = stage.warnings()
        else {
            panic!("{:?}", stage.warnings());
        };
        assert_eq!(broker.to_string(), "broker-1:9091");
        assert_eq!((*api, *warned), ("Produce", bytes));
        stage.check();
    }
}

#[test]
fn h086_a_stray_byte_in_every_response_of_a_producers_start_is_passed_over() {
    let mut stage = Stage::new(1, SINGLES);
    stage.model.create_topic("letters", 1);
    let n = stage.send("letters", 0, None, b"as librdkafka's mock cluster answers");
    while stage.outcome(n).is_none() {
        stage.tamper_any(1, |frame| {
            frame.push(0);
            frame[3] += 1;
        });
        assert!(stage.step());
    }
    assert!(stage.is_written(n));
    let apis = stage.warnings().iter().map(|warning| match warning {
        Warning::TrailingBytes { api, .. } => *api,
        _ => "another warning",
    });
    assert_eq!(apis.collect::<Vec<_>>(), ["ApiVersions"], "once per link");
    assert_eq!(stage.model.requests(Api::Metadata), 1);
    stage.check();
}

#[test]
fn h086_a_flipped_bit_in_an_answer_harms_nobody() {
    for bit in 0..66 * 8 {
        let mut stage = singles(&[
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
