//! A record batch as it arrives: its head, and the checks that Kafka makes on intake.
//!
//! Everything here is read by this file's own code. `kafka-protocol` decodes the request around the batch; the batch
//! itself is walked without building anything per record, since the same model serves a load generator.

use bytes::Bytes;

use super::codec;
use super::records::{Broken, Records};
use crate::code;

/// Bytes of the head, the base offset and the length included.
pub(crate) const HEAD: usize = 61;
/// Bytes in front of the part that the length counts: base offset and length.
const LENGTH_END: usize = 12;
/// The least that the length of a batch of any version can say.
const SHORTEST: usize = 14;
/// The timestamp of a record without one.
const NO_TIMESTAMP: i64 = -1;
/// Where the part that the checksum covers begins.
const CRC_END: usize = 21;

/// The fields of a version 2 batch head that are under the checksum, and the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) base_offset: i64,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

/// Why a batch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i16,
    /// For the answer if single records are to blame, as in Kafka, and for the list of violations.
    pub(crate) message: Option<String>,
    /// Index in the batch and reason of each record that is to blame (KIP-467).
    pub(crate) records: Vec<(i32, String)>,
    /// A real broker would let this pass; no correct producer writes it.
    pub(crate) stricter_than_kafka: bool,
}

/// What the topic asks of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) max_bytes: usize,
    pub(crate) compacted: bool,
    /// The topic's records have the broker's time in place of their own.
    pub(crate) log_append_time: bool,
    /// The broker's clock.
    pub(crate) now: i64,
    /// How far ahead of it a record's time may be, in milliseconds.
    pub(crate) lead: i64,
}

impl Head {
    /// Reads the fields of a batch that has a whole head.
    fn read(raw: &[u8]) -> Head {
        Head {
            base_offset: i64::from_be_bytes(field(raw, 0)),
            crc: u32::from_be_bytes(field(raw, 17)),
            attributes: i16::from_be_bytes(field(raw, 21)),
            last_offset_delta: i32::from_be_bytes(field(raw, 23)),
            base_timestamp: i64::from_be_bytes(field(raw, 27)),
            max_timestamp: i64::from_be_bytes(field(raw, 35)),
            producer_id: i64::from_be_bytes(field(raw, 43)),
            producer_epoch: i16::from_be_bytes(field(raw, 51)),
            base_sequence: i32::from_be_bytes(field(raw, 53)),
            count: i32::from_be_bytes(field(raw, 57)),
        }
    }

    /// Whether the checksum is that of the bytes.
    pub(crate) fn is_intact(&self, raw: &[u8]) -> bool {
        checksum(raw) == self.crc
    }

    /// The sequence of the batch's last record; 0 follows 2^31-1.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// The number of the codec, 0 for none.
    pub(crate) fn codec(&self) -> i16 {
        self.attributes & 0b111
    }

    /// Whether the producer asked for sequence checks.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// Whether the producer claims that the timestamps are a broker's.
    fn has_append_time(&self) -> bool {
        self.attributes & (1 << 3) != 0
    }

    fn is_transactional(&self) -> bool {
        self.attributes & (1 << 4) != 0
    }

    fn is_control(&self) -> bool {
        self.attributes & (1 << 5) != 0
    }
}

/// Reads the head of one partition's records in a Produce request, if there is exactly one batch of version 2.
///
/// Kafka makes these checks before it looks at the topic, the others after.
pub(crate) fn read(raw: &[u8], version: i16) -> Result<Head, Refusal> {
    let Some(size) = first_batch(raw)? else {
        return Err(Refusal::invalid(
            "The request must have a whole record batch",
        ));
    };
    if raw[16] != 2 {
        return Err(Refusal::invalid(
            "The request must have batches of version 2 only",
        ));
    }
    if size < HEAD {
        return Err(Refusal::of(code::CORRUPT_MESSAGE));
    }
    if first_batch(&raw[size..])?.is_some() {
        return Err(Refusal::invalid(
            "The request must have exactly one record batch",
        ));
    }
    let head = Head::read(raw);
    if head.codec() == 4 && version < 7 {
        return Err(Refusal::of(code::UNSUPPORTED_COMPRESSION_TYPE));
    }
    Ok(head)
}

/// What Kafka finds when it asks of each partition whether its batch belongs to a transaction.
pub(crate) fn first_look(raw: &[u8]) -> Result<(), Refusal> {
    match first_batch(raw)? {
        Some(size) if size >= HEAD && raw[16] == 2 && Head::read(raw).is_transactional() => {
            Err(Refusal::of(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
        }
        _ => Ok(()),
    }
}

/// The size of the batch at the front, or nothing if it is not all there: Kafka's `ByteBufferLogInputStream`.
fn first_batch(raw: &[u8]) -> Result<Option<usize>, Refusal> {
    if raw.len() < LENGTH_END {
        return Ok(None);
    }
    let length = usize::try_from(i32::from_be_bytes(field(raw, 8))).unwrap_or(0);
    let corrupt = |why: String| Refusal {
        message: Some(why),
        ..Refusal::of(code::CORRUPT_MESSAGE)
    };
    if length < SHORTEST {
        let said = i32::from_be_bytes(field(raw, 8));
        return Err(corrupt(format!(
            "Record size {said} is less than the minimum record overhead ({SHORTEST})"
        )));
    }
    match raw.get(16) {
        None => Ok(None),
        Some(&magic @ 3..) => Err(corrupt(format!(
            "Invalid magic found in record: {}",
            magic.cast_signed()
        ))),
        Some(_) => Ok(Some(LENGTH_END + length).filter(|&size| size <= raw.len())),
    }
}

/// Checks a batch in the order in which Kafka does: size limit, checksum, the head's counts and sequence, and the records
/// inside (framing, offset deltas, count, maximum timestamp, keys of a compacted topic), under their codec if there is one.
pub(crate) fn check(
    head: &Head,
    raw: &[u8],
    intact: bool,
    rules: Rules<'_>,
) -> Result<(), Refusal> {
    if head.base_offset != 0 {
        return Err(Refusal::invalid(
            "The base offset of the record batch should be 0",
        ));
    }
    if raw.len() > rules.max_bytes {
        return Err(Refusal::of(code::MESSAGE_TOO_LARGE));
    }
    // Kafka cuts off a rest that is too short for a batch, and goes on with what is in front.
    let size = first_batch(raw)?.unwrap_or(raw.len());
    if raw.len() > size {
        return Err(match head.is_intact(&raw[..size]) {
            true => Refusal::strict("There are bytes behind the batch"),
            false => Refusal::of(code::CORRUPT_MESSAGE),
        });
    }
    if !intact {
        return Err(Refusal::of(code::CORRUPT_MESSAGE));
    }
    check_head(head)?;
    match codec::open(head.codec(), &raw[HEAD..]) {
        Some(records) => check_records(head, &records, rules),
        // Kafka does not expect bytes that its codec can't open.
        None => Err(Refusal::of(code::UNKNOWN_SERVER_ERROR)),
    }
}

fn check_head(head: &Head) -> Result<(), Refusal> {
    if head.count <= 0 {
        return Err(Refusal::invalid("Invalid record count in the batch"));
    }
    if head.last_offset_delta != head.count - 1 {
        return Err(Refusal::invalid("Inconsistent batch offset range"));
    }
    if head.is_control() {
        return Err(Refusal::invalid(
            "Clients are not allowed to write control records",
        ));
    }
    if head.is_idempotent() && head.base_sequence < 0 {
        return Err(Refusal::invalid(
            "Invalid sequence number in a batch with a producer id",
        ));
    }
    if head.codec() > 4 {
        return Err(Refusal::of(code::UNKNOWN_SERVER_ERROR));
    }
    Ok(())
}

fn check_records(head: &Head, body: &[u8], rules: Rules<'_>) -> Result<(), Refusal> {
    let mut records = Records::new(body);
    let mut max_timestamp = i64::MIN;
    let mut blamed = Vec::new();
    for index in 0..head.count {
        let record = match records.next() {
            Some(Ok(record)) => record,
            // Kafka does not expect a record's length without an end.
            Some(Err(Broken::Endless)) => return Err(Refusal::of(code::UNKNOWN_SERVER_ERROR)),
            Some(Err(Broken::Because(why))) => return Err(Refusal::invalid(why)),
            None => {
                return Err(Refusal::invalid(
                    "The batch has fewer records than its head says",
                ));
            }
        };
        if record.offset_delta != index {
            return Err(Refusal::strict("An offset delta is not the record's index"));
        }
        let timestamp = head.base_timestamp.wrapping_add(record.timestamp_delta);
        max_timestamp = max_timestamp.max(timestamp);
        let timestamp = match head.has_append_time() {
            true => head.max_timestamp,
            false => timestamp,
        };
        let keyless = rules.compacted && record.key.is_none();
        let blame = keyless.then(|| rules.keyless());
        blamed.extend(
            blame
                .or_else(|| rules.untimely(head, index, timestamp))
                .map(|b| (index, b)),
        );
    }
    if !records.rest().is_empty() {
        return Err(Refusal::invalid(
            "Incorrect declared batch size, records still remaining",
        ));
    }
    if !blamed.is_empty() {
        return Err(Refusal::records(blamed));
    }
    if max_timestamp != head.max_timestamp {
        return Err(Refusal::strict(
            "The maximum timestamp is not the maximum of the records' timestamps",
        ));
    }
    Ok(())
}

impl Rules<'_> {
    fn keyless(&self) -> (i16, String) {
        let place = format!("{}-{}", self.topic, self.partition);
        let why = "Compacted topic cannot accept message without key in topic partition";
        (code::INVALID_RECORD, format!("{why} {place}"))
    }

    /// What is wrong with a record's timestamp. Differences wrap around, as in Kafka.
    fn untimely(&self, head: &Head, offset: i32, timestamp: i64) -> Option<(i16, String)> {
        let why = if !self.log_append_time && timestamp != NO_TIMESTAMP {
            let lead = timestamp.wrapping_sub(self.now);
            (lead > self.lead).then(|| {
                let first = self.now.wrapping_sub(i64::MAX);
                let last = self.now.wrapping_add(self.lead);
                format!(
                    "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                     within [{first}, {last}]"
                )
            })
        } else {
            head.has_append_time().then(|| {
                "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime."
                    .to_owned()
            })
        };
        why.map(|why| (code::INVALID_TIMESTAMP, why))
    }
}

impl Refusal {
    pub(crate) fn of(code: i16) -> Refusal {
        Refusal {
            code,
            message: None,
            records: Vec::new(),
            stricter_than_kafka: false,
        }
    }

    fn invalid(message: &str) -> Refusal {
        Refusal {
            message: Some(message.to_owned()),
            ..Refusal::of(code::INVALID_RECORD)
        }
    }

    fn strict(message: &str) -> Refusal {
        Refusal {
            stricter_than_kafka: true,
            ..Refusal::invalid(message)
        }
    }

    /// Blames single records, each for its own reason.
    fn records(blamed: Vec<(i32, (i16, String))>) -> Refusal {
        let untimely = blamed
            .iter()
            .any(|(_, (code, _))| *code == code::INVALID_TIMESTAMP);
        let records: Vec<(i32, String)> = blamed
            .into_iter()
            .map(|(index, (_, why))| (index, why))
            .collect();
        if untimely {
            return Refusal {
                message: Some(
                    "One or more records have been rejected due to invalid timestamp".to_owned(),
                ),
                records,
                ..Refusal::of(code::INVALID_TIMESTAMP)
            };
        }
        let shown = |(index, why): &(i32, String)| {
            format!("RecordError(batchIndex={index}, message='{why}')")
        };
        let shown: Vec<String> = records.iter().take(3).map(shown).collect();
        let message = format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three \
             errors at most: [{}]",
            records.len(),
            shown.join(", ")
        );
        Refusal {
            records,
            ..Refusal::invalid(&message)
        }
    }
}

/// The batch as it lies in the log of a topic with log append time: type and maximum timestamp set, checksum renewed.
pub(crate) fn with_append_time(raw: &[u8], timestamp: i64) -> (Head, Bytes) {
    let mut copy = raw.to_vec();
    let attributes = i16::from_be_bytes(field(raw, 21)) | (1 << 3);
    copy[21..23].copy_from_slice(&attributes.to_be_bytes());
    copy[35..43].copy_from_slice(&timestamp.to_be_bytes());
    let crc = checksum(&copy);
    copy[17..21].copy_from_slice(&crc.to_be_bytes());
    (Head::read(&copy), copy.into())
}

fn checksum(batch: &[u8]) -> u32 {
    crc32c::crc32c(&batch[CRC_END..])
}

fn field<const N: usize>(raw: &[u8], at: usize) -> [u8; N] {
    *raw[at..]
        .first_chunk()
        .expect("the framing check found a whole head")
}
