//! Raw record batches, right ones and broken ones: written by hand, since neither the producer's encoder nor the model's
//! reader may judge itself.

/// Bytes in front of what a batch's length counts.
const LENGTH_END: usize = 12;
/// Where what the checksum covers begins.
const CRC_END: usize = 21;

/// A record batch before its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) stamp: Stamp,
    pub(crate) attributes: i16,
    /// Milliseconds since the epoch of the first record, and of the last one.
    pub(crate) timestamps: (i64, i64),
    pub(crate) records: Vec<Record>,
    pub(crate) harm: Harm,
}

/// Who wrote a batch, and as his how manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) writer: Writer,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

/// A producer, by what he has for an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Writer {
    /// None.
    Nobody,
    /// What the tape's InitProducerId request of this number got.
    Initialised(usize),
    /// This one, which no broker has given away.
    Stranger(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) header: Option<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What is wrong with the bytes of a batch; the checksum fits unless it is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    None,
    Checksum,
    BaseOffset(i64),
    Magic(i8),
    /// The head has another count than there are records.
    Count(i32),
    LastOffsetDelta(i32),
    MaxTimestamp(i64),
    /// The length says so much more than there is.
    Length(i32),
    /// Only the first bytes are there.
    Cut(usize),
    /// So many zeros follow the batch.
    Trailing(usize),
    /// The batch comes twice.
    Twice,
    /// The first record's offset delta.
    OffsetDelta(i32),
    /// The first record says that it is so much longer than it is.
    RecordLength(i32),
    /// The records' bytes are these, over and over.
    Garbage(u8),
}

impl Batch {
    /// The bytes, with the producer id that the writer has in the cluster.
    pub(crate) fn bytes(&self, producer_id: i64) -> Vec<u8> {
        let count = self.records.len() as i32;
        let (mut head_count, mut last_delta, mut max) = (count, count - 1, self.timestamps.1);
        match self.harm {
            Harm::Count(other) => head_count = other,
            Harm::LastOffsetDelta(other) => last_delta = other,
            Harm::MaxTimestamp(other) => max = other,
            _ => {}
        }
        let mut bytes = Vec::new();
        let base_offset = match self.harm {
            Harm::BaseOffset(offset) => offset,
            _ => 0,
        };
        bytes.extend(base_offset.to_be_bytes());
        bytes.extend([0; 4]); // length
        bytes.extend((-1i32).to_be_bytes()); // leader epoch
        bytes.push(match self.harm {
            Harm::Magic(magic) => magic as u8,
            _ => 2,
        });
        bytes.extend([0; 4]); // checksum
        bytes.extend(self.attributes.to_be_bytes());
        bytes.extend(last_delta.to_be_bytes());
        bytes.extend(self.timestamps.0.to_be_bytes());
        bytes.extend(max.to_be_bytes());
        bytes.extend(producer_id.to_be_bytes());
        bytes.extend(self.stamp.epoch.to_be_bytes());
        bytes.extend(self.stamp.sequence.to_be_bytes());
        bytes.extend(head_count.to_be_bytes());
        self.put_records(&mut bytes);
        self.seal(bytes)
    }

    fn put_records(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        let span = self.timestamps.1.wrapping_sub(self.timestamps.0);
        let last = self.records.len().saturating_sub(1);
        for (index, record) in self.records.iter().enumerate() {
            let mut delta = index as i32;
            let mut excess = 0;
            match self.harm {
                Harm::OffsetDelta(other) if index == 0 => delta = other,
                Harm::RecordLength(other) if index == 0 => excess = other,
                _ => {}
            }
            let body = record.body(if index == last { span } else { 0 }, delta);
            varint(bytes, i64::from(body.len() as i32 + excess));
            bytes.extend(body);
        }
        if let Harm::Garbage(byte) = self.harm {
            bytes[start..].fill(byte);
        }
    }

    /// Fills in length and checksum, and does the harm that is left.
    fn seal(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut length = (bytes.len() - LENGTH_END) as i32;
        if let Harm::Length(excess) = self.harm {
            length = length.wrapping_add(excess);
        }
        bytes[8..LENGTH_END].copy_from_slice(&length.to_be_bytes());
        let mut checksum = crc32c::crc32c(&bytes[CRC_END..]);
        if self.harm == Harm::Checksum {
            checksum ^= 1;
        }
        bytes[CRC_END - 4..CRC_END].copy_from_slice(&checksum.to_be_bytes());
        match self.harm {
            Harm::Cut(size) => bytes.truncate(size),
            Harm::Trailing(zeros) => bytes.resize(bytes.len() + zeros, 0),
            Harm::Twice => bytes.extend_from_within(..),
            _ => {}
        }
        bytes
    }
}

impl Stamp {
    pub(crate) const NONE: Self = Self {
        writer: Writer::Nobody,
        epoch: -1,
        sequence: -1,
    };
}

impl Record {
    /// What stands behind the record's length.
    fn body(&self, timestamp_delta: i64, offset_delta: i32) -> Vec<u8> {
        let mut body = vec![0];
        varint(&mut body, timestamp_delta);
        varint(&mut body, i64::from(offset_delta));
        nullable(&mut body, self.key.as_deref());
        nullable(&mut body, self.value.as_deref());
        varint(&mut body, i64::from(u8::from(self.header.is_some())));
        if let Some((name, value)) = &self.header {
            nullable(&mut body, Some(name));
            nullable(&mut body, value.as_deref());
        }
        body
    }
}

fn nullable(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    varint(bytes, part.map_or(-1, |part| part.len() as i64));
    bytes.extend(part.unwrap_or_default());
}

/// Kafka's zigzag varint.
fn varint(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}
