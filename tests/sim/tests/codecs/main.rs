//! Compressed batches as other programs write them: the model takes and refuses what Kafka takes and refuses.

#[path = "../common/mod.rs"]
mod common;

use bytes::Bytes;
use common::*;
use ottla_sim::code;

/// Forms that a codec may take, right and wrong ones, made by hand; the answers are Kafka's.
const FORMS: &str = include_str!("forms.txt");
/// What clients wrote with each of their codecs.
const CLIENTS: &str = include_str!("clients.txt");

/// A line of a file: `NAME | NUMBER | BYTES IN HEX`.
struct Sample<'a> {
    name: &'a str,
    number: i16,
    batch: Bytes,
}

fn samples(file: &str) -> impl Iterator<Item = Sample<'_>> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let mut fields = line.split(" | ");
        let mut field = || fields.next().expect(line);
        Sample {
            name: field(),
            number: field().parse().expect(line),
            batch: from_hex(field()),
        }
    })
}

fn from_hex(digits: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect(digits);
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn every_form_of_a_codec_is_judged_as_by_kafka() {
    for sample in samples(FORMS) {
        let mut model = cluster();
        let answer = send(&mut model, "t", 0, &sample.batch);
        assert_eq!(answer.error_code, sample.number, "{}", sample.name);
        let read = texts(&model, "t", 0);
        if sample.number == code::NONE {
            assert!(!read.is_empty(), "{}", sample.name);
            for (index, value) in read.iter().enumerate() {
                let expected = format!("value {index} ");
                assert!(value.starts_with(&expected), "{}: {value}", sample.name);
            }
        }
    }
}

#[test]
fn the_batches_of_other_clients_are_opened() {
    for sample in samples(CLIENTS) {
        let mut model = cluster();
        let answer = send(&mut model, "t", 0, &sample.batch);
        assert_eq!(answer.error_code, code::NONE, "{}", sample.name);
        // One of librdkafka's batches begins at the second of its records.
        let first = if sample.number == 99 { 1 } else { 0 };
        let expected = (first..100).map(|n| format!("value {n} {}", "abcdef".repeat(150)));
        assert_eq!(
            texts(&model, "t", 0),
            expected.collect::<Vec<_>>(),
            "{}",
            sample.name
        );
        assert_eq!(model.violations(), [] as [&str; 0], "{}", sample.name);
    }
}
