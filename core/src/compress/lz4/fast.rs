//! The fast search: one place remembered for each hash, and the first match is taken.

use alloc::vec::Vec;

use super::block::{
    LAST_LITERALS, MATCH_MARGIN, MIN_MATCH, Writer, common, common_back, half_word, word,
};

/// How many bytes are hashed: most matches of only four bytes, which save one, cost more time than they are worth.
const HASHED: u32 = 5;
/// A table of this many places takes 64 KiB; more finds hardly more in 64 KiB of history.
const MOST_PLACES: usize = 1 << 15;
const FEWEST_PLACES: usize = 1 << 8;

/// The table that tells where bytes of a hash were last seen.
///
/// A place is kept as its lowest 16 bits, which name exactly one place of the 64 KiB that a match may reach back. What is
/// older names a wrong place, and so does what was never set; the comparison of the bytes there tells.
pub(super) struct Search {
    places: Vec<u16>,
}

impl Search {
    pub(super) fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// Writes `input` to `out` as a block, and returns its length if it fits.
    pub(super) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        // Small inputs take a small table: it is wiped each time, so that the same input gives the same bytes.
        let places = (input.len() / 2)
            .next_power_of_two()
            .clamp(FEWEST_PLACES, MOST_PLACES);
        self.places.clear();
        self.places.try_reserve_exact(places).ok()?;
        self.places.resize(places, 0);
        Pass {
            input,
            places: &mut self.places,
            shift: u64::BITS - places.ilog2(),
        }
        .run(Writer::new(out))
    }
}

struct Pass<'a> {
    input: &'a [u8],
    places: &'a mut [u16],
    shift: u32,
}

impl Pass<'_> {
    fn run(mut self, mut writer: Writer<'_>) -> Option<usize> {
        let input = self.input;
        let (mut anchor, mut at) = (0, 1);
        // `find` looks at three places at once.
        let last = input.len().saturating_sub(MATCH_MARGIN + 2);
        while at < last {
            let Some((mut start, distance)) = self.find(anchor, at, last) else {
                break;
            };
            let from = start - usize::from(distance);
            let end = input.len() - LAST_LITERALS;
            at = start + MIN_MATCH;
            at += common(input, at, from + MIN_MATCH, end);
            start -= common_back(input, start, from, start - anchor);
            writer.sequence(input, anchor, start, distance, at - start)?;
            anchor = at;
        }
        writer.finish(input, anchor)
    }

    /// Finds the next match at `at` or after, and how far before it is what it matches.
    #[inline]
    fn find(&mut self, anchor: usize, mut at: usize, last: usize) -> Option<(usize, u16)> {
        while at < last {
            let bytes = word(self.input, at);
            let first = self.swap(bytes, at);
            let second = self.swap(bytes >> 8, at + 1);
            if self.matches(bytes as u32, at, first) {
                return Some((at, first));
            }
            let third = self.swap(bytes >> 16, at + 2);
            if self.matches((bytes >> 8) as u32, at + 1, second) {
                return Some((at + 1, second));
            }
            if self.matches((bytes >> 16) as u32, at + 2, third) {
                return Some((at + 2, third));
            }
            // The longer nothing is found, the more is passed over.
            at += 4 + ((at - anchor) >> 7);
        }
        None
    }

    /// Remembers the place `at`, where `bytes` are, and returns how far before it the one is that was remembered.
    #[inline]
    fn swap(&mut self, bytes: u64, at: usize) -> u16 {
        const PRIME: u64 = 0x9E37_79B1_85EB_CA87;
        let hash = (bytes << (64 - 8 * HASHED)).wrapping_mul(PRIME) >> self.shift;
        let mask = self.places.len() - 1;
        let place = &mut self.places[hash as usize & mask];
        let distance = (at as u16).wrapping_sub(*place);
        *place = at as u16;
        distance
    }

    #[inline]
    fn matches(&self, bytes: u32, at: usize, distance: u16) -> bool {
        distance != 0 && half_word(self.input, at - usize::from(distance)) == bytes
    }
}
