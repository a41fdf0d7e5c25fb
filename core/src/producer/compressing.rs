//! Compression: which batches are worked on, what is learned from that, and how cut ones go on.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use super::ProducerCore;
use crate::{
    compress::{Compression, Ratio},
    config::{Config, LARGEST_REQUEST},
    event::Command,
    id::{BatchId, Topic},
    metrics::CompressionTotals,
    time::Instant,
    work::{Bench, Job, Work},
};

/// However well they shrink, batches take no more than so many times `batch.size` before they are compressed.
const MOST: usize = 16;

/// The codec's places of work, and who waits for one.
#[derive(Default)]
pub(super) struct Workshop {
    #[expect(clippy::vec_box, reason = "they go into works and back as they are")]
    free: Vec<Box<Bench>>,
    busy: usize,
    /// Batches that are to be cut, each into pieces of at most so many bytes.
    uncut: VecDeque<(BatchId, usize)>,
    /// Partitions that had something to be worked on while every place was taken, each once.
    waiting: VecDeque<u32>,
}

impl ProducerCore {
    /// Takes a [`Work`] back. One that was not run leaves its batch as it is.
    pub fn handle_work(&mut self, now: Instant, work: Work) {
        self.tick(now);
        let is_broken = work.is_broken();
        let Work {
            batch,
            job,
            mut bench,
            body,
            pieces,
            ..
        } = work;
        let Some(slot) = self.accumulator.lent(batch, &body) else {
            return; // another producer's
        };
        self.workshop.busy = self.workshop.busy.saturating_sub(1);
        if !is_broken {
            bench.tidy(self.largest_raw().max(self.config.batch_growth_max_bytes()));
            self.workshop.free.push(bench);
        }
        let (raw, short) = (body.raw_len(), body.records_len());
        let freed = self.accumulator.take_back(slot, body);
        self.memory.give(freed);
        let partition = self.accumulator.batch(slot).partition;
        if self.accumulator.is_ended(slot) {
            self.release(slot);
        } else {
            match job {
                Job::Compress => self.compressed(slot, raw, short),
                Job::Split(_) => self.cut(slot, pieces),
            }
        }
        // Those who wait come before the partition's next batch.
        self.serve();
        self.refresh(partition);
        self.admit();
        self.is_due_now();
    }

    /// What became of a topic's batches under a codec; `None` if the handle is of another producer. Java's metric
    /// `compression-rate` of a topic is its [`rate_avg`](CompressionTotals::rate_avg).
    #[must_use]
    pub fn compression_of(&self, topic: Topic) -> Option<CompressionTotals> {
        Some(self.topics.get(topic.index())?.compression)
    }

    pub(super) fn compresses(&self) -> bool {
        self.config.compression_type() != Compression::None
    }

    /// Has the partition's next batch compressed, if it is its turn.
    pub(super) fn begin_work(&mut self, partition: u32) {
        if !self.compresses() || self.partitions[partition as usize].awaits_work {
            return;
        }
        let is_first = self.workshop.uncut.is_empty() && self.workshop.waiting.is_empty();
        if is_first && self.has_place() {
            self.compress_next(partition);
        } else if self.accumulator.is_due(partition) {
            self.partitions[partition as usize].awaits_work = true;
            self.workshop.waiting.push_back(partition);
        }
    }

    /// Has a batch cut that was compressed and is too large; it waits for that in its place.
    pub(super) fn begin_cutting(&mut self, slot: u32, most: usize) {
        let id = self.accumulator.is_to_be_cut(slot);
        self.workshop.uncut.push_back((id, most));
        self.serve();
    }

    /// Gives out the places of work that are free.
    fn serve(&mut self) {
        while self.has_place() && self.serve_next() {}
    }

    fn has_place(&self) -> bool {
        self.workshop.busy < self.config.parallel_works()
    }

    /// Gives a place of work to whose turn it is: first to what holds up its partition. Whether there was anybody.
    fn serve_next(&mut self) -> bool {
        if let Some((id, most)) = self.workshop.uncut.pop_front() {
            if let Some(slot) = self.accumulator.uncut(id) {
                self.hand_out(slot, Job::Split(most));
            }
            return true;
        }
        let Some(partition) = self.workshop.waiting.pop_front() else {
            return false;
        };
        self.partitions[partition as usize].awaits_work = false;
        self.compress_next(partition);
        true
    }

    fn compress_next(&mut self, partition: u32) {
        if let Some(slot) = self.accumulator.next_work(partition) {
            self.hand_out(slot, Job::Compress);
        }
    }

    fn hand_out(&mut self, slot: u32, job: Job) {
        let codec = self.config.compression_type();
        let level = self.config.compression_level();
        let made = || Bench::new(codec, level).map(Box::new);
        let Some(bench) = self.workshop.free.pop().or_else(made) else {
            debug_assert!(
                false,
                "only a codec that is built in passes the configuration"
            );
            return;
        };
        self.workshop.busy += 1;
        let (id, body) = self.accumulator.lend(slot);
        self.commands
            .push_back(Command::Work(Work::new(id, job, bench, body)));
        self.is_due_now();
    }

    /// A batch was compressed, or stayed as it was.
    fn compressed(&mut self, slot: u32, raw: usize, short: usize) {
        let partition = self.accumulator.batch(slot).partition;
        let topic = self.partitions[partition as usize].topic;
        self.learn_ratio(topic, |ratio| ratio.observe(raw, short));
        let compression = &mut self.topics[topic.index()].compression;
        compression.count(raw, short);
        self.metrics.compression.count(raw, short);
    }

    /// Takes news of a topic's ratio: the next batches are made larger or smaller by it.
    pub(super) fn learn_ratio(&mut self, topic: Topic, learn: impl FnOnce(&mut Ratio)) {
        let (short, most) = (largest_batch(&self.config), self.largest_raw());
        let topic = &mut self.topics[topic.index()];
        learn(&mut topic.ratio);
        topic.batch_size = topic.ratio.raw(short).min(most).max(short);
        topic.sticky.resize(topic.batch_size);
    }

    /// What a batch takes at most before it is compressed.
    fn largest_raw(&self) -> usize {
        let by_batch = self.config.batch_size().saturating_mul(MOST);
        let most = by_batch.min(self.config.buffer_memory() / MOST);
        most.min(LARGEST_REQUEST).max(largest_batch(&self.config))
    }
}

/// With how many bytes on the wire a batch is full.
pub(super) fn largest_batch(config: &Config) -> usize {
    config.batch_size().min(config.max_request_size())
}

impl Workshop {
    /// No work is with the driver.
    pub(super) fn is_idle(&self) -> bool {
        self.busy == 0
    }

    /// Lets go of what no work needs now.
    pub(super) fn trim(&mut self) {
        self.free = Vec::new();
    }
}
