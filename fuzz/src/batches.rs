//! The records in Produce requests, as an independent decoder finds them.

use bytes::Bytes;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion};
use kafka_protocol::records::{Compression, Record, RecordBatchDecoder};
use ottla_sim::Api;

use crate::Tape;
use crate::letters::Letter;
use crate::line::{Line, PARTITIONS, TOPIC};

/// A line whose settings, versions and habits are off the tape.
pub fn line(tape: &mut Tape<'_>) -> Line {
    let settings = [
        ("acks", tape.one_of(&["all", "1", "0"])),
        ("batch.size", tape.one_of(&["0", "100", "1000", "16384"])),
        ("buffer.memory", tape.one_of(&["1048576", "65536", "2048"])),
        (
            "compression.type",
            tape.one_of(&["none", "lz4", "zstd", "snappy", "gzip"]),
        ),
    ];
    // Brokers that know no version 7 do not know zstd (KIP-110).
    let oldest = if settings[3].1 == "zstd" { 7 } else { 3 };
    let newest = (oldest + tape.below(14 - oldest)) as i16;
    let mut line = Line::new(&settings, &[(Api::Produce, newest)]);
    line.habits = tape.byte();
    line
}

/// The records of all Produce requests on a line, by partition. `kafka-protocol` has checked lengths and checksums, and keeps of
/// headers with the same name the last: see [`collapsed`].
pub fn decoded(line: &Line) -> Vec<Letter> {
    let requests = line.exchanges.iter().map(|(request, _)| request);
    let produces = requests.filter(|request| request.starts_with(&[0, ApiKey::Produce as u8]));
    let mut letters: Vec<Letter> = produces.flat_map(letters_of).collect();
    letters.sort_by_key(|letter| letter.partition);
    letters
}

/// The letter with one header of each name, the last, where the first was.
pub fn collapsed(letter: &Letter) -> Letter {
    let headers: IndexMap<_, _> = letter.headers.iter().cloned().collect();
    Letter {
        headers: headers.into_iter().collect(),
        ..letter.clone()
    }
}

/// The records in the logs at the end of a line, by partition.
pub fn logged(line: &Line) -> Vec<Letter> {
    let logs = (0..PARTITIONS as i32).flat_map(|partition| {
        line.model.log(TOPIC, partition).map(move |record| Letter {
            partition,
            timestamp: record.timestamp,
            key: record.key.map(Vec::from),
            value: record.value.map(Vec::from),
            headers: record
                .headers
                .into_iter()
                .map(|(n, v)| (text(&n), v.map(Vec::from)))
                .collect(),
        })
    });
    logs.collect()
}

fn letters_of(request: &Bytes) -> Vec<Letter> {
    let mut rest = request.clone();
    let version = i16::from_be_bytes([rest[2], rest[3]]);
    RequestHeader::decode(&mut rest, ProduceRequest::header_version(version)).expect("a header");
    let produce = ProduceRequest::decode(&mut rest, version).expect("a Produce request");
    assert!(rest.is_empty(), "a request ends where it says");
    let partitions = produce
        .topic_data
        .into_iter()
        .flat_map(|topic| topic.partition_data);
    let letters = partitions.flat_map(|partition| {
        let mut batch = partition.records.expect("a batch");
        let open = Some(|body: &mut Bytes, codec: Compression| {
            let body = body.split_off(0);
            let opened = ottla_sim::fuzzing::open(codec as i16, &body).expect("it is the codec's");
            Ok(Bytes::from(opened))
        });
        let set = RecordBatchDecoder::decode_with_custom_compression(&mut batch, open)
            .expect("an intact batch");
        assert!(batch.is_empty(), "one batch for each partition");
        set.records
            .into_iter()
            .map(move |record| letter(partition.index, record))
    });
    letters.collect()
}

fn letter(partition: i32, record: Record) -> Letter {
    let headers = record.headers.into_iter();
    Letter {
        partition,
        timestamp: record.timestamp,
        key: record.key.map(Vec::from),
        value: record.value.map(Vec::from),
        headers: headers
            .map(|(n, v)| (n.to_string(), v.map(Vec::from)))
            .collect(),
    }
}

fn text(name: &Bytes) -> String {
    String::from_utf8(name.to_vec()).expect("a header's name is text")
}
