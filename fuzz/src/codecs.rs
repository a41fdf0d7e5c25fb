//! Codecs and levels, and who else opens what they write.

use ottla_core::Compression;
use ottla_core::fuzzing::Bench;

use crate::Tape;

/// The codecs, with those of their levels that search differently.
const CODECS: [(Compression, &[i32]); 4] = [
    (Compression::Gzip, &[-1, 1, 3, 9]),
    (Compression::Snappy, &[0]),
    (Compression::Lz4, &[9, 1, 3, 12, 17]),
    (
        Compression::Zstd,
        &[3, 1, 2, 4, 5, 7, 9, 13, 17, 22, -1, -7, -131_072],
    ),
];

/// A codec.
pub fn choose(tape: &mut Tape<'_>) -> Compression {
    tape.one_of(&CODECS).0
}

/// A codec and a level.
pub fn choose_with_level(tape: &mut Tape<'_>) -> (Compression, i32) {
    let (codec, levels) = tape.one_of(&CODECS);
    (codec, tape.one_of(levels))
}

/// The tape on which [`choose`] finds this codec.
pub fn tape(codec: Compression) -> Option<u8> {
    let place = CODECS.iter().position(|(known, _)| *known == codec)?;
    Some(place as u8)
}

/// The encoder of a codec that is built in.
pub fn bench(codec: Compression, level: i32) -> Bench {
    Bench::new(codec, level).expect("it is built in")
}

/// What another implementation finds in compressed bytes: `None` if it does not take them.
pub fn opened_otherwise(codec: Compression, input: &[u8]) -> Option<Vec<u8>> {
    ottla_sim::fuzzing::open(codec as i16, input)
}

/// What a decoder may take besides what it opens, and how often its output may be allocated at once while it grows.
///
/// Deflate makes at most 1032 bytes of one, Snappy 22, LZ4 255; and zstd asks for a window of up to 8 MiB.
pub fn most_memory(codec: Compression, input: usize, most: usize) -> usize {
    let (times, state) = match codec {
        Compression::Gzip => (1032, 64 << 10),
        Compression::Snappy => (22, 0),
        Compression::Lz4 => (255, 0),
        _ => (usize::MAX, 32 << 20),
    };
    state + 1024 + 3 * most.min(input.saturating_mul(times))
}
