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
    use std::{vec, vec::Vec};

    use super::super::DecompressError;
    use super::super::samples;
    use super::*;

    fn compress(encoder: &mut Encoder, input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 32 + input.len() + input.len() / 6 + 1];
        let len = encoder.compress(input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    fn open(input: &[u8], most: usize) -> Result<Vec<u8>, DecompressError> {
        let mut out = Vec::from(*b"before");
        decompress(input, most, &mut out)?;
        assert_eq!(&out[..6], b"before");
        Ok(out.split_off(6))
    }

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
    fn the_same_comes_out_whoever_opens_it() {
        let mut encoder = Encoder::new();
        for input in samples::all() {
            let compressed = compress(&mut encoder, &input);
            assert!(open(&compressed, input.len()).unwrap() == input);
            assert!(open_otherwise(&compressed) == input);
            assert!(open(&compress_otherwise(&input), input.len()).unwrap() == input);
        }
    }

    #[test]
    fn ten_mebibytes() {
        let input = samples::json_lines(10 << 20);
        let compressed = compress(&mut Encoder::new(), &input);
        assert!(compressed.len() < input.len() / 2);
        assert!(open(&compressed, input.len()).unwrap() == input);
    }

    /// Worked out by hand from the format's description.
    #[test]
    fn known_bytes() {
        let compressed = compress(&mut Encoder::new(), &[b'a'; 100]);
        let blocks = b"\0\0\0\x09\x64\x00a\xfe\x01\0\x8a\x01\0";
        assert_eq!(compressed, [&HEADER[..], blocks].concat());
        assert_eq!(compress(&mut Encoder::new(), b""), HEADER);
    }

    #[test]
    fn it_is_about_as_short_as_others_make_it() {
        for input in [samples::json_lines(1 << 20), samples::noise(1 << 20)] {
            let len = compress(&mut Encoder::new(), &input).len();
            let other = snap::raw::Encoder::new()
                .compress_vec(&input)
                .unwrap()
                .len();
            assert!(len <= other + other / 50, "{len}, and {other} otherwise");
        }
    }

    #[test]
    fn an_encoder_forgets_what_it_saw() {
        let mut encoder = Encoder::new();
        let (first, second) = (samples::json_lines(100_000), samples::json_lines(999));
        compress(&mut encoder, &first);
        let compressed = compress(&mut encoder, &second);
        assert_eq!(compressed, compress(&mut Encoder::new(), &second));
    }

    #[test]
    fn what_does_not_fit_is_given_up() {
        let mut encoder = Encoder::new();
        for input in [
            samples::json_lines(70_000),
            samples::noise(3_000),
            vec![5; 500],
        ] {
            let compressed = compress(&mut encoder, &input);
            let mut out = vec![0; compressed.len()];
            assert_eq!(encoder.compress(&input, &mut out), Some(out.len()));
            assert_eq!(out, compressed);
            let step = out.len() / 300 + 1;
            for len in (0..out.len()).rev().step_by(step) {
                assert_eq!(encoder.compress(&input, &mut out[..len]), None, "{len}");
            }
        }
    }

    #[test]
    fn no_more_is_opened_than_asked_for() {
        let input = samples::json_lines(70_000);
        let compressed = compress(&mut Encoder::new(), &input);
        for most in [0, 1, 65_535, 65_536, 69_999] {
            let mut out = Vec::new();
            let opened = decompress(&compressed, most, &mut out);
            assert_eq!(opened, Err(DecompressError::TooLong));
            assert!(out.len() <= most);
        }
    }

    #[test]
    fn a_part_is_not_taken_for_the_whole() {
        let input = samples::json_lines(2_000);
        let compressed = compress(&mut Encoder::new(), &input);
        for len in 0..compressed.len() {
            // The header alone is nothing compressed.
            let expected = match len {
                16 => Ok(Vec::new()),
                _ => Err(DecompressError::Damaged),
            };
            assert_eq!(open(&compressed[..len], input.len()), expected, "{len}");
        }
    }

    /// There is no checksum, so some damage gives other bytes; but never more of them than asked for.
    #[test]
    fn damage_is_survived() {
        let input = samples::json_lines(1_500);
        let compressed = compress(&mut Encoder::new(), &input);
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
                open(&input, 1 << 20),
                Err(DecompressError::Damaged),
                "{block:?}"
            );
        }
        let whole = [&HEADER[..], b"\0\0\0\x05\x05\x00a\x01\x01"].concat();
        assert_eq!(open(&whole, 5).unwrap(), b"aaaaa");
    }
}
