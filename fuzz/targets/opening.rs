//! No bytes make a decoder panic, give more than was asked for, or take memory out of proportion to them; and what it opens,
//! another decoder does not open differently.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::Compression;
use ottla_core::fuzzing::decompress;
use ottla_fuzz::{Tape, codecs, memory};

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let codec = codecs::choose(&mut tape);
    let most = tape.one_of(&[1 << 20, 1 << 16, 1000, 10, 0]);
    let input = tape.rest();
    let (opened, taken) = memory::peak(|| decompress(codec, input, most));
    let bound = codecs::most_memory(codec, input.len(), most);
    assert!(taken <= bound, "{taken} bytes instead of {bound}");
    let (Ok(bytes) | Err(bytes)) = &opened;
    assert!(bytes.len() <= most);
    // The other one reads a single frame of zstd, and is the same crate.
    if let Ok(ours) = opened
        && codec != Compression::Zstd
        && let Some(theirs) = codecs::opened_otherwise(codec, input)
    {
        assert_eq!(ours, theirs);
    }
});
