//! The records inside a batch, read where they lie.

/// Walks the records of an uncompressed batch body and borrows from it.
///
/// This is a reading of the protocol's text of its own, shared with no producer. `kafka-protocol` has a record decoder
/// too, but it keeps headers in a map, which loses a header's second value; the tests hold the two against each other.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

/// One record as it lies in its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordView<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// The encoded headers behind their count, known to be well formed.
    headers: &'a [u8],
}

/// The bytes are no record, and this is what is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The record's own length does not end where a number has to.
    Endless,
    Because(&'static str),
}

impl<'a> Records<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Records<'a> {
        Records { rest: body }
    }

    /// What is left behind the last record read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut reader = Reader { rest: self.rest };
        if reader.rest.len() >= 5 && reader.clone().varint().is_err() {
            self.rest = &[];
            return Some(Err(Broken::Endless));
        }
        let record = reader
            .sized("A record is longer than its batch")
            .and_then(RecordView::read);
        self.rest = reader.rest;
        Some(record)
    }
}

impl<'a> RecordView<'a> {
    fn read(bytes: &'a [u8]) -> Result<RecordView<'a>, Broken> {
        let mut reader = Reader { rest: bytes };
        reader.take(1)?; // attributes, unused
        let timestamp_delta = reader.varlong()?;
        let offset_delta = reader.varint()?;
        let key = reader.nullable()?;
        let value = reader.nullable()?;
        let count = reader.varint()?;
        if count < 0 {
            return Err(Broken::Because("Found invalid number of record headers"));
        }
        let headers = reader.rest;
        for _ in 0..count {
            reader.sized("Invalid length of a header's name")?;
            reader.nullable()?;
        }
        if !reader.rest.is_empty() {
            return Err(Broken::Because("A record is shorter than its length says"));
        }
        Ok(RecordView {
            timestamp_delta,
            offset_delta,
            key,
            value,
            headers,
        })
    }

    /// The headers in their order, a repeated name included.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut reader = Reader { rest: self.headers };
        std::iter::from_fn(move || {
            if reader.rest.is_empty() {
                return None;
            }
            let name = reader
                .sized("")
                .expect("the record was walked when it was read");
            let value = reader
                .nullable()
                .expect("the record was walked when it was read");
            Some((name, value))
        })
    }
}

/// A cursor over Kafka's zigzag varints and the bytes between them.
#[derive(Clone)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self
            .rest
            .split_at_checked(n)
            .ok_or(Broken::Because("A field is longer than its record"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes with their length in front, which may not be null.
    fn sized(&mut self, otherwise: &'static str) -> Result<&'a [u8], Broken> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| Broken::Because(otherwise))?;
        self.take(length).map_err(|_| Broken::Because(otherwise))
    }

    /// Bytes with their length in front; -1 is null.
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, Broken> {
        match self.varint()? {
            -1 => Ok(None),
            length => {
                let length =
                    usize::try_from(length).map_err(|_| Broken::Because("A length is negative"))?;
                self.take(length).map(Some)
            }
        }
    }

    fn varint(&mut self) -> Result<i32, Broken> {
        let wide = self.unsigned(5)?;
        let raw = u32::try_from(wide).map_err(|_| Broken::Because("A varint is too long"))?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn varlong(&mut self) -> Result<i64, Broken> {
        let raw = self.unsigned(10)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn unsigned(&mut self, longest: usize) -> Result<u64, Broken> {
        let mut value = 0u64;
        for (index, &byte) in self.rest.iter().take(longest).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Broken::Because("A varint does not end"))
    }
}
