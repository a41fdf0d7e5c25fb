//! Open and sealed batches, per partition: what is ready, what lingers, what expires.

mod audit;
mod batch;
mod growth;
mod splitting;
mod timing;
mod working;

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use crate::{batch::Measure, id::BatchId, pool::Pool, record::Record, time::Instant};
pub(crate) use batch::Batch;
use batch::{Progress, State};
use splitting::Origin;
pub(crate) use splitting::Pieces;

/// All batches, from their first record to the polling of their last outcome.
///
/// Partitions and batches are dense indexes. A batch is open (being appended to), sealed (in its partition's queue),
/// taken (stamped: in flight or waiting to be sent again, outside this part) or ended.
pub(crate) struct Accumulator {
    /// Batches are compressed before they are sent.
    compresses: bool,
    /// To what a batch whose way is blocked may grow.
    growth: usize,
    linger: Duration,
    delivery_timeout: Duration,
    pool: Pool,
    batches: Vec<Batch>,
    vacant: Vec<u32>,
    queues: Vec<Queue>,
    /// Open batches in the order of their first records, which is the order in which they become ready.
    lingering: VecDeque<(Instant, BatchId)>,
    /// Live batches in the order of their deadlines.
    expiring: VecDeque<(Instant, BatchId)>,
    /// The latest `now` of a new batch: keeps both orders above though `now` may lag.
    latest: Instant,
    orders: u64,
    live: usize,
}

#[derive(Default)]
struct Queue {
    sealed: VecDeque<u32>,
    open: Option<u32>,
    /// The open batch has lingered, or something else asks for it: it goes as soon as there is a way.
    open_is_ready: bool,
    /// The way was blocked when the open batch was full: it may grow to this size.
    grows_to: usize,
    /// The open batch is full with so many bytes.
    size: usize,
    bytes: usize,
}

/// Where a record would go, and what that takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    measure: Measure,
    /// The open batch takes it.
    pub(crate) joins: bool,
    /// Chunks to add first.
    pub(crate) chunks: usize,
    /// To what the open batch may grow, if it takes it as it is full already.
    grows_to: usize,
    /// With how many bytes the batch is full.
    size: usize,
}

impl Plan {
    /// The bytes that the record takes.
    pub(crate) fn len(&self) -> usize {
        self.measure.total
    }
}

/// Where a record went.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Appended {
    pub(crate) batch: BatchId,
    pub(crate) index: u32,
    /// The bytes it took.
    pub(crate) bytes: usize,
    /// The batch has its size: what comes next may as well go elsewhere.
    pub(crate) full: bool,
    /// When the batch will have lingered, if it is new and not ready at once.
    pub(crate) lingers_until: Option<Instant>,
    /// A batch of the partition is ready that was not before.
    pub(crate) ready: bool,
}

impl Accumulator {
    pub(crate) fn new(
        compresses: bool,
        growth: usize,
        chunk_size: usize,
        linger: Duration,
        delivery_timeout: Duration,
    ) -> Self {
        Self {
            compresses,
            growth,
            linger,
            delivery_timeout,
            pool: Pool::new(chunk_size),
            batches: Vec::new(),
            vacant: Vec::new(),
            queues: Vec::new(),
            lingering: VecDeque::new(),
            expiring: VecDeque::new(),
            latest: Instant::ORIGIN,
            orders: 0,
            live: 0,
        }
    }

    /// Makes room for partitions up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        self.queues
            .resize_with(count.max(self.queues.len()), Queue::default);
    }

    /// Says where `record` would go in `partition`, and what that takes; a new batch is full with `size` bytes.
    ///
    /// `largest` is asked once for each batch that is full, if another record comes before it is taken: how large may a
    /// batch of the partition be, if its way is blocked; 0 if the way is free.
    #[inline]
    pub(crate) fn plan(
        &self,
        now: Instant,
        partition: u32,
        record: &Record<'_>,
        size: usize,
        largest: impl FnOnce() -> usize,
    ) -> Plan {
        let chunk_size = self.pool.chunk_size();
        let queue = &self.queues[partition as usize];
        if let Some(open) = queue.open {
            let batch = &self.batches[open as usize];
            let measure = batch.body.measure(record);
            let len = batch.body.wire_len() + measure.total;
            let grows_to = match len > queue.size {
                true => self.growth_of(queue, batch, now, largest),
                false => queue.grows_to,
            };
            if len <= queue.size.max(grows_to) {
                return Plan {
                    size: queue.size,
                    measure,
                    joins: true,
                    chunks: batch.body.chunks_for(measure.total, chunk_size),
                    grows_to,
                };
            }
        }
        let measure = Measure::alone(record);
        Plan {
            measure,
            joins: false,
            chunks: measure.total.div_ceil(chunk_size),
            grows_to: 0,
            size,
        }
    }

    /// Appends `record` to the partition's open batch, if that takes nothing but the writing and changes nothing but the
    /// batch's length: which is so for nearly every record.
    ///
    /// It does what [`plan`](Self::plan) and [`append`](Self::append) would do. A record of more than `most` bytes is left to
    /// them.
    #[inline]
    pub(crate) fn join(
        &mut self,
        now: Instant,
        partition: u32,
        record: &Record<'_>,
        most: usize,
    ) -> Option<Appended> {
        let queue = &self.queues[partition as usize];
        let slot = queue.open?;
        let batch = &self.batches[slot as usize];
        batch.body.touch_ahead();
        let measure = batch.body.measure(record);
        let len = batch.body.wire_len() + measure.total;
        let full = len >= queue.size;
        // A batch that is full is asked about by `plan`, once; from then on it says to what it grows.
        if full && (!queue.open_is_ready || len > self.growth_of(queue, batch, now, || 0)) {
            return None;
        }
        let chunk_size = self.pool.chunk_size();
        if measure.total > most || batch.body.chunks_for(measure.total, chunk_size) > 0 {
            return None;
        }
        let batch = &mut self.batches[slot as usize];
        let index = batch.body.count();
        batch.body.append(record, measure);
        self.queues[partition as usize].bytes += measure.total;
        Some(Appended {
            batch: BatchId::new(slot, batch.generation),
            index,
            bytes: measure.total,
            full,
            lingers_until: None,
            ready: false,
        })
    }

    /// Appends `record` as planned. Returns `None`, with nothing changed, if the allocator has no memory.
    #[inline]
    pub(crate) fn append(
        &mut self,
        now: Instant,
        partition: u32,
        record: &Record<'_>,
        plan: Plan,
    ) -> Option<Appended> {
        if !self.pool.stock(plan.chunks) {
            return None;
        }
        let was_due = self.is_due(partition);
        let open = self.queues[partition as usize].open.filter(|_| plan.joins);
        let slot = open.unwrap_or_else(|| self.open(now, partition, plan.size));
        let Self {
            batches,
            pool,
            queues,
            ..
        } = self;
        let (batch, queue) = (&mut batches[slot as usize], &mut queues[partition as usize]);
        queue.grows_to = plan.grows_to;
        for _ in 0..plan.chunks {
            batch
                .body
                .add_chunk(pool.take().expect("the chunks are in stock"));
        }
        let index = batch.body.count();
        batch.body.append(record, plan.measure);
        queue.bytes += plan.measure.total;
        let id = BatchId::new(slot, batch.generation);
        let full = batch.body.wire_len() >= queue.size;
        // It stays open until it is taken: should its way be blocked, it may grow.
        queue.open_is_ready |= full;
        let lingers_until = match self.lingering.back() {
            Some(&(at, newest))
                if newest == id && index == 0 && !full && !self.is_ready(partition) =>
            {
                Some(at)
            }
            _ => None,
        };
        let ready = !was_due && self.is_due(partition);
        Some(Appended {
            batch: id,
            index,
            bytes: plan.measure.total,
            full,
            lingers_until,
            ready,
        })
    }

    /// The partition has a batch that waits for nothing but to be compressed and sent.
    pub(crate) fn is_ready(&self, partition: u32) -> bool {
        let queue = &self.queues[partition as usize];
        !queue.sealed.is_empty() || queue.open_is_ready
    }

    /// The length on the wire of the batch that [`take`](Self::take) would give.
    pub(crate) fn ready_len(&self, partition: u32) -> Option<usize> {
        let slot = self.sendable(partition)?;
        Some(self.batches[slot as usize].body.wire_len())
    }

    /// The partition's first batch, if it can be sent as it is.
    pub(crate) fn sendable(&self, partition: u32) -> Option<u32> {
        let queue = &self.queues[partition as usize];
        let open = queue
            .open
            .filter(|_| queue.open_is_ready && !self.compresses);
        let first = queue.sealed.front().copied();
        first
            .filter(|&slot| self.batches[slot as usize].work == Progress::Done)
            .or(open.filter(|_| first.is_none()))
    }

    /// Takes the partition's first batch out of its queue, sealed, if it can be sent.
    pub(crate) fn take(&mut self, partition: u32) -> Option<u32> {
        let slot = self.sendable(partition)?;
        if self.queues[partition as usize].open == Some(slot) {
            self.seal(partition);
        }
        let queue = &mut self.queues[partition as usize];
        queue.sealed.pop_front();
        let batch = &mut self.batches[slot as usize];
        queue.bytes -= batch.body.records_len();
        batch.state = State::Taken;
        Some(slot)
    }

    /// Puts a batch that was taken back into its queue, at the place that its creation gives it.
    pub(crate) fn put_back(&mut self, slot: u32) {
        let batch = &mut self.batches[slot as usize];
        debug_assert_eq!(batch.state, State::Taken);
        batch.state = State::Sealed;
        let (at, partition, len) = (batch.place(), batch.partition, batch.body.records_len());
        let queue = &mut self.queues[partition as usize];
        let place = queue
            .sealed
            .iter()
            .position(|&s| self.batches[s as usize].place() > at && !planted!(RequeuesLast));
        queue
            .sealed
            .insert(place.unwrap_or(queue.sealed.len()), slot);
        queue.bytes += len;
    }

    /// Makes a partition's open batch ready; whether it was not before.
    pub(crate) fn make_ready(&mut self, partition: u32) -> bool {
        if planted!(FlushEndsLinger) {
            self.linger = Duration::ZERO;
        }
        let was_due = self.is_due(partition);
        let queue = &mut self.queues[partition as usize];
        queue.open_is_ready |= queue.open.is_some();
        !was_due && self.is_due(partition)
    }

    /// Takes a batch out of everything: its outcome is known. Its memory stays charged until it is released.
    pub(crate) fn end(&mut self, slot: u32) {
        let batch = &mut self.batches[slot as usize];
        let queue = &mut self.queues[batch.partition as usize];
        match batch.state {
            State::Open => {
                queue.open = None;
                queue.open_is_ready = false;
                queue.bytes -= batch.body.records_len();
            }
            State::Sealed => {
                // Ends come nearly in order: it is at the front, or near it.
                if let Some(place) = queue.sealed.iter().position(|&s| s == slot) {
                    queue.sealed.remove(place);
                }
                queue.bytes -= batch.body.records_len();
            }
            State::Taken => {}
            State::Vacant | State::Ended => debug_assert!(false, "a batch ends once"),
        }
        batch.state = State::Ended;
        self.live -= 1;
    }

    /// Takes an ended batch's memory back; returns how much it held.
    pub(crate) fn reclaim(&mut self, slot: u32) -> usize {
        let batch = &mut self.batches[slot as usize];
        debug_assert_eq!(batch.state, State::Ended);
        let held = batch.body.held(self.pool.chunk_size());
        batch.body.release(&mut self.pool);
        held
    }

    /// Gives an ended batch's slot, which nobody names any more, to the next; not before all of its pieces are told.
    pub(crate) fn vacate(&mut self, slot: u32) {
        let batch = &mut self.batches[slot as usize];
        debug_assert_eq!(batch.state, State::Ended);
        if batch.untold > 0 {
            return;
        }
        batch.state = State::Vacant;
        batch.generation = batch.generation.wrapping_add(1);
        batch.last = None;
        self.vacant.push(slot);
        if self.live == 0 && self.vacant.len() == self.batches.len() {
            // Both lists hold nothing alive any more.
            self.lingering.clear();
            self.expiring.clear();
        }
    }

    /// Frees the chunks in stock.
    pub(crate) fn trim(&mut self) {
        self.pool.trim();
    }

    pub(crate) fn batch(&self, slot: u32) -> &Batch {
        &self.batches[slot as usize]
    }

    pub(crate) fn batch_mut(&mut self, slot: u32) -> &mut Batch {
        &mut self.batches[slot as usize]
    }

    /// The slots of all batches without an outcome, in no order that matters.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> + '_ {
        let live = |b: &Batch| b.state.is_live();
        (0u32..)
            .zip(&self.batches)
            .filter(move |(_, b)| live(b))
            .map(|(slot, _)| slot)
    }

    /// The order that the next batch will have.
    pub(crate) fn next_order(&self) -> u64 {
        self.orders
    }

    /// No batch is without an outcome.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The batch's outcome is known.
    pub(crate) fn is_ended(&self, slot: u32) -> bool {
        self.batches[slot as usize].state == State::Ended
    }

    /// The batch was never taken out of its queue, or was put back.
    pub(crate) fn is_queued(&self, slot: u32) -> bool {
        matches!(
            self.batches[slot as usize].state,
            State::Open | State::Sealed
        )
    }

    /// The partition's bytes that are not taken: what the adaptive partitioner looks at.
    pub(crate) fn queued_bytes(&self, partition: u32) -> usize {
        self.queues[partition as usize].bytes
    }

    pub(crate) fn chunk_size(&self) -> usize {
        self.pool.chunk_size()
    }

    fn open(&mut self, now: Instant, partition: u32, size: usize) -> u32 {
        self.seal(partition);
        self.latest = self.latest.max(now);
        let slot = self.vacant_slot();
        let batch = &mut self.batches[slot as usize];
        batch.state = State::Open;
        batch.partition = partition;
        batch.order = self.orders;
        (batch.origin, batch.untold) = (Origin::whole(slot), 1);
        batch.deadline = self.latest + self.delivery_timeout;
        batch.attempts = 0;
        (batch.uncertain, batch.on_the_wire, batch.told) = (false, false, false);
        batch.work = Progress::Done;
        self.orders += 1;
        self.live += 1;
        let id = BatchId::new(slot, batch.generation);
        self.expiring.push_back((batch.deadline, id));
        self.compact();
        let queue = &mut self.queues[partition as usize];
        (queue.open, queue.grows_to, queue.size) = (Some(slot), 0, size);
        if self.linger.is_zero() {
            queue.open_is_ready = true;
        } else {
            self.lingering.push_back((self.latest + self.linger, id));
        }
        slot
    }

    /// A slot that nobody uses.
    fn vacant_slot(&mut self) -> u32 {
        self.vacant.pop().unwrap_or_else(|| {
            self.batches.push(Batch::vacant());
            self.batches.len() as u32 - 1
        })
    }

    fn seal(&mut self, partition: u32) {
        let queue = &mut self.queues[partition as usize];
        if let Some(slot) = queue.open.take() {
            queue.open_is_ready = false;
            queue.sealed.push_back(slot);
            let batch = &mut self.batches[slot as usize];
            batch.state = State::Sealed;
            match self.compresses {
                true => batch.work = Progress::Wanted,
                false => batch.body.seal(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
