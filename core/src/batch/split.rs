//! A batch that is too large, cut into smaller ones: the same records, framed anew.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Body, HEAD_LEN, varint_len};
use crate::wire::put_varlong;

impl Body {
    /// Cuts a sealed batch of several records into smaller ones: the same records in the same order, each piece about half
    /// as long, and at most `most` bytes on the wire, or one record.
    ///
    /// Returns `None` if the allocator has no memory for them. The pieces together never hold more bytes than the whole:
    /// each counts its timestamps from its first record, unless they would take more room so than they did.
    pub(crate) fn split(&self, most: usize) -> Option<Vec<Self>> {
        debug_assert!(self.count > 1, "one record can't be cut");
        let mut reader = Reader::new(&self.sealed);
        self.cuts(most)
            .iter()
            .map(|cut| cut.body(&mut reader, self.base_timestamp))
            .collect()
    }

    /// Says which records each piece takes, and from when its timestamps count.
    fn cuts(&self, most: usize) -> Vec<Cut> {
        let (half, most) = (self.len.div_ceil(2), most.min(self.wire_len() - 1));
        let mut cuts: Vec<Cut> = Vec::new();
        let mut reader = Reader::new(&self.sealed);
        for _ in 0..self.count {
            let frame = reader.frame();
            reader.skip(frame.rest);
            let timestamp = self.base_timestamp.wrapping_add(frame.timestamp_delta);
            match cuts.last_mut() {
                Some(cut) if cut.len < half && HEAD_LEN + cut.len_with(&frame) <= most => {
                    cut.add(&frame, timestamp);
                }
                _ => cuts.push(Cut::new(&frame, timestamp)),
            }
        }
        cuts
    }
}

/// A piece to be: a run of records.
struct Cut {
    count: u32,
    /// What the records take with their timestamps counted as they are, and counted from the first of them.
    len: usize,
    rebased_len: usize,
    first_timestamp: i64,
    max_timestamp: i64,
}

impl Cut {
    fn new(first: &Frame, timestamp: i64) -> Self {
        Self {
            count: 1,
            len: first.len(first.timestamp_delta, 0),
            rebased_len: first.len(0, 0),
            first_timestamp: timestamp,
            max_timestamp: timestamp,
        }
    }

    fn len_with(&self, next: &Frame) -> usize {
        self.len + next.len(next.timestamp_delta, self.count)
    }

    fn add(&mut self, next: &Frame, timestamp: i64) {
        self.len = self.len_with(next);
        let delta = timestamp.wrapping_sub(self.first_timestamp);
        self.rebased_len += next.len(delta, self.count);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
    }

    /// Frames the piece's records, which come next in `reader`, anew.
    fn body(&self, reader: &mut Reader<'_>, base_timestamp: i64) -> Option<Body> {
        let is_rebased = self.rebased_len <= self.len;
        let (base, len) = match is_rebased {
            true => (self.first_timestamp, self.rebased_len),
            false => (base_timestamp, self.len),
        };
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).ok()?;
        for offset_delta in 0..self.count {
            let frame = reader.frame();
            let timestamp = base_timestamp.wrapping_add(frame.timestamp_delta);
            frame.write(timestamp.wrapping_sub(base), offset_delta, &mut bytes);
            reader.copy(frame.rest, &mut bytes);
        }
        debug_assert_eq!(bytes.len(), len, "a piece takes what was measured");
        Some(Body {
            sealed: [Bytes::from(bytes)].into(),
            is_piece: true,
            len,
            count: self.count,
            base_timestamp: base,
            max_timestamp: self.max_timestamp,
            ..Body::default()
        })
    }
}

/// What stands in front of a record's key.
struct Frame {
    timestamp_delta: i64,
    /// The bytes from the key's length on, which no split changes.
    rest: usize,
}

impl Frame {
    /// The record's length with these deltas.
    fn len(&self, timestamp_delta: i64, offset_delta: u32) -> usize {
        let body = self.body(timestamp_delta, offset_delta);
        varint_len(body as i64) + body
    }

    fn body(&self, timestamp_delta: i64, offset_delta: u32) -> usize {
        1 + varint_len(timestamp_delta) + varint_len(i64::from(offset_delta)) + self.rest
    }

    fn write(&self, timestamp_delta: i64, offset_delta: u32, out: &mut Vec<u8>) {
        put_varlong(out, self.body(timestamp_delta, offset_delta) as i64);
        out.push(0); // attributes
        put_varlong(out, timestamp_delta);
        put_varlong(out, i64::from(offset_delta));
    }
}

/// Reads records that this producer wrote, over the bounds of their chunks.
struct Reader<'a> {
    chunks: &'a [Bytes],
    /// Where the next byte is in the first of the chunks.
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(chunks: &'a [Bytes]) -> Self {
        Self { chunks, at: 0 }
    }

    fn frame(&mut self) -> Frame {
        let body = self.varint() as usize;
        self.skip(1); // attributes
        let timestamp_delta = self.varint();
        let offset_delta = self.varint();
        let rest = body - 1 - varint_len(timestamp_delta) - varint_len(offset_delta);
        Frame {
            timestamp_delta,
            rest,
        }
    }

    fn varint(&mut self) -> i64 {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.next(1)[0];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return (value >> 1) as i64 ^ -((value & 1) as i64);
            }
        }
    }

    fn skip(&mut self, mut len: usize) {
        while len > 0 {
            len -= self.next(len).len();
        }
    }

    fn copy(&mut self, mut len: usize, out: &mut Vec<u8>) {
        while len > 0 {
            let bytes = self.next(len);
            out.extend_from_slice(bytes);
            len -= bytes.len();
        }
    }

    /// The next bytes: at least one, and at most `most`.
    fn next(&mut self, most: usize) -> &'a [u8] {
        while self.at == self.chunks[0].len() {
            (self.chunks, self.at) = (&self.chunks[1..], 0);
        }
        let rest = &self.chunks[0][self.at..];
        let bytes = &rest[..most.min(rest.len())];
        self.at += bytes.len();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::super::{
        Stamp,
        tests::{append, decode, record},
    };
    use super::*;
    use crate::pool::Pool;

    fn whole(timestamps: &[i64], pool: &mut Pool) -> Body {
        let mut body = Body::default();
        for (n, &timestamp) in timestamps.iter().enumerate() {
            let value = vec![n as u8; n * 37 % 500];
            append(&mut body, &record(timestamp, None, Some(&value), &[]), pool);
        }
        body.seal();
        body
    }

    /// What a reader of the log sees: time and value.
    fn read(body: &mut Body) -> Vec<(i64, Vec<u8>)> {
        let records = decode(body, Stamp::NONE);
        assert_eq!(records.len(), body.count() as usize);
        let largest = records.iter().map(|r| r.timestamp).max();
        assert_eq!(largest, Some(body.max_timestamp));
        let offsets: Vec<i64> = records.iter().map(|r| r.offset).collect();
        assert_eq!(offsets, (0..records.len() as i64).collect::<Vec<_>>());
        let pairs = records.into_iter();
        pairs
            .map(|r| (r.timestamp, r.value.unwrap().to_vec()))
            .collect()
    }

    #[test]
    fn the_pieces_hold_the_same_records_and_no_more_bytes() {
        let shapes: [&dyn Fn(i64) -> i64; 4] = [
            &|n| 1_000 + n,
            &|n| if n % 3 == 0 { 1 << 61 } else { -(1 << 61) },
            &|n| if n == 0 { 0 } else { 1 << 60 },
            &|n| if n % 7 == 3 { 1 << 60 } else { 0 },
        ];
        for timestamps in shapes {
            let timestamps: Vec<i64> = (0..300).map(timestamps).collect();
            let mut pool = Pool::new(256);
            let mut body = whole(&timestamps, &mut pool);
            let expected = read(&mut body);
            for most in [0, 62, 100, 700, 5_000, usize::MAX] {
                let mut pieces = body.split(most).unwrap();
                assert!(pieces.len() > 1);
                assert!(
                    pieces
                        .iter()
                        .all(|p| p.wire_len() <= most || p.count() == 1)
                );
                let len: usize = pieces.iter().map(Body::records_len).sum();
                assert!(len <= body.records_len(), "{len} of {}", body.records_len());
                let held: usize = pieces.iter().map(|p| p.held(256)).sum();
                assert!(held <= body.held(256));
                let got: Vec<_> = pieces.iter_mut().flat_map(read).collect();
                assert_eq!(got, expected, "pieces of {most} bytes");
            }
        }
    }

    #[test]
    fn timestamps_count_from_the_first_record_of_a_piece() {
        let mut pool = Pool::new(256);
        let body = whole(&[1_000, 1_001, 1_002, 1_003], &mut pool);
        let bases: Vec<i64> = body
            .split(0)
            .unwrap()
            .iter()
            .map(|p| p.base_timestamp)
            .collect();
        assert_eq!(bases, [1_000, 1_001, 1_002, 1_003]);
    }

    #[test]
    fn a_piece_can_be_cut_again() {
        let mut pool = Pool::new(256);
        let timestamps: Vec<i64> = (0..50).map(|n| 1 << (n % 60)).collect();
        let mut body = whole(&timestamps, &mut pool);
        let expected = read(&mut body);
        let mut pieces = vec![body];
        while pieces.iter().any(|p| p.count() > 1) {
            pieces = pieces
                .into_iter()
                .flat_map(|p| match p.count() {
                    1 => vec![p],
                    _ => p.split(usize::MAX).unwrap(),
                })
                .collect();
        }
        let got: Vec<_> = pieces.iter_mut().flat_map(read).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_piece_leaves_nothing_in_the_pool() {
        let mut pool = Pool::new(256);
        let body = whole(&[0; 40], &mut pool);
        for mut piece in body.split(3_000).unwrap() {
            assert!(piece.records_len() > 256);
            piece.release(&mut pool);
            assert_eq!(piece.held(256), 0);
        }
        assert!(pool.is_empty());
    }
}
