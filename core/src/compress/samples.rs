//! Payloads for the codecs' tests.

use std::{format, string::String, vec, vec::Vec};

/// Bytes that no codec makes shorter.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..len).map(|_| random.next() as u8).collect()
}

/// Events as JSON, one a line.
pub(super) fn json_lines(len: usize) -> Vec<u8> {
    let mut random = Random(7);
    let mut lines = String::new();
    for n in 0.. {
        if lines.len() >= len {
            break;
        }
        let (user, price) = (random.next() % 100_000, random.next() % 10_000);
        let kind = ["click", "view", "purchase", "refund"][random.next() as usize % 4];
        let time = 1_767_225_600_000_u64 + n * 13;
        lines += &format!(
            "{{\"id\":{n},\"user\":\"u{user:05}\",\"type\":\"{kind}\",\"price\":{}.{:02},\"time\":{time}}}\n",
            price / 100,
            price % 100
        );
    }
    lines.truncate(len);
    lines.into_bytes()
}

/// Payloads of many kinds: short and long ones, and those at which an encoder's blocks begin and end.
pub(super) fn all() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for len in 0..300 {
        all.extend([noise(len), json_lines(len), vec![b'x'; len]]);
    }
    for block in [1 << 15, 1 << 16] {
        for len in [block - 1, block, block + 1, 2 * block + 17] {
            all.extend([noise(len), json_lines(len), vec![0; len]]);
        }
    }
    for period in [2, 3, 5, 8, 63, 64, 65, 1_000, 40_000] {
        all.push(noise(period).into_iter().cycle().take(150_000).collect());
    }
    let mixed = [noise(30_000), vec![9; 70_000], json_lines(90_000)];
    all.push(mixed.concat());
    all
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }
}
