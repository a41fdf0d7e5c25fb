//! Batches that a broker calls too large: what is learned from that, and how they go on in pieces.

use super::{ProducerCore, TopicPartitions};
use crate::{
    accumulator::Pieces, connection::ProduceItem, idempotence::Fate, log::debug, time::Instant,
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
    /// The pieces' memory is the whole's. If the allocator has none to write them to, the whole is sent again later, and
    /// asks for it again.
    pub(super) fn split(&mut self, now: Instant, item: ProduceItem, fate: Fate) {
        let too_large = self.topics[item.topic.index()].too_large;
        let most = self.config.batch_size().min(too_large - 1);
        let pieces = self.accumulator.split(item.batch, most);
        let Some(Pieces { slots, freed }) = pieces else {
            self.back_off(now, item);
            if fate == Fate::Requeue {
                self.accumulator.put_back(item.batch);
            }
            return;
        };
        debug!(most, pieces = slots.len(), "batch is too large");
        self.metrics.batches_split += 1;
        self.memory.give(freed);
        let order = self.accumulator.batch(item.batch).order;
        self.await_pieces(order, item.partition, slots.len());
        match fate {
            Fate::Requeue => slots.iter().for_each(|s| self.accumulator.put_back(s.0)),
            _ => self.partitions[item.partition as usize]
                .sequences
                .split(&slots),
        }
    }
}

impl TopicPartitions {
    /// To what a batch of the topic may grow. What was refused is not what would be taken: by halves it is found soon.
    pub(super) fn growth_limit(&self) -> usize {
        self.too_large / 2
    }
}
