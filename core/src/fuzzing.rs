//! The door to private parts for the targets in `fuzz/`. It exists under `--cfg fuzzing` alone, and promises nothing.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    Compression, Instant, Record, accumulator, batch, compress,
    error::ProtocolError,
    frames::Frames,
    id::{BatchId, Topic},
    pool::Pool,
    work,
};

/// Cuts the pieces of a stream into frames of at most `limit` bytes; the error, if there is one, ends it.
pub fn cut<'a>(
    limit: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Option<ProtocolError>) {
    let (mut frames, mut found) = (Frames::new(limit), Vec::new());
    for mut piece in pieces {
        loop {
            match frames.next(&mut piece, <[u8]>::to_vec) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
        assert!(piece.is_empty(), "the input is always used up");
    }
    (found, None)
}

/// A topic, for records that no producer sees.
pub fn topic() -> Topic {
    Topic(0)
}

/// The accumulator, its methods as they are, and its `batch.size`; batches by slot.
pub struct Accumulator(accumulator::Accumulator, usize);

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The batch.
    pub batch: BatchId,
    /// The record's place in it.
    pub index: u32,
    /// The bytes that the record took.
    pub bytes: usize,
    /// The memory that was charged for it.
    pub charged: usize,
    /// The batch has its size.
    pub full: bool,
    /// When the batch will have lingered, if it is new and not ready at once.
    pub lingers_until: Option<Instant>,
    /// The partition is ready, and was not before.
    pub ready: bool,
}

#[allow(missing_docs)] // they are those of the accumulator
impl Accumulator {
    pub fn new(
        batch_size: usize,
        growth: usize,
        chunk_size: usize,
        linger: Duration,
        delivery_timeout: Duration,
        partitions: usize,
    ) -> Self {
        let mut new =
            accumulator::Accumulator::new(false, growth, chunk_size, linger, delivery_timeout);
        new.grow(partitions);
        Self(new, batch_size)
    }

    pub fn append(
        &mut self,
        now: Instant,
        partition: u32,
        record: &Record<'_>,
        largest: usize,
    ) -> Appended {
        let plan = self.0.plan(now, partition, record, self.1, || largest);
        let appended = self.0.append(now, partition, record, plan);
        let appended = appended.expect("there is memory");
        Appended {
            batch: appended.batch,
            index: appended.index,
            bytes: appended.bytes,
            charged: plan.chunks * self.0.chunk_size(),
            full: appended.full,
            lingers_until: appended.lingers_until,
            ready: appended.ready,
        }
    }

    pub fn take(&mut self, partition: u32) -> Option<u32> {
        self.0.take(partition)
    }

    pub fn put_back(&mut self, slot: u32) {
        self.0.put_back(slot);
    }

    pub fn lingered(&mut self, now: Instant) -> Option<u32> {
        self.0.lingered(now)
    }

    pub fn make_ready(&mut self, partition: u32) -> bool {
        self.0.make_ready(partition)
    }

    pub fn expired(&mut self, now: Instant) -> Option<u32> {
        self.0.expired(now)
    }

    pub fn next_timeouts(&mut self) -> (Option<Instant>, Option<Instant>) {
        self.0.next_timeouts()
    }

    pub fn end(&mut self, slot: u32) {
        self.0.end(slot);
    }

    pub fn limit_growth(&mut self, partition: u32, largest: usize) {
        self.0.limit_growth(partition, largest);
    }

    /// The pieces' slots and numbers of records, and the memory that is free now.
    pub fn split(&mut self, slot: u32, most: usize) -> (Vec<(u32, u32)>, usize) {
        let pieces = self.0.split(slot, most).expect("there is memory");
        (pieces.slots, pieces.freed)
    }

    /// The batch that is named to the application, the first record's place in it, and whether it ends with that.
    pub fn tell(&mut self, slot: u32) -> (BatchId, u32, bool) {
        let told = self.0.tell(slot, true);
        (told.batch, told.first, told.last)
    }

    pub fn reclaim(&mut self, slot: u32) -> usize {
        self.0.reclaim(slot)
    }

    pub fn vacate(&mut self, slot: u32) {
        self.0.vacate(slot);
    }

    pub fn is_ready(&self, partition: u32) -> bool {
        self.0.is_ready(partition)
    }

    pub fn ready_len(&self, partition: u32) -> Option<usize> {
        self.0.ready_len(partition)
    }

    pub fn queued_bytes(&self, partition: u32) -> usize {
        self.0.queued_bytes(partition)
    }

    pub fn is_queued(&self, slot: u32) -> bool {
        self.0.is_queued(slot)
    }

    pub fn is_ended(&self, slot: u32) -> bool {
        self.0.is_ended(slot)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The slots of the batches without an outcome, in order.
    pub fn live(&self) -> Vec<u32> {
        self.0.live().collect()
    }

    /// How many records a batch has, and its length on the wire.
    pub fn size(&self, slot: u32) -> (u32, usize) {
        let body = &self.0.batch(slot).body;
        (body.count(), body.wire_len())
    }

    pub fn id(&self, slot: u32) -> BatchId {
        self.0.batch(slot).id(slot)
    }

    /// The memory that a batch holds.
    pub fn held(&self, slot: u32) -> usize {
        self.0.batch(slot).body.held(self.0.chunk_size())
    }
}

/// A codec and the memory that it works in, kept from input to input.
pub struct Bench(work::Bench);

#[allow(missing_docs)] // they are those of the encoder
impl Bench {
    /// `None` without a codec.
    pub fn new(codec: Compression, level: i32) -> Option<Self> {
        work::Bench::new(codec, level).map(Self)
    }

    pub fn compress(&mut self, input: &[u8], out: &mut [u8]) -> Option<usize> {
        self.0.encoder.compress(input, out)
    }
}

/// Opens what came under a codec, at most `most` bytes; or what it has of it when it finds it damaged or too long.
pub fn decompress(codec: Compression, input: &[u8], most: usize) -> Result<Vec<u8>, Vec<u8>> {
    let mut out = Vec::new();
    match compress::decompress(codec, input, most, &mut out) {
        Ok(()) => Ok(out),
        Err(_) => Err(out),
    }
}

/// A batch without its place in an accumulator.
pub struct Batch(batch::Body);

#[allow(missing_docs)] // they are those of the batch
impl Batch {
    /// A sealed batch of the records that `write` adds, in chunks of this size, compressed if there is a bench.
    pub fn new(
        chunk_size: usize,
        bench: Option<&mut Bench>,
        write: impl FnOnce(&mut dyn FnMut(&Record<'_>)),
    ) -> Self {
        let (mut body, mut pool) = (batch::Body::default(), Pool::new(chunk_size));
        write(&mut |record| {
            let measure = body.measure(record);
            for _ in 0..body.chunks_for(measure.total, chunk_size) {
                body.add_chunk(pool.take().expect("there is memory"));
            }
            body.append(record, measure);
        });
        if let Some(bench) = bench {
            body.compress(&mut bench.0);
        }
        body.settle(&mut pool);
        Self(body)
    }

    /// As the producer does: what is compressed is opened on the bench, and its pieces are compressed.
    pub fn split(&self, most: usize, bench: &mut Bench) -> Vec<Self> {
        let pieces = match self.0.is_compressed() {
            true => self.0.split_compressed(most, &mut bench.0),
            false => self.0.split(most),
        };
        let pieces = pieces.expect("what was compressed opens, and there is memory");
        pieces.into_iter().map(Self).collect()
    }

    pub fn count(&self) -> u32 {
        self.0.count()
    }

    pub fn raw_len(&self) -> usize {
        self.0.raw_len()
    }

    /// Its head, with no checksum.
    pub fn head(&self) -> [u8; batch::HEAD_LEN] {
        self.0.head(batch::Stamp::NONE)
    }

    /// Its records as they are sent.
    pub fn records(&self) -> Vec<u8> {
        self.0.records().concat()
    }
}
