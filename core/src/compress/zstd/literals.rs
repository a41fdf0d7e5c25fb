//! The first section of a block: the bytes that no match covers.

use super::huffman::Codes;

/// What the last block's literals were written by, for the next to be written by as well.
pub(super) struct Literals {
    codes: Codes,
    has_codes: bool,
}

impl Literals {
    pub(super) const fn new() -> Self {
        Self {
            codes: Codes::EMPTY,
            has_codes: false,
        }
    }

    /// Forgets the codes: a frame starts without.
    pub(super) fn reset(&mut self) {
        self.has_codes = false;
    }

    /// Writes the section. Returns its length, or `None` if it does not fit.
    ///
    /// A decoder that never sees the section does not know the codes: then they must be [`reset`](Self::reset).
    pub(super) fn write(&mut self, bytes: &[u8], is_plain: bool, out: &mut [u8]) -> Option<usize> {
        // Fewer gain nothing, even by codes that the decoder has.
        if is_plain || bytes.len() < 16 {
            return write_raw(bytes, out);
        }
        if bytes.len() >= 4 * SAMPLE && is_even(bytes) {
            return write_raw(bytes, out);
        }
        let counts = count(bytes);
        let most = counts.iter().copied().max().unwrap_or(0) as usize;
        if most == bytes.len() {
            let len = write_head(Kind::Repeat, bytes.len(), out)?;
            *out.get_mut(len)? = bytes[0];
            return Some(len + 1);
        }
        if is_spread(most, bytes.len()) {
            return write_raw(bytes, out);
        }
        let old = self.codes.cost(&counts).filter(|_| self.has_codes);
        let new = Codes::build(&counts);
        let mut description = [0; 129];
        let described = new
            .as_ref()
            .and_then(|new| Some(new.write(&mut description)? + new.cost(&counts)?));
        let least_gain = (bytes.len() >> 6) + 2;
        let cost = old.into_iter().chain(described).min();
        if cost.is_none_or(|cost| cost + 6 + least_gain > bytes.len()) {
            return write_raw(bytes, out);
        }
        if old == cost {
            return self.write_streams(true, &[], bytes, out);
        }
        self.codes = new?;
        self.has_codes = true;
        let len = self.codes.write(&mut description)?;
        self.write_streams(false, &description[..len], bytes, out)
    }

    fn write_streams(
        &self,
        is_old: bool,
        description: &[u8],
        bytes: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        // A single stream may have up to 1023 bytes, four decode faster.
        let is_single = bytes.len() < 256;
        let head_len = match bytes.len() {
            0..1_024 => 3,
            1_024..16_384 => 4,
            _ => 5,
        };
        let (head, rest) = out.split_at_mut_checked(head_len)?;
        let (place, rest) = rest.split_at_mut_checked(description.len())?;
        place.copy_from_slice(description);
        let len = match is_single {
            true => self.codes.encode(bytes, rest)?,
            false => self.write_four(bytes, rest)?,
        };
        let len = description.len() + len;
        let (form, bits) = match head_len {
            3 => (u64::from(!is_single), 10),
            4 => (2, 14),
            _ => (3, 18),
        };
        let kind = if is_old { 3 } else { 2 };
        let lengths = (bytes.len() as u64) << 4 | (len as u64) << (4 + bits);
        if len >> bits > 0 {
            return None;
        }
        head.copy_from_slice(&(kind | form << 2 | lengths).to_le_bytes()[..head_len]);
        Some(head_len + len)
    }

    fn write_four(&self, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        let (jumps, rest) = out.split_at_mut_checked(6)?;
        let mut len = 0;
        for (n, quarter) in bytes.chunks(bytes.len().div_ceil(4)).enumerate() {
            let written = self.codes.encode(quarter, &mut rest[len..])?;
            len += written;
            if let Some(jump) = jumps.get_mut(2 * n..2 * n + 2) {
                jump.copy_from_slice(&u16::try_from(written).ok()?.to_le_bytes());
            }
        }
        Some(6 + len)
    }
}

enum Kind {
    Raw,
    Repeat,
}

fn write_raw(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let len = write_head(Kind::Raw, bytes.len(), out)?;
    out.get_mut(len..len + bytes.len())?.copy_from_slice(bytes);
    Some(len + bytes.len())
}

fn write_head(kind: Kind, len: usize, out: &mut [u8]) -> Option<usize> {
    let (form, shift, head_len) = match len {
        0..32 => (0, 3, 1),
        32..4_096 => (1, 4, 2),
        _ => (3, 4, 3),
    };
    let head = kind as u32 | form << 2 | (len as u32) << shift;
    out.get_mut(..head_len)?
        .copy_from_slice(&head.to_le_bytes()[..head_len]);
    Some(head_len)
}

/// Bytes by whose look many are judged.
const SAMPLE: usize = 4_096;

/// Whether bytes seem to be random, by those at both ends.
fn is_even(bytes: &[u8]) -> bool {
    let ends = [&bytes[..SAMPLE], &bytes[bytes.len() - SAMPLE..]];
    ends.iter().all(|end| {
        let most = count(end).iter().copied().max().unwrap_or(0);
        is_spread(most as usize, SAMPLE)
    })
}

/// Whether the most frequent of `len` bytes is so rare that codes gain hardly anything.
fn is_spread(most: usize, len: usize) -> bool {
    most <= (len >> 7) + 4
}

/// Counts in four columns, so that runs of a byte don't wait for each other.
fn count(bytes: &[u8]) -> [u32; 256] {
    let mut columns = [[0u32; 256]; 4];
    let (chunks, rest) = bytes.as_chunks::<4>();
    for chunk in chunks {
        for (column, &byte) in columns.iter_mut().zip(chunk) {
            column[usize::from(byte)] += 1;
        }
    }
    let [mut counts, others @ ..] = columns;
    for &byte in rest {
        counts[usize::from(byte)] += 1;
    }
    for column in others {
        counts.iter_mut().zip(column).for_each(|(sum, n)| *sum += n);
    }
    counts
}
