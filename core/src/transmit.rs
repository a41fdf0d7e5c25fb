//! One request on its way to a socket: slices of several owners, never concatenated.

use alloc::vec::Vec;
use core::{fmt, ops::Range};

use bytes::Bytes;

use crate::{batch, crc32c::Checksum};

/// The bytes of one request, to be written in order and wholly before the link's next one.
///
/// A driver calls [`prepare`](Self::prepare) outside its lock, writes the [`slices`](Self::slices) vectored,
/// and [`advance`](Self::advance)s by what the socket took. Once it [`is_empty`](Self::is_empty) it is dropped, or its
/// memory [recycled](crate::ProducerCore::recycle), and then reported with
/// [`handle_written`](crate::ProducerCore::handle_written); if the link ends before, it goes back with
/// [`handle_disconnected`](crate::ProducerCore::handle_disconnected), since what was never touched is provably not
/// written.
pub struct Transmit {
    /// All bytes that are not records: request head, partition heads, batch heads.
    heads: Vec<u8>,
    segments: Vec<Segment>,
    unsummed: Vec<Unsummed>,
    checksum: Checksum,
    remaining: usize,
    touched: bool,
    /// The first segment with bytes left, and how many of its bytes are gone.
    next: usize,
    gone: usize,
}

enum Segment {
    Head(Range<usize>),
    Records(Bytes),
}

/// A batch whose checksum is still to be taken.
struct Unsummed {
    /// Where the batch's head begins in `heads`.
    head: usize,
    /// The segments of its records.
    records: Range<usize>,
}

/// The room of a request that is kept for another.
const HEADS_KEPT: usize = 64 << 10;
const SEGMENTS_KEPT: usize = 1_024;

impl Transmit {
    pub(crate) fn new(checksum: Checksum) -> Self {
        Self {
            heads: Vec::with_capacity(256),
            segments: Vec::with_capacity(8),
            unsummed: Vec::new(),
            checksum,
            remaining: 0,
            touched: false,
            next: 0,
            gone: 0,
        }
    }

    /// The bytes that are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.remaining
    }

    /// Every byte is with the socket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Records are among the bytes: it is a Produce request.
    #[must_use]
    pub fn has_records(&self) -> bool {
        let is_records = |segment: &Segment| matches!(segment, Segment::Records(_));
        self.segments.iter().any(is_records)
    }

    /// No byte has been handed to a socket yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Takes the checksums that are still to be taken. Work in proportion to the bytes: not under a lock.
    pub fn prepare(&mut self) {
        for batch in self.unsummed.drain(..) {
            let head = &self.heads[batch.head..batch.head + batch::HEAD_LEN];
            let mut sum = (self.checksum)(0, &head[batch::SUMMED_FROM..]);
            for segment in &self.segments[batch.records] {
                if let Segment::Records(bytes) = segment {
                    sum = (self.checksum)(sum, bytes);
                }
            }
            let at = batch.head + batch::CHECKSUM_AT;
            self.heads[at..at + 4].copy_from_slice(&sum.to_be_bytes());
        }
    }

    /// The bytes that are left, as slices in the order of the wire, none of them empty.
    ///
    /// # Panics
    ///
    /// Before [`prepare`](Self::prepare), since the bytes are not whole without their checksums.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        assert!(self.unsummed.is_empty(), "prepare comes before slices");
        self.segments[self.next..]
            .iter()
            .enumerate()
            .map(|(i, segment)| {
                let bytes = match segment {
                    Segment::Head(range) => &self.heads[range.clone()],
                    Segment::Records(bytes) => &bytes[..],
                };
                if i == 0 { &bytes[self.gone..] } else { bytes }
            })
    }

    /// Notes that the socket took the next `written` bytes. At most [`len`](Self::len) are counted. With the last byte the
    /// records are let go of.
    pub fn advance(&mut self, written: usize) {
        let mut written = written.min(self.remaining);
        self.touched |= written > 0;
        self.remaining -= written;
        if self.remaining == 0 {
            self.clear();
            return;
        }
        while written > 0 {
            let left = self.segments[self.next].len() - self.gone;
            if written < left {
                self.gone += written;
                return;
            }
            written -= left;
            self.next += 1;
            self.gone = 0;
        }
    }

    /// Its memory is empty, and not more than requests usually take.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.segments.is_empty()
            && self.heads.capacity() <= HEADS_KEPT
            && self.segments.capacity() <= SEGMENTS_KEPT
    }

    /// Makes a new request of one that was written.
    pub(crate) fn renewed(mut self) -> Self {
        self.touched = false;
        self
    }

    /// Lets go of all bytes, and keeps the room for others.
    fn clear(&mut self) {
        self.heads.clear();
        self.segments.clear();
        self.unsummed.clear();
        (self.next, self.gone) = (0, 0);
    }

    /// The request's bytes that are not records, to be appended to; what is appended is closed off into a slice by
    /// the next [`push_batch`](Self::push_batch) or by [`finish`](Self::finish).
    pub(crate) fn heads(&mut self) -> &mut Vec<u8> {
        &mut self.heads
    }

    /// Appends a batch: its head, and its records as they lie.
    pub(crate) fn push_batch(&mut self, head: &[u8; batch::HEAD_LEN], records: &[Bytes]) {
        let at = self.heads.len();
        self.heads.extend_from_slice(head);
        self.close_head();
        let first = self.segments.len();
        self.segments.extend(
            records
                .iter()
                .filter(|r| !r.is_empty())
                .cloned()
                .map(Segment::Records),
        );
        self.unsummed.push(Unsummed {
            head: at,
            records: first..self.segments.len(),
        });
    }

    /// Ends the request: writes the frame's length into its first four bytes.
    pub(crate) fn finish(&mut self) {
        self.close_head();
        self.remaining = self.segments.iter().map(Segment::len).sum();
        let len = i32::try_from(self.remaining - 4)
            .expect("a request is bounded, by LARGEST_REQUEST at most");
        self.heads[..4].copy_from_slice(&len.to_be_bytes());
    }

    fn close_head(&mut self) {
        let from = self.segments.iter().rev().find_map(|s| match s {
            Segment::Head(range) => Some(range.end),
            Segment::Records(_) => None,
        });
        let range = from.unwrap_or(0)..self.heads.len();
        if !range.is_empty() {
            self.segments.push(Segment::Head(range));
        }
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Self::Head(range) => range.len(),
            Self::Records(bytes) => bytes.len(),
        }
    }
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmit")
            .field("len", &self.remaining)
            .field("untouched", &!self.touched)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc32c::crc32c_append;

    fn two_batches() -> Transmit {
        fill(Transmit::new(crc32c_append))
    }

    fn fill(mut t: Transmit) -> Transmit {
        t.heads().extend_from_slice(b"....request");
        t.push_batch(
            &[1; batch::HEAD_LEN],
            &[Bytes::from_static(b"abc"), Bytes::from_static(b"de")],
        );
        t.heads().extend_from_slice(b"between");
        t.push_batch(&[2; batch::HEAD_LEN], &[Bytes::from_static(b"f")]);
        t.finish();
        t
    }

    fn whole(t: &Transmit) -> Vec<u8> {
        t.slices().flatten().copied().collect()
    }

    #[test]
    fn bytes_come_in_order_with_length_and_checksums() {
        let mut t = two_batches();
        t.prepare();
        let bytes = whole(&t);
        assert_eq!(bytes.len(), t.len());
        assert_eq!(bytes[..4], (bytes.len() as i32 - 4).to_be_bytes());
        let batch = &bytes[11..11 + batch::HEAD_LEN + 5];
        let sum = crc32c_append(0, &batch[batch::SUMMED_FROM..]);
        assert_eq!(
            batch[batch::CHECKSUM_AT..batch::CHECKSUM_AT + 4],
            sum.to_be_bytes()
        );
        assert!(bytes.ends_with(b"f"));
        assert_eq!(bytes[11 + batch::HEAD_LEN + 5..][..7], *b"between");
    }

    #[test]
    fn any_way_of_writing_gives_the_same_bytes() {
        let mut t = two_batches();
        t.prepare();
        let expected = whole(&t);
        for step in 1..=expected.len() {
            let mut t = two_batches();
            t.prepare();
            assert!(t.is_untouched());
            let mut written = Vec::new();
            while !t.is_empty() {
                let left = whole(&t);
                let n = step.min(left.len());
                written.extend_from_slice(&left[..n]);
                t.advance(n);
                assert!(!t.is_untouched());
            }
            assert_eq!(written, expected, "in steps of {step}");

            assert!(t.is_worth_keeping());
            let mut next = fill(t.renewed());
            assert!(next.is_untouched());
            next.prepare();
            assert_eq!(whole(&next), expected, "in the same memory");
        }
    }
}
