//! Gzip: a plain header, a Deflate stream by `miniz_oxide`, and the sum and length of what is inside.

use alloc::{boxed::Box, vec::Vec};

use miniz_oxide::{
    deflate::core::{
        CompressorOxide, TDEFLFlush, TDEFLStatus, compress,
        deflate_flags::TDEFL_GREEDY_PARSING_FLAG as GREEDY,
    },
    inflate::{
        TINFLStatus,
        core::{
            DecompressorOxide, decompress as inflate,
            inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        },
    },
};

use super::DecompressError;

/// The magic bytes, the method (Deflate), no flags, no time, no hint at the level, and no word of the system.
const HEADER: [u8; 10] = *b"\x1f\x8b\x08\0\0\0\0\0\0\0";

/// Of the sum and the length.
const TRAILER_LEN: usize = 8;

/// How the compressor works at each level from 1: how many earlier places it looks at for a match, and whether it takes
/// the first good one.
///
/// They are chosen to be near zlib's levels in speed and length. `miniz_oxide`'s own table looks more than twice as long
/// at the default level, for one per cent in length.
const LEVELS: [u32; 9] = [
    GREEDY | 1,
    GREEDY | 4,
    GREEDY | 16,
    8,
    16,
    48,
    128,
    256,
    768,
];

/// Compresses at one level.
///
/// Holds about 310 KiB from the first batch on, however short the batches are.
pub(crate) struct Encoder {
    flags: u32,
    /// Made with the first batch.
    state: Option<Box<CompressorOxide>>,
}

impl Encoder {
    /// Takes `compression.gzip.level`: 1, the fastest, to 9, the shortest, or -1 for the default, which is 6.
    pub(crate) fn new(level: i32) -> Self {
        let level = if level == -1 { 6 } else { level.clamp(1, 9) };
        Self {
            flags: LEVELS[level as usize - 1],
            state: None,
        }
    }

    /// Compresses `input` into `out`. Returns the length, or `None` if `out` is too short.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let (head, out) = out.split_first_chunk_mut()?;
        let room = out.len().checked_sub(TRAILER_LEN)?;
        *head = HEADER;
        let state = match &mut self.state {
            Some(state) => {
                state.reset();
                state
            }
            none => none.insert(Box::new(CompressorOxide::new(self.flags))),
        };
        let (status, _, len) = compress(state, input, &mut out[..room], TDEFLFlush::Finish);
        if status != TDEFLStatus::Done {
            return None;
        }
        out[len..len + TRAILER_LEN].copy_from_slice(&trailer(input));
        Some(HEADER.len() + len + TRAILER_LEN)
    }
}

fn trailer(bytes: &[u8]) -> [u8; TRAILER_LEN] {
    let sum = u64::from(crc32fast::hash(bytes));
    let len = bytes.len() as u64;
    (sum | len << 32).to_le_bytes()
}

/// Appends what `input` holds to `out`, at most `most` bytes.
///
/// After an error, `out` may hold a part of it. Takes memory for no more than 1032 times the input, which is the most that
/// Deflate can make of it.
pub(crate) fn decompress(
    input: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let (stream, expected) = unwrap(input).ok_or(DecompressError::Damaged)?;
    let [_, _, _, _, len @ ..] = *expected;
    let len = u32::from_le_bytes(len) as usize;
    if len > stream.len().saturating_mul(1032) {
        return Err(DecompressError::Damaged);
    }
    if len > most || out.try_reserve(len).is_err() {
        return Err(DecompressError::TooLong);
    }
    let start = out.len();
    out.resize(start + len, 0);
    let opened = &mut out[start..];
    let mut state = Box::<DecompressorOxide>::default();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) = inflate(&mut state, stream, opened, 0, flags);
    let is_whole = status == TINFLStatus::Done && (read, written) == (stream.len(), len);
    if is_whole && trailer(opened) == *expected {
        Ok(())
    } else {
        Err(DecompressError::Damaged)
    }
}

/// The Deflate stream and the trailer.
fn unwrap(input: &[u8]) -> Option<(&[u8], &[u8; TRAILER_LEN])> {
    let (head, rest) = input.split_first_chunk::<10>()?;
    // The time and two hints may be anything; flags would mean more fields.
    (head[..4] == HEADER[..4]).then_some(())?;
    rest.split_last_chunk()
}

#[cfg(test)]
mod tests {
    use std::{format, string::String};

    use zune_inflate::DeflateDecoder;

    use super::super::Compression;
    use super::super::tests::{compress_anew, json_lines, open, samples};
    use super::*;

    const GZIP: Compression = Compression::Gzip;

    /// The lowest, the default and the highest.
    const LEVELS: [i32; 3] = [1, -1, 9];

    #[test]
    fn others_open_it() {
        for level in LEVELS {
            for input in samples() {
                let compressed = compress_anew(GZIP, level, &input);
                let otherwise = DeflateDecoder::new(&compressed).decode_gzip().unwrap();
                assert!(otherwise == input);
            }
        }
    }

    #[test]
    fn ten_mebibytes() {
        let input = json_lines(10 << 20);
        let compressed = compress_anew(GZIP, 1, &input);
        assert!(compressed.len() < input.len() / 4);
        assert!(open(GZIP, &compressed, input.len()).unwrap() == input);
    }

    #[test]
    fn every_level_is_shorter_than_the_one_below() {
        let input = json_lines(300_000);
        let lens = (1..=9).map(|level| compress_anew(GZIP, level, &input).len());
        assert!(lens.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn a_level_out_of_range_is_the_nearest_and_the_default_is_6() {
        let input = json_lines(100_000);
        for (level, nearest) in [(0, 1), (i32::MIN, 1), (10, 9), (i32::MAX, 9), (-1, 6)] {
            let compressed = compress_anew(GZIP, level, &input);
            assert!(compressed == compress_anew(GZIP, nearest, &input));
        }
    }

    /// Written by zlib, with a fixed code and with a dynamic one.
    #[test]
    fn what_others_write_is_opened() {
        let text = b"Dear Ottla, dear Ottla, dear Ottla!";
        let compressed =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03sIM,R\xf0/)\xc9I\xd4QH\xc1\xcaV\x04\x00\xbdF\
            \xd3\xba#\x00\x00\x00";
        assert_eq!(open(GZIP, compressed, text.len()).unwrap(), text);

        let squares: String = (0..70).map(|n| format!("{},", n * n)).collect();
        let compressed =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x15\x8e\xc9\x01\x00!\x08\x03\x1b\xe2!\x90E\
            \xe9\xbf\xb1\x9d\xbcP\xc81'2\x14\x1b9Q_\xf4\x846F\xf12\xf2\x9c\xc8bJ\x5cQ,\x124\xf51\
            \xdfF\x97\xd0\xe3F'1\x9f\xe2\xab\x8d\xefN\x0c\xbaa^\xfe\x97\xfd\xe3\xbe\xe8v\x9c\x8b\
            1\x0f\x09\x99D\xa53\xb3\x08\xcfv\x8b\x5c\xf7\xb9w\x0c0&\xb9\x10\xe5\x93\x19 \xacc\
            \x8a4q\x9d\x8d\xea\xa3(\x9d\x84\x0cG\x8d_\xd7\xbb\xe7\xeb\xa2k;\x9a|CC\xde\xe4\xb5Hn\
            w\xf4\xa5\xad\x1f\xbd\xbd\x10\xe8\xc0\x22S\xa9\xe1\x93 \xd5\xc0\xac\x0b\xfd\x0f6K\
            \xc2\x9b0\x01\x00\x00";
        assert_eq!(open(GZIP, compressed, 1000).unwrap(), squares.as_bytes());
    }

    #[test]
    fn a_part_is_not_taken_for_the_whole() {
        let input = json_lines(2_000);
        let compressed = compress_anew(GZIP, -1, &input);
        for len in 0..compressed.len() {
            assert!(
                open(GZIP, &compressed[..len], input.len()).is_err(),
                "{len}"
            );
        }
        let longer = [&compressed[..], b"x"].concat();
        assert!(open(GZIP, &longer, input.len()).is_err());
    }

    /// But in the bits that fill up the stream's last byte, where nobody looks.
    #[test]
    fn damage_is_noticed() {
        let input = json_lines(1_500);
        let compressed = compress_anew(GZIP, -1, &input);
        let mut unnoticed = 0;
        for at in (0..4).chain(HEADER.len()..compressed.len()) {
            for bit in 0..8 {
                let mut damaged = compressed.clone();
                damaged[at] ^= 1 << bit;
                let mut out = Vec::new();
                if decompress(&damaged, input.len(), &mut out).is_ok() {
                    assert_eq!(at, compressed.len() - TRAILER_LEN - 1);
                    assert!(out == input);
                    unnoticed += 1;
                }
                assert!(out.len() <= input.len());
            }
        }
        assert!(unnoticed < 8);
    }

    /// The trailer says how much memory to take.
    #[test]
    fn a_length_that_the_stream_can_not_have_is_refused() {
        let mut compressed = compress_anew(GZIP, -1, b"short");
        let at = compressed.len() - 4;
        compressed[at..].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        let opened = open(GZIP, &compressed, usize::MAX);
        assert_eq!(opened, Err(DecompressError::Damaged));
    }
}
