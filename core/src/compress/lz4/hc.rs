//! The thorough search: for every place the longest match of many, and of these the cheapest sequences.

use alloc::vec::Vec;

use super::block::{LAST_LITERALS, MATCH_MARGIN, MIN_MATCH, Writer, common, half_word};

const MOST_HEADS: usize = 1 << 15;
const FEWEST_HEADS: usize = 1 << 8;
const WINDOW: usize = 1 << 16;
/// How many places are searched before their sequences are chosen.
const SPAN: usize = 2048;

/// The places of the last 64 KiB, chained by their hash, latest first, and a plan for the next ones.
pub(super) struct Search {
    /// How many places of a chain are looked at.
    depth: usize,
    /// A match of this length is good enough.
    enough: usize,
    /// The lowest 16 bits of the latest place of each hash; see [`super::fast::Search`].
    heads: Vec<u16>,
    /// How far before each place the next one of its chain is; 0 is none.
    links: Vec<u16>,
    plan: Vec<Step>,
}

impl Search {
    pub(super) fn new(level: i32) -> Self {
        let depth = 1 << (level - 1).clamp(0, 12);
        Self {
            depth,
            enough: (4 * depth).clamp(32, 1024),
            heads: Vec::new(),
            links: Vec::new(),
            plan: Vec::new(),
        }
    }

    /// Writes `input` to `out` as a block, and returns its length if it fits.
    pub(super) fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        let size = input.len().next_power_of_two();
        let heads = size.clamp(FEWEST_HEADS, MOST_HEADS);
        wipe(&mut self.heads, heads, 0)?;
        wipe(&mut self.links, size.min(WINDOW), 0)?;
        wipe(&mut self.plan, SPAN, Step::default())?;
        Pass {
            input,
            end: input.len().saturating_sub(LAST_LITERALS),
            last: input.len().saturating_sub(MATCH_MARGIN),
            depth: self.depth,
            enough: self.enough,
            heads: &mut self.heads,
            links: &mut self.links,
            plan: &mut self.plan,
            shift: u32::BITS - heads.ilog2(),
        }
        .run(Writer::new(out))
    }
}

fn wipe<T: Copy>(table: &mut Vec<T>, len: usize, with: T) -> Option<()> {
    table.clear();
    table.try_reserve_exact(len).ok()?;
    table.resize(len, with);
    Some(())
}

/// What is best done at a place.
#[derive(Clone, Copy, Default)]
struct Step {
    /// The longest match there; of no length if there is none.
    found: Match,
    /// The bytes that this place and what follows it up to the span's end take.
    cost: u32,
}

#[derive(Clone, Copy, Default)]
struct Match {
    len: u32,
    distance: u16,
}

impl Match {
    /// What remains of it one place further on.
    fn one_place_on(self) -> Self {
        match self.len.checked_sub(1) {
            Some(len) if len as usize >= MIN_MATCH => Self { len, ..self },
            _ => Self::default(),
        }
    }
}

struct Pass<'a> {
    input: &'a [u8],
    /// Where the literals begin with which a block ends, and from where on no match starts.
    end: usize,
    last: usize,
    depth: usize,
    enough: usize,
    heads: &'a mut [u16],
    links: &'a mut [u16],
    plan: &'a mut [Step],
    shift: u32,
}

impl Pass<'_> {
    fn run(mut self, mut writer: Writer<'_>) -> Option<usize> {
        let (mut anchor, mut at) = (0, 0);
        while at < self.last {
            let span = SPAN.min(self.last - at);
            self.search(anchor, at, span);
            self.choose(span);
            let (from, to) = (at, at + span);
            while at < to {
                let Match { len, distance } = self.plan[at - from].found;
                if len > 0 {
                    let end = at + len as usize;
                    writer.sequence(self.input, anchor, at, distance, len as usize)?;
                    (anchor, at) = (end, end);
                } else {
                    at += 1;
                }
            }
            for place in to..at.min(self.last) {
                self.link(place);
            }
        }
        writer.finish(self.input, anchor)
    }

    /// Plans the longest match for each place from `from` on.
    fn search(&mut self, anchor: usize, from: usize, span: usize) {
        let (mut found, mut latest, mut next) = (Match::default(), anchor, from);
        for at in from..from + span {
            found = found.one_place_on();
            // The longer nothing is found, the more is passed over.
            if found.len as usize >= self.enough {
                self.link(at);
            } else if at >= next {
                found = self.longest(at, found);
                next = at + 1 + ((at - latest) >> 8);
            }
            if found.len > 0 {
                latest = at;
            }
            self.plan[at - from].found = found;
        }
    }

    /// Cuts the matches of a span, from its end on, to what makes the fewest bytes.
    fn choose(&mut self, span: usize) {
        for at in (0..span).rev() {
            let cost = |at: usize| match at < span {
                true => self.plan[at].cost,
                false => 0,
            };
            let found = self.plan[at].found;
            let longest = found.len as usize;
            let mut best = Step {
                found: Match::default(),
                cost: cost(at + 1) + 1,
            };
            // Of a long match hardly ever less than all is taken.
            let shorter = MIN_MATCH..longest.min(18);
            for len in shorter.chain((longest > 0).then_some(longest)) {
                // What a match takes on account of places after the span is not counted, as they aren't.
                let cost = cost(at + len) + 3 + (len.min(span - at) as u32 + 236) / 255;
                if cost <= best.cost {
                    let len = len as u32;
                    best = Step {
                        found: Match { len, ..found },
                        cost,
                    };
                }
            }
            self.plan[at] = best;
        }
    }

    /// The longest match at `at`, if it is longer than `best`.
    fn longest(&mut self, at: usize, mut best: Match) -> Match {
        let input = self.input;
        let bytes = half_word(input, at);
        let (mut distance, mut step) = (0, self.link(at));
        for _ in 0..self.depth {
            distance += usize::from(step);
            if step == 0 || distance >= WINDOW || distance > at {
                break;
            }
            let from = at - distance;
            let len = best.len as usize;
            if input[from + len] == input[at + len] && half_word(input, from) == bytes {
                let len = MIN_MATCH + common(input, at + MIN_MATCH, from + MIN_MATCH, self.end);
                if len > best.len as usize {
                    best = Match {
                        len: len as u32,
                        distance: distance as u16,
                    };
                    if len >= self.enough {
                        break;
                    }
                }
            }
            step = self.links[from & (self.links.len() - 1)];
        }
        best
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
        step
    }
}
