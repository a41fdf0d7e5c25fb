//! The inside of a block: sequences, each of some literals and a match with what came up to 64 KiB before.

use alloc::vec::Vec;
use core::hint::select_unpredictable;

use super::{DecompressError, Reader};

/// A match is no shorter.
pub(super) const MIN_MATCH: usize = 4;
/// The last bytes of a block are always literals.
pub(super) const LAST_LITERALS: usize = 5;
/// No match starts nearer to a block's end.
pub(super) const MATCH_MARGIN: usize = 12;

/// A block in the making.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    /// Writes the bytes of `input` from `anchor` to `at` as literals, and then a match of `len` bytes `distance` before.
    #[inline]
    pub(super) fn sequence(
        &mut self,
        input: &[u8],
        anchor: usize,
        at: usize,
        distance: u16,
        len: usize,
    ) -> Option<()> {
        let (literals, len) = (at - anchor, len - MIN_MATCH);
        // Nearly all sequences are short ones: more is copied than needed, but a fixed length.
        if literals < 15
            && len < 15
            && let Some(room) = chunk_mut::<18>(self.out, self.at)
            && let Some(source) = chunk::<16>(input, anchor)
        {
            room[0] = (literals << 4 | len) as u8;
            room[1..17].copy_from_slice(source);
            room[1 + literals..3 + literals].copy_from_slice(&distance.to_le_bytes());
            self.at += 3 + literals;
            return Some(());
        }
        self.byte((literals.min(15) << 4 | len.min(15)) as u8)?;
        self.literals(input, anchor, at)?;
        self.bytes(&distance.to_le_bytes())?;
        self.rest_of_len(len)
    }

    /// Writes the literals from `anchor` on, with which the block ends, and returns its length.
    pub(super) fn finish(mut self, input: &[u8], anchor: usize) -> Option<usize> {
        self.byte(((input.len() - anchor).min(15) << 4) as u8)?;
        self.literals(input, anchor, input.len())?;
        Some(self.at)
    }

    #[inline]
    fn literals(&mut self, input: &[u8], from: usize, to: usize) -> Option<()> {
        self.rest_of_len(to - from)?;
        if to - from <= 32
            && let Some(room) = chunk_mut::<32>(self.out, self.at)
            && let Some(source) = chunk::<32>(input, from)
        {
            *room = *source;
            self.at += to - from;
            return Some(());
        }
        self.bytes(&input[from..to])
    }

    /// Writes what of a length its four bits in the sequence's first byte do not say.
    #[inline]
    fn rest_of_len(&mut self, len: usize) -> Option<()> {
        if let Some(mut rest) = len.checked_sub(15) {
            while rest >= 255 {
                self.byte(255)?;
                rest -= 255;
            }
            self.byte(rest as u8)?;
        }
        Some(())
    }

    #[inline]
    fn byte(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.at)? = byte;
        self.at += 1;
        Some(())
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let to = self.at + bytes.len();
        self.out.get_mut(self.at..to)?.copy_from_slice(bytes);
        self.at = to;
        Some(())
    }
}

/// Appends what the block `input` holds to `out`, which it makes no longer than `most`. Matches reach back to `window`.
pub(super) fn decode(
    input: &[u8],
    window: usize,
    most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut reader = Reader(input);
    loop {
        let [token] = reader.array()?;
        let len = reader.len(token >> 4)?;
        let literals = reader.bytes(len)?;
        if len > most - out.len() {
            return Err(DecompressError::TooLong);
        }
        out.extend_from_slice(literals);
        if reader.0.is_empty() {
            return Ok(());
        }
        let distance = usize::from(u16::from_le_bytes(reader.array()?));
        let mut len = reader.len(token & 15)? + MIN_MATCH;
        if distance == 0 || distance > out.len() - window {
            return Err(DecompressError::Damaged);
        }
        if len > most - out.len() {
            return Err(DecompressError::TooLong);
        }
        // A match may reach into what it makes: each turn then has twice as much to copy from.
        let from = out.len() - distance;
        while len > 0 {
            let piece = len.min(out.len() - from);
            out.extend_from_within(from..from + piece);
            len -= piece;
        }
    }
}

/// How many bytes from `at` on are those from `from` on, which is lower, up to the byte `end`.
#[inline]
pub(super) fn common(input: &[u8], at: usize, from: usize, end: usize) -> usize {
    // Whether a match ends in the first word or in the second is hard to predict; that it ends in one of them is not.
    if at + 16 <= end {
        let first = word(input, at) ^ word(input, from);
        let second = word(input, at + 8) ^ word(input, from + 8);
        let (differ, len) = select_unpredictable(first != 0, (first, 0), (second, 8));
        if differ != 0 {
            return len + (differ.trailing_zeros() / 8) as usize;
        }
    }
    let mut len = 0;
    while at + len + 8 <= end {
        let differ = word(input, at + len) ^ word(input, from + len);
        if differ != 0 {
            return len + (differ.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    while at + len < end && input[at + len] == input[from + len] {
        len += 1;
    }
    len
}

/// How many bytes before `at` are those before `from`, which is lower: at most `most`.
#[inline]
pub(super) fn common_back(input: &[u8], at: usize, from: usize, most: usize) -> usize {
    if from >= 8 {
        let differ = word(input, at - 8) ^ word(input, from - 8);
        let len = differ.leading_zeros() as usize / 8;
        if len < 8 || most <= 8 {
            return len.min(most);
        }
    }
    let mut len = 0;
    while len < most.min(from) && input[at - len - 1] == input[from - len - 1] {
        len += 1;
    }
    len
}

/// The eight bytes at `at`, the first one lowest.
#[inline]
pub(super) fn word(input: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*chunk(input, at).expect("a place inside the block"))
}

/// The four bytes at `at`, the first one lowest.
#[inline]
pub(super) fn half_word(input: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*chunk(input, at).expect("a place inside the block"))
}

#[inline]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

#[inline]
fn chunk_mut<const N: usize>(bytes: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}
