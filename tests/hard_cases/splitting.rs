//! Hard cases, section 4: batches that a broker calls too large, and records that are too large for any.

use std::time::Duration;

use ottla_core::{DeliveryError, SendError};
use ottla_sim::{Fate, Fault, On, Stage, code};

use crate::common::{arrivals, warm};

const IDEMPOTENT: &[(&str, &str)] = &[];
const ORDERED: &[(&str, &str)] = &[
    ("enable.idempotence", "false"),
    ("max.in.flight.requests.per.connection", "1"),
];
const FREE: &[(&str, &str)] = &[("enable.idempotence", "false")];

#[test]
fn h048_a_batch_that_is_too_large_goes_on_in_pieces() {
    for settings in [IDEMPOTENT, ORDERED] {
        let mut stage = warm(2, &[settings, &[("retries", "1")]].concat());
        stage.model.set_topic_max_message_bytes("letters", 1_500);
        let letters = send_batch(&mut stage, 30);
        stage.run_to_idle();

        for (offset, letter) in (1..).zip(letters) {
            let written = Fate::Written {
                offset: Some(offset),
            };
            assert_eq!(stage.outcome(letter), Some(&written));
        }
        // Halves of halves, until it is known how many are too many.
        let counts: Vec<i32> = arrivals(&stage).iter().map(|a| a.count).collect();
        assert_eq!(counts, [1, 30, 15, 8, 4, 4, 7, 4, 3, 15, 6, 6, 3]);
        let metrics = stage.core().metrics();
        assert_eq!((metrics.batches_split, metrics.batches_retried), (5, 0));
        stage.check();
    }
}

#[test]
fn h048_without_an_order_to_keep_pieces_do_not_wait_for_each_other() {
    let mut stage = warm(2, FREE);
    stage.model.set_topic_max_message_bytes("letters", 1_500);
    let letters = send_batch(&mut stage, 30);
    stage.run_to_idle();

    assert!(letters.iter().all(|&n| stage.is_written(n)));
    let counts: Vec<i32> = arrivals(&stage).iter().map(|a| a.count).collect();
    assert_eq!(counts[1..4], [30, 15, 15], "both halves were under way");
    stage.check();
}

#[test]
fn h048_pieces_have_the_deadline_of_the_whole() {
    let mut stage = warm(
        2,
        &[
            ("request.timeout.ms", "4000"),
            ("delivery.timeout.ms", "5000"),
        ],
    );
    stage.model.set_topic_max_message_bytes("letters", 4_000);
    stage.hold_answers(1);
    let letters = send_batch(&mut stage, 30);
    stage.run_for(Duration::from_millis(2_000));
    stage.lose_requests(1, true);
    stage.release_answers(1);
    stage.run_until(|stage| stage.core().metrics().batches_split == 1);
    stage.run_until(|stage| stage.unsettled().is_empty());

    for letter in letters {
        let sent = stage.sent(letter);
        let life = sent.ended.unwrap() - sent.accepted.unwrap();
        assert_eq!(life, Duration::from_secs(5));
    }
    let outcomes: Vec<bool> = (1..31)
        .map(|n| matches!(stage.outcome(n), Some(Fate::MaybeWritten(_))))
        .collect();
    assert!(outcomes[0], "its piece was on the way");
    assert!(!outcomes[29], "its piece was not");
}

#[test]
fn h048_the_size_that_was_refused_is_not_tried_again() {
    let mut stage = warm(2, &[]);
    stage.model.set_topic_max_message_bytes("letters", 1_200);
    for count in [6, 30, 30] {
        send_batch(&mut stage, count);
        stage.run_to_idle();
    }
    let refused: Vec<i32> = arrivals(&stage)
        .iter()
        .filter(|a| a.code == code::MESSAGE_TOO_LARGE)
        .map(|a| a.count)
        .collect();
    assert_eq!(refused, [6, 30, 30], "no piece is as large as the six");
    stage.check();
}

#[test]
fn h048_a_piece_without_a_stamp_that_is_called_out_of_order_keeps_its_place() {
    let mut stage = warm(2, ORDERED);
    stage.model.set_topic_max_message_bytes("letters", 4_000);
    stage.model.inject(On::produce("letters", 0), Fault::Pass);
    refuse(&mut stage, code::OUT_OF_ORDER_SEQUENCE_NUMBER);
    send_batch(&mut stage, 30);
    stage.run_to_idle();
    assert_eq!(stage.written().len(), 31);
    assert_eq!(stage.warnings(), []);
    stage.check();
}

#[test]
fn h049_one_record_that_is_too_large_ends_alone() {
    for settings in [IDEMPOTENT, ORDERED, FREE] {
        let mut stage = warm(2, settings);
        stage.model.set_topic_max_message_bytes("letters", 1_000);
        let before = send_letters(&mut stage, 5);
        let large = stage.send("letters", 0, None, &[b'x'; 2_000]);
        let after = send_letters(&mut stage, 5);
        stage.run_to_idle();

        let Some(Fate::NotWritten(DeliveryError::Broker { code, .. })) = stage.outcome(large)
        else {
            panic!("{:?}", stage.outcome(large));
        };
        assert_eq!(code.0, ottla_sim::code::MESSAGE_TOO_LARGE);
        assert!(before.iter().chain(&after).all(|&n| stage.is_written(n)));
        let bumps = u64::from(settings == IDEMPOTENT);
        assert_eq!(
            stage.core().metrics().epoch_bumps,
            bumps,
            "its range is spent"
        );
        stage.check();
    }
}

#[test]
fn h050_pieces_take_the_range_of_the_whole_and_what_follows_comes_behind_them() {
    let mut stage = warm(2, &[]);
    stage.model.set_topic_max_message_bytes("letters", 3_000);
    stage.hold_answers(1);
    let mut all = Vec::new();
    for count in [20, 2, 2, 2, 2] {
        all.extend(send_batch(&mut stage, count));
        stage.run_for(Duration::from_millis(2));
    }
    stage.release_answers(1);
    stage.run_to_idle();

    assert!(all.iter().all(|&n| stage.is_written(n)));
    let stamps = |wanted: i16| -> Vec<(i32, i32)> {
        arrivals(&stage)
            .iter()
            .filter(|a| a.code == wanted)
            .map(|a| (a.base_sequence, a.count))
            .collect()
    };
    assert_eq!(stamps(code::MESSAGE_TOO_LARGE), [(1, 20)]);
    assert_eq!(
        stamps(code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        [(21, 2), (23, 2), (25, 2), (27, 2)]
    );
    assert_eq!(
        stamps(code::NONE),
        [
            (0, 1),
            (1, 10),
            (11, 10),
            (21, 2),
            (23, 2),
            (25, 2),
            (27, 2)
        ]
    );
    assert_eq!(stage.core().metrics().epoch_bumps, 0);
    stage.check();
}

#[test]
fn h050_a_piece_that_is_refused_fails_alone() {
    let mut stage = warm(2, &[]);
    stage.model.set_topic_max_message_bytes("letters", 1_500);
    // The whole, its half, that one's half and the first piece that is taken; then the second.
    for _ in 0..4 {
        stage.model.inject(On::produce("letters", 0), Fault::Pass);
    }
    refuse(&mut stage, code::INVALID_RECORD);
    let letters = send_batch(&mut stage, 30);
    stage.run_to_idle();

    let refused: Vec<usize> = letters
        .iter()
        .copied()
        .filter(|&n| matches!(stage.outcome(n), Some(Fate::NotWritten(_))))
        .collect();
    assert_eq!(refused, letters[4..8]);
    assert_eq!(stage.written().len(), 30 - 4 + 1);
    let metrics = stage.core().metrics();
    assert_eq!((metrics.epoch_bumps, metrics.records_not_written), (1, 4));
    stage.check();
}

#[test]
fn h051_too_large_after_an_attempt_without_an_answer_is_not_split() {
    for was_written in [true, false] {
        let mut stage = warm(2, &[]);
        let fault = match was_written {
            true => Fault::AppendThenDisconnect,
            false => Fault::Disconnect,
        };
        stage.model.inject(On::produce("letters", 0), fault);
        let letters = send_batch(&mut stage, 30);
        stage.run_for(Duration::from_millis(7));
        stage.model.set_topic_max_message_bytes("letters", 1_000);
        stage.run_until(|stage| stage.unsettled().is_empty());
        let after = send_letters(&mut stage, 1);
        stage.run_to_idle();

        for letter in letters {
            let outcome = stage.outcome(letter);
            assert!(
                matches!(outcome, Some(Fate::MaybeWritten(_))),
                "{outcome:?}"
            );
        }
        assert!(stage.is_written(after[0]));
        let counts: Vec<i32> = arrivals(&stage).iter().map(|a| a.count).collect();
        assert_eq!(
            counts[..3],
            [1, 30, 30],
            "twice the whole, and never a part of it"
        );
        assert!(counts[3..].iter().all(|&count| count == 1));
        assert_eq!(stage.core().metrics().batches_split, 0);
        stage.check();
    }
}

#[test]
fn h052_flush_waits_for_the_pieces() {
    let mut stage = warm(2, &[]);
    stage.model.set_topic_max_message_bytes("letters", 4_000);
    send_batch(&mut stage, 30);
    let before = stage.flush();
    stage.run_until(|stage| stage.core().metrics().batches_split == 1);
    let between = stage.flush();
    stage.run_until(|stage| stage.unsettled().len() < 30);

    assert_eq!(stage.unsettled().len(), 15, "one piece has ended");
    assert!(!stage.is_flushed(before) && !stage.is_flushed(between));
    stage.run_to_idle();
    assert!(stage.is_flushed(before) && stage.is_flushed(between));
    stage.check();
}

#[test]
fn h052_close_waits_for_the_pieces() {
    let mut stage = warm(2, &[]);
    stage.model.set_topic_max_message_bytes("letters", 1_000);
    let letters = send_batch(&mut stage, 30);
    stage.close(Duration::from_secs(60));
    stage.run_until(|stage| stage.core().metrics().batches_split == 1);
    assert_eq!(stage.closed(), None);
    stage.run_until(|stage| stage.closed().is_some());
    assert!(letters.iter().all(|&n| stage.is_written(n)));
    stage.check();
}

#[test]
fn h053_splitting_ends_with_single_records_and_takes_no_memory() {
    for (limit, written) in [(300, 31), (100, 1)] {
        let mut stage = warm(2, &[("buffer.memory", "16384"), ("batch.size", "16000")]);
        stage.model.set_topic_max_message_bytes("letters", limit);
        send_batch(&mut stage, 30);
        let mut free = stage.core().buffer_available();
        while !stage.unsettled().is_empty() {
            assert!(stage.step());
            let now = stage.core().buffer_available();
            assert!(now >= free, "memory only comes back: {now} after {free}");
            free = now;
        }
        stage.run_to_idle();

        assert_eq!(stage.written().len(), written, "limit {limit}");
        let last = &arrivals(&stage).split_off(1);
        let singles = last.iter().filter(|a| a.count == 1).count();
        assert_eq!((singles, last[0].count), (30, 30));
        stage.check();
    }
}

#[test]
fn h053_pieces_of_a_full_memory_let_waiters_in_as_they_end() {
    let mut stage = warm(2, &[("buffer.memory", "16384"), ("batch.size", "8192")]);
    stage.model.set_topic_max_message_bytes("letters", 1_000);
    let letters: Vec<usize> = (0..6).flat_map(|_| send_batch(&mut stage, 30)).collect();
    stage.run_to_idle();
    assert!(letters.iter().all(|&n| stage.is_written(n)));
    stage.check();
}

#[test]
fn h054_only_the_codes_of_size_split() {
    let broken: [fn(&mut Stage); 5] = [
        |stage| stage.tamper(1, |bytes| truncate(bytes, 5)),
        |stage| stage.tamper(1, |bytes| truncate(bytes, 30)),
        |stage| stage.tamper(1, |bytes| bytes[..4].fill(0x7f)),
        |stage| refuse(stage, code::CORRUPT_MESSAGE),
        |stage| refuse(stage, code::NOT_ENOUGH_REPLICAS),
    ];
    for broken in broken {
        let mut stage = warm(2, &[]);
        broken(&mut stage);
        send_batch(&mut stage, 30);
        stage.run_to_idle();

        let counts: Vec<i32> = arrivals(&stage).iter().map(|a| a.count).collect();
        assert_eq!(counts, [1, 30, 30]);
        assert_eq!(stage.core().metrics().batches_split, 0);
        assert_eq!(stage.written().len(), 31);
        stage.check();
    }
}

#[test]
fn h054_a_list_of_records_that_is_too_large_is_split_too() {
    let mut stage = warm(2, &[]);
    refuse(&mut stage, code::RECORD_LIST_TOO_LARGE);
    send_batch(&mut stage, 30);
    stage.run_to_idle();
    let counts: Vec<i32> = arrivals(&stage).iter().map(|a| a.count).collect();
    assert_eq!(counts, [1, 30, 15, 15]);
    stage.check();
}

#[test]
fn h041_a_batch_whose_time_is_over_is_not_split() {
    let mut stage = warm(
        2,
        &[
            ("request.timeout.ms", "5000"),
            ("delivery.timeout.ms", "5005"),
        ],
    );
    stage.model.set_topic_max_message_bytes("letters", 1_000);
    stage.hold_answers(1);
    let letters = send_batch(&mut stage, 30);
    stage.run_until(|stage| stage.unsettled().is_empty());
    stage.release_answers(1);
    stage.run_to_idle();

    for letter in letters {
        let outcome = stage.outcome(letter);
        assert!(
            matches!(outcome, Some(Fate::MaybeWritten(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(arrivals(&stage).len(), 2);
    assert_eq!(stage.core().metrics().batches_split, 0);
    stage.check();
}

#[test]
fn h057_a_record_that_is_too_large_is_refused_at_the_door() {
    for (name, limit, settings) in [
        (
            "max.request.size",
            2_000,
            &[("max.request.size", "2000")][..],
        ),
        // In whole chunks, and a few bytes more than alone, should it come late in a batch.
        ("buffer.memory", 8_192, &[("buffer.memory", "8192")]),
    ] {
        let mut stage = warm(2, settings);
        let free = stage.core().buffer_available();
        let refused = |stage: &mut Stage, len: usize| {
            let taken = stage.try_send("letters", 0, Some(b"key"), &vec![b'x'; len]);
            match taken {
                Ok(_) => None,
                Err(SendError::TooLarge { setting, limit, .. }) => Some((setting, limit)),
                Err(other) => panic!("{other}"),
            }
        };
        let largest = (0..limit)
            .rev()
            .find(|&len| refused(&mut stage, len).is_none())
            .expect("something fits");
        assert!(limit - largest < 100, "{largest} of {limit}");
        stage.run_to_idle();
        for more in 1..3 {
            assert_eq!(refused(&mut stage, largest + more), Some((name, limit)));
            assert_eq!(stage.core().buffer_available(), free);
        }
        assert_eq!(stage.written().len(), 2);
        stage.check();
    }
}

#[test]
fn h058_any_batch_size_takes_any_record() {
    for size in ["0", "1", "61", "100", "16384"] {
        let mut stage = warm(2, &[("batch.size", size), ("linger.ms", "5")]);
        let sent = [0, 1, 20_000, 40, 100_000, 7]
            .map(|len| stage.send("letters", 0, None, &vec![b'0' + (len % 10) as u8; len + 1]));
        stage.run_to_idle();
        assert!(
            sent.iter().all(|&n| stage.is_written(n)),
            "batch.size={size}"
        );
        let batches = arrivals(&stage).len() - 1;
        assert_eq!(
            batches == sent.len(),
            size.len() < 3,
            "batch.size={size}: {batches}"
        );
        stage.check();
    }
}

/// Sends so many letters that share a batch, in which nothing else is; they take some 6 KB for 30.
fn send_batch(stage: &mut Stage, count: usize) -> Vec<usize> {
    let letters = send_letters(stage, count);
    stage.flush();
    letters
}

fn send_letters(stage: &mut Stage, count: usize) -> Vec<usize> {
    let (now, first) = (stage.now().as_millis(), stage.unsettled().len());
    (first..first + count)
        .map(|n| stage.send("letters", 0, None, format!("{now:0>196} {n:03}").as_bytes()))
        .collect()
}

fn refuse(stage: &mut Stage, code: i16) {
    stage
        .model
        .inject(On::produce("letters", 0), Fault::Refuse(code));
}

/// Leaves so many bytes of an answer, in a frame that says so.
fn truncate(bytes: &mut Vec<u8>, len: usize) {
    bytes.truncate(len);
    let length = (len as u32 - 4).to_be_bytes();
    bytes[..4].copy_from_slice(&length);
}
