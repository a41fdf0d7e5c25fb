//! Record batch v2: its records, written once into chunks, and its head, which can be stamped anew.
//!
//! The layout is Kafka's [record batch](https://kafka.apache.org/documentation/#recordbatch), magic 2.

mod compressing;
mod split;

use alloc::vec::Vec;
use core::hint;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{compress::Compression, pool::Pool, record::Record, wire::varlong_len as varint_len};

/// The length of a batch's head, before its first record.
pub(crate) const HEAD_LEN: usize = 61;
/// Where the checksum stands in the head.
pub(crate) const CHECKSUM_AT: usize = 17;
/// From where on the checksum counts: attributes, and all that follows.
pub(crate) const SUMMED_FROM: usize = 21;

/// Who sends a batch, and where it stands in that producer's sequence on its partition (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(crate) struct Stamp {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) base_sequence: i32,
}

impl Stamp {
    /// The stamp of a producer without idempotence.
    pub(crate) const NONE: Self = Self {
        producer_id: -1,
        epoch: -1,
        base_sequence: -1,
    };
}

/// The records of one batch: open for appending, then sealed.
#[derive(Default)]
pub(crate) struct Body {
    /// Chunks being written: those before `tail` are full, and of that one `at` bytes are written.
    chunks: Vec<BytesMut>,
    tail: usize,
    at: usize,
    /// The bytes that still fit into the chunks.
    room: usize,
    sealed: Vec<Bytes>,
    /// It was cut out of another: its bytes are exactly its own, not chunks of the pool.
    is_piece: bool,
    /// What it holds in name while its chunks are being worked on elsewhere.
    lent: usize,
    /// The bytes of the records as they are sent, and as they were before they were compressed.
    len: usize,
    raw_len: usize,
    codec: Compression,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl Body {
    /// The length of the whole batch on the wire: head and records.
    pub(crate) fn wire_len(&self) -> usize {
        HEAD_LEN + self.len
    }

    /// The length of the records alone.
    pub(crate) fn records_len(&self) -> usize {
        self.len
    }

    /// The records are compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.codec != Compression::None
    }

    /// The length of the records before they were compressed, if they are.
    pub(crate) fn raw_len(&self) -> usize {
        match self.is_compressed() {
            true => self.raw_len,
            false => self.len,
        }
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// How much memory it holds, if chunks are of `chunk_size`.
    pub(crate) fn held(&self, chunk_size: usize) -> usize {
        let own = match self.is_piece {
            true => self.len,
            false => (self.chunks.len() + self.sealed.len()) * chunk_size,
        };
        match self.lent {
            0 => own,
            lent => lent,
        }
    }

    /// What `record` would take as the next record of this batch.
    #[inline]
    pub(crate) fn measure(&self, record: &Record<'_>) -> Measure {
        let delta = if self.count == 0 {
            0
        } else {
            record.timestamp.wrapping_sub(self.base_timestamp)
        };
        Measure::new(record, delta, self.count)
    }

    /// How many chunks must be added before `len` more bytes fit.
    #[inline]
    pub(crate) fn chunks_for(&self, len: usize, chunk_size: usize) -> usize {
        match len.checked_sub(self.room) {
            // Most records fit, and a division takes as long as all the rest of this.
            None | Some(0) => 0,
            Some(more) => more.div_ceil(chunk_size),
        }
    }

    /// Adds a chunk to write to.
    pub(crate) fn add_chunk(&mut self, chunk: BytesMut) {
        self.room += chunk.len();
        self.chunks.push(chunk);
    }

    /// Appends a record, with `measure` taken of it in this state of the batch, into chunks that have room for it.
    #[inline]
    pub(crate) fn append(&mut self, record: &Record<'_>, measure: Measure) {
        debug_assert!(
            measure.total <= self.room,
            "chunks are added before the record"
        );
        if self.count == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.write(record, measure);
        debug_assert_eq!(
            self.len,
            self.chunks[..self.tail]
                .iter()
                .map(|c| c.len())
                .sum::<usize>()
                + self.at,
            "a record takes what was measured"
        );
        self.count += 1;
    }

    /// Has the processor fetch what a short record after this one is written to, by reading it: else the first atomic
    /// instruction after the writing waits for it.
    #[inline]
    pub(crate) fn touch_ahead(&self) {
        if let Some(chunk) = self.chunks.get(self.tail) {
            for ahead in [128, 192] {
                hint::black_box(chunk.get(self.at + ahead).copied());
            }
        }
    }

    /// Closes the batch for appending; its bytes never change from here on.
    pub(crate) fn seal(&mut self) {
        let (tail, at) = (self.tail, self.at);
        let written = |(i, mut chunk): (usize, BytesMut)| {
            if i >= tail {
                chunk.truncate(if i == tail { at } else { 0 });
            }
            chunk.freeze()
        };
        self.sealed
            .extend(self.chunks.drain(..).enumerate().map(written));
        (self.tail, self.at, self.room) = (0, 0, 0);
    }

    /// The records' bytes of a sealed batch, in order.
    pub(crate) fn records(&self) -> &[Bytes] {
        debug_assert!(self.chunks.is_empty(), "only a sealed batch is sent");
        &self.sealed
    }

    /// The head of the batch under `stamp`, with the checksum still 0.
    pub(crate) fn head(&self, stamp: Stamp) -> [u8; HEAD_LEN] {
        let mut head = [0; HEAD_LEN];
        let mut w = &mut head[..];
        w.put_i64(0); // base offset: the broker's to give
        w.put_i32((self.wire_len() - 12) as i32); // bounded by LARGEST_REQUEST
        w.put_i32(-1); // partition leader epoch: the broker's to give
        w.put_i8(2); // magic
        w.put_u32(0); // checksum
        w.put_i16(self.codec.attribute()); // and CreateTime
        w.put_i32(self.count as i32 - 1); // last offset delta
        w.put_i64(self.base_timestamp);
        w.put_i64(self.max_timestamp);
        w.put_i64(stamp.producer_id);
        w.put_i16(stamp.epoch);
        w.put_i32(stamp.base_sequence);
        w.put_i32(self.count as i32);
        head
    }

    /// Gives all chunks back to the pool and empties the body.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        self.seal();
        for chunk in self.sealed.drain(..) {
            if !self.is_piece {
                pool.give(chunk);
            }
        }
        (self.len, self.raw_len, self.count) = (0, 0, 0);
        (self.is_piece, self.codec) = (false, Compression::None);
    }

    /// Writes length, attributes, time and offset deltas, key, value and headers.
    #[inline]
    fn write(&mut self, record: &Record<'_>, measure: Measure) {
        let count = self.count;
        let key = record.key.unwrap_or_default();
        let mut pen = Pen {
            chunks: &mut self.chunks,
            tail: self.tail,
            at: self.at,
        };
        pen.put_fields(|fields| {
            fields.varint(measure.body as i64);
            fields.varint(0); // attributes, a byte
            fields.varint(measure.timestamp_delta);
            fields.varint(i64::from(count));
            fields.length(record.key);
            if key.is_empty() {
                fields.length(record.value);
            }
        });
        if !key.is_empty() {
            pen.put(key);
            pen.put_fields(|fields| fields.length(record.value));
        }
        pen.put(record.value.unwrap_or_default());
        pen.put_fields(|fields| fields.varint(record.headers.len() as i64));
        for header in record.headers {
            pen.put_fields(|fields| fields.length(Some(header.name.as_bytes())));
            pen.put(header.name.as_bytes());
            pen.put_fields(|fields| fields.length(header.value));
            pen.put(header.value.unwrap_or_default());
        }
        (self.tail, self.at) = (pen.tail, pen.at);
        self.len += measure.total;
        self.room -= measure.total;
    }
}

/// Where the next byte is written: in registers for as long as a record takes.
struct Pen<'a> {
    chunks: &'a mut [BytesMut],
    tail: usize,
    at: usize,
}

impl Pen<'_> {
    /// Writes a few short fields: where they go, if there is room for the longest, and in between only if not. Bytes that are
    /// stored one by one and then loaded together make a processor wait for the stores.
    #[inline]
    fn put_fields(&mut self, write: impl FnOnce(&mut Fields<'_>)) {
        let place = self.chunks[self.tail]
            .get_mut(self.at..)
            .and_then(<[u8]>::first_chunk_mut);
        if let Some(bytes) = place {
            self.at += Fields::written(bytes, write);
        } else {
            let mut bytes = [0; Fields::MOST];
            let len = Fields::written(&mut bytes, write);
            self.put(&bytes[..len]);
        }
    }

    /// Writes bytes, over as many chunks as they need.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        match self.chunks[self.tail].get_mut(self.at..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at = end;
            }
            None => (self.tail, self.at) = put_over(self.chunks, self.tail, self.at, bytes),
        }
    }
}

/// Writes bytes that don't fit into the chunk `tail` from `at` on; says where they end.
#[cold]
fn put_over(
    chunks: &mut [BytesMut],
    mut tail: usize,
    mut at: usize,
    mut bytes: &[u8],
) -> (usize, usize) {
    loop {
        let room = &mut chunks[tail][at..];
        let (now, later) = bytes.split_at(room.len().min(bytes.len()));
        room[..now.len()].copy_from_slice(now);
        if later.is_empty() {
            return (tail, at + now.len());
        }
        (tail, at, bytes) = (tail + 1, 0, later);
    }
}

/// What a record takes at a certain place in a certain batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// All its bytes, its own length included.
    pub(crate) total: usize,
    /// The bytes after its length.
    body: usize,
    timestamp_delta: i64,
}

impl Measure {
    #[inline]
    fn new(record: &Record<'_>, timestamp_delta: i64, offset_delta: u32) -> Self {
        let headers: usize = record
            .headers
            .iter()
            .map(|h| field_len(Some(h.name.as_bytes())) + field_len(h.value))
            .sum();
        let body = 1
            + varint_len(timestamp_delta)
            + varint_len(i64::from(offset_delta))
            + field_len(record.key)
            + field_len(record.value)
            + varint_len(record.headers.len() as i64)
            + headers;
        Self {
            total: varint_len(body as i64) + body,
            body,
            timestamp_delta,
        }
    }

    /// What the record takes as the only one of a batch.
    pub(crate) fn alone(record: &Record<'_>) -> Self {
        Self::new(record, 0, 0)
    }
}

#[inline]
fn field_len(field: Option<&[u8]>) -> usize {
    let len = field.map_or(0, <[u8]>::len);
    varint_len(field.map_or(-1, |f| f.len() as i64)) + len
}

/// Short fields that follow each other.
struct Fields<'a> {
    bytes: &'a mut [u8; Fields::MOST],
    len: usize,
}

impl<'a> Fields<'a> {
    /// From a record's length to its value's: four numbers of at most 5 bytes, the attributes, and a time of 10; rounded up.
    const MOST: usize = 32;

    /// How many bytes were written.
    #[inline]
    fn written(bytes: &'a mut [u8; Fields::MOST], write: impl FnOnce(&mut Self)) -> usize {
        let mut fields = Self { bytes, len: 0 };
        write(&mut fields);
        fields.len
    }

    #[inline]
    fn varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        if rest >= 0x80 {
            if rest >= 0x4000 {
                rest = self.all_but_two(rest);
            }
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    /// Writes the first bytes of a long number; the last two are left.
    #[cold]
    fn all_but_two(&mut self, mut rest: u64) -> u64 {
        while rest >= 0x4000 {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        rest
    }

    /// Never writes beyond byte 31, which saves the check whether there is such a byte.
    #[inline]
    fn byte(&mut self, byte: u8) {
        debug_assert!(self.len < Self::MOST, "what is written is bounded");
        self.bytes[self.len & 31] = byte;
        self.len += 1;
    }

    /// The length of a field that may be null: −1 stands for null.
    #[inline]
    fn length(&mut self, field: Option<&[u8]>) {
        self.varint(field.map_or(-1, |bytes| bytes.len() as i64));
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchDecoder;
    use std::{string::String, vec};

    use super::*;
    use crate::{crc32c::crc32c_append, id::Topic, record::Header};

    pub(super) fn record<'a>(
        timestamp: i64,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &'a [Header<'a>],
    ) -> Record<'a> {
        Record {
            topic: Topic(0),
            partition: None,
            timestamp,
            key,
            value,
            headers,
        }
    }

    pub(super) fn append(body: &mut Body, record: &Record<'_>, pool: &mut Pool) {
        let measure = body.measure(record);
        for _ in 0..body.chunks_for(measure.total, pool.chunk_size()) {
            body.add_chunk(pool.take().unwrap());
        }
        body.append(record, measure);
    }

    pub(super) fn decode(body: &mut Body, stamp: Stamp) -> Vec<kafka_protocol::records::Record> {
        body.seal();
        let mut bytes = body.head(stamp).to_vec();
        for chunk in body.records() {
            bytes.extend_from_slice(chunk);
        }
        assert_eq!(bytes.len(), body.wire_len());
        let sum = crc32c_append(0, &bytes[SUMMED_FROM..]);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum.to_be_bytes());
        RecordBatchDecoder::decode(&mut Bytes::from(bytes))
            .unwrap()
            .records
    }

    #[test]
    fn h143_an_independent_decoder_reads_what_was_written() {
        let (mut pool, mut body) = (Pool::new(256), Body::default());
        let large = vec![b'x'; 3000];
        let headers = [
            Header {
                name: "null",
                value: None,
            },
            Header {
                name: "",
                value: Some(b""),
            },
            Header {
                name: "h",
                value: Some(&large),
            },
        ];
        let records = [
            record(1_000, None, None, &[]),
            record(900, Some(b""), Some(b""), &headers[..2]),
            record(1_000 + (1 << 40), Some(b"key"), Some(&large), &headers),
            record(-(1 << 40), Some(&large), None, &[]),
        ];
        for r in &records {
            append(&mut body, r, &mut pool);
        }
        let read = decode(
            &mut body,
            Stamp {
                producer_id: 7,
                epoch: 3,
                base_sequence: i32::MAX - 1,
            },
        );
        assert_eq!(read.len(), records.len());
        for (i, (got, sent)) in read.iter().zip(&records).enumerate() {
            assert_eq!(got.key.as_deref(), sent.key, "key {i}");
            assert_eq!(got.value.as_deref(), sent.value, "value {i}");
            assert_eq!(got.timestamp, sent.timestamp, "time {i}");
            assert_eq!(
                (got.producer_id, got.producer_epoch, got.offset),
                (7, 3, i as i64)
            );
            let headers: Vec<_> = got
                .headers
                .iter()
                .map(|(n, v)| (String::from(n.as_str()), v.clone()))
                .collect();
            let expected: Vec<_> = sent
                .headers
                .iter()
                .map(|h| (h.name.into(), h.value.map(Bytes::copy_from_slice)))
                .collect();
            assert_eq!(headers, expected, "headers {i}");
        }
    }

    #[test]
    fn fields_are_varints_and_the_longest_fit() {
        let edges = (0..64).flat_map(|bits| {
            let power = 1i64 << bits;
            [power, power.wrapping_sub(1), power.wrapping_neg(), !power]
        });
        for value in edges {
            let (mut bytes, mut expected) = ([0; Fields::MOST], Vec::new());
            let mut fields = Fields::written(&mut bytes, |fields| fields.varint(value));
            crate::wire::put_varlong(&mut expected, value);
            assert_eq!(bytes[..fields], expected, "{value}");
            assert_eq!(varint_len(value), fields, "{value}");
            let longest = i64::from(i32::MAX);
            fields = Fields::written(&mut bytes, |fields| {
                fields.varint(longest);
                fields.varint(0);
                fields.varint(i64::MIN);
                (0..3).for_each(|_| fields.varint(longest));
            });
            assert_eq!(fields, 31);
        }
    }

    #[test]
    fn h146_nothing_is_not_empty() {
        let kinds = [None, Some(&b""[..]), Some(b"filled")];
        let pairs = kinds
            .iter()
            .flat_map(|key| kinds.map(|value| (*key, value)));
        let triples = pairs.flat_map(|(key, value)| kinds.map(|header| (key, value, header)));
        for (key, value, in_header) in triples {
            let (mut pool, mut body) = (Pool::new(256), Body::default());
            let header = Header {
                name: "",
                value: in_header,
            };
            let sent = record(0, key, value, core::slice::from_ref(&header));
            append(&mut body, &sent, &mut pool);
            let got = decode(&mut body, Stamp::NONE).remove(0);
            let got_header = got.headers.values().next().expect("it has a header");
            assert_eq!(got.key.as_deref(), key);
            assert_eq!(got.value.as_deref(), value);
            assert_eq!(got_header.as_deref(), in_header);
        }
    }

    #[test]
    fn any_size_crosses_chunks_unharmed() {
        let payload: Vec<u8> = (0..2000u32).map(|i| i as u8).collect();
        for size in (0..2000).step_by(7) {
            let (mut pool, mut body) = (Pool::new(256), Body::default());
            for i in 0..3 {
                append(
                    &mut body,
                    &record(i, Some(b"k"), Some(&payload[..size]), &[]),
                    &mut pool,
                );
            }
            assert_eq!(
                body.held(256),
                (body.wire_len() - HEAD_LEN).next_multiple_of(256)
            );
            let read = decode(&mut body, Stamp::NONE);
            assert!(
                read.iter()
                    .all(|r| r.value.as_deref() == Some(&payload[..size])),
                "size {size}"
            );
        }
    }

    #[test]
    fn memory_goes_home() {
        let (mut pool, mut body) = (Pool::new(256), Body::default());
        append(
            &mut body,
            &record(0, None, Some(&[1; 1000]), &[]),
            &mut pool,
        );
        body.release(&mut pool);
        assert_eq!(
            (body.held(256), body.count(), body.wire_len()),
            (0, 0, HEAD_LEN)
        );
    }
}
