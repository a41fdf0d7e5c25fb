//! Two tables: a match of eight bytes is taken before one of five.

use super::*;

const LONG: u32 = 8;
const SHORT: u32 = 5;

pub(super) fn find(
    matches: &mut Matches,
    bytes: &[u8],
    start: usize,
    recent: &Recent,
    found: &mut Found,
) {
    let logs = matches.logs;
    let long = &mut matches.first[..1 << logs.0];
    let short = &mut matches.second[..1 << logs.1];
    let base = matches.base as usize;
    let last = bytes.len() - TAIL;
    let [mut offset, mut other, _] = recent.map(|offset| offset as usize);
    let mut anchor = start;
    let mut at = start;
    while at < last {
        let eight = read8(bytes, at);
        let long_entry = &mut long[hash::<LONG>(eight, logs.0)];
        let short_entry = &mut short[hash::<SHORT>(eight, logs.1)];
        let place = base + at;
        let long_distance = place - *long_entry as usize;
        let short_distance = place - *short_entry as usize;
        *long_entry = place as u32;
        *short_entry = place as u32;

        let next = at + 1;
        let (from, length) = if offset <= next && read4(bytes, next) == read4(bytes, next - offset)
        {
            (next, 4 + common(bytes, next + 4 - offset, next + 4))
        } else {
            let (from, distance, length) =
                if is_near(long_distance, at) && read8(bytes, at - long_distance) == eight {
                    (at, long_distance, 8)
                } else if is_near(short_distance, at)
                    && read4(bytes, at - short_distance) == eight as u32
                {
                    // Perhaps the next byte starts a long one.
                    let eight = read8(bytes, next);
                    let entry = &mut long[hash::<LONG>(eight, logs.0)];
                    let distance = (base + next) - *entry as usize;
                    *entry = (base + next) as u32;
                    if is_near(distance, next) && read8(bytes, next - distance) == eight {
                        (next, distance, 8)
                    } else {
                        (at, short_distance, 4)
                    }
                } else {
                    at += 1 + ((at - anchor) >> 8);
                    continue;
                };
            let length = length + common(bytes, from + length - distance, from + length);
            let before = common_before(bytes, anchor, from, distance);
            other = offset;
            offset = distance;
            (from - before, length + before)
        };
        found.push(bytes, anchor, from, offset, length);
        let matched = at;
        at = from + length;
        anchor = at;
        if at >= last {
            break;
        }
        for (place, is_long) in [
            (matched + 2, true),
            (at - 2, true),
            (matched + 2, false),
            (at - 1, false),
        ] {
            let eight = read8(bytes, place);
            match is_long {
                true => long[hash::<LONG>(eight, logs.0)] = (base + place) as u32,
                false => short[hash::<SHORT>(eight, logs.1)] = (base + place) as u32,
            }
        }
        while at < last && other <= at && read4(bytes, at) == read4(bytes, at - other) {
            let length = 4 + common(bytes, at + 4 - other, at + 4);
            (offset, other) = (other, offset);
            let eight = read8(bytes, at);
            long[hash::<LONG>(eight, logs.0)] = (base + at) as u32;
            short[hash::<SHORT>(eight, logs.1)] = (base + at) as u32;
            found.push(bytes, at, at, offset, length);
            at += length;
            anchor = at;
        }
    }
}

#[inline(always)]
fn is_near(distance: usize, at: usize) -> bool {
    distance.wrapping_sub(1) < at.min(WINDOW)
}
