//! Whatever is asked of the accumulator, it gives the answers of a model that is a list of batches for each partition, and
//! what it charged is at all times the sum of what its batches hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::Tape;
use ottla_fuzz::accumulator::Duel;

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let mut duel = Duel::new(&mut tape);
    while !tape.is_over() {
        duel.turn(&mut tape);
        duel.compare();
    }
});
