//! The bytes that values are cut from.

use std::{fs, path::Path};

use crate::Failure;

/// Slices of one length, one behind the other, round and round; none is a copy.
pub(crate) struct Payload {
    /// The period, and behind it so much of its start that a slice may begin anywhere in it.
    bytes: Vec<u8>,
    period: usize,
    slice: usize,
}

/// Random text until it repeats itself: more than any codec looks back, little enough to stay in a cache.
const RANDOM: usize = 1 << 20;
/// The characters of base 64, so that the text has six bits to a byte.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Payload {
    /// Slices of a file.
    pub(crate) fn read(path: &Path, slice: usize) -> Result<Self, Failure> {
        let said = |e: String| Failure::usage(format!("can't read {}: {e}", path.display()));
        let bytes = fs::read(path).map_err(|e| said(e.to_string()))?;
        if bytes.is_empty() {
            return Err(said("it is empty".to_owned()));
        }
        Ok(Self::repeat(bytes, slice))
    }

    /// Slices of text that looks random and is the same in each run.
    pub(crate) fn random(slice: usize) -> Self {
        let mut state = 0x6f74_746c_6100_0001_u64;
        let letter = || {
            // xorshift64*, whose high bits are its best.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            LETTERS[(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 58) as usize]
        };
        Self::repeat(std::iter::repeat_with(letter).take(RANDOM).collect(), slice)
    }

    fn repeat(mut bytes: Vec<u8>, slice: usize) -> Self {
        let period = bytes.len();
        bytes.reserve_exact(slice);
        for at in 0..slice {
            bytes.push(bytes[at]);
        }
        Self {
            bytes,
            period,
            slice,
        }
    }

    /// The slices from the `first` on, counted from 0, of which only one in `every` is taken.
    pub(crate) fn slices(&self, first: u16, every: u16) -> impl Iterator<Item = &[u8]> {
        let place = |slices: u16| usize::from(slices) * (self.slice % self.period) % self.period;
        let (mut at, step) = (place(first), place(every));
        std::iter::from_fn(move || {
            let start = at;
            at += step;
            if at >= self.period {
                at -= self.period;
            }
            Some(&self.bytes[start..start + self.slice])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first five.
    fn slices(text: &str, slice: usize) -> Vec<String> {
        let payload = Payload::repeat(text.into(), slice);
        let text = |slice: &[u8]| String::from_utf8(slice.to_vec()).unwrap();
        payload.slices(0, 1).take(5).map(text).collect()
    }

    #[test]
    fn slices_follow_one_another_round_and_round() {
        assert_eq!(slices("abcd", 3), ["abc", "dab", "cda", "bcd", "abc"]);
        assert_eq!(slices("abcd", 4), ["abcd"; 5]);
        assert_eq!(
            slices("ab", 5),
            ["ababa", "babab", "ababa", "babab", "ababa"]
        );
        assert_eq!(slices("ab", 0), [""; 5]);
    }

    #[test]
    fn slices_are_dealt() {
        let payload = Payload::repeat(b"abcdefg".to_vec(), 3);
        let all: Vec<_> = payload.slices(0, 1).take(60).collect();
        for first in 0..10 {
            let dealt: Vec<_> = payload.slices(first, 10).take(6).collect();
            let due: Vec<_> = all.iter().skip(first.into()).step_by(10).copied().collect();
            assert_eq!(dealt, due);
        }
    }

    #[test]
    fn random_text_is_the_same_again_and_varied() {
        let (one, other) = (Payload::random(100), Payload::random(100));
        assert_eq!(one.bytes, other.bytes);
        let mut slices = one.slices(0, 1);
        assert_ne!(slices.next(), slices.next());
        let used = LETTERS.iter().filter(|letter| one.bytes.contains(letter));
        assert_eq!(used.count(), 64);
    }
}
