//! How a line becomes a record.

use ottla::{Header, Record, Topic};

use super::digest::digest;
use crate::{Failure, args::Produce};

/// What all records have in common.
pub(crate) struct Shape<'a> {
    separator: Option<&'a [u8]>,
    partition: Option<i32>,
    headers: Vec<Header<'a>>,
}

impl<'a> Shape<'a> {
    pub(crate) fn new(args: &'a Produce) -> Self {
        let header = |pair: &'a crate::args::Pair| Header {
            name: &pair.name,
            value: Some(pair.value.as_bytes()),
        };
        Self {
            separator: args.key_separator.as_deref().map(str::as_bytes),
            partition: args.partition,
            headers: args.headers.iter().map(header).collect(),
        }
    }

    /// Whether a topic with so many partitions has the one that was asked for.
    pub(crate) fn check(&self, partitions: usize) -> Result<(), Failure> {
        match self.partition {
            Some(asked) if usize::try_from(asked).is_ok_and(|asked| asked >= partitions) => {
                let last = partitions - 1;
                Err(Failure::usage(format!(
                    "--partition {asked}: the topic's last partition is {last}"
                )))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn record<'r>(&'r self, topic: Topic, line: &'r [u8]) -> Record<'r> {
        let (key, value) = self.cut(line);
        let mut record = Record::to(topic).value(value).headers(&self.headers);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        record
    }

    /// The digest of the record that the line becomes.
    pub(crate) fn digest(&self, line: &[u8]) -> u64 {
        let (key, value) = self.cut(line);
        digest(
            key,
            Some(value),
            self.headers.iter().map(|h| (h.name.as_bytes(), h.value)),
        )
    }

    /// Key and value.
    fn cut<'r>(&self, line: &'r [u8]) -> (Option<&'r [u8]>, &'r [u8]) {
        let found = self.separator.and_then(|separator| {
            let at = find(line, separator)?;
            Some((Some(&line[..at]), &line[at + separator.len()..]))
        });
        found.unwrap_or((None, line))
    }
}

/// Where `what`, which is not empty, first stands in a line.
fn find(line: &[u8], what: &[u8]) -> Option<usize> {
    match what {
        [byte] => line.iter().position(|b| b == byte),
        _ => line.windows(what.len()).position(|bytes| bytes == what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_ends_the_key() {
        let shape = Shape {
            separator: Some(b"::"),
            partition: None,
            headers: Vec::new(),
        };
        for (line, cut) in [
            (&b"k::v"[..], (Some(&b"k"[..]), &b"v"[..])),
            (b"k::v::w", (Some(b"k"), b"v::w")),
            (b"::v", (Some(b""), b"v")),
            (b"k::", (Some(b"k"), b"")),
            (b":v:", (None, b":v:")),
            (b"", (None, b"")),
            (b"\xff:::\xfe", (Some(b"\xff"), b":\xfe")),
        ] {
            assert_eq!(shape.cut(line), cut, "{line:?}");
        }
    }
}
