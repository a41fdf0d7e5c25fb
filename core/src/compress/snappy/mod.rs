//! Snappy, in the framing of snappy-java's `SnappyOutputStream`, which Kafka's brokers and consumers read.
//!
//! A header, then blocks: each a length of four bytes and a raw Snappy block.

mod decode;
mod encode;

pub(crate) use decode::decompress;
pub(crate) use encode::Encoder;

/// The magic bytes, the version, and the oldest version that can read this.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// So many bytes are copied at once.
const SHORT: usize = 16;

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::tests::{compress_anew, json_lines, noise, open, samples};
    use super::super::{Compression, DecompressError};
    use super::*;

    const SNAPPY: Compression = Compression::Snappy;

    /// What another implementation, which knows raw blocks, makes of the blocks.
    fn open_otherwise(input: &[u8]) -> Vec<u8> {
        let mut rest = input
            .strip_prefix(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01")
            .unwrap();
        let mut decoder = snap::raw::Decoder::new();
        let mut out = Vec::new();
        while let Some((len, after)) = rest.split_first_chunk() {
            let (block, after) = after.split_at(u32::from_be_bytes(*len) as usize);
            out.extend(decoder.decompress_vec(block).unwrap());
            rest = after;
        }
        assert!(rest.is_empty());
        out
    }

    /// Blocks of 32 KiB, as Java's, by another implementation.
    fn compress_otherwise(input: &[u8]) -> Vec<u8> {
        let mut encoder = snap::raw::Encoder::new();
        let mut out = HEADER.to_vec();
        for block in input.chunks(1 << 15) {
            let block = encoder.compress_vec(block).unwrap();
            out.extend((block.len() as u32).to_be_bytes());
            out.extend(block);
        }
        out
    }

    #[test]
    fn others_open_it_and_it_opens_what_others_write() {
        for input in samples() {
            let compressed = compress_anew(SNAPPY, 0, &input);
            assert!(open_otherwise(&compressed) == input);
            assert!(open(SNAPPY, &compress_otherwise(&input), input.len()).unwrap() == input);
        }
    }

    #[test]
    fn ten_mebibytes() {
        let input = json_lines(10 << 20);
        let compressed = compress_anew(SNAPPY, 0, &input);
        assert!(compressed.len() < input.len() / 2);
        assert!(open(SNAPPY, &compressed, input.len()).unwrap() == input);
    }

    /// Worked out by hand from the format's description.
    #[test]
    fn known_bytes() {
        let compressed = compress_anew(SNAPPY, 0, &[b'a'; 100]);
        let blocks = b"\0\0\0\x09\x64\x00a\xfe\x01\0\x8a\x01\0";
        assert_eq!(compressed, [&HEADER[..], blocks].concat());
        assert_eq!(compress_anew(SNAPPY, 0, b""), HEADER);
    }

    #[test]
    fn it_is_about_as_short_as_others_make_it() {
        for input in [json_lines(1 << 20), noise(1 << 20)] {
            let len = compress_anew(SNAPPY, 0, &input).len();
            let other = snap::raw::Encoder::new()
                .compress_vec(&input)
                .unwrap()
                .len();
            assert!(len <= other + other / 50, "{len}, and {other} otherwise");
        }
    }

    #[test]
    fn a_part_is_not_taken_for_the_whole() {
        let input = json_lines(2_000);
        let compressed = compress_anew(SNAPPY, 0, &input);
        for len in 0..compressed.len() {
            // The header alone is nothing compressed.
            let expected = match len {
                16 => Ok(Vec::new()),
                _ => Err(DecompressError::Damaged),
            };
            assert_eq!(
                open(SNAPPY, &compressed[..len], input.len()),
                expected,
                "{len}"
            );
        }
    }

    /// There is no checksum, so some damage gives other bytes; but never more of them than asked for.
    #[test]
    fn damage_is_survived() {
        let input = json_lines(1_500);
        let compressed = compress_anew(SNAPPY, 0, &input);
        let mut errors = 0;
        for at in 0..compressed.len() {
            for bit in 0..8 {
                let mut damaged = compressed.clone();
                damaged[at] ^= 1 << bit;
                let mut out = Vec::new();
                errors += usize::from(decompress(&damaged, input.len(), &mut out).is_err());
                assert!(out.len() <= input.len());
            }
        }
        assert!(
            errors > compressed.len(),
            "{errors} of {}",
            compressed.len() * 8
        );
    }

    #[test]
    fn impossible_blocks_are_refused() {
        let impossible: [&[u8]; 11] = [
            b"",                          // no length
            b"\x80",                      // half a length
            b"\xff\xff\xff\xff\x0f",      // a length of 4 GiB
            b"\xff\xff\xff\x7f\x00a",     // more than the elements can make
            b"\x04\x0cabc",               // a literal cut short
            b"\x04\xfc\xff\xff\xff\xff",  // a literal of 4 GiB
            b"\x05\x00a\x01\x00",         // a copy from no distance
            b"\x05\x00a\x01\x02",         // a copy from before the block
            b"\x04\x00a\x01\x01",         // one byte too many
            b"\x06\x00a\x01\x01",         // one byte too few
            b"\x05\x00a\x03\x01\x00\x00", // a far copy cut short
        ];
        for block in impossible {
            let len = (block.len() as u32).to_be_bytes();
            let input = [&HEADER[..], &len, block].concat();
            assert_eq!(
                open(SNAPPY, &input, 1 << 20),
                Err(DecompressError::Damaged),
                "{block:?}"
            );
        }
        let whole = [&HEADER[..], b"\0\0\0\x05\x05\x00a\x01\x01"].concat();
        assert_eq!(open(SNAPPY, &whole, 5).unwrap(), b"aaaaa");
    }
}
