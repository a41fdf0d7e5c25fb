//! Records off a tape.

use ottla_core::{Header, Record, Topic};

use crate::Tape;

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The partition to send it to.
    pub partition: i32,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Names, which may come again, and values.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Letter {
    /// The next record, to one of so many partitions.
    pub fn read(tape: &mut Tape<'_>, partitions: usize) -> Self {
        let form = tape.byte();
        let timestamp = match form & 3 {
            0 => 1_800_000_000_000 + i64::from(tape.byte()),
            1 => 1_800_000_000_000 + tape.long() % 100_000,
            2 => tape.one_of(&[i64::MIN, -1, 0, 1, i64::MAX]),
            _ => tape.long(),
        };
        let headers = (0..(form >> 2) & 3).map(|_| {
            let name = String::from_utf8_lossy(tape.slice()).into_owned();
            (name, field(tape))
        });
        Self {
            timestamp,
            headers: headers.collect(),
            partition: tape.below(partitions) as i32,
            key: field(tape),
            value: field(tape),
        }
    }

    /// Hands it to `take` as a record to `topic`.
    pub fn lend<R>(&self, topic: Topic, take: impl FnOnce(&Record<'_>) -> R) -> R {
        let headers: Vec<Header<'_>> = self
            .headers
            .iter()
            .map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            })
            .collect();
        take(&Record {
            topic,
            partition: Some(self.partition),
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
        })
    }
}

/// Null, so many bytes off the tape, or a long row of the same byte.
fn field(tape: &mut Tape<'_>) -> Option<Vec<u8>> {
    match tape.byte() {
        0 => None,
        len @ 1..=0xe0 => Some(tape.take(usize::from(len) - 1).to_vec()),
        len => Some(vec![len; usize::from(len - 0xe0) * 300]),
    }
}
