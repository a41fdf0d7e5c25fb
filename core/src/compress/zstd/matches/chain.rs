//! Many places: all that had the same five bytes, latest first.

use super::*;

const BYTES: u32 = 5;

/// A match, and what it gains.
#[derive(Clone, Copy)]
struct Candidate {
    at: usize,
    offset: usize,
    length: usize,
}

pub(super) fn find(
    matches: &mut Matches,
    bytes: &[u8],
    start: usize,
    recent: &Recent,
    found: &mut Found,
) {
    let Search::Chain { enough, wait, .. } = matches.level.search else {
        return;
    };
    let last = bytes.len() - TAIL;
    let mut recent = recent.map(|offset| offset as usize);
    let mut anchor = start;
    let mut at = start;
    while at < last {
        let Some(mut best) = matches.best(bytes, at, recent, 3) else {
            let step = 1 + ((at - anchor) >> 8);
            at += step;
            if step > 8 {
                // What hardly ever came before is hardly worth remembering.
                matches.next_insert = at;
            }
            continue;
        };
        let mut waited = 0;
        while waited < wait && best.length < enough && at + 1 < last {
            at += 1;
            waited += 1;
            let least = best.length.saturating_sub(1);
            match matches.best(bytes, at, recent, least) {
                Some(later) if later.gain(recent) > best.gain(recent) + 4 => {
                    best = later;
                    waited = 0;
                }
                _ => {}
            }
        }
        let before = common_before(bytes, anchor, best.at, best.offset);
        best.at -= before;
        best.length += before;
        found.push(bytes, anchor, best.at, best.offset, best.length);
        remember(&mut recent, best.offset);
        at = best.at + best.length;
        anchor = at;
    }
}

/// The latest offsets, of which each comes once.
fn remember(recent: &mut [usize; 3], offset: usize) {
    let [a, b, c] = *recent;
    *recent = match offset {
        _ if offset == a => [a, b, c],
        _ if offset == b => [b, a, c],
        _ => [offset, a, b],
    };
}

impl Candidate {
    /// A byte gained counts four, a bit of the offset one.
    fn gain(&self, recent: [usize; 3]) -> i32 {
        let cost = match recent.contains(&self.offset) {
            true => 1,
            false => self.offset.ilog2() as i32 + 2,
        };
        4 * self.length as i32 - cost
    }
}

impl Matches {
    /// The best match at `at` of more than `least` bytes.
    fn best(
        &mut self,
        bytes: &[u8],
        at: usize,
        recent: [usize; 3],
        least: usize,
    ) -> Option<Candidate> {
        let four = read4(bytes, at);
        let mut best = None;
        let mut longest = least.max(3);
        for offset in recent {
            if offset <= at && offset > 0 && read4(bytes, at - offset) == four {
                let length = 4 + common(bytes, at + 4 - offset, at + 4);
                if length > longest {
                    longest = length;
                    best = Some(Candidate { at, offset, length });
                }
            }
        }
        let Search::Chain { depth, enough, .. } = self.level.search else {
            return best;
        };
        let (log, chain_log) = self.logs;
        let base = self.base as usize;
        let table = &mut self.first[..1 << log];
        let chain = &mut self.second[..1 << chain_log];
        let mask = chain.len() - 1;
        for place in self.next_insert..at {
            let entry = &mut table[hash::<BYTES>(read8(bytes, place), log)];
            chain[place & mask] = *entry;
            *entry = (base + place) as u32;
        }
        self.next_insert = self.next_insert.max(at);
        let mut entry = table[hash::<BYTES>(read8(bytes, at), log)] as usize;
        let farthest = at.min(WINDOW).min(mask);
        for _ in 0..depth {
            let distance = (base + at).wrapping_sub(entry);
            if distance.wrapping_sub(1) >= farthest {
                break;
            }
            let place = at - distance;
            // A longer match has this byte as well.
            if bytes.get(at + longest) == bytes.get(place + longest) && read4(bytes, place) == four
            {
                let length = 4 + common(bytes, place + 4, at + 4);
                let candidate = Candidate {
                    at,
                    offset: distance,
                    length,
                };
                if length > longest
                    && best.is_none_or(|b: Candidate| candidate.gain(recent) > b.gain(recent))
                {
                    longest = length;
                    best = Some(candidate);
                    if length >= enough.max(64) || at + length == bytes.len() {
                        break;
                    }
                }
            }
            entry = chain[place & mask] as usize;
        }
        best
    }
}
