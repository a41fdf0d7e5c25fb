//! Open and sealed batches, per partition: what is ready, what lingers, what expires.

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use crate::{
    batch::{Body, Measure},
    error::Cause,
    id::BatchId,
    pool::Pool,
    record::Record,
    time::Instant,
};

/// All batches, from their first record to the polling of their last outcome.
///
/// Partitions and batches are dense indexes. A batch is open (being appended to), sealed (in its partition's queue),
/// taken (stamped: in flight or waiting to be sent again, outside this part) or ended.
pub(crate) struct Accumulator {
    batch_size: usize,
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

/// One batch and what is known of its delivery.
pub(crate) struct Batch {
    generation: u32,
    state: State,
    /// The partition's dense index.
    pub(crate) partition: u32,
    /// Its place among all batches, by creation.
    pub(crate) order: u64,
    pub(crate) body: Body,
    pub(crate) deadline: Instant,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// Why the last attempt failed.
    pub(crate) last: Option<Cause>,
    /// Some attempt left no answer.
    pub(crate) uncertain: bool,
    /// A transmit that holds its bytes is with the driver.
    pub(crate) on_the_wire: bool,
    /// The last event about it was polled.
    pub(crate) told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Vacant,
    Open,
    Sealed,
    Taken,
    Ended,
}

#[derive(Default)]
struct Queue {
    sealed: VecDeque<u32>,
    open: Option<u32>,
    /// The open batch has lingered, or something else asks for it: it goes as soon as there is a way.
    open_is_ready: bool,
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
}

/// Where a record went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    pub(crate) batch: BatchId,
    pub(crate) index: u32,
    /// The bytes it took.
    pub(crate) bytes: usize,
    /// When the batch will have lingered, if it is new and not ready at once.
    pub(crate) lingers_until: Option<Instant>,
    /// A batch of the partition is ready that was not before.
    pub(crate) ready: bool,
}

impl Accumulator {
    pub(crate) fn new(
        batch_size: usize,
        chunk_size: usize,
        linger: Duration,
        delivery_timeout: Duration,
    ) -> Self {
        Self {
            batch_size,
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

    /// Says where `record` would go in `partition`, and what that takes.
    pub(crate) fn plan(&self, partition: u32, record: &Record<'_>) -> Plan {
        let chunk_size = self.pool.chunk_size();
        if let Some(open) = self.queues[partition as usize].open {
            let body = &self.batches[open as usize].body;
            let measure = body.measure(record);
            if body.wire_len() + measure.total <= self.batch_size {
                return Plan {
                    measure,
                    joins: true,
                    chunks: body.chunks_for(measure.total, chunk_size),
                };
            }
        }
        let measure = Measure::alone(record);
        Plan {
            measure,
            joins: false,
            chunks: measure.total.div_ceil(chunk_size),
        }
    }

    /// Appends `record` as planned. Returns `None`, with nothing changed, if the allocator has no memory.
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
        let was_ready = self.is_ready(partition);
        let open = self.queues[partition as usize].open.filter(|_| plan.joins);
        let slot = open.unwrap_or_else(|| self.open(now, partition));
        let Self {
            batches,
            pool,
            queues,
            ..
        } = self;
        let (batch, queue) = (&mut batches[slot as usize], &mut queues[partition as usize]);
        for _ in 0..plan.chunks {
            batch
                .body
                .add_chunk(pool.take().expect("the chunks are in stock"));
        }
        let index = batch.body.count();
        batch.body.append(record, plan.measure);
        queue.bytes += plan.measure.total;
        let id = BatchId::new(slot, batch.generation);
        let full = batch.body.wire_len() >= self.batch_size;
        if full {
            self.seal(partition);
        }
        let lingers_until = match self.lingering.back() {
            Some(&(at, newest))
                if newest == id && index == 0 && !full && !self.is_ready(partition) =>
            {
                Some(at)
            }
            _ => None,
        };
        let ready = !was_ready && self.is_ready(partition);
        Some(Appended {
            batch: id,
            index,
            bytes: plan.measure.total,
            lingers_until,
            ready,
        })
    }

    /// The partition has a batch to send.
    pub(crate) fn is_ready(&self, partition: u32) -> bool {
        let queue = &self.queues[partition as usize];
        !queue.sealed.is_empty() || queue.open_is_ready
    }

    /// The length on the wire of the batch that [`take`](Self::take) would give.
    pub(crate) fn ready_len(&self, partition: u32) -> Option<usize> {
        let queue = &self.queues[partition as usize];
        let open = queue.open.filter(|_| queue.open_is_ready);
        let slot = queue.sealed.front().copied().or(open)?;
        Some(self.batches[slot as usize].body.wire_len())
    }

    /// Takes the partition's first ready batch out of its queue, sealed.
    pub(crate) fn take(&mut self, partition: u32) -> Option<u32> {
        let queue = &mut self.queues[partition as usize];
        if queue.sealed.is_empty() && queue.open_is_ready {
            self.seal(partition);
        }
        let queue = &mut self.queues[partition as usize];
        let slot = queue.sealed.pop_front()?;
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
        let (order, partition, len) = (batch.order, batch.partition, batch.body.records_len());
        let queue = &mut self.queues[partition as usize];
        let place = queue
            .sealed
            .iter()
            .position(|&s| self.batches[s as usize].order > order);
        queue
            .sealed
            .insert(place.unwrap_or(queue.sealed.len()), slot);
        queue.bytes += len;
    }

    /// The next partition whose open batch has lingered by `now` and was not ready before.
    pub(crate) fn lingered(&mut self, now: Instant) -> Option<u32> {
        while let Some(&(at, id)) = self.lingering.front() {
            let queue_of_open = self
                .get(id)
                .filter(|b| b.state == State::Open)
                .map(|b| b.partition);
            if at > now && queue_of_open.is_some() {
                return None;
            }
            self.lingering.pop_front();
            if let Some(partition) = queue_of_open {
                self.queues[partition as usize].open_is_ready = true;
                return Some(partition);
            }
        }
        None
    }

    /// Makes a partition's open batch ready; whether it was not before.
    pub(crate) fn make_ready(&mut self, partition: u32) -> bool {
        let was_ready = self.is_ready(partition);
        let queue = &mut self.queues[partition as usize];
        queue.open_is_ready |= queue.open.is_some();
        !was_ready && self.is_ready(partition)
    }

    /// The next batch whose `delivery.timeout.ms` is over. It is still where it was.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<u32> {
        while let Some(&(deadline, id)) = self.expiring.front() {
            let live = self.is_live(id);
            if deadline > now && live {
                return None;
            }
            self.expiring.pop_front();
            if live {
                return Some(id.slot() as u32);
            }
        }
        None
    }

    /// When the next open batch will have lingered, and when the next batch expires.
    pub(crate) fn next_timeouts(&mut self) -> (Option<Instant>, Option<Instant>) {
        while let Some(&(_, id)) = self.lingering.front() {
            if self.get(id).is_some_and(|b| b.state == State::Open) {
                break;
            }
            self.lingering.pop_front();
        }
        while self
            .expiring
            .front()
            .is_some_and(|&(_, id)| !self.is_live(id))
        {
            self.expiring.pop_front();
        }
        (
            self.lingering.front().map(|e| e.0),
            self.expiring.front().map(|e| e.0),
        )
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

    /// Gives an ended batch's chunks back to the pool and its slot to the next; returns the bytes that it held.
    pub(crate) fn release(&mut self, slot: u32) -> usize {
        let batch = &mut self.batches[slot as usize];
        debug_assert_eq!(batch.state, State::Ended);
        let held = batch.body.chunks() * self.pool.chunk_size();
        batch.body.release(&mut self.pool);
        batch.state = State::Vacant;
        batch.generation = batch.generation.wrapping_add(1);
        batch.last = None;
        self.vacant.push(slot);
        if self.live == 0 && self.vacant.len() == self.batches.len() {
            // Both lists hold nothing alive any more.
            self.lingering.clear();
            self.expiring.clear();
        }
        held
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

    /// A batch of the partition takes more records.
    pub(crate) fn has_open(&self, partition: u32) -> bool {
        self.queues[partition as usize].open.is_some()
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

    fn open(&mut self, now: Instant, partition: u32) -> u32 {
        self.seal(partition);
        self.latest = self.latest.max(now);
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.batches.push(Batch::vacant());
            self.batches.len() as u32 - 1
        });
        let batch = &mut self.batches[slot as usize];
        batch.state = State::Open;
        batch.partition = partition;
        batch.order = self.orders;
        batch.deadline = self.latest + self.delivery_timeout;
        batch.attempts = 0;
        (batch.uncertain, batch.on_the_wire, batch.told) = (false, false, false);
        self.orders += 1;
        self.live += 1;
        let id = BatchId::new(slot, batch.generation);
        self.expiring.push_back((batch.deadline, id));
        self.compact();
        let queue = &mut self.queues[partition as usize];
        queue.open = Some(slot);
        if self.linger.is_zero() {
            queue.open_is_ready = true;
        } else {
            self.lingering.push_back((self.latest + self.linger, id));
        }
        slot
    }

    /// Drops what is over from the lists of deadlines, once that is most of them: one batch that is stuck at the front
    /// must not let them grow.
    fn compact(&mut self) {
        let most = 2 * self.live + 64;
        let Self {
            batches,
            lingering,
            expiring,
            ..
        } = self;
        let is = |id: BatchId, alive: fn(State) -> bool| {
            let batch = &batches[id.slot()];
            batch.generation == id.generation() && alive(batch.state)
        };
        if expiring.len() > most {
            expiring.retain(|&(_, id)| is(id, State::is_live));
        }
        if lingering.len() > most {
            lingering.retain(|&(_, id)| is(id, |state| state == State::Open));
        }
    }

    fn seal(&mut self, partition: u32) {
        let queue = &mut self.queues[partition as usize];
        if let Some(slot) = queue.open.take() {
            queue.open_is_ready = false;
            queue.sealed.push_back(slot);
            let batch = &mut self.batches[slot as usize];
            batch.state = State::Sealed;
            batch.body.seal();
        }
    }

    fn get(&self, id: BatchId) -> Option<&Batch> {
        self.batches
            .get(id.slot())
            .filter(|b| b.generation == id.generation())
    }

    fn is_live(&self, id: BatchId) -> bool {
        self.get(id).is_some_and(|b| b.state.is_live())
    }
}

impl State {
    /// The batch has no outcome yet.
    fn is_live(self) -> bool {
        !matches!(self, Self::Vacant | Self::Ended)
    }
}

impl Batch {
    fn vacant() -> Self {
        Self {
            generation: 0,
            state: State::Vacant,
            partition: 0,
            order: 0,
            body: Body::default(),
            deadline: Instant::NEVER,
            attempts: 0,
            last: None,
            uncertain: false,
            on_the_wire: false,
            told: false,
        }
    }

    pub(crate) fn id(&self, slot: u32) -> BatchId {
        BatchId::new(slot, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::id::Topic;

    const VALUE: [u8; 1000] = [7; 1000];

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn accumulator(batch_size: usize, linger_ms: u64) -> Accumulator {
        let mut accumulator = Accumulator::new(
            batch_size,
            512,
            Duration::from_millis(linger_ms),
            Duration::from_secs(10),
        );
        accumulator.grow(3);
        accumulator
    }

    fn send(accumulator: &mut Accumulator, now: Instant, partition: u32, len: usize) -> Appended {
        let record = Record {
            topic: Topic(0),
            partition: None,
            timestamp: 0,
            key: None,
            value: Some(&VALUE[..len]),
            headers: &[],
        };
        let plan = accumulator.plan(partition, &record);
        accumulator.append(now, partition, &record, plan).unwrap()
    }

    fn release(accumulator: &mut Accumulator, batch: u32) -> usize {
        accumulator.end(batch);
        accumulator.release(batch)
    }

    #[test]
    fn a_full_batch_is_ready_at_once_and_the_next_record_begins_another() {
        let mut a = accumulator(1500, 5);
        assert!(!send(&mut a, at(0), 0, 900).ready);
        let second = send(&mut a, at(0), 0, 900);
        assert!(
            second.ready && second.index == 0,
            "it did not fit, so the first is complete"
        );
        assert!(!send(&mut a, at(0), 0, 10).ready, "ready already");
        assert_eq!(a.ready_len(0), Some(a.batch(0).body.wire_len()));
        assert_eq!(a.take(0), Some(0));
        assert_eq!(a.take(0), None, "the second lingers");
    }

    #[test]
    fn a_batch_lingers_and_takes_more_until_it_is_taken() {
        let mut a = accumulator(16_384, 5);
        assert_eq!(send(&mut a, at(0), 0, 10).lingers_until, Some(at(5)));
        assert_eq!(send(&mut a, at(2), 0, 10).lingers_until, None);
        assert_eq!(send(&mut a, at(3), 1, 10).lingers_until, Some(at(8)));
        assert_eq!(
            (a.lingered(at(4)), a.next_timeouts().0),
            (None, Some(at(5)))
        );
        assert_eq!(a.lingered(at(5)), Some(0));
        assert_eq!(a.lingered(at(5)), None);
        assert_eq!(send(&mut a, at(6), 0, 10).index, 2, "ready, and still open");
        let taken = a.take(0).unwrap();
        assert_eq!(a.batch(taken).body.count(), 3);
        assert_eq!(send(&mut a, at(6), 0, 10).index, 0);
    }

    #[test]
    fn without_linger_every_batch_is_ready_with_its_first_record() {
        let mut a = accumulator(16_384, 0);
        assert!(send(&mut a, at(0), 0, 10).ready);
        assert!(!send(&mut a, at(0), 0, 10).ready);
        assert_eq!(a.next_timeouts().0, None);
        assert_eq!(a.take(0).map(|b| a.batch(b).body.count()), Some(2));
    }

    #[test]
    fn h058_with_batch_size_0_every_record_has_a_batch() {
        let mut a = accumulator(0, 5);
        for _ in 0..3 {
            assert_eq!(send(&mut a, at(0), 0, 1000).index, 0);
        }
        let taken: Vec<u32> = core::iter::from_fn(|| a.take(0)).collect();
        let counts: Vec<u32> = taken.iter().map(|&b| a.batch(b).body.count()).collect();
        assert_eq!(counts, [1, 1, 1]);
    }

    #[test]
    fn what_is_put_back_stands_where_it_was() {
        let mut a = accumulator(0, 5);
        for _ in 0..4 {
            send(&mut a, at(0), 0, 10);
        }
        let taken: Vec<u32> = core::iter::from_fn(|| a.take(0)).collect();
        for &batch in [taken[2], taken[0], taken[3], taken[1]].iter() {
            a.put_back(batch);
        }
        assert_eq!(core::iter::from_fn(|| a.take(0)).collect::<Vec<_>>(), taken);
    }

    #[test]
    fn h037_the_deadline_counts_from_the_first_record() {
        let mut a = accumulator(16_384, 5);
        send(&mut a, at(100), 0, 10);
        send(&mut a, at(104), 0, 10);
        send(&mut a, at(50), 1, 10); // a clock that lags
        assert_eq!(a.expired(at(10_099)), None);
        assert_eq!(a.expired(at(10_100)), Some(0));
        assert_eq!(a.expired(at(10_100)), Some(1));
        assert_eq!(a.expired(at(10_100)), None);
    }

    #[test]
    fn memory_is_given_back_to_the_byte_and_slots_are_used_again() {
        let mut a = accumulator(2000, 5);
        let first = send(&mut a, at(0), 0, 1000);
        let second = send(&mut a, at(0), 1, 100);
        let held = vec![a.batch(0).body.chunks(), a.batch(1).body.chunks()];
        assert_eq!(held, [2, 1]);
        assert_eq!(release(&mut a, 0), 1024);
        assert_eq!(release(&mut a, 1), 512);
        assert!(a.is_empty());
        assert_eq!(a.next_timeouts(), (None, None));
        let third = send(&mut a, at(0), 2, 1);
        assert!(
            third.batch.slot() < 2 && third.batch != first.batch && third.batch != second.batch
        );
    }

    #[test]
    fn queued_bytes_are_those_that_are_not_taken() {
        let mut a = accumulator(16_384, 0);
        let bytes = send(&mut a, at(0), 0, 100).bytes;
        assert_eq!(a.queued_bytes(0), bytes);
        let batch = a.take(0).unwrap();
        assert_eq!(a.queued_bytes(0), 0);
        a.put_back(batch);
        assert_eq!(a.queued_bytes(0), bytes);
        a.end(batch);
        assert_eq!(a.queued_bytes(0), 0);
    }
}
