//! zstd (RFC 8878): an encoder of our own, and the decoder of the crate `ruzstd`.

mod bits;
mod fse;
mod huffman;
mod level;
mod literals;
mod matches;
mod sequences;

use alloc::vec::Vec;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;

use self::level::{Level, Search};
use self::literals::Literals;
use self::matches::{Found, Matches, WINDOW_LOG};
use self::sequences::{FIRST_RECENT, Recent, Sequences};
use super::DecompressError;

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const MAX_BLOCK: usize = 128 << 10;
const MAX_INPUT: usize = 1 << 30;

/// A compressor that keeps its memory from batch to batch.
///
/// It is 6 KiB by itself, and allocates nothing more once it has seen batches of the length that it sees. At the
/// default level it then holds 300 KiB for batches of 16 KiB and 1.1 MiB for those from 128 KiB on; at level 1 100 and
/// 700 KiB; from level 5 on up to 2.5 MiB, from 12 on up to 4.5, from 16 on up to 8.5.
pub(crate) struct Encoder {
    level: Level,
    matches: Matches,
    found: Found,
    literals: Literals,
    sequences: Sequences,
}

impl Encoder {
    /// Takes any level: what is out of Java's range is as its end.
    pub(crate) fn new(level: i32) -> Self {
        let level = Level::new(level);
        Self {
            level,
            matches: Matches::new(level),
            found: Found::new(),
            literals: Literals::new(),
            sequences: Sequences::new(),
        }
    }

    /// Compresses `input` into `out` as one frame with its length and without a checksum, as Java's producer does.
    ///
    /// Returns the frame's length, or `None` if it does not fit.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        if input.len() > MAX_INPUT {
            return None;
        }
        let mut len = write_head(input.len(), out)?;
        self.matches.start(input.len());
        self.literals.reset();
        self.sequences.reset();
        let mut recent = FIRST_RECENT;
        let mut start = 0;
        loop {
            let end = input.len().min(start + MAX_BLOCK);
            let is_last = end == input.len();
            // Each block that follows takes four bytes at least.
            let rest = (input.len() - end).div_ceil(MAX_BLOCK) * 4;
            let room = out.len().checked_sub(rest).filter(|room| *room >= len)?;
            len += self.write_block(
                &input[..end],
                start,
                is_last,
                &mut recent,
                &mut out[len..room],
            )?;
            if is_last {
                return Some(len);
            }
            start = end;
        }
    }

    /// Writes the block from `start` to the end of `seen`. Returns its length, or `None` if it does not fit.
    fn write_block(
        &mut self,
        seen: &[u8],
        start: usize,
        is_last: bool,
        recent: &mut Recent,
        out: &mut [u8],
    ) -> Option<usize> {
        let block = &seen[start..];
        let (head, rest) = out.split_at_mut_checked(3)?;
        // Readers before 1.4.4 of C's library don't take this as a frame's first block.
        if start > 0 && block[1..] == block[..block.len() - 1] {
            *rest.first_mut()? = block[0];
            head.copy_from_slice(&block_head(is_last, 1, block.len()));
            return Some(4);
        }
        // A block that shrinks too little is not worth the reader's time.
        let most = rest
            .len()
            .min(block.len().saturating_sub(block.len() / 64 + 2));
        if let Some(len) = self.write_compressed(seen, start, recent, &mut rest[..most]) {
            head.copy_from_slice(&block_head(is_last, 2, len));
            return Some(3 + len);
        }
        rest.get_mut(..block.len())?.copy_from_slice(block);
        head.copy_from_slice(&block_head(is_last, 0, block.len()));
        Some(3 + block.len())
    }

    fn write_compressed(
        &mut self,
        seen: &[u8],
        start: usize,
        recent: &mut Recent,
        out: &mut [u8],
    ) -> Option<usize> {
        let is_plain = matches!(self.level.search, Search::Fast { skip: 1.. });
        self.matches.find(seen, start, recent, &mut self.found);
        let mut after = *recent;
        let written = self
            .literals
            .write(&self.found.literals, is_plain, out)
            .and_then(|literals| {
                let sequences = self.sequences.write(
                    &self.found.sequences,
                    &mut after,
                    &mut out[literals..],
                )?;
                Some(literals + sequences)
            });
        match written {
            Some(_) => *recent = after,
            None => {
                self.literals.reset();
                self.sequences.reset();
            }
        }
        written
    }
}

/// Writes a frame's head. Returns its length, or `None` if it does not fit.
fn write_head(len: usize, out: &mut [u8]) -> Option<usize> {
    // Up to the window's length the reader needs no other window than the frame itself.
    let is_single = len <= 1 << WINDOW_LOG;
    let (form, bytes, value) = match len as u64 {
        len @ 0..256 if is_single => (0, 1, len),
        len @ 256..65_792 => (1, 2, len - 256),
        len => (2, 4, len),
    };
    let mut head = [0; 10];
    head[..4].copy_from_slice(&MAGIC);
    head[4] = form << 6 | u8::from(is_single) << 5;
    let mut at = 5;
    if !is_single {
        head[at] = ((WINDOW_LOG - 10) << 3) as u8;
        at += 1;
    }
    head[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    out.get_mut(..at + bytes)?
        .copy_from_slice(&head[..at + bytes]);
    Some(at + bytes)
}

fn block_head(is_last: bool, kind: u32, len: usize) -> [u8; 3] {
    let [a, b, c, _] = (u32::from(is_last) | kind << 1 | (len as u32) << 3).to_le_bytes();
    [a, b, c]
}

/// Appends what the frames in `input` hold to `out`, at most `most` bytes.
///
/// Takes memory for the window that a frame asks for besides: at most 8 MiB, or `most` if that is more.
pub(crate) fn decompress(
    input: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut rest = input;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(most.max(1 << WINDOW_LOG) as u64);
    let mut room = most;
    loop {
        decoder.init(&mut rest).map_err(damaged)?;
        if decoder.content_size() > room as u64 {
            return Err(DecompressError::TooLong);
        }
        while !decoder.is_finished() {
            let step = BlockDecodingStrategy::UptoBytes(MAX_BLOCK);
            decoder.decode_blocks(&mut rest, step).map_err(damaged)?;
            let ready = decoder.can_collect();
            room = room.checked_sub(ready).ok_or(DecompressError::TooLong)?;
            let len = out.len();
            out.resize(len + ready, 0);
            decoder.read_exact(&mut out[len..]).map_err(damaged)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
    }
}

fn damaged<E>(_: E) -> DecompressError {
    DecompressError::Damaged
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec;

    use super::*;

    const LEVELS: [i32; 12] = [i32::MIN, -131_072, -5, -1, 0, 1, 2, 3, 4, 6, 12, 22];

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..len).map(next).collect()
    }

    fn lines(len: usize) -> Vec<u8> {
        let mut text = String::new();
        let noise = noise(len / 16 + 8);
        for (id, n) in noise.as_chunks::<4>().0.iter().enumerate() {
            let [user, event, price, hour] = *n;
            text += &format!(
                "{{\"id\":{id},\"user\":\"user-{user}\",\"event\":\"{}\",\"price\":{price}.99,\"hour\":{}}}\n",
                ["click", "view", "purchase"][usize::from(event % 3)],
                hour % 24,
            );
        }
        let mut text = text.into_bytes();
        assert!(text.len() >= len);
        text.truncate(len);
        text
    }

    /// The same, but for a byte here and there, after long stretches.
    fn repeats(len: usize) -> Vec<u8> {
        let stretch = noise(5_000);
        let bytes = (0..len).map(|n| stretch[n % 5_000] ^ u8::from(n % 70_001 == 0));
        bytes.collect()
    }

    /// With room for what does not shrink.
    fn compress(encoder: &mut Encoder, input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; input.len() + input.len() / 1_000 + 32];
        let len = encoder.compress(input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    fn check(encoder: &mut Encoder, input: &[u8]) -> usize {
        let frame = compress(encoder, input);
        let mut out = b"before".to_vec();
        decompress(&frame, input.len(), &mut out).unwrap();
        assert_eq!(&out[..6], b"before");
        assert!(&out[6..] == input, "{} bytes", input.len());
        frame.len()
    }

    #[test]
    fn every_level_shrinks_what_can_be_shrunk() {
        for level in LEVELS {
            let encoder = &mut Encoder::new(level);
            let hundredths =
                |encoder: &mut Encoder, input: Vec<u8>| 100 * check(encoder, &input) / input.len();
            // The lowest levels hardly look.
            let (text, stretches) = match level {
                ..-100 => (101, 101),
                -100..0 => (60, 10),
                _ => (26, 4),
            };
            assert!(hundredths(encoder, lines(300_000)) < text, "{level}");
            assert!(hundredths(encoder, repeats(300_000)) < stretches, "{level}");
            assert_eq!(hundredths(encoder, vec![0; 300_000]), 0);
            assert_eq!(hundredths(encoder, noise(300_000)), 100);
        }
    }

    #[test]
    fn ten_mebibytes() {
        let encoder = &mut Encoder::new(3);
        for make in [noise, lines, repeats, |len| vec![7; len]] {
            check(encoder, &make(10 << 20));
        }
    }

    #[test]
    fn a_match_never_reaches_beyond_the_window() {
        // The same bytes a window and some apart, for a reader that keeps no more than the window.
        for len in [(8 << 20) - 1, (8 << 20) + 1] {
            let mut input = noise(len);
            input.extend_from_within(..50_000);
            for level in [1, 3, 5] {
                check(&mut Encoder::new(level), &input);
            }
        }
    }

    #[test]
    fn positions_that_run_over_start_anew() {
        for level in [1, 3, 6] {
            let encoder = &mut Encoder::new(level);
            let input = lines(40_000);
            let expected = compress(encoder, &input);
            for before_end in [100, 40_000, 70_000] {
                encoder.matches.set_next_base(u32::MAX - before_end);
                for _ in 0..3 {
                    assert!(compress(encoder, &input) == expected);
                }
            }
        }
    }

    #[test]
    fn the_head_says_how_long_the_frame_is() {
        for (len, head) in [
            (0, &[0x20, 0][..]),
            (255, &[0x20, 255]),
            (256, &[0x60, 0, 0]),
            (65_791, &[0x60, 255, 255]),
            (65_792, &[0xa0, 0, 1, 1, 0]),
            (8 << 20, &[0xa0, 0, 0, 128, 0]),
            ((8 << 20) + 1, &[0x80, 13 << 3, 1, 0, 128, 0]),
        ] {
            let frame = compress(&mut Encoder::new(3), &vec![1; len]);
            assert_eq!(frame[..4], MAGIC);
            assert_eq!(&frame[4..4 + head.len()], head, "{len}");
        }
    }

    /// What C's library wrote of `text()`, with a checksum and without its length, and at its highest level.
    const FROM_C: [&[u8]; 2] = [
        &[
            40, 181, 47, 253, 4, 88, 29, 7, 0, 146, 141, 30, 19, 176, 39, 195, 1, 71, 160, 24, 25,
            71, 129, 148, 50, 165, 148, 18, 231, 210, 36, 195, 85, 85, 85, 85, 85, 68, 68, 68, 68,
            68, 51, 51, 51, 51, 51, 255, 255, 255, 191, 109, 219, 182, 221, 182, 109, 219, 146, 36,
            73, 146, 219, 182, 109, 155, 136, 136, 136, 136, 68, 68, 68, 68, 68, 72, 85, 85, 85,
            85, 21, 17, 17, 17, 17, 209, 204, 204, 204, 204, 204, 255, 255, 255, 111, 219, 182,
            109, 183, 109, 219, 182, 36, 73, 146, 228, 182, 109, 219, 38, 34, 34, 34, 34, 69, 115,
            151, 19, 1, 64, 96, 96, 24, 2, 4, 130, 65, 8, 161, 96, 48, 12, 131, 129, 128, 200, 168,
            33, 248, 246, 223, 192, 163, 106, 53, 17, 140, 16, 140, 16, 28, 209, 125, 49, 27, 141,
            77, 149, 134, 198, 82, 77, 163, 177, 169, 210, 212, 88, 106, 105, 116, 219, 234, 74,
            222, 203, 138, 5, 197, 114, 98, 41, 177, 28, 177, 128, 88, 62, 44, 28, 22, 13, 75, 46,
            195, 141, 189, 213, 118, 122, 79, 239, 236, 91, 189, 167, 119, 250, 206, 158, 203, 85,
            185, 147, 27, 185, 142, 203, 184, 21, 55, 113, 119, 195, 45, 28, 44, 44, 11, 99, 34,
            88, 110, 3, 90, 21, 119, 171, 183, 120,
        ],
        &[
            40, 181, 47, 253, 96, 250, 14, 221, 7, 0, 230, 211, 39, 19, 176, 39, 173, 1, 71, 32, 2,
            25, 71, 193, 222, 91, 74, 41, 37, 7, 68, 226, 78, 43, 0, 35, 0, 26, 0, 119, 102, 102,
            102, 102, 102, 85, 85, 85, 85, 85, 68, 68, 68, 68, 68, 51, 51, 51, 51, 51, 255, 23, 50,
            206, 138, 38, 32, 48, 40, 20, 133, 0, 96, 40, 0, 4, 224, 64, 40, 10, 66, 33, 243, 255,
            255, 137, 68, 34, 145, 72, 36, 18, 137, 196, 82, 74, 41, 165, 148, 82, 8, 33, 132, 16,
            66, 8, 25, 99, 140, 49, 198, 24, 227, 238, 238, 238, 46, 215, 90, 107, 173, 181, 214,
            218, 90, 107, 173, 181, 214, 90, 41, 165, 148, 82, 74, 41, 157, 115, 206, 57, 231, 156,
            1, 101, 89, 150, 101, 89, 150, 101, 73, 146, 36, 73, 146, 36, 73, 146, 227, 56, 142,
            227, 56, 142, 227, 120, 239, 189, 247, 222, 123, 3, 128, 200, 168, 17, 16, 250, 253,
            55, 208, 83, 117, 17, 140, 16, 140, 16, 28, 241, 3, 87, 75, 179, 179, 185, 153, 89, 91,
            85, 205, 205, 204, 214, 102, 106, 109, 113, 53, 168, 123, 26, 165, 43, 154, 208, 237,
            153, 206, 221, 12, 230, 11, 0, 8, 0, 128, 0, 0, 8, 0, 128, 0, 0, 8, 212, 50, 148, 43,
            25, 144, 235, 24, 198, 85, 12, 226, 26, 134, 240, 21, 12, 19, 24, 38, 152, 201, 90, 13,
            32, 85,
        ],
    ];

    #[test]
    fn frames_of_another_encoder() {
        let text: Vec<u8> = (0..200)
            .flat_map(|n| format!("letter {n} to Ottla, ").into_bytes())
            .collect();
        for frame in FROM_C {
            let mut out = Vec::new();
            decompress(frame, text.len(), &mut out).unwrap();
            assert!(out == text);
        }
        let mut out = Vec::new();
        decompress(&FROM_C.concat(), 2 * text.len(), &mut out).unwrap();
        assert!(out == [&text[..], &text[..]].concat());
    }

    #[test]
    fn no_more_than_asked_for_without_a_length() {
        let mut out = Vec::new();
        let opened = decompress(FROM_C[0], 1_000, &mut out);
        assert_eq!(opened, Err(DecompressError::TooLong));
        assert!(out.is_empty());
    }

    #[test]
    fn a_cut_frame_is_damaged() {
        for input in [vec![], lines(3_000), vec![0; 300_000]] {
            let frame = compress(&mut Encoder::new(3), &input);
            for len in 0..frame.len() {
                let result = decompress(&frame[..len], input.len(), &mut Vec::new());
                assert_eq!(
                    result,
                    Err(DecompressError::Damaged),
                    "{len} of {}",
                    frame.len()
                );
            }
            let longer = [&frame[..], &[0]].concat();
            let result = decompress(&longer, input.len(), &mut Vec::new());
            assert_eq!(result, Err(DecompressError::Damaged));
        }
    }

    #[test]
    fn damage_is_survived() {
        let input = lines(3_000);
        let frame = compress(&mut Encoder::new(3), &input);
        let mut seen = 0;
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut damaged = frame.clone();
                damaged[at] ^= 1 << bit;
                let mut out = Vec::new();
                seen += usize::from(decompress(&damaged, 6_000, &mut out).is_err());
                assert!(out.len() <= 6_000);
            }
        }
        assert!(seen > frame.len());
    }
}
