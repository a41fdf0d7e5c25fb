//! Huffman codes of at most eleven bits for literals.

use super::bits::BitWriter;
use super::fse::{Distribution, Table};

const MAX_BITS: usize = 11;

/// The code of each byte.
pub(super) struct Codes {
    /// The length in the upper half, the bits in the lower. Zero for a byte that has no code.
    codes: [u32; 256],
    longest: u32,
    symbols: usize,
}

impl Codes {
    pub(super) const EMPTY: Self = Self {
        codes: [0; 256],
        longest: 0,
        symbols: 0,
    };

    /// Codes for bytes that come as often as `counts` says. At least two must come.
    ///
    /// Returns `None` if no complete code of eleven bits is found.
    pub(super) fn build(counts: &[u32; 256]) -> Option<Self> {
        let mut lengths = lengths(counts);
        fit(&mut lengths, counts)?;
        let longest = lengths.iter().copied().max()?;
        let mut next = [0u32; MAX_BITS + 1];
        for &length in &lengths {
            next[usize::from(length)] += 1;
        }
        let mut code = 0;
        for length in (1..=usize::from(longest)).rev() {
            let count = next[length];
            next[length] = code;
            code = (code + count) >> 1;
        }
        let mut codes = [0; 256];
        for (code, &length) in codes.iter_mut().zip(&lengths).filter(|(_, l)| **l > 0) {
            let next = &mut next[usize::from(length)];
            *code = u32::from(length) << 16 | *next;
            *next += 1;
        }
        let symbols = 256
            - lengths
                .iter()
                .rev()
                .take_while(|&&length| length == 0)
                .count();
        Some(Self {
            codes,
            longest: u32::from(longest),
            symbols,
        })
    }

    /// The bytes that all of `counts` take by this code, or `None` if one of them has no code.
    pub(super) fn cost(&self, counts: &[u32; 256]) -> Option<usize> {
        let mut bits = 0;
        for (&code, &count) in self.codes.iter().zip(counts) {
            if count > 0 && code == 0 {
                return None;
            }
            bits += (code >> 16) as usize * count as usize;
        }
        Some(bits.div_ceil(8))
    }

    /// Writes the codes' description. Returns its length, or `None` if it does not fit or can't be described.
    pub(super) fn write(&self, out: &mut [u8]) -> Option<usize> {
        // The last symbol's weight follows from the others'.
        let mut weights = [0u8; 256];
        let count = self.symbols - 1;
        let mut counts = [0u32; MAX_BITS + 2];
        for (weight, &code) in weights[..count].iter_mut().zip(&self.codes) {
            *weight = match code >> 16 {
                0 => 0,
                length => (self.longest + 1 - length) as u8,
            };
            counts[usize::from(*weight)] += 1;
        }
        let (head, rest) = out.split_first_mut()?;
        let plain = (count <= 128).then_some(count.div_ceil(2));
        let most = rest.len().min(plain.map_or(127, |len| len - 1)).min(127);
        if let Some(len) = write_weights(&weights[..count], &counts, &mut rest[..most]) {
            *head = len as u8;
            return Some(1 + len);
        }
        let plain = plain.filter(|len| *len <= rest.len())?;
        *head = 127 + count as u8;
        for (byte, pair) in rest
            .iter_mut()
            .zip(weights[..count.next_multiple_of(2)].as_chunks().0)
        {
            let [upper, lower] = *pair;
            *byte = upper << 4 | lower;
        }
        Some(1 + plain)
    }

    /// Writes `bytes`, all of which have codes, as one stream. Returns its length, or `None` if it does not fit.
    pub(super) fn encode(&self, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut writer = BitWriter::new(out);
        let (odd, fours) = bytes.as_rchunks::<4>();
        let put = |byte: u8, writer: &mut BitWriter<'_>| {
            let code = self.codes[usize::from(byte)];
            writer.add(u64::from(code & 0xffff), code >> 16);
        };
        for &[a, b, c, d] in fours.iter().rev() {
            put(d, &mut writer);
            put(c, &mut writer);
            put(b, &mut writer);
            put(a, &mut writer);
            writer.flush();
        }
        for &byte in odd.iter().rev() {
            put(byte, &mut writer);
        }
        writer.finish()
    }
}

/// Writes weights by finite state entropy, two states by turns.
fn write_weights(weights: &[u8], counts: &[u32], out: &mut [u8]) -> Option<usize> {
    let most = counts.iter().copied().max()?;
    if most as usize == weights.len() || most == 1 {
        return None;
    }
    let distribution = Distribution::scale(counts, 6);
    let head = distribution.write(out)?;
    let mut table = Table::EMPTY;
    table.build(&distribution);
    let mut writer = BitWriter::new(&mut out[head..]);
    let mut states = [const { None }; 2];
    for (at, &weight) in weights.iter().enumerate().rev() {
        match &mut states[at % 2] {
            Some(state) => table.put(state, weight, &mut writer),
            state => *state = Some(table.start(weight)),
        }
        writer.flush();
    }
    let [even, odd] = states;
    table.end(&odd?, &mut writer);
    table.end(&even?, &mut writer);
    Some(head + writer.finish()?)
}

/// The lengths of an optimal code, however long, cut to [`MAX_BITS`]: the code may then be impossible.
fn lengths(counts: &[u32; 256]) -> [u8; 256] {
    // Leaves, rarest first, then the nodes in the order they are made, which is by count as well.
    let mut leaves = [(0u32, 0u8); 256];
    let mut len = 0;
    for (symbol, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        leaves[len] = (count, symbol as u8);
        len += 1;
    }
    let leaves = &mut leaves[..len];
    leaves.sort_unstable();

    let mut nodes = [0u32; 256];
    let mut parents = [0u16; 512]; // of the leaves, and from `len` on of the nodes
    let (mut leaf, mut node) = (0, 0);
    for made in 0..len - 1 {
        for _ in 0..2 {
            let takes_leaf = leaf < len && (node == made || leaves[leaf].0 <= nodes[node]);
            let (child, count) = match takes_leaf {
                true => (leaf, leaves[leaf].0),
                false => (len + node, nodes[node]),
            };
            parents[child] = made as u16;
            nodes[made] += count;
            leaf += usize::from(takes_leaf);
            node += usize::from(!takes_leaf);
        }
    }

    let mut depths = [0u8; 256]; // of the nodes, from the root, which was made last
    for node in (0..len.saturating_sub(2)).rev() {
        depths[node] = depths[usize::from(parents[len + node])].saturating_add(1);
    }
    let mut lengths = [0; 256];
    for (leaf, &(_, symbol)) in leaves.iter().enumerate() {
        let depth = depths[usize::from(parents[leaf])].saturating_add(1);
        lengths[usize::from(symbol)] = depth.min(MAX_BITS as u8);
    }
    lengths
}

/// Makes lengths that were cut a complete code again. Returns `None` if that fails.
fn fit(lengths: &mut [u8; 256], counts: &[u32; 256]) -> Option<()> {
    const WHOLE: i32 = 1 << MAX_BITS;
    let share = |length: u8| 1i32 << (MAX_BITS - usize::from(length));
    let used = |lengths: &[u8; 256]| -> i32 {
        lengths.iter().filter(|l| **l > 0).map(|l| share(*l)).sum()
    };
    let mut excess = used(lengths) - WHOLE;
    // Lengthen the rarest of the longest codes that can still grow.
    while excess > 0 {
        let symbol = (0..256)
            .filter(|&s| (1..MAX_BITS as u8).contains(&lengths[s]))
            .max_by_key(|&s| (lengths[s], core::cmp::Reverse(counts[s])))?;
        lengths[symbol] += 1;
        excess -= share(lengths[symbol]);
    }
    // Give what that left over to the most frequent of those that it shortens by one.
    while excess < 0 {
        let symbol = (0..256)
            .filter(|&s| lengths[s] > 1 && share(lengths[s]) <= -excess)
            .max_by_key(|&s| (share(lengths[s]), counts[s]))?;
        excess += share(lengths[symbol]);
        lengths[symbol] -= 1;
    }
    Some(())
}
