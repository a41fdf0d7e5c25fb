//! Opens blocks.

use alloc::vec::Vec;

use super::super::DecompressError;
use super::{HEADER, SHORT};

/// Appends what `input` holds to `out`, at most `most` bytes.
///
/// After an error, `out` may hold a part of it. Takes memory for no more than 22 times the input, as a copy makes at most
/// 64 bytes of three.
pub(crate) fn decompress(
    input: &[u8],
    mut most: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let mut rest = input
        .strip_prefix(&HEADER)
        .ok_or(DecompressError::Damaged)?;
    while !rest.is_empty() {
        let block = take_block(&mut rest).ok_or(DecompressError::Damaged)?;
        let (len, elements) = read_len(block).ok_or(DecompressError::Damaged)?;
        if len > block.len().saturating_mul(22) {
            return Err(DecompressError::Damaged);
        }
        most = most.checked_sub(len).ok_or(DecompressError::TooLong)?;
        out.try_reserve(len).map_err(|_| DecompressError::TooLong)?;
        let start = out.len();
        out.resize(start + len, 0);
        decompress_block(elements, &mut out[start..]).ok_or(DecompressError::Damaged)?;
    }
    Ok(())
}

fn take_block<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&len, after) = rest.split_first_chunk()?;
    let (block, after) = after.split_at_checked(u32::from_be_bytes(len) as usize)?;
    *rest = after;
    Some(block)
}

/// The length in front of a block's elements: seven bits a byte, the lowest first.
fn read_len(block: &[u8]) -> Option<(usize, &[u8])> {
    let mut len = 0;
    for (n, &byte) in block.iter().enumerate().take(4) {
        len |= usize::from(byte & 0x7f) << (7 * n);
        if byte < 0x80 {
            return Some((len, &block[n + 1..]));
        }
    }
    None
}

/// Fills `out` with what the elements say, or returns `None` if they don't say exactly as much.
fn decompress_block(mut input: &[u8], out: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while let Some((&tag, rest)) = input.split_first() {
        let high = usize::from(tag >> 2);
        let (offset, len);
        match tag & 3 {
            0 => {
                let (len, rest) = read_literal_len(high, rest)?;
                let room = out.get_mut(at..)?;
                if len <= SHORT
                    && let Some(bytes) = rest.first_chunk::<SHORT>()
                    && let Some(room) = room.first_chunk_mut()
                {
                    *room = *bytes;
                } else {
                    room.get_mut(..len)?.copy_from_slice(rest.get(..len)?);
                }
                at += len;
                input = &rest[len..];
                continue;
            }
            1 => {
                let (&low, rest) = rest.split_first()?;
                (offset, len) = (high >> 3 << 8 | usize::from(low), 4 + (high & 7));
                input = rest;
            }
            2 => {
                let (&bytes, rest) = rest.split_first_chunk()?;
                (offset, len) = (usize::from(u16::from_le_bytes(bytes)), 1 + high);
                input = rest;
            }
            _ => {
                let (&bytes, rest) = rest.split_first_chunk()?;
                (offset, len) = (u32::from_le_bytes(bytes) as usize, 1 + high);
                input = rest;
            }
        }
        copy_within(out, at, offset, len)?;
        at += len;
    }
    (at == out.len()).then_some(())
}

/// A literal's length: in the tag, or in up to four bytes after it.
fn read_literal_len(high: usize, input: &[u8]) -> Option<(usize, &[u8])> {
    let Some(bytes) = high.checked_sub(59).filter(|&bytes| bytes > 0) else {
        return Some((high + 1, input));
    };
    let (len, rest) = input.split_at_checked(bytes)?;
    let len = len
        .iter()
        .rev()
        .fold(0, |len, &byte| len << 8 | u64::from(byte));
    Some((usize::try_from(len + 1).ok()?, rest))
}

/// Copies to `at` what stands `offset` bytes before it, over and over where that is shorter than `len`.
fn copy_within(out: &mut [u8], mut at: usize, offset: usize, len: usize) -> Option<()> {
    let from = at.checked_sub(offset).filter(|_| offset > 0)?;
    if len > out.len().checked_sub(at)? {
        return None;
    }
    if len <= 16 && offset >= 16 && out.len() - at >= 16 {
        out.copy_within(from..from + 16, at);
        return Some(());
    }
    let end = at + len;
    while at < end {
        let part = (end - at).min(at - from);
        out.copy_within(from..from + part, at);
        at += part;
    }
    Some(())
}
