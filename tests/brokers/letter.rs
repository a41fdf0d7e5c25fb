//! Records as these tests exchange them with other programs: one a line, `PARTITION TIMESTAMP KEY VALUE [NAME VALUE]...`,
//! where bytes are `=` and hexadecimal digits, and null is `-`.

use std::fmt;

use ottla::Record;

const PARTITIONS: usize = 3;
/// Some day in November 2023: a time that no program takes for "none".
const BEGINNING: i64 = 1_700_000_000_000;

type Bytes = Option<Vec<u8>>;

/// A record of the topic that it is sent to or read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) partition: i32,
    pub(crate) timestamp: i64,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    pub(crate) headers: Vec<(String, Bytes)>,
}

/// A record where it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) offset: i64,
    pub(crate) letter: Letter,
}

impl Letter {
    /// One like no other, for the partitions 0 to 2 in turn.
    pub(crate) fn numbered(number: usize) -> Self {
        Self {
            partition: (number % PARTITIONS) as i32,
            timestamp: BEGINNING + number as i64,
            key: Some(format!("key {number}").into_bytes()),
            value: Some(format!("the letter with the number {number}").into_bytes()),
            headers: Vec::new(),
        }
    }

    /// Some hundred, with all that a record can have; each of its own time.
    pub(crate) fn of_all_kinds() -> Vec<Self> {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let keys = [text("key"), text(""), None, Some((0..=255).collect())];
        let values = [text("value"), text(""), None, Some(vec![b'z'; 5000])];
        let headers: [&[(&str, Bytes)]; 4] = [
            &[],
            &[("one", text("1"))],
            // Those of one name stand together, for kafkajs keeps no order among names.
            &[("twice", text("a")), ("twice", None), ("twice", text("b"))],
            &[("empty", text("")), ("größe", text("ß")), ("null", None)],
        ];
        let kinds = keys.iter().flat_map(|key| {
            let values = values.iter().map(move |value| (key, value));
            values.flat_map(|(key, value)| headers.map(|headers| (key, value, headers)))
        });
        let letters = kinds.enumerate().map(|(number, (key, value, headers))| {
            let headers = headers.iter().cloned();
            Self {
                key: key.clone(),
                value: value.clone(),
                headers: headers
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                ..Self::numbered(number)
            }
        });
        letters.chain((64..100).map(Self::numbered)).collect()
    }

    pub(crate) fn record<'a>(&'a self, topic: &'a str) -> Record<'a> {
        let mut record = Record::to(topic)
            .partition(self.partition)
            .timestamp(self.timestamp);
        if let Some(key) = &self.key {
            record = record.key(key);
        }
        if let Some(value) = &self.value {
            record = record.value(value);
        }
        for (name, value) in &self.headers {
            record = record.header(name, value.as_deref());
        }
        record
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (partition, timestamp) = (words.next()?, words.next()?);
        let mut letter = Self {
            partition: partition.parse().ok()?,
            timestamp: timestamp.parse().ok()?,
            key: bytes(words.next()?)?,
            value: bytes(words.next()?)?,
            headers: Vec::new(),
        };
        while let Some(name) = words.next() {
            let name = String::from_utf8(bytes(name)??).ok()?;
            letter.headers.push((name, bytes(words.next()?)?));
        }
        Some(letter)
    }
}

impl Logged {
    /// Parses `OFFSET` and a letter's line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let parsed = line.split_once(' ').and_then(|(offset, letter)| {
            let (offset, letter) = (offset.parse().ok()?, Letter::parse(letter)?);
            Some(Self { offset, letter })
        });
        parsed.ok_or_else(|| format!("this is no record: {line}"))
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.partition, self.timestamp)?;
        word(f, self.key.as_deref())?;
        word(f, self.value.as_deref())?;
        self.headers.iter().try_for_each(|(name, value)| {
            word(f, Some(name.as_bytes()))?;
            word(f, value.as_deref())
        })
    }
}

fn word(f: &mut fmt::Formatter<'_>, bytes: Option<&[u8]>) -> fmt::Result {
    match bytes {
        None => f.write_str(" -"),
        Some(bytes) => {
            f.write_str(" =")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

/// The bytes of a word, or null; `None` if it is neither.
fn bytes(word: &str) -> Option<Bytes> {
    if word == "-" {
        return Some(None);
    }
    let digits = word.strip_prefix('=')?.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    bytes.map(Some)
}
