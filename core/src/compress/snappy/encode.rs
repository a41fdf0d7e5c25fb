//! Makes blocks.

use alloc::{vec, vec::Vec};
use core::mem;

use super::{HEADER, SHORT};

/// What a block holds at most.
///
/// Java writes blocks of 32 KiB, but reads any up to 512 MiB; librdkafka, franz-go, sarama and kafka-python read any.
/// A copy of three bytes reaches back 64 KiB less one, so a shorter block loses matches and a longer one gains little.
const BLOCK: usize = 1 << 16;

/// Compresses with a table of the places where bytes like the next were last seen.
///
/// Holds two bytes for each byte of the longest batch so far, and at most 32 KiB. The first batch allocates it.
pub(crate) struct Encoder {
    table: Vec<u16>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { table: Vec::new() }
    }

    /// Compresses `input` into `out`. Returns the length, or `None` if `out` is too short.
    pub(crate) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut out = Writer { out, at: 0 };
        out.put(HEADER)?;
        for block in input.chunks(BLOCK) {
            let head = out.at;
            out.put([0; 4])?;
            out.varint(block.len())?;
            compress_block(self.cleared_table(block.len()), block, &mut out)?;
            let len = (out.at - head - 4) as u32;
            out.out[head..head + 4].copy_from_slice(&len.to_be_bytes());
        }
        Some(out.at)
    }

    /// A table of about as many slots as the block has bytes, so that a short block doesn't pay for a long one's.
    fn cleared_table(&mut self, len: usize) -> &mut [u16] {
        let slots = len.next_power_of_two().clamp(MIN_SLOTS, MAX_SLOTS);
        if self.table.len() < slots {
            self.table = vec![0; slots];
        }
        let table = &mut self.table[..slots];
        table.fill(0);
        table
    }
}

const MIN_SLOTS: usize = 1 << 8;
const MAX_SLOTS: usize = 1 << 14;
/// Leaves as many bits of a product of 32 as the largest table has slots for.
const SHIFT: u32 = 32 - MAX_SLOTS.ilog2();

/// No match is looked for this close to a block's end, so that whole words can be read.
const MARGIN: usize = 15;

/// Writes a block's elements: literals, and copies of what stands earlier in the block.
///
/// Most of the time goes into branches that the CPU foresees wrongly, so what is common takes few of them.
fn compress_block(table: &mut [u16], input: &[u8], out: &mut Writer<'_>) -> Option<()> {
    let end = input.len().saturating_sub(MARGIN);
    let mask = table.len() - 1;
    let slot = |word: u32| (word.wrapping_mul(0x9e37_79b1) >> SHIFT) as usize & mask;

    let mut written = 0;
    let mut at = 1;
    let mut word = four(input, at);
    'search: while at < end {
        // The longer nothing is found, the larger the steps: what can't be compressed is passed over quickly.
        let mut patience = 32;
        let mut place = slot(word);
        let mut from = loop {
            let next = at + (patience >> 5);
            if next >= end {
                break 'search;
            }
            patience += patience >> 5;
            // Read ahead of the comparison, whose outcome can't be foreseen.
            let next_word = four(input, next);
            let next_place = slot(next_word);
            let from = usize::from(mem::replace(&mut table[place], at as u16));
            if four(input, from) == word {
                break from;
            }
            (at, word, place) = (next, next_word, next_place);
        };
        out.literal(input, written, at)?;
        loop {
            let len = 4 + common(input, from + 4, at + 4);
            out.copy(at - from, len)?;
            at += len;
            written = at;
            if at >= end {
                break 'search;
            }
            let words = eight(input, at - 1)?;
            table[slot(words as u32)] = (at - 1) as u16;
            word = (words >> 8) as u32;
            from = usize::from(mem::replace(&mut table[slot(word)], at as u16));
            if four(input, from) != word {
                at += 1;
                word = (words >> 16) as u32;
                break;
            }
        }
    }
    out.long_literal(&input[written..])
}

/// The four bytes at `at`, which are there in all calls but those for the shortest blocks.
#[inline(always)]
fn four(input: &[u8], at: usize) -> u32 {
    match input.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

#[inline(always)]
fn eight(input: &[u8], at: usize) -> Option<u64> {
    let bytes = input.get(at..at + 8)?;
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

/// How many bytes from `a` on are the same as from `b` on, `b` being the later.
#[inline(always)]
fn common(input: &[u8], a: usize, b: usize) -> usize {
    let mut len = 0;
    while let (Some(x), Some(y)) = (eight(input, a + len), eight(input, b + len)) {
        if x != y {
            return len + (x ^ y).trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let rest = input[a + len..].iter().zip(&input[b + len..]);
    len + rest.take_while(|(x, y)| x == y).count()
}

/// Writes into a slice until it is full.
struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        *self.out.get_mut(self.at..)?.first_chunk_mut()? = bytes;
        self.at += N;
        Some(())
    }

    fn varint(&mut self, mut value: usize) -> Option<()> {
        while value >= 0x80 {
            self.put([value as u8 | 0x80])?;
            value >>= 7;
        }
        self.put([value as u8])
    }

    /// Bytes as they stand in `input`, from one place up to a later one.
    #[inline(always)]
    fn literal(&mut self, input: &[u8], from: usize, to: usize) -> Option<()> {
        let len = to - from;
        // Most are short, and copied with what follows them, which takes no loop. That is written over later.
        if let Some(bytes) = input[from..].first_chunk::<SHORT>()
            && len <= SHORT
            && let Some(room) = self.out[self.at..].first_chunk_mut::<{ 1 + SHORT }>()
        {
            room[0] = (len as u8).wrapping_sub(1) << 2;
            room[1..].copy_from_slice(bytes);
            self.at += 1 + len;
            return Some(());
        }
        self.long_literal(&input[from..to])
    }

    #[inline(never)]
    fn long_literal(&mut self, bytes: &[u8]) -> Option<()> {
        let len = bytes.len();
        match len {
            0 => return Some(()),
            1..=60 => self.put([(len as u8 - 1) << 2])?,
            61..=256 => self.put([60 << 2, (len - 1) as u8])?,
            _ => {
                let [low, high] = ((len - 1) as u16).to_le_bytes();
                self.put([61 << 2, low, high])?;
            }
        }
        let room = self.out.get_mut(self.at..)?.get_mut(..len)?;
        room.copy_from_slice(bytes);
        self.at += len;
        Some(())
    }

    /// A copy of `len` bytes from `offset` bytes back: one element for each 64 bytes, none of less than four.
    #[inline(always)]
    fn copy(&mut self, offset: usize, mut len: usize) -> Option<()> {
        while len > 64 {
            let part = if len < 68 { 60 } else { 64 };
            self.put(far_copy(offset, part))?;
            len -= part;
        }
        let is_near = len < 12 && offset < 2048;
        let near = [
            1 | (len as u8).wrapping_sub(4) << 2 | ((offset >> 8) as u8) << 5,
            offset as u8,
            0,
        ];
        let far = far_copy(offset, len);
        // Which it is can't be foreseen, so there is no branch as long as there is room for either.
        if let Some(room) = self.out[self.at..].first_chunk_mut() {
            *room = if is_near { near } else { far };
            self.at += if is_near { 2 } else { 3 };
            return Some(());
        }
        if !is_near {
            return None;
        }
        self.put([near[0], near[1]])
    }
}

#[inline(always)]
fn far_copy(offset: usize, len: usize) -> [u8; 3] {
    let [low, high] = (offset as u16).to_le_bytes();
    [2 | (len as u8).wrapping_sub(1) << 2, low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_no_larger_than_a_batch_needs() {
        let mut encoder = Encoder::new();
        assert_eq!(encoder.table.capacity(), 0);
        for (len, slots) in [
            (1, 1 << 8),
            (1_000, 1 << 10),
            (1 << 20, 1 << 14),
            (1, 1 << 14),
        ] {
            encoder
                .compress(&vec![1; len], &mut vec![0; len + 100])
                .unwrap();
            assert_eq!(encoder.table.len(), slots);
        }
    }
}
