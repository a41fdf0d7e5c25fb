//! What all codecs have in common. What is a codec's own stands beside it.

use std::{format, string::String, vec, vec::Vec};

use super::*;

/// The codecs of this build, with the levels that work differently.
fn codecs() -> impl Iterator<Item = (Compression, i32)> {
    const ZSTD: [i32; 12] = [i32::MIN, -131_072, -5, -1, 0, 1, 2, 3, 4, 6, 12, 22];
    let levels: [(Compression, &[i32]); 4] = [
        (Compression::Gzip, &[1, -1, 9]),
        (Compression::Snappy, &[0]),
        (Compression::Lz4, &[1, 3, 5, 9, 17]),
        (Compression::Zstd, &ZSTD),
    ];
    let levels = levels.into_iter();
    levels
        .filter(|(codec, _)| codec.is_built_in())
        .flat_map(|(codec, levels)| levels.iter().map(move |&level| (codec, level)))
}

fn inputs() -> [Vec<u8>; 6] {
    [
        vec![],
        json_lines(700),
        json_lines(70_000),
        noise(3_000),
        b"abcde".repeat(200),
        vec![5; 300_000],
    ]
}

/// With room for what does not shrink.
pub(super) fn compress(encoder: &mut Encoder, input: &[u8]) -> Vec<u8> {
    let mut out = vec![0xAA; 64 + input.len() + input.len() / 6];
    let len = encoder.compress(input, &mut out).unwrap();
    out.truncate(len);
    out
}

/// The same by a new encoder.
pub(super) fn compress_anew(codec: Compression, level: i32, input: &[u8]) -> Vec<u8> {
    compress(&mut Encoder::new(codec, level).unwrap(), input)
}

pub(super) fn open(
    codec: Compression,
    input: &[u8],
    most: usize,
) -> Result<Vec<u8>, DecompressError> {
    let mut out = Vec::from(*b"before");
    decompress(codec, input, most, &mut out)?;
    assert_eq!(&out[..6], b"before");
    Ok(out.split_off(6))
}

/// Bytes that no codec makes shorter.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..len).map(|_| random.next() as u8).collect()
}

/// Events as JSON, one a line.
pub(super) fn json_lines(len: usize) -> Vec<u8> {
    let mut random = Random(7);
    let mut lines = String::new();
    for n in 0.. {
        if lines.len() >= len {
            break;
        }
        let (user, price) = (random.next() % 100_000, random.next() % 10_000);
        let kind = ["click", "view", "purchase", "refund"][random.next() as usize % 4];
        let time = 1_767_225_600_000_u64 + n * 13;
        lines += &format!(
            "{{\"id\":{n},\"user\":\"u{user:05}\",\"type\":\"{kind}\",\"price\":{}.{:02},\"time\":{time}}}\n",
            price / 100,
            price % 100
        );
    }
    lines.truncate(len);
    lines.into_bytes()
}

/// Payloads of many kinds: short and long ones, and those at which an encoder's blocks begin and end.
pub(super) fn samples() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for len in 0..300 {
        all.extend([noise(len), json_lines(len), vec![b'x'; len]]);
    }
    for block in [1 << 15, 1 << 16] {
        for len in [block - 1, block, block + 1, 2 * block + 17] {
            all.extend([noise(len), json_lines(len), vec![0; len]]);
        }
    }
    for period in [2, 3, 5, 8, 63, 64, 65, 1_000, 40_000] {
        all.push(noise(period).into_iter().cycle().take(150_000).collect());
    }
    let mixed = [noise(30_000), vec![9; 70_000], json_lines(90_000)];
    all.push(mixed.concat());
    all
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }
}

#[test]
fn what_goes_in_comes_out() {
    for (codec, level) in codecs() {
        let mut encoder = Encoder::new(codec, level).unwrap();
        for input in samples() {
            let compressed = compress(&mut encoder, &input);
            let opened = open(codec, &compressed, input.len());
            assert!(opened.as_ref() == Ok(&input), "{codec:?} {level}");
        }
    }
}

#[test]
fn an_encoder_forgets_what_it_saw() {
    let long = json_lines(200_000);
    for (codec, level) in codecs() {
        let mut encoder = Encoder::new(codec, level).unwrap();
        for input in [json_lines(999), json_lines(40_000)] {
            let expected = compress_anew(codec, level, &input);
            for other in [&noise(70_000), &input, &long, &vec![0; 99], &vec![]] {
                compress(&mut encoder, other);
                let again = compress(&mut encoder, &input);
                assert!(again == expected, "{codec:?} {level}");
            }
            assert_eq!(encoder.compress(&long, &mut [0; 500]), None);
            let again = compress(&mut encoder, &input);
            assert!(again == expected, "{codec:?} {level}");
        }
    }
}

#[test]
fn what_does_not_fit_is_given_up() {
    for (codec, level) in codecs() {
        let mut encoder = Encoder::new(codec, level).unwrap();
        for input in inputs() {
            let expected = compress(&mut encoder, &input);
            let mut out = vec![0; expected.len()];
            assert_eq!(encoder.compress(&input, &mut out), Some(out.len()));
            assert!(out == expected, "{codec:?} {level}");
            let step = 1 + input.len() / 400;
            for len in (0..out.len()).rev().step_by(step) {
                let given_up = encoder.compress(&input, &mut out[..len]);
                assert_eq!(given_up, None, "{codec:?} {level}: {len}");
            }
        }
    }
}

#[test]
fn no_more_is_opened_than_asked_for() {
    for (codec, level) in codecs() {
        for input in inputs() {
            let compressed = compress_anew(codec, level, &input);
            assert!(open(codec, &compressed, usize::MAX).as_ref() == Ok(&input));
            let len = input.len();
            let lengths = [0, 1, len / 2, 65_535, 65_536, len.wrapping_sub(1)];
            for most in lengths.into_iter().filter(|&most| most < len) {
                let mut out = Vec::new();
                let opened = decompress(codec, &compressed, most, &mut out);
                assert_eq!(opened, Err(DecompressError::TooLong), "{codec:?} {level}");
                assert!(out.len() <= most);
            }
        }
    }
}
