//! Hard cases, sections 4 and 10: batches under a codec.

use std::time::Duration;

use ottla_core::{Compression, DeliveryError, Purge};
use ottla_sim::{Api, Fate, Fault, On, Stage, code};

use crate::common::{arrivals, warm};

const CODECS: [&str; 4] = ["gzip", "snappy", "lz4", "zstd"];
const MS: Duration = Duration::from_millis(1);

#[test]
fn every_codec_carries_every_record_in_its_place() {
    for (number, codec) in (1..).zip(CODECS) {
        let mut stage = warm(1, &[("compression.type", codec)]);
        let sent: Vec<String> = (0..500).map(|n| letter(n, 300)).collect();
        for letter in &sent {
            stage.send("letters", 0, None, letter.as_bytes());
        }
        stage.run_to_idle();

        assert_eq!(stage.log("letters", 0)[1..], sent, "{codec}");
        let codecs = stage.model.log("letters", 0).map(|record| record.codec);
        assert!(codecs.skip(1).all(|codec| codec == number), "{codec}");
        let totals = stage.core().metrics().compression;
        assert!(totals.bytes_after < totals.bytes_before / 2, "{totals:?}");
        assert!(
            totals.rate_avg().is_some_and(|rate| rate < 0.6),
            "{totals:?}"
        );
        stage.check();
    }
}

#[test]
fn what_does_not_shrink_goes_as_it_is() {
    for codec in CODECS {
        let mut stage = warm(1, &[("compression.type", codec)]);
        for n in 0..20 {
            stage.send("letters", 0, None, &noise(n, 12_000));
        }
        stage.run_to_idle();

        let mut codecs = stage.model.log("letters", 0).map(|record| record.codec);
        assert!(codecs.all(|codec| codec == 0), "{codec}");
        assert_eq!(stage.core().metrics().compression.rate_avg(), Some(1.0));
        stage.check();
    }
}

#[test]
fn what_is_handed_back_undone_goes_as_it_is_and_is_not_cut() {
    let mut stage = warm(
        1,
        &[("compression.type", "lz4"), ("retry.backoff.ms", "10")],
    );
    stage.leave_work(true);
    let plain = stage.send("letters", 0, None, letter(0, 300).as_bytes());
    stage.run_to_idle();
    assert!(stage.is_written(plain));
    let codecs: Vec<i16> = stage.model.log("letters", 0).map(|r| r.codec).collect();
    assert_eq!(codecs, [0, 0]);

    stage.leave_work(false);
    stage.model.set_topic_max_message_bytes("letters", 1_000);
    let letters: Vec<usize> = (1..40)
        .map(|n| stage.send("letters", 0, None, letter(n, 300).as_bytes()))
        .collect();
    stage.run_until(|stage| arrivals(stage).len() > 2);
    stage.leave_work(true);
    stage.run_for(100 * MS);
    assert_eq!(stage.core().metrics().batches_split, 0);
    stage.leave_work(false);
    stage.run_to_idle();
    assert!(letters.iter().all(|&n| stage.is_written(n)));
    stage.check();
}

#[test]
fn records_of_their_own_batches_change_partitions_under_a_codec_too() {
    let mut stage = warm(
        3,
        &[
            ("compression.type", "zstd"),
            ("batch.size", "0"),
            ("linger.ms", "0"),
        ],
    );
    let sent: Vec<usize> = (0..60)
        .map(|n| stage.send("letters", None, None, letter(n, 300).as_bytes()))
        .collect();
    stage.run_to_idle();
    for partition in 0..3 {
        let is_there = |&n: &usize| stage.sent(n).partition == Some(partition);
        assert!(sent.iter().any(is_there), "{partition}");
    }
    stage.check();
}

#[test]
fn h055_batches_come_near_their_size_once_their_ratio_is_known() {
    let mut stage = warm(1, &[("compression.type", "lz4"), ("linger.ms", "1000")]);
    for n in 0..60_000 {
        stage.send("letters", 0, None, letter(n, 300).as_bytes());
        if n % 100 == 0 {
            stage.run_for(MS);
        }
    }
    stage.run_to_idle();

    let sizes: Vec<usize> = arrivals(&stage).iter().map(|a| a.bytes).collect();
    let late = &sizes[sizes.len() / 2..sizes.len() - 1];
    let near = late.iter().filter(|&&size| size > 13_000).count();
    assert!(near * 10 > late.len() * 9, "{late:?}");
    let beyond = late.iter().filter(|&&size| size > 16_384).count();
    assert!(beyond * 10 < late.len(), "{late:?}");
    stage.check();
}

#[test]
fn h055_few_batches_are_cut_where_the_ratio_flips() {
    let mut stage = warm(1, &[("compression.type", "gzip"), ("linger.ms", "1000")]);
    stage.model.set_topic_max_message_bytes("letters", 17_000);
    for n in 0..40_000 {
        let is_noise = n / 2_000 % 2 == 1;
        let value = if is_noise {
            noise(n, 300)
        } else {
            vec![0; 300]
        };
        stage.send(
            "letters",
            0,
            None,
            &[n.to_string().into_bytes(), value].concat(),
        );
        if n % 50 == 0 {
            stage.run_for(MS);
        }
    }
    stage.run_to_idle();

    let metrics = stage.core().metrics();
    let (split, sent) = (metrics.batches_split, metrics.batches_sent);
    assert!(split > 0 && split * 10 < sent, "{split} of {sent}");
    assert_eq!(stage.written().len(), 40_001);
    stage.check();
}

#[test]
fn h056_a_batch_that_compressed_worse_than_foretold_goes_alone() {
    let mut stage = warm(
        2,
        &[
            ("compression.type", "zstd"),
            ("linger.ms", "1000"),
            ("max.request.size", "20000"),
        ],
    );
    for n in 0..20_000 {
        stage.send(
            "letters",
            0,
            None,
            &[n.to_string().into_bytes(), vec![0; 300]].concat(),
        );
        if n % 50 == 0 {
            stage.run_for(MS);
        }
    }
    stage.run_to_idle();
    for n in 0..400 {
        stage.send("letters", (n % 2) as i32, None, &noise(n, 300));
    }
    stage.run_to_idle();

    let largest = arrivals(&stage).iter().map(|a| a.bytes).max();
    assert!(largest > Some(20_000), "{largest:?}");
    assert_eq!(stage.written().len(), 20_401);
    stage.check();
}

#[test]
fn h048_a_compressed_batch_that_is_too_large_goes_on_in_compressed_pieces() {
    let idempotent: &[(&str, &str)] = &[];
    let ordered = &[
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "1"),
    ];
    let free = &[("enable.idempotence", "false")];
    for settings in [idempotent, ordered, free] {
        for codec in CODECS {
            let mut stage = warm(1, &[settings, &[("compression.type", codec)]].concat());
            stage.model.set_topic_max_message_bytes("letters", 1_500);
            stage.set_work_time(3 * MS);
            let letters: Vec<usize> = (0..200)
                .map(|n| stage.send("letters", 0, None, letter(n, 300).as_bytes()))
                .collect();
            stage.run_to_idle();

            assert!(letters.iter().all(|&n| stage.is_written(n)), "{codec}");
            assert!(stage.core().metrics().batches_split > 0, "{codec}");
            let taken = arrivals(&stage)
                .into_iter()
                .filter(|a| a.code == code::NONE);
            let compressed = taken.filter(|a| a.count > 1 && a.bytes < 250 * a.count as usize);
            assert!(compressed.count() > 1, "{codec}");
            if settings != free {
                let log = stage.log("letters", 0);
                assert_eq!(
                    log[1..],
                    (0..200).map(|n| letter(n, 300)).collect::<Vec<_>>()
                );
            }
            stage.check();
        }
    }
}

#[test]
fn h049_one_compressed_record_that_is_too_large_ends_alone() {
    let mut stage = warm(1, &[("compression.type", "lz4")]);
    stage.model.set_topic_max_message_bytes("letters", 1_500);
    let before = stage.send("letters", 0, None, letter(0, 300).as_bytes());
    let large = stage.send("letters", 0, None, letter(1, 20_000).as_bytes());
    let fits = stage.send("letters", 0, None, &[b'x'; 20_000]);
    stage.run_to_idle();

    assert!(
        stage.is_written(before) && stage.is_written(fits),
        "it is short compressed"
    );
    assert!(matches!(
        stage.outcome(large),
        Some(Fate::NotWritten(DeliveryError::Broker { .. }))
    ));
    stage.check();
}

#[test]
fn while_a_batch_is_worked_on_the_next_ones_keep_their_order_and_other_partitions_go_on() {
    let mut stage = warm(
        2,
        &[
            ("compression.type", "zstd"),
            ("batch.size", "1000"),
            ("batch.growth.max.bytes", "0"),
        ],
    );
    stage.set_work_time(1_000 * MS);
    let slow: Vec<String> = (0..30).map(|n| letter(n, 300)).collect();
    for letter in &slow {
        stage.send("letters", 0, None, letter.as_bytes());
    }
    stage.run_for(500 * MS);
    stage.set_work_time(MS);
    let other = stage.send("letters", 1, None, letter(99, 300).as_bytes());
    stage.run_for(1_000 * MS);
    assert!(stage.is_written(other));
    stage.run_to_idle();
    assert_eq!(stage.log("letters", 0)[1..], slow);
    stage.check();
}

#[test]
fn what_ends_while_it_is_worked_on_ends_once_and_its_memory_comes_back() {
    let ends: [fn(&mut Stage); 3] = [
        |stage| stage.purge(Purge::All),
        |stage| stage.close(Duration::from_millis(100)),
        |stage| stage.run_for(Duration::from_secs(10)),
    ];
    for end in ends {
        let mut stage = warm(
            1,
            &[
                ("compression.type", "gzip"),
                ("linger.ms", "0"),
                ("request.timeout.ms", "4000"),
                ("delivery.timeout.ms", "5000"),
            ],
        );
        stage.set_work_time(Duration::from_secs(60));
        let letter = stage.send("letters", 0, None, letter(0, 300).as_bytes());
        stage.run_for(MS);
        end(&mut stage);
        stage.run_for(200 * MS);
        assert!(matches!(stage.outcome(letter), Some(Fate::NotWritten(_))));
        assert!(stage.core().buffer_available() < stage.core().config().buffer_memory());
        stage.run_for(Duration::from_secs(100));
        assert_eq!(
            stage.core().buffer_available(),
            stage.core().config().buffer_memory()
        );
        stage.check();
    }
}

#[test]
fn what_is_behind_a_batch_that_ends_while_it_is_worked_on_goes_on() {
    let mut stage = warm(
        1,
        &[
            ("compression.type", "lz4"),
            ("linger.ms", "0"),
            ("request.timeout.ms", "4000"),
            ("delivery.timeout.ms", "5000"),
        ],
    );
    stage.set_work_time(5_500 * MS);
    let first = stage.send("letters", 0, None, letter(0, 300).as_bytes());
    stage.run_for(2_500 * MS);
    stage.set_work_time(MS);
    let second = stage.send("letters", 0, None, letter(1, 300).as_bytes());
    stage.run_to_idle();

    assert!(matches!(stage.outcome(first), Some(Fate::NotWritten(_))));
    assert!(stage.is_written(second));
    let wait = stage.sent(second).ended.unwrap() - stage.sent(first).at;
    assert!(
        wait < 5_600 * MS,
        "as soon as there is a place of work: {wait:?}"
    );
    stage.check();
}

#[test]
fn a_busy_partition_leaves_others_their_turn() {
    let mut stage = warm(
        2,
        &[
            ("compression.type", "zstd"),
            ("batch.size", "1000"),
            ("linger.ms", "0"),
        ],
    );
    stage.set_work_time(10 * MS);
    for n in 0..20 {
        stage.send("letters", 0, None, letter(n, 900).as_bytes());
        stage.run_for(5 * MS);
    }
    let other = stage.send("letters", 1, None, letter(99, 300).as_bytes());
    for n in 20..40 {
        stage.send("letters", 0, None, letter(n, 900).as_bytes());
        stage.run_for(5 * MS);
    }
    assert!(stage.is_written(other), "though the codec was never idle");
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h145_a_broker_that_is_too_old_for_zstd_gets_none() {
    let mut stage = Stage::new(1, &[("compression.type", "zstd")]);
    stage.model.set_versions(1, Api::Produce, Some((0, 6)));
    let n = stage.send("letters", None, None, b"too new for it");
    stage.run_to_idle();
    let error = DeliveryError::UnsupportedCompression(Compression::Zstd);
    assert_eq!(error.to_string(), "the broker is too old to read zstd");
    assert_eq!(stage.outcome(n), Some(&Fate::NotWritten(error)));
    assert_eq!(stage.arrivals("letters", 0), []);
    stage.check();
}

#[test]
fn h145_a_broker_that_refuses_a_codec_is_believed() {
    let mut stage = warm(1, &[("compression.type", "zstd")]);
    stage.model.inject(
        On::produce("letters", 0),
        Fault::Refuse(code::UNSUPPORTED_COMPRESSION_TYPE),
    );
    let refused = stage.send("letters", 0, None, b"refused");
    stage.run_to_idle();
    let later = stage.send("letters", 0, None, b"taken");
    stage.run_to_idle();
    assert!(matches!(
        stage.outcome(refused),
        Some(Fate::NotWritten(DeliveryError::Broker { .. }))
    ));
    assert!(stage.is_written(later));
    stage.check();
}

/// Text of about `len` bytes, no two of which are the same, which shrinks well.
fn letter(n: usize, len: usize) -> String {
    let mut text = format!("letter {n}:");
    for word in 0.. {
        if text.len() >= len {
            return text;
        }
        text += ["dear", "sister", "castle", "trial", "bread"][(n * 31 + word * word) % 5];
        text += &(n * 7 + word).to_string();
    }
    text
}

/// Bytes that don't shrink.
fn noise(n: usize, len: usize) -> Vec<u8> {
    let mut state = n as u64 + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len + 100).map(|_| next()).skip(100).collect()
}
