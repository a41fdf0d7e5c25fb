//! Whatever is compressed, by an encoder that has seen other things or failed for want of room: it is what a new encoder
//! writes, ours and another decoder find in it what went in, and nothing is written outside the room that there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::fuzzing::decompress;
use ottla_fuzz::{Tape, codecs, payload};

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let (codec, level) = codecs::choose_with_level(&mut tape);
    let mut bench = codecs::bench(codec, level);
    while !tape.is_over() {
        let input = payload::read(&mut tape);
        let mut out = vec![0; 100 + input.len() + input.len() / 6];
        let len = bench.compress(&input, &mut out).expect("there is room");
        let compressed = &out[..len];
        assert!(decompress(codec, compressed, input.len()).as_ref() == Ok(&input));
        assert!(codecs::opened_otherwise(codec, compressed).as_ref() == Some(&input));
        if let Some(less) = input.len().checked_sub(1) {
            assert!(decompress(codec, compressed, less).is_err_and(|part| part.len() <= less));
        }

        let mut tight = vec![0; len.saturating_sub((tape.byte() / 4).into())];
        if let Some(len) = bench.compress(&input, &mut tight) {
            assert!(decompress(codec, &tight[..len], input.len()).as_ref() == Ok(&input));
        }
        let mut again = vec![0; out.len()];
        let len = codecs::bench(codec, level).compress(&input, &mut again);
        assert!(len.is_some_and(|len| again[..len] == *compressed));
    }
});
