//! The second section of a block: how many literals, then which match, by turns.

use alloc::vec::Vec;

use super::bits::BitWriter;
use super::fse::{Distribution, MAX_SYMBOLS, Table, log2_in_256ths};

/// Some literals and the match after them.
#[derive(Clone, Copy)]
pub(super) struct Sequence {
    pub(super) literals: u32,
    pub(super) offset: u32,
    pub(super) length: u32,
}

/// The three offsets that have short codes, latest first.
pub(super) type Recent = [u32; 3];

/// What a frame starts with.
pub(super) const FIRST_RECENT: Recent = [1, 4, 8];

pub(super) const MIN_MATCH: u32 = 3;

/// A sequence as three codes and their further bits, lowest first those of the literals, the match, the offset.
#[derive(Clone, Copy)]
struct Coded {
    /// A byte each, from the lowest on: the codes, and how many further bits there are. They are one number, since the
    /// processor waits for bytes that are stored one by one and loaded together.
    codes: u32,
    bits: u64,
}

impl Coded {
    #[inline(always)]
    fn codes(self) -> [u8; 3] {
        let [literals, offset, length, _] = self.codes.to_le_bytes();
        [literals, offset, length]
    }

    #[inline(always)]
    fn count(self) -> u32 {
        self.codes >> 24
    }
}

/// The places of the three kinds of code.
const LITERALS: usize = 0;
const OFFSETS: usize = 1;
const MATCHES: usize = 2;

/// The distributions that a decoder knows beforehand, and how large a table of each kind may be.
const PREDEFINED: [Distribution; 3] = [
    Distribution::fixed(
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1,
            1, 1, 1, -1, -1, -1, -1,
        ],
    ),
    Distribution::fixed(
        5,
        &[
            1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1,
            -1,
        ],
    ),
    Distribution::fixed(
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
];
const MAX_LOGS: [u32; 3] = [9, 8, 9];

/// Turns sequences into bytes.
pub(super) struct Sequences {
    coded: Vec<Coded>,
    /// What the decoder has a table of from the block before, and may be told to use again.
    known: [Option<Distribution>; 3],
    tables: [Table; 3],
}

impl Sequences {
    pub(super) const fn new() -> Self {
        Self {
            coded: Vec::new(),
            known: [None; 3],
            tables: [Table::EMPTY; 3],
        }
    }

    /// Forgets what the decoder knows: a frame starts without.
    pub(super) fn reset(&mut self) {
        self.known = [None; 3];
    }

    /// Writes the section. Returns its length, or `None` if it does not fit.
    ///
    /// A decoder that never sees the section does not know the tables: then they must be [`reset`](Self::reset).
    pub(super) fn write(
        &mut self,
        sequences: &[Sequence],
        recent: &mut Recent,
        out: &mut [u8],
    ) -> Option<usize> {
        let mut len = write_count(sequences.len(), out)?;
        if sequences.is_empty() {
            return Some(len);
        }
        self.coded.clear();
        self.coded.extend(sequences.iter().map(|s| code(s, recent)));
        let mut counts = [[0u32; MAX_SYMBOLS]; 3];
        for coded in &self.coded {
            for (counts, code) in counts.iter_mut().zip(coded.codes()) {
                counts[usize::from(code)] += 1;
            }
        }
        let modes = len;
        *out.get_mut(modes)? = 0;
        len += 1;
        for kind in [LITERALS, OFFSETS, MATCHES] {
            let (mode, written) = self.choose(kind, &counts[kind], &mut out[len..])?;
            out[modes] |= mode << (6 - 2 * kind);
            len += written;
        }
        Some(len + self.write_stream(&mut out[len..])?)
    }

    /// Makes the table of a kind, the one by which the codes take the fewest bits. Returns its mode and its length.
    fn choose(
        &mut self,
        kind: usize,
        counts: &[u32; MAX_SYMBOLS],
        out: &mut [u8],
    ) -> Option<(u8, usize)> {
        let first = self.coded[0].codes()[kind];
        let total = self.coded.len() as u32;
        if counts[usize::from(first)] == total && total > 2 {
            self.tables[kind].build_single(first);
            self.known[kind] = None;
            *out.first_mut()? = first;
            return Some((1, 1));
        }
        let predefined = PREDEFINED[kind].cost(counts);
        let again = self.known[kind]
            .as_ref()
            .and_then(|known| known.cost(counts));
        let fresh = (counts[usize::from(first)] < total).then(|| fresh_cost(counts, total));
        let best = [predefined, again, fresh].into_iter().flatten().min();
        if best == again {
            return Some((3, 0));
        }
        if best == predefined {
            self.tables[kind].build(&PREDEFINED[kind]);
            self.known[kind] = None;
            return Some((0, 0));
        }
        let distribution = Distribution::scale(counts, MAX_LOGS[kind]);
        self.tables[kind].build(&distribution);
        self.known[kind] = Some(distribution);
        Some((2, distribution.write(out)?))
    }

    fn write_stream(&self, out: &mut [u8]) -> Option<usize> {
        let [literals, offsets, matches] = &self.tables;
        let mut writer = BitWriter::new(out);
        let (last, before) = self.coded.split_last()?;
        let [l, o, m] = last.codes();
        let mut state = (literals.start(l), offsets.start(o), matches.start(m));
        writer.add(last.bits, last.count());
        writer.flush();
        for coded in before.iter().rev() {
            let [l, o, m] = coded.codes();
            offsets.put(&mut state.1, o, &mut writer);
            matches.put(&mut state.2, m, &mut writer);
            literals.put(&mut state.0, l, &mut writer);
            // The states took 33 bits at most, what the last flush left among them.
            if coded.count() > 30 {
                writer.flush();
            }
            writer.add(coded.bits, coded.count());
            writer.flush();
        }
        matches.end(&state.2, &mut writer);
        offsets.end(&state.1, &mut writer);
        literals.end(&state.0, &mut writer);
        writer.finish()
    }
}

/// About what codes take by a table made for them, in 256ths of bits, with the table's description.
fn fresh_cost(counts: &[u32], total: u32) -> u64 {
    let whole = log2_in_256ths(total);
    let cost_of =
        |&count: &u32| u64::from(count) * u64::from(whole - log2_in_256ths(count)) + (6 << 8);
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(cost_of)
        .sum::<u64>()
        + (8 << 8)
}

fn write_count(count: usize, out: &mut [u8]) -> Option<usize> {
    let (head, len) = match count {
        0..128 => ([count as u8, 0, 0], 1),
        128..0x7f00 => ([(count >> 8) as u8 + 128, count as u8, 0], 2),
        _ => {
            let [low, high] = ((count - 0x7f00) as u16).to_le_bytes();
            ([255, low, high], 3)
        }
    };
    out.get_mut(..len)?.copy_from_slice(&head[..len]);
    Some(len)
}

/// Codes a sequence, and makes its offset the most recent.
#[inline]
fn code(sequence: &Sequence, recent: &mut Recent) -> Coded {
    let (l, l_bits) = literals_code(sequence.literals);
    let length = sequence.length - MIN_MATCH;
    let (m, m_bits) = match_code(length);
    let offset = offset_value(sequence.offset, sequence.literals == 0, recent);
    let o_bits = offset.ilog2();
    let low = |value: u32, bits: u32| u64::from(value & !(u32::MAX << bits));
    Coded {
        codes: u32::from(l) | o_bits << 8 | u32::from(m) << 16 | (l_bits + m_bits + o_bits) << 24,
        bits: low(sequence.literals, l_bits)
            | low(length, m_bits) << l_bits
            | low(offset, o_bits) << (l_bits + m_bits),
    }
}

/// Up to three for a recent offset, else the offset and three.
///
/// Without literals before, the latest can't come again, and the latest less one is coded instead.
fn offset_value(offset: u32, has_no_literals: bool, recent: &mut Recent) -> u32 {
    let [a, b, c] = *recent;
    if offset == a && !has_no_literals {
        return 1;
    }
    let shift = u32::from(has_no_literals);
    let value = match offset {
        _ if offset == b => 2 - shift,
        _ if offset == c => 3 - shift,
        _ if has_no_literals && offset == a.wrapping_sub(1) => 3,
        _ => offset + 3,
    };
    *recent = match offset == b {
        true => [b, a, c],
        false => [offset, a, b],
    };
    value
}

/// A code for how many literals there are, and of how many of the number's low bits it goes with.
fn literals_code(count: u32) -> (u8, u32) {
    match count {
        0..16 => (count as u8, 0),
        16..24 => (16 + ((count - 16) >> 1) as u8, 1),
        24..32 => (20 + ((count - 24) >> 2) as u8, 2),
        32..48 => (22 + ((count - 32) >> 3) as u8, 3),
        48..64 => (24, 4),
        _ => (count.ilog2() as u8 + 19, count.ilog2()),
    }
}

/// The same for a match's length beyond the least.
fn match_code(length: u32) -> (u8, u32) {
    match length {
        0..32 => (length as u8, 0),
        32..40 => (32 + ((length - 32) >> 1) as u8, 1),
        40..48 => (36 + ((length - 40) >> 2) as u8, 2),
        48..64 => (38 + ((length - 48) >> 3) as u8, 3),
        64..96 => (40 + ((length - 64) >> 4) as u8, 4),
        96..128 => (42, 5),
        _ => (length.ilog2() as u8 + 36, length.ilog2()),
    }
}
