use std::{
    format,
    io::{Read, Write},
    string::String,
    vec,
};

use lz4_flex::frame::{self, BlockMode, FrameDecoder, FrameEncoder, FrameInfo};

use super::*;
use crate::rng::Rng;

const LEVELS: [i32; 6] = [1, 4, 8, FAST, 12, 17];

/// Lines as a log or a stream of events has them.
fn json(len: usize) -> Vec<u8> {
    let mut rng = Rng::from_seed([1; 32]);
    let mut text = String::new();
    while text.len() < len {
        let (user, price, at) = (rng.below(20_000), rng.below(50_000), rng.below(86_400_000));
        let action = ["view", "click", "purchase", "search"][rng.below(4) as usize];
        text += &format!(
            "{{\"user\":\"user-{user:05}\",\"action\":\"{action}\",\"price\":{price},\"at\":{at}}}\n"
        );
    }
    text.truncate(len);
    text.into_bytes()
}

fn noise(len: usize) -> Vec<u8> {
    let mut rng = Rng::from_seed([2; 32]);
    (0..len).map(|_| rng.below(256) as u8).collect()
}

/// Noise in which a piece of each length comes again, each a different number of bytes after the one before.
fn repeats() -> Vec<u8> {
    let noise = noise(1 << 20);
    let mut bytes = noise[..1000].to_vec();
    for len in 0..600 {
        let from = len * 7 % (bytes.len() - len);
        bytes.extend_from_within(from..from + len);
        bytes.extend_from_slice(&noise[len * 1000..][..len * 11 % 571]);
    }
    bytes
}

fn payloads(len: usize) -> [(&'static str, Vec<u8>); 6] {
    let period = noise(70_000);
    [
        ("JSON", json(len)),
        ("noise", noise(len)),
        ("zeros", vec![0; len]),
        ("repeats", repeats()),
        ("a short period", b"abc".repeat(len / 3)),
        ("a long period", period[..65_000.min(len)].repeat(3)),
    ]
}

fn compressed(level: i32, input: &[u8]) -> Vec<u8> {
    let mut out = vec![0xAA; input.len() + 100];
    let len = Encoder::new(level).compress(input, &mut out).unwrap();
    out.truncate(len);
    out
}

fn decompressed(input: &[u8], most: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = b"before".to_vec();
    decompress(input, most, &mut out)?;
    Ok(out.split_off(6))
}

/// What another implementation reads.
fn read_by_other(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    FrameDecoder::new(input).read_to_end(&mut out).unwrap();
    out
}

fn written_by_other(info: FrameInfo, input: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(input).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_goes_in_comes_out() {
    for level in LEVELS {
        for (name, input) in payloads(200_000) {
            let frame = compressed(level, &input);
            assert_eq!(
                decompressed(&frame, input.len()),
                Ok(input.clone()),
                "{name}"
            );
            assert_eq!(read_by_other(&frame), input, "{name} at level {level}");
        }
    }
}

#[test]
fn every_small_length_goes_and_comes() {
    let inputs = [json(300), noise(300), vec![0; 300], b"abcde".repeat(60)];
    for level in LEVELS {
        for input in &inputs {
            for len in 0..=input.len() {
                let frame = compressed(level, &input[..len]);
                assert_eq!(decompressed(&frame, len).as_deref(), Ok(&input[..len]));
                assert_eq!(read_by_other(&frame), &input[..len]);
            }
        }
    }
}

/// Few letters make matches of all lengths, which overlap in all ways.
#[test]
fn text_of_few_letters_goes_and_comes() {
    let mut rng = Rng::from_seed([4; 32]);
    for round in 0..400 {
        let (len, letters) = (rng.below(3_000) as usize, 2 + rng.below(4));
        let mut input: Vec<u8> = (0..len).map(|_| rng.below(letters) as u8).collect();
        for _ in 0..rng.below(20) {
            let from = rng.below(len as u32) as usize;
            let piece = rng.below((len - from) as u32) as usize;
            input.extend_from_within(from..from + piece.min(90));
        }
        let frame = compressed(LEVELS[round % LEVELS.len()], &input);
        assert_eq!(decompressed(&frame, input.len()).as_ref(), Ok(&input));
        assert_eq!(read_by_other(&frame), input);
    }
}

#[test]
fn every_block_size_goes_and_comes() {
    let input = json(10 << 20);
    let ends = [(1 << 16, 4), (1 << 18, 5), (1 << 20, 6)];
    for (len, code) in ends {
        for (len, code) in [(len, code), (len + 1, (code + 1).min(6))] {
            let frame = compressed(FAST, &input[..len]);
            assert_eq!(frame[5], code << 4);
            assert_eq!(read_by_other(&frame), &input[..len]);
        }
    }
    let frame = compressed(FAST, &input);
    assert_eq!(decompressed(&frame, input.len()).as_ref(), Ok(&input));
    assert_eq!(read_by_other(&frame), input);
}

#[test]
fn the_head_is_javas() {
    let frame = compressed(FAST, &[]);
    assert_eq!(frame, [4, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0]);
}

#[test]
fn what_others_write_is_read() {
    let input = json(300_000);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [
            frame::BlockSize::Max64KB,
            frame::BlockSize::Max256KB,
            frame::BlockSize::Max4MB,
        ] {
            for extras in [false, true] {
                let info = FrameInfo::new()
                    .block_mode(mode)
                    .block_size(size)
                    .block_checksums(extras)
                    .content_checksum(extras)
                    .content_size(extras.then_some(input.len() as u64));
                let frame = written_by_other(info, &input);
                assert_eq!(decompressed(&frame, input.len()).as_ref(), Ok(&input));
            }
        }
    }
}

#[test]
fn a_block_that_does_not_shrink_is_stored() {
    let mut input = noise(1 << 20);
    input.resize(2 << 20, 0);
    for level in [FAST, 1] {
        let mut out = vec![0; input.len() - 1];
        let len = Encoder::new(level).compress(&input, &mut out).unwrap();
        assert_eq!(out[7..11], (1 << 20 | STORED).to_le_bytes());
        assert!(len < (1 << 20) + (1 << 13));
        assert_eq!(read_by_other(&out[..len]), input);
        assert_eq!(decompressed(&out[..len], input.len()).as_ref(), Ok(&input));
    }
}

#[test]
fn a_higher_level_takes_fewer_bytes() {
    let input = json(200_000);
    let lens = [FAST, 1, 4, 8, 17].map(|level| compressed(level, &input).len());
    assert!(lens.is_sorted_by(|a, b| a > b), "{lens:?}");
}

/// With one block for the whole batch and a larger table.
#[test]
fn the_fast_search_takes_fewer_bytes_than_others() {
    let input = json(200_000);
    let info = FrameInfo::new().block_size(frame::BlockSize::Max64KB);
    let others = written_by_other(info, &input).len();
    assert!(compressed(FAST, &input).len() * 20 < others * 19);
}

/// The history goes on over what would be the bounds of smaller blocks.
#[test]
fn matches_reach_back_64_kib() {
    let (key, text) = (noise(1_000), json(64_000));
    let input = [&key[..], &text, &key].concat();
    for level in [FAST, 1, 17] {
        let once = compressed(level, &input[..65_000]).len();
        assert!(compressed(level, &input).len() < once + 100);
    }
}

#[test]
fn a_cut_frame_is_damaged() {
    let input = json(1_000);
    for info in [
        FrameInfo::new(),
        FrameInfo::new()
            .content_checksum(true)
            .block_checksums(true)
            .content_size(Some(1_000)),
    ] {
        let frame = written_by_other(info, &input);
        for len in 0..frame.len() {
            let result = decompressed(&frame[..len], 1_000);
            assert_eq!(result, Err(DecompressError::Damaged), "{len}");
        }
        let longer = [&frame[..], &[0]].concat();
        let result = decompressed(&longer, 1_000);
        assert_eq!(result, Err(DecompressError::Damaged));
    }
}

#[test]
fn no_damage_does_harm() {
    let mut rng = Rng::from_seed([3; 32]);
    let frame = compressed(4, &json(2_000));
    let mut refused = 0;
    for round in 0..20_000 {
        let mut damaged = frame.clone();
        for _ in 0..=round % 3 {
            let at = rng.below(frame.len() as u32) as usize;
            damaged[at] = rng.below(256) as u8;
        }
        let mut out = Vec::new();
        refused += usize::from(decompress(&damaged, 3_000, &mut out).is_err());
        assert!(out.len() <= 3_000);
    }
    assert!(refused > 1_000);
}

#[test]
fn each_damage_has_its_answer() {
    let frame = |descriptor: &[u8], block: &[u8]| {
        let len = (block.len() as u32).to_le_bytes();
        let magic = MAGIC.to_le_bytes();
        let sum = [check(descriptor)];
        [&magic, descriptor, &sum, &len, block, &[0; 4]].concat()
    };
    type Case = (&'static [u8], &'static [u8], Option<&'static [u8]>);
    let cases: [Case; 11] = [
        (&[0x60, 0x40], b"\x20ab", Some(b"ab")),
        (&[0x60, 0x40], b"\x20ab\0\0\x10c", None), // no distance
        (&[0x60, 0x40], b"\x20ab\x03\0\x10c", None), // before the start
        (&[0x60, 0x40], b"\x20ab\x02\0\x10c", Some(b"abababc")),
        (&[0x60, 0x40], b"\x20ab\x02", None),
        (&[0x60, 0x40], b"\xF0ab", None),
        (&[0x60, 0x30], b"\x20ab", None), // no such block size
        (&[0x60, 0x41], b"\x20ab", None), // reserved bits
        (&[0x62, 0x40], b"\x20ab", None),
        (&[0x61, 0x40], b"\x20ab", None), // needs a dictionary
        (&[0xA0, 0x40], b"\x20ab", None), // another version
    ];
    for (n, (descriptor, block, expected)) in cases.into_iter().enumerate() {
        let result = decompressed(&frame(descriptor, block), 100);
        let expected = expected.ok_or(DecompressError::Damaged);
        assert_eq!(result.as_deref(), expected.as_deref(), "case {n}");
    }
    // A block that holds more than its frame says.
    let mut long = vec![0x1F, b'a', 1, 0];
    long.extend_from_slice(&[255; 300]);
    long.extend_from_slice(&[0, 0]);
    let result = decompressed(&frame(&[0x60, 0x40], &long), 1 << 20);
    assert_eq!(result, Err(DecompressError::Damaged));
    let result = decompressed(&frame(&[0x60, 0x50], &long), 1 << 20);
    assert_eq!(result, Ok(vec![b'a'; 1 + 4 + 15 + 300 * 255]));
}
