//! A batch under a codec is cut into the pieces that it would be cut into as it is, and so are they, down to single records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::twins::Twins;
use ottla_fuzz::{Tape, codecs};

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let (codec, level) = codecs::choose_with_level(&mut tape);
    let mut bench = codecs::bench(codec, level);
    while !tape.is_over() {
        let mut rest = vec![Twins::read(&mut tape, &mut bench)];
        let most = 16 * usize::from(tape.byte());
        while let Some(twins) = rest.pop() {
            twins.compare(codec);
            rest.extend(twins.split(most, &mut bench).into_iter().flatten());
        }
    }
});
