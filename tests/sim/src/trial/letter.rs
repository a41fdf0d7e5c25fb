//! Records that can be told apart and checked wherever they turn up.

use bytes::Bytes;
use ottla::Record;

use super::plan::Plan;
use crate::{Chance, LogRecord};

/// A record, in full.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) topic: usize,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// Set by the application; `None`: the time of sending.
    pub(crate) timestamp: Option<i64>,
}

/// The header with the number of a record whose value has no room for it.
const NUMBER: &str = "n";

impl Letter {
    /// Draws record `n`.
    pub(crate) fn draw(n: usize, plan: &Plan, chance: &mut Chance) -> Letter {
        let topic = chance.below(plan.topics.len());
        let partitions = plan.topics[topic].partitions.max(1) as usize;
        let size = match chance.below(100) {
            0 => plan.max_request_size + chance.below(20),
            1..4 => chance.within(0..plan.max_request_size.min(20_000)),
            4..15 => chance.within(0..2_000),
            _ => chance.within(0..200),
        };
        let number = (n as u32).to_be_bytes();
        let value = value_of(n, size);
        let mut headers = Vec::new();
        if size < number.len() {
            headers.push((NUMBER.to_owned(), Some(number.to_vec())));
        }
        if chance.percent(10) {
            headers.push(("empty".to_owned(), chance.percent(50).then(Vec::new)));
        }
        Letter {
            topic,
            partition: Letter::draw_partition(partitions, chance),
            key: match chance.below(10) {
                0..4 => Some(vec![b'k', chance.below(20) as u8]),
                4 => Some(Vec::new()),
                _ => None,
            },
            value: (size > 0 || chance.percent(50)).then_some(value),
            headers,
            timestamp: chance
                .percent(5)
                .then(|| *chance.pick(&[0, 1, 1 << 41, 1 << 45, -1])),
        }
    }

    /// Mostly none; once in a long while one that there is not, or not yet.
    fn draw_partition(partitions: usize, chance: &mut Chance) -> Option<i32> {
        match chance.below(1_000) {
            0 => Some(*chance.pick(&[-1, i32::MIN, i32::MAX, partitions as i32])),
            1..200 => Some(chance.below(partitions) as i32),
            _ => None,
        }
    }

    /// Record `n`, with nothing but its number.
    pub(crate) fn small(n: usize) -> Letter {
        Letter {
            topic: 0,
            partition: None,
            key: None,
            value: Some(value_of(n, 4)),
            headers: Vec::new(),
            timestamp: None,
        }
    }

    /// Makes its value so many bytes long.
    pub(crate) fn fill(&mut self, n: usize, size: usize) {
        self.value = Some(value_of(n, size));
    }

    /// The bytes of its key and its value.
    pub(crate) fn size(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Bytes::len)
    }

    /// The record as the application hands it in.
    pub(crate) fn record<'a>(&'a self, plan: &'a Plan) -> Record<'a> {
        let mut record = Record::to(&plan.topics[self.topic].name);
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        if let Some(key) = &self.key {
            record = record.key(key);
        }
        if let Some(value) = &self.value {
            record = record.value(value);
        }
        for (name, value) in &self.headers {
            record = record.header(name, value.as_ref());
        }
        match self.timestamp {
            Some(timestamp) => record.timestamp(timestamp),
            None => record,
        }
    }

    /// Whether a record of a log is this one.
    pub(crate) fn is(&self, logged: &LogRecord) -> bool {
        let headers = logged
            .headers
            .iter()
            .map(|(name, value)| (&name[..], value.as_deref()));
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_deref()));
        logged.key.as_deref() == self.key.as_deref()
            && logged.value.as_deref() == self.value.as_deref()
            && headers.eq(own)
    }

    /// The number of the record that a log has.
    pub(crate) fn number_of(logged: &LogRecord) -> Option<usize> {
        let named = logged.headers.iter().find(|(name, _)| name == NUMBER);
        let bytes = match named {
            Some((_, value)) => value.as_deref()?,
            None => logged.value.as_deref()?,
        };
        Some(u32::from_be_bytes(*bytes.first_chunk()?) as usize)
    }
}

/// A value of so many bytes that tells its record's number. Of some hundred records on end the values shrink under a codec;
/// those of the next hundreds don't.
fn value_of(n: usize, size: usize) -> Bytes {
    let number = (n as u32).to_be_bytes();
    let mut value = number.repeat(size.div_ceil(number.len()));
    value.truncate(size);
    if n / 300 % 2 == 1 {
        // Knuth's MMIX generator.
        let mut state = n as u64;
        for byte in value.iter_mut().skip(number.len()) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }
    value.into()
}
