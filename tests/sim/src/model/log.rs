//! The log of one partition: raw batches in the order of their offsets.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::batch::{HEAD, Head};

/// Batches as they came, with the offsets they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    batches: VecDeque<Stored>,
    start: i64,
    end: i64,
}

/// One batch in the log.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    /// When, since the start.
    pub(crate) appended: Duration,
    /// Counts appends over the whole cluster, so that the oldest can go first.
    pub(crate) serial: u64,
    pub(crate) head: Head,
    pub(crate) raw: Bytes,
}

impl Log {
    /// Appends a batch behind all others and returns the base offset it got, whatever it said before.
    pub(crate) fn append(&mut self, batch: Stored) -> i64 {
        let base_offset = self.end;
        self.end += i64::from(batch.head.count);
        self.batches.push_back(Stored {
            base_offset,
            ..batch
        });
        base_offset
    }

    /// Cuts the log before `offset`, or before the batch that holds it, and returns what went, in order.
    pub(crate) fn truncate(&mut self, offset: i64) -> Vec<Stored> {
        let kept = self.batches.partition_point(|batch| batch.end() <= offset);
        let gone: Vec<Stored> = self.batches.drain(kept..).collect();
        if let Some(first) = gone.first() {
            self.end = first.base_offset;
        }
        self.start = self.start.min(self.end);
        gone
    }

    /// The offset before the last `count` batches.
    pub(crate) fn offset_before_last(&self, count: usize) -> i64 {
        match self.batches.len().checked_sub(count) {
            Some(kept) => self
                .batches
                .get(kept)
                .map_or(self.end, |batch| batch.base_offset),
            None => self
                .batches
                .front()
                .map_or(self.end, |batch| batch.base_offset),
        }
    }

    /// Moves the start of the log up to `offset` and drops the batches wholly before it, which it returns.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Vec<Stored> {
        self.start = self.start.max(offset.min(self.end));
        let gone = self
            .batches
            .partition_point(|batch| batch.end() <= self.start);
        self.batches.drain(..gone).collect()
    }

    /// Drops the oldest batch if it is the one with this serial, and returns how many bytes went.
    pub(crate) fn evict(&mut self, serial: u64) -> u64 {
        match self.batches.pop_front_if(|first| first.serial == serial) {
            Some(evicted) => {
                self.start = self.start.max(evicted.end());
                evicted.size()
            }
            None => 0,
        }
    }

    /// The first offset that can be read.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The offset that the next record gets.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Whether the batch with this serial is still here.
    pub(crate) fn holds(&self, serial: u64) -> bool {
        self.batches
            .binary_search_by_key(&serial, |batch| batch.serial)
            .is_ok()
    }

    pub(crate) fn batches(&self) -> impl Iterator<Item = &Stored> {
        self.batches.iter()
    }

    /// The batches from the one that holds `offset` on.
    pub(crate) fn batches_from(&self, offset: i64) -> impl Iterator<Item = &Stored> {
        let first = self.batches.partition_point(|batch| batch.end() <= offset);
        self.batches.range(first..)
    }
}

impl Stored {
    /// The offset behind the batch.
    pub(crate) fn end(&self) -> i64 {
        self.base_offset + i64::from(self.head.count)
    }

    pub(crate) fn size(&self) -> u64 {
        self.raw.len() as u64
    }

    /// The bytes of the records, under their codec if there is one.
    pub(crate) fn body(&self) -> Bytes {
        self.raw.slice(HEAD..)
    }

    /// Writes the batch as consumers see it: base offset and leader epoch set, the rest as it came.
    pub(crate) fn write_to(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.base_offset.to_be_bytes());
        out.extend_from_slice(&self.raw[8..12]);
        out.extend_from_slice(&self.leader_epoch.to_be_bytes());
        out.extend_from_slice(&self.raw[16..]);
    }
}
