//! The records of the proof: record `i` is the same whenever it is asked for, so that none has to be remembered.

use std::ops::Range;

/// What stands for null in Kafka's console consumer and producer; no key, value or header is made of capitals.
pub(crate) const NULL: &str = "NULL";

const KEYS: u64 = 3_000;
const LARGEST: usize = 900 * 1024;
/// A value at least this long begins with the record's number; a shorter one comes with a header that has it.
const NUMBERED: usize = 9;

/// A number of records of mixed sizes for a topic of some partitions.
pub(crate) struct Workload {
    pub(crate) records: u64,
    pub(crate) partitions: usize,
    pool: Vec<u8>,
    keys: Vec<Vec<u8>>,
}

/// One record, ready to be sent or compared.
pub(crate) struct Record<'a> {
    pub(crate) place: Place,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, Option<Vec<u8>>)>,
}

/// How the partition of a record is found.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The record asks for it.
    Asked(usize),
    /// By the key with this index.
    Keyed(usize),
    /// The producer is free.
    Free,
}

impl Workload {
    pub(crate) fn new(records: u64, partitions: usize) -> Self {
        let mut dice = Dice(1);
        let pool = (0..LARGEST + 4096).map(|_| dice.between(0x20..0x7f) as u8);
        let pool = pool.collect();
        Self {
            records,
            partitions,
            pool,
            keys: (0..KEYS).map(key).collect(),
        }
    }

    /// Every key that occurs, by index.
    pub(crate) fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    pub(crate) fn record(&self, number: u64) -> Record<'_> {
        let mut dice = Dice(number);
        let key = match dice.between(0..100) {
            0..50 => None,
            50..52 => Some(0),
            _ => Some(dice.between(1..KEYS) as usize),
        };
        let place = match (dice.between(0..100), key) {
            (0..5, _) => Place::Asked(dice.between(0..self.partitions as u64) as usize),
            (_, Some(key)) => Place::Keyed(key),
            (_, None) => Place::Free,
        };
        let value = size(number, &mut dice).map(|size| self.value(number, size, &mut dice));
        let named = value.as_ref().is_none_or(|v| v.len() < NUMBERED);
        Record {
            place,
            key: key.map(|index| self.keys[index].as_slice()),
            value,
            headers: headers(named.then_some(number), &mut dice),
        }
    }

    fn value(&self, number: u64, size: usize, dice: &mut Dice) -> Vec<u8> {
        let start = dice.between(0..4096) as usize;
        let mut value = self.pool[start..start + size].to_vec();
        if size >= NUMBERED {
            value[..NUMBERED].copy_from_slice(format!("{number:08}-").as_bytes());
        }
        value
    }
}

impl Record<'_> {
    /// `headers|key|value`, as the console tools print and read it.
    pub(crate) fn line(&self, line: &mut Vec<u8>) {
        for (index, (name, value)) in self.headers.iter().enumerate() {
            line.extend_from_slice(if index == 0 { b"" } else { b";" });
            line.extend_from_slice(name.as_bytes());
            line.push(b':');
            line.extend_from_slice(value.as_deref().unwrap_or(NULL.as_bytes()));
        }
        if self.headers.is_empty() {
            line.extend_from_slice(b"NO_HEADERS");
        }
        for part in [self.key, self.value.as_deref()] {
            line.push(b'|');
            line.extend_from_slice(part.unwrap_or(NULL.as_bytes()));
        }
    }
}

/// The number of the record that a line `headers|key|value` claims to be.
pub(crate) fn number_in(line: &[u8]) -> Option<u64> {
    let mut parts = line.splitn(3, |&b| b == b'|');
    let headers = parts.next()?;
    let number = match headers.strip_prefix(b"number:") {
        Some(rest) => rest.split(|&b| b == b';').next()?,
        None => parts.nth(1)?.get(..NUMBERED - 1)?,
    };
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Mostly small, and a long tail: about 3.8 KB on average, every size from nothing to `LARGEST`.
fn size(number: u64, dice: &mut Dice) -> Option<usize> {
    let range = match dice.between(0..1000) {
        0..10 => return None,
        10..30 => 0..1,
        30..580 => 1..100,
        580..935 => 100..1_000,
        935..991 => 1_000..16_384,
        991..995 => 16_384..131_072,
        _ => 131_072..LARGEST as u64 + 1,
    };
    let size = dice.between(range) as usize;
    Some(if number % 9_973 == 7 { LARGEST } else { size })
}

fn headers(number: Option<u64>, dice: &mut Dice) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let number = number.map(|n| ("number", Some(n.to_string().into_bytes())));
    let others = (0..dice.between(0..3)).map(|_| match dice.between(0..4) {
        0 => ("nothing", None),
        1 => ("", Some(b"no name".to_vec())),
        2 => ("trace", Some(Vec::new())),
        _ => ("trace", Some(dice.next().to_string().into_bytes())),
    });
    number.into_iter().chain(others).collect()
}

/// Key 0 is empty; the others have 1 to 40 bytes, of which every third key has some above 127.
fn key(index: u64) -> Vec<u8> {
    let mut dice = Dice(index << 32);
    let size = if index == 0 { 0 } else { 1 + index % 40 };
    let mut byte = |_| match dice.between(0..3) {
        0 if index.is_multiple_of(3) => dice.between(0x80..0x100) as u8,
        _ => dice.between(u64::from(b'a')..u64::from(b'z') + 1) as u8,
    };
    (0..size).map(&mut byte).collect()
}

/// SplitMix64: its seed is its state, which makes a record's dice its number.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn between(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }
}
