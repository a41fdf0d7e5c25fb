//! The thorough search: of many places with the same hash the one with the longest match, and of two matches that
//! overlap the better one.

use alloc::vec::Vec;

use super::block::{
    LAST_LITERALS, MATCH_MARGIN, MIN_MATCH, Writer, common, common_back, half_word,
};

const WINDOW: usize = 1 << 16;
const MOST_HEADS: usize = 1 << 15;
const FEWEST_HEADS: usize = 1 << 8;

/// The places of the last 64 KiB, chained by their hash, the latest first.
pub(super) struct Search {
    /// How many places of a chain are looked at.
    depth: usize,
    /// The lowest 16 bits of the latest place of each hash, as in the fast search.
    heads: Vec<u16>,
    /// How far before each place the next one of its chain is.
    links: Vec<u16>,
}

impl Search {
    pub(super) fn new(level: i32) -> Self {
        Self {
            // Beyond a thousand places hardly anything is found, in any time.
            depth: 1 << (level - 1).clamp(0, 10),
            heads: Vec::new(),
            links: Vec::new(),
        }
    }

    /// Writes `input` to `out` as a block, and returns its length if it fits.
    pub(super) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let size = input.len().next_power_of_two();
        let heads = size.clamp(FEWEST_HEADS, MOST_HEADS);
        wipe(&mut self.heads, heads)?;
        wipe(&mut self.links, size.min(WINDOW))?;
        Pass {
            input,
            end: input.len().saturating_sub(LAST_LITERALS),
            last: input.len().saturating_sub(MATCH_MARGIN),
            depth: self.depth,
            heads: &mut self.heads,
            links: &mut self.links,
            shift: u32::BITS - heads.ilog2(),
            linked: 0,
        }
        .run(Writer::new(out))
    }
}

fn wipe(table: &mut Vec<u16>, len: usize) -> Option<()> {
    table.clear();
    table.try_reserve_exact(len).ok()?;
    table.resize(len, 0);
    Some(())
}

#[derive(Clone, Copy)]
struct Match {
    start: usize,
    len: usize,
    distance: u16,
}

impl Match {
    fn end(&self) -> usize {
        self.start + self.len
    }

    fn up_to(self, end: usize) -> Self {
        let len = self.len.min(end - self.start);
        Self { len, ..self }
    }
}

/// The block so far, and from where on the input is not in it.
struct Sequences<'a> {
    input: &'a [u8],
    writer: Writer<'a>,
    anchor: usize,
}

impl Sequences<'_> {
    fn write(&mut self, next: &Match) -> Option<()> {
        let &Match {
            start,
            len,
            distance,
        } = next;
        self.writer
            .sequence(self.input, self.anchor, start, distance, len)?;
        self.anchor = next.end();
        Some(())
    }
}

struct Pass<'a> {
    input: &'a [u8],
    /// Where the literals begin with which a block ends, and from where on no match starts.
    end: usize,
    last: usize,
    depth: usize,
    heads: &'a mut [u16],
    links: &'a mut [u16],
    shift: u32,
    /// Up to where the places are in their chains.
    linked: usize,
}

impl<'a> Pass<'a> {
    fn run(mut self, writer: Writer<'a>) -> Option<usize> {
        let mut sequences = Sequences {
            input: self.input,
            writer,
            anchor: 0,
        };
        while let Some(found) = self.find(sequences.anchor) {
            self.overlapping(found, &mut sequences)?;
        }
        sequences.writer.finish(self.input, sequences.anchor)
    }

    /// Writes `held` and the chain of longer matches that overlap it, without those that their neighbours make needless.
    fn overlapping(&mut self, mut held: Match, sequences: &mut Sequences<'_>) -> Option<()> {
        let mut dropped: Option<Match> = None;
        while let Some(mut next) = self.longer(&held) {
            // What was dropped for `held` reaches up to `next` too, and starts earlier.
            if let Some(before) = dropped.take()
                && next.start < before.end()
            {
                held = before;
            }
            // What `next` leaves of it is too little for a match, and cheaper as literals.
            if next.start < held.start + MIN_MATCH {
                dropped = Some(held);
                held = next;
                continue;
            }
            held = loop {
                match self.longer(&next) {
                    None => {
                        sequences.write(&held.up_to(next.start))?;
                        return sequences.write(&next);
                    }
                    Some(third) if third.start >= held.end() + MIN_MATCH => {
                        sequences.write(&held.up_to(next.start))?;
                        held = next;
                        next = third;
                    }
                    Some(third) if third.start >= held.end() => {
                        sequences.write(&held)?;
                        break third;
                    }
                    Some(third) => next = third,
                }
            };
        }
        sequences.write(&held)
    }

    /// Finds the next match at `anchor` or after.
    fn find(&mut self, anchor: usize) -> Option<Match> {
        let mut at = anchor;
        while at < self.last {
            let found = self.longest(at, at, MIN_MATCH - 1);
            if found.is_some() {
                return found;
            }
            // The longer nothing is found, the more is passed over.
            at += 1 + ((at - anchor) >> 8);
            self.linked = at;
        }
        None
    }

    /// Finds a match that is longer than `first`, starts not before it, and covers more than its end.
    fn longer(&mut self, first: &Match) -> Option<Match> {
        let at = first.end() - 3;
        if at >= self.last {
            return None;
        }
        self.longest(at, first.start, first.len)
    }

    /// Finds the longest match that covers `at`, starts at `low` or after, and is longer than `len`.
    ///
    /// `low + len` is after `at`.
    fn longest(&mut self, at: usize, low: usize, mut len: usize) -> Option<Match> {
        for place in self.linked..at {
            self.link(place);
        }
        let input = self.input;
        let bytes = half_word(input, at);
        let mut found = None;
        let (mut distance, mut step) = (0, self.link(at));
        for _ in 0..self.depth {
            distance += usize::from(step);
            if step == 0 || distance >= WINDOW || distance > low {
                break;
            }
            let from = at - distance;
            // A longer match covers the byte at `low + len` wherever it starts.
            if input[low + len] == input[low + len - distance] && half_word(input, from) == bytes {
                let forward = MIN_MATCH + common(input, at + MIN_MATCH, from + MIN_MATCH, self.end);
                let back = common_back(input, at, from, at - low);
                if back + forward > len {
                    len = back + forward;
                    found = Some(Match {
                        start: at - back,
                        len,
                        distance: distance as u16,
                    });
                    if low + len >= self.end {
                        break;
                    }
                }
            }
            step = self.links[from & (self.links.len() - 1)];
        }
        found
    }

    /// Puts a place in front of its chain, and returns how far before it the next one is.
    fn link(&mut self, at: usize) -> u16 {
        const PRIME: u32 = 0x9E37_79B1;
        let hash = half_word(self.input, at).wrapping_mul(PRIME) >> self.shift;
        let mask = self.heads.len() - 1;
        let head = &mut self.heads[hash as usize & mask];
        let step = (at as u16).wrapping_sub(*head);
        *head = at as u16;
        let mask = self.links.len() - 1;
        self.links[at & mask] = step;
        self.linked = at + 1;
        step
    }
}
