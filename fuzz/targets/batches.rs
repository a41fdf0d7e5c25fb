//! Records reach the log as they were handed in: an independent decoder finds in the Produce requests, which it holds to
//! their lengths and checksums, every accepted record once, in order, with the same key, value, headers and time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::letters::Letter;
use ottla_fuzz::line::PARTITIONS;
use ottla_fuzz::{Tape, batches};

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let mut line = batches::line(&mut tape);
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
