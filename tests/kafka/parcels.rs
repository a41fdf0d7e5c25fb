//! Payloads for the codecs: what shrinks well, what does not shrink, what shrinks to nothing, and all of it by turns.

use std::ops::Range;

use crate::workload::Dice;

const LARGEST: usize = 10 << 20;
/// The sizes of the parcels of each kind, and how many there are. Besides round ones those around the blocks of snappy-java
/// (32 KiB), LZ4 (64 KiB) and zstd (128 KiB).
const SIZES: [(usize, usize); 11] = [
    (0, 2),
    (1, 2),
    (100, 400),
    (16 << 10, 4),
    (32_700, 2),
    (32_800, 2),
    (65_500, 2),
    (65_600, 2),
    (131_100, 2),
    (1 << 20, 1),
    (LARGEST, 1),
];

/// Values in the order of sending, by cases.
pub(crate) struct Parcels {
    pub(crate) cases: Vec<Case>,
    pools: [Vec<u8>; 4],
}

/// So many values of one kind and size.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) size: usize,
    /// Which of the parcels.
    numbers: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Noise,
    Zeros,
    Mixed,
}

impl Parcels {
    /// Every kind in every size.
    pub(crate) fn of_all_sizes() -> Self {
        let kinds = [Kind::Json, Kind::Noise, Kind::Zeros, Kind::Mixed];
        let cases = SIZES
            .iter()
            .flat_map(|&(size, count)| kinds.map(|kind| (kind, size, count)));
        Self::new(cases, LARGEST)
    }

    /// Many of a kind and size that fill several batches at once.
    pub(crate) fn of_one_kind() -> Self {
        Self::new([(Kind::Json, 1000, 1000)], 1 << 20)
    }

    fn new(cases: impl IntoIterator<Item = (Kind, usize, usize)>, most: usize) -> Self {
        let mut len = 0;
        let cases = cases.into_iter().map(|(kind, size, count)| {
            len += count;
            let numbers = len - count..len;
            Case {
                kind,
                size,
                numbers,
            }
        });
        // Parcels of a case begin at different places.
        let most = most + 4096;
        let plain = [json(most), noise(most), vec![0; most]];
        let mixed = mixed(&plain, most);
        let [json, noise, zeros] = plain;
        let pools = [json, noise, zeros, mixed];
        Self {
            cases: cases.collect(),
            pools,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cases.last().map_or(0, |case| case.numbers.end)
    }

    /// A value by its place in the order of sending.
    pub(crate) fn get(&self, number: usize) -> Option<&[u8]> {
        let case = self.case_at(number, number)?;
        let start = (number - case.numbers.start) * case.size;
        let pool = &self.pools[case.kind as usize];
        let start = start % (pool.len() - case.size + 1);
        Some(&pool[start..start + case.size])
    }

    /// The case that both of these are of, and so all between them.
    pub(crate) fn case_at(&self, first: usize, last: usize) -> Option<&Case> {
        let has = |case: &&Case| case.numbers.contains(&first) && case.numbers.contains(&last);
        self.cases.iter().find(has)
    }

    /// The values of a case.
    pub(crate) fn of(&self, case: &Case) -> impl Iterator<Item = &[u8]> {
        case.numbers.clone().filter_map(|number| self.get(number))
    }
}

/// Lines as a service might log them.
fn json(len: usize) -> Vec<u8> {
    let mut dice = Dice(1);
    let mut text = String::new();
    while text.len() < len {
        let (user, took) = (dice.between(0..5_000), dice.between(1..2_000));
        let path = ["/cart", "/search?q=", "/checkout", "/item/"][dice.between(0..4) as usize];
        let status = [200, 200, 200, 404][dice.between(0..4) as usize];
        let id = dice.next();
        text += &format!(
            "{{\"trace\":\"{id:016x}\",\"user\":{user},\"path\":\"{path}{took}\",\"status\":{status},\
             \"took_ms\":{took},\"agent\":\"Mozilla/5.0 (X11; Linux x86_64)\"}}\n"
        );
    }
    let mut text = text.into_bytes();
    text.truncate(len);
    text
}

fn noise(len: usize) -> Vec<u8> {
    let mut dice = Dice(2);
    let words = std::iter::repeat_with(|| dice.next().to_le_bytes());
    words.flatten().take(len).collect()
}

/// Pieces of the others, and of what came before.
fn mixed(pools: &[Vec<u8>], len: usize) -> Vec<u8> {
    let mut dice = Dice(3);
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let piece = dice.between(1..3_000) as usize;
        let start = dice.between(0..(len - piece) as u64) as usize;
        match pools.get(dice.between(0..4) as usize) {
            Some(pool) => bytes.extend_from_slice(&pool[start..start + piece]),
            None => {
                let end = bytes.len();
                let start = end.saturating_sub(dice.between(1..200_000) as usize);
                bytes.extend_from_within(start..end.min(start + piece));
            }
        }
    }
    bytes.truncate(len);
    bytes
}
