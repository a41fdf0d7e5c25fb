//! The fastest search: each place is remembered by six bytes, only the last that had them.

use super::*;

const BYTES: u32 = 6;

pub(super) fn find(
    matches: &mut Matches,
    bytes: &[u8],
    start: usize,
    skip: usize,
    recent: &Recent,
    found: &mut Found,
) {
    let log = matches.logs.0;
    let table = &mut matches.first[..1 << log];
    let base = matches.base as usize;
    let last = bytes.len() - TAIL;
    let mut offset = recent[0] as usize;
    let mut anchor = start;
    let mut at = start;
    while at < last {
        let eight = read8(bytes, at);
        let entry = &mut table[hash::<BYTES>(eight, log)];
        let distance = (base + at) - *entry as usize;
        *entry = (base + at) as u32;
        // One byte on the latest offset comes first: it is the cheapest to write.
        let next = at + 1;
        let (mut from, length) =
            if offset <= next && read4(bytes, next) == read4(bytes, next - offset) {
                (next, 4 + common(bytes, next + 4 - offset, next + 4))
            } else if distance.wrapping_sub(1) < at.min(WINDOW)
                && read4(bytes, at - distance) == eight as u32
            {
                offset = distance;
                (at, 4 + common(bytes, at + 4 - offset, at + 4))
            } else {
                at += 1 + skip + ((at - anchor) >> 7);
                continue;
            };
        let before = common_before(bytes, anchor, from, offset);
        from -= before;
        found.push(bytes, anchor, from, offset, length + before);
        at = from + before + length;
        anchor = at;
        if at < last {
            let place = at - 2;
            table[hash::<BYTES>(read8(bytes, place), log)] = (base + place) as u32;
        }
    }
}
