//! Batches that a broker calls too large: what is learned from that, and how they go on in pieces.

use alloc::vec::Vec;

use super::{ProducerCore, TopicPartitions, backoff};
use crate::{
    accumulator::Pieces, batch::Body, connection::ProduceItem, idempotence::Fate, log::debug,
    time::Instant,
};

impl ProducerCore {
    /// Notes that a broker called a batch too large: none of its topic grows beyond half of that size any more.
    pub(super) fn learn_size(&mut self, item: ProduceItem) {
        let body = &self.accumulator.batch(item.batch).body;
        let topic = &mut self.topics[item.topic.index()];
        // One that ended meanwhile may be empty by now.
        if body.count() == 0 || body.wire_len() >= topic.too_large {
            return;
        }
        topic.too_large = body.wire_len();
        for &partition in &topic.partitions {
            self.accumulator
                .limit_growth(partition, topic.growth_limit());
        }
    }

    /// Whether a batch that is too large may go on in pieces.
    ///
    /// Not if an attempt of it left no answer: the broker may hold the whole, and would not know the pieces for the same
    /// (H051). Nor if its time is over (H041).
    pub(super) fn may_split(&self, now: Instant, batch: u32) -> bool {
        let batch = self.accumulator.batch(batch);
        let is_sure = !batch.uncertain || planted!(SplitsUncertain);
        batch.body.count() > 1 && is_sure && batch.deadline > now
    }

    /// Cuts a batch that was refused for its size into pieces, which take its place: in its sequence, in the order of
    /// the partition, and with those who wait for it. Each is smaller than what was refused, so that this comes to an
    /// end with single records at the latest.
    ///
    /// One that is compressed is opened and cut by the driver first.
    ///
    /// The pieces' memory is the whole's. If the allocator has none to write them to, the whole is sent again later, and
    /// asks for it again.
    pub(super) fn split(&mut self, now: Instant, item: ProduceItem, fate: Fate) {
        let too_large = self.topics[item.topic.index()].too_large;
        let most = self.config.batch_size().min(too_large - 1);
        let body = &self.accumulator.batch(item.batch).body;
        if body.is_compressed() {
            let (raw, short) = (body.raw_len(), body.records_len());
            self.learn_ratio(item.topic, |ratio| ratio.was_too_low(raw, short));
            if fate == Fate::Requeue {
                self.accumulator.put_back(item.batch);
            }
            self.begin_cutting(item.batch, most);
            return;
        }
        let pieces = self.accumulator.split(item.batch, most);
        let Some(pieces) = pieces else {
            self.back_off(now, item);
            if fate == Fate::Requeue {
                self.accumulator.put_back(item.batch);
            }
            return;
        };
        self.go_on_in(item.batch, pieces, fate == Fate::Requeue);
    }

    /// The driver has opened and cut a batch: the pieces take its place, wherever that is by now.
    pub(super) fn cut(&mut self, batch: u32, bodies: Vec<Body>) {
        if bodies.is_empty() {
            return self.try_whole_again(batch);
        }
        let is_queued = self.accumulator.take_out(batch);
        match self.accumulator.replace(batch, bodies) {
            Some(pieces) => self.go_on_in(batch, pieces, is_queued),
            None => debug_assert!(false, "there are pieces"),
        }
    }

    /// The pieces take the place of the batch that they were cut from: in its partition's queue, or in its sequence.
    fn go_on_in(&mut self, batch: u32, pieces: Pieces, is_queued: bool) {
        let Pieces {
            slots,
            freed,
            added,
        } = pieces;
        debug!(pieces = slots.len(), "batch is too large");
        self.metrics.batches_split += 1;
        self.memory.give(freed);
        // If that had to wait for room, all that could make some would wait behind the pieces.
        self.memory.charge(added);
        let batch = self.accumulator.batch(batch);
        let (order, partition) = (batch.order, batch.partition);
        self.await_pieces(order, partition, slots.len());
        match is_queued {
            true => slots.iter().for_each(|s| self.accumulator.put_back(s.0)),
            false => self.partitions[partition as usize].sequences.split(&slots),
        }
    }

    /// Nobody has cut it, or the allocator has no memory for the pieces: the batch is sent again later, and refused again.
    fn try_whole_again(&mut self, batch: u32) {
        let partition = self.accumulator.batch(batch).partition;
        let wait = backoff(&self.config, &mut self.rng, 0);
        self.wait_until(partition, self.clock + wait);
    }
}

impl TopicPartitions {
    /// To what a batch of the topic may grow. What was refused is not what would be taken: by halves it is found soon.
    pub(super) fn growth_limit(&self) -> usize {
        self.too_large / 2
    }
}
