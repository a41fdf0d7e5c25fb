//! Payloads for the codecs: longer than an input, so that blocks and windows end within them.

use crate::Tape;

const MOST: usize = 300 << 10;

/// The next payload: bytes off the tape, rows of one byte, noise, and copies of what it has so far, each at least once.
pub fn read(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..=tape.below(16) {
        let kind = tape.byte();
        // Most are short.
        let len = usize::from(tape.byte()) << (kind >> 4).saturating_sub(5);
        let len = len.min(MOST - payload.len());
        match kind & 3 {
            0 => payload.extend_from_slice(tape.take(len)),
            1 => payload.resize(payload.len() + len, tape.byte()),
            2 => payload.extend(noise(tape.byte()).take(len)),
            _ => copy(&mut payload, tape, len),
        }
    }
    payload
}

/// Copies from some way back, which may reach into what it makes.
fn copy(payload: &mut Vec<u8>, tape: &mut Tape<'_>, len: usize) {
    let back = usize::from(tape.byte()) << (tape.byte() % 12);
    if let Some(from) = payload.len().checked_sub(back.max(1)) {
        for at in from..from + len {
            payload.push(payload[at]);
        }
    }
}

/// Bytes that look random (xorshift): of all values, or of a few.
fn noise(seed: u8) -> impl Iterator<Item = u8> {
    let mut state = u64::from(seed)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mask = [0xff, 0x0f, 0x31, 0x7e][usize::from(seed & 3)];
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8 & mask
    })
}
