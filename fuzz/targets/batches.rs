//! Records reach the log as they were handed in: an independent decoder finds in the Produce requests, which it holds to
//! their lengths and checksums, every accepted record once, in order, with the same key, value, headers and time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::letters::Letter;
use ottla_fuzz::line::{Line, PARTITIONS};
use ottla_fuzz::{Tape, batches};
use ottla_sim::Api;

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
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
    let mut accepted = Vec::new();
    while !tape.is_over() {
        let letter = Letter::read(&mut tape, PARTITIONS);
        if line.send(&letter) {
            accepted.push(letter);
        }
    }
    line.run();
    accepted.sort_by_key(|letter| letter.partition);
    assert_eq!(line.written, accepted.len());
    assert_eq!(batches::logged(&line), accepted);
    accepted
        .iter_mut()
        .for_each(|letter| *letter = batches::collapsed(letter));
    assert_eq!(batches::decoded(&line), accepted);
    assert_eq!(line.model.violations(), [""; 0]);
});
