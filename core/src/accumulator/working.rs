//! Batches whose bytes are being worked on: compressed, or cut, by the driver.

use super::{Accumulator, Progress, State};
use crate::{batch::Body, id::BatchId};

/// Finished batches that may wait in a partition before the next is compressed: until it is, it can grow.
const FINISHED: usize = 2;

impl Accumulator {
    /// The partition's next batch to be compressed, sealed; `None` if there is none, or if enough are finished, or one is
    /// under way, which keeps them in order.
    pub(crate) fn next_work(&mut self, partition: u32) -> Option<u32> {
        if self.is_work_blocked(partition) {
            return None;
        }
        let queue = &self.queues[partition as usize];
        let wanted = |&slot: &u32| self.batches[slot as usize].work == Progress::Wanted;
        if let Some(slot) = queue.sealed.iter().copied().find(wanted) {
            return Some(slot);
        }
        if !queue.open_is_ready {
            return None;
        }
        self.seal(partition);
        self.queues[partition as usize].sealed.back().copied()
    }

    /// A batch of the partition waits for the next step: to be compressed, or without a codec to be sent.
    pub(crate) fn is_due(&self, partition: u32) -> bool {
        let queue = &self.queues[partition as usize];
        let wanted = |&slot: &u32| self.batches[slot as usize].work == Progress::Wanted;
        match self.compresses {
            true => queue.open_is_ready || queue.sealed.back().is_some_and(wanted),
            false => self.is_ready(partition),
        }
    }

    /// No batch of the partition is compressed now, whatever waits.
    pub(crate) fn is_work_blocked(&self, partition: u32) -> bool {
        let mut finished = 0;
        for &slot in &self.queues[partition as usize].sealed {
            match self.batches[slot as usize].work {
                Progress::Wanted => break, // they are behind all others
                Progress::UnderWay | Progress::Uncut => return true,
                Progress::Done => finished += 1,
            }
        }
        finished >= FINISHED
    }

    /// The batch's bytes are with the driver.
    pub(crate) fn is_at_work(&self, slot: u32) -> bool {
        self.batches[slot as usize].work == Progress::UnderWay
    }

    /// The batch can't be sent before it is worked on.
    pub(crate) fn needs_work(&self, slot: u32) -> bool {
        self.batches[slot as usize].work != Progress::Done
    }

    /// Notes that a compressed batch is to be cut.
    pub(crate) fn is_to_be_cut(&mut self, slot: u32) -> BatchId {
        let batch = &mut self.batches[slot as usize];
        batch.work = Progress::Uncut;
        batch.id(slot)
    }

    /// The slot of a batch that still is to be cut.
    pub(crate) fn uncut(&self, id: BatchId) -> Option<u32> {
        let batch = self.get(id)?;
        let is_uncut = batch.work == Progress::Uncut && batch.state.is_live();
        is_uncut.then_some(id.slot() as u32)
    }

    /// Gives a batch's bytes away to be worked on.
    pub(crate) fn lend(&mut self, slot: u32) -> (BatchId, Body) {
        let chunk_size = self.pool.chunk_size();
        let batch = &mut self.batches[slot as usize];
        batch.work = Progress::UnderWay;
        (batch.id(slot), batch.body.lend(chunk_size))
    }

    /// The slot of the batch whose bytes these are; `None` if they are of a batch that is not with the driver, such as
    /// another producer's.
    pub(crate) fn lent(&self, id: BatchId, body: &Body) -> Option<u32> {
        let chunk_size = self.pool.chunk_size();
        let batch = self.get(id)?;
        let fits = body.count() == batch.body.count()
            && body.held(chunk_size) == batch.body.held(chunk_size);
        (batch.work == Progress::UnderWay && fits).then_some(id.slot() as u32)
    }

    /// Takes a batch's bytes back, which are no more than they were; returns how much memory that freed.
    pub(crate) fn take_back(&mut self, slot: u32, mut body: Body) -> usize {
        let chunk_size = self.pool.chunk_size();
        body.settle(&mut self.pool);
        let batch = &mut self.batches[slot as usize];
        batch.work = Progress::Done;
        let (held, len) = (batch.body.held(chunk_size), batch.body.records_len());
        batch.body = body;
        if batch.state == State::Sealed {
            let queue = &mut self.queues[batch.partition as usize];
            queue.bytes = queue.bytes - len + batch.body.records_len();
        }
        held - batch.body.held(chunk_size)
    }

    /// Takes a batch out of its queue that was put back there; whether it was in it.
    pub(crate) fn take_out(&mut self, slot: u32) -> bool {
        let batch = &mut self.batches[slot as usize];
        if batch.state != State::Sealed {
            return false;
        }
        batch.state = State::Taken;
        let queue = &mut self.queues[batch.partition as usize];
        queue.sealed.retain(|&s| s != slot);
        queue.bytes -= batch.body.records_len();
        true
    }
}
