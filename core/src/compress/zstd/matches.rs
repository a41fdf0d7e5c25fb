//! Finds bytes that came before.

mod chain;
mod double;
mod fast;

use alloc::vec::Vec;

use super::level::{Level, Search};
use super::sequences::{Recent, Sequence};

/// How far back a match may lie, which is what a reader must keep of a frame: all allow this much.
pub(super) const WINDOW_LOG: u32 = 23;
const WINDOW: usize = 1 << WINDOW_LOG;

/// Bytes at a block's end where no match starts, so that eight can be read from wherever one is looked for.
const TAIL: usize = 8;

/// Finds a block's sequences, with what it saw of the frame before.
pub(super) struct Matches {
    level: Level,
    /// Where bytes were last, by their hash: `base` and the position. What is below `base` is of frames before.
    first: Vec<u32>,
    /// Of shorter runs of bytes, or by position where the bytes before that have the same hash are.
    second: Vec<u32>,
    /// Logarithms of how much of the tables this frame uses.
    logs: (u32, u32),
    base: u32,
    /// What the next frame's `base` is.
    next_base: u32,
    /// From where on the chain is not yet made.
    next_insert: usize,
}

impl Matches {
    pub(super) const fn new(level: Level) -> Self {
        Self {
            level,
            first: Vec::new(),
            second: Vec::new(),
            logs: (0, 0),
            base: 1,
            next_base: 1,
            next_insert: 0,
        }
    }

    /// Makes ready for a frame of `len` bytes.
    pub(super) fn start(&mut self, len: usize) {
        // A table with an entry for each byte loses nothing, and a small one stays in the processor's cache.
        let log = (usize::BITS - len.leading_zeros()).max(8);
        let (first, second) = self.level.table_logs;
        self.logs = (first.min(log), second.min(log));
        let size = |log: u32| if log == 0 { 0 } else { 1 << log };
        let sizes = (size(self.logs.0), size(self.logs.1));
        let len = u32::try_from(len).expect("a frame is shorter than 2 GiB");
        if self.next_base.checked_add(len).is_none() {
            self.first.fill(0);
            self.second.fill(0);
            self.next_base = 1;
        }
        if self.first.len() < sizes.0 {
            self.first.resize(sizes.0, 0);
        }
        if self.second.len() < sizes.1 {
            self.second.resize(sizes.1, 0);
        }
        self.base = self.next_base;
        self.next_base += len;
        self.next_insert = 0;
    }

    #[cfg(test)]
    pub(super) fn set_next_base(&mut self, base: u32) {
        self.next_base = base;
    }

    /// Cuts the block `bytes[start..end]` into sequences, whose literals go to `found` as well.
    pub(super) fn find(&mut self, bytes: &[u8], start: usize, recent: &Recent, found: &mut Found) {
        found.clear();
        if bytes.len() - start > TAIL {
            match self.level.search {
                Search::Fast { skip } => fast::find(self, bytes, start, skip, recent, found),
                Search::Double => double::find(self, bytes, start, recent, found),
                Search::Chain { .. } => chain::find(self, bytes, start, recent, found),
            }
        }
        found.end(bytes, start);
    }
}

/// What a block is cut into.
pub(super) struct Found {
    pub(super) sequences: Vec<Sequence>,
    pub(super) literals: Vec<u8>,
    /// Bytes of the block that are cut.
    len: usize,
}

impl Found {
    pub(super) const fn new() -> Self {
        Self {
            sequences: Vec::new(),
            literals: Vec::new(),
            len: 0,
        }
    }

    fn clear(&mut self) {
        self.sequences.clear();
        self.literals.clear();
        self.len = 0;
    }

    /// Takes a match of `length` bytes, `offset` before `at`. What lies between it and the last are literals.
    #[inline(always)]
    fn push(&mut self, bytes: &[u8], anchor: usize, at: usize, offset: usize, length: usize) {
        let literals = at - anchor;
        // Few as they mostly are, sixteen at once are copied faster than just as many as there are.
        match bytes.get(anchor..anchor + 16) {
            Some(more) if literals <= 16 => {
                let len = self.literals.len();
                self.literals.extend_from_slice(more);
                self.literals.truncate(len + literals);
            }
            _ => self.literals.extend_from_slice(&bytes[anchor..at]),
        }
        self.sequences.push(Sequence {
            literals: literals as u32,
            offset: offset as u32,
            length: length as u32,
        });
        self.len += literals + length;
    }

    /// The bytes after the last match are literals.
    fn end(&mut self, bytes: &[u8], start: usize) {
        self.literals.extend_from_slice(&bytes[start + self.len..]);
    }
}

#[inline(always)]
fn read4(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline(always)]
fn read8(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Hashes the first `BYTES` of eight bytes to `log` bits.
#[inline(always)]
fn hash<const BYTES: u32>(eight: u64, log: u32) -> usize {
    const MULTIPLIER: u64 = 0x9E37_79B1_85EB_CA87;
    ((eight << (64 - 8 * BYTES)).wrapping_mul(MULTIPLIER) >> (64 - log)) as usize
}

/// How many bytes at `a` and at `b`, after it, are the same.
#[inline(always)]
fn common(bytes: &[u8], a: usize, b: usize) -> usize {
    let later = &bytes[b..];
    let earlier = &bytes[a..a + later.len()];
    let (later_eights, later_rest) = later.as_chunks::<8>();
    let (earlier_eights, earlier_rest) = earlier.as_chunks::<8>();
    let mut same = 0;
    for (x, y) in later_eights.iter().zip(earlier_eights) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return same + (differ.trailing_zeros() / 8) as usize;
        }
        same += 8;
    }
    same + same_bytes(later_rest.iter(), earlier_rest.iter())
}

/// How many bytes before `at` (not beyond `anchor`) are the same as those `offset` before them.
#[inline(always)]
fn common_before(bytes: &[u8], anchor: usize, at: usize, offset: usize) -> usize {
    let most = (at - anchor).min(at - offset);
    let later = &bytes[at - most..at];
    let earlier = &bytes[at - offset - most..at - offset];
    same_bytes(later.iter().rev(), earlier.iter().rev())
}

#[inline(always)]
fn same_bytes<'a>(a: impl Iterator<Item = &'a u8>, b: impl Iterator<Item = &'a u8>) -> usize {
    a.zip(b).take_while(|(x, y)| x == y).count()
}
