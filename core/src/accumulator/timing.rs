//! When batches have lingered, and when they expire.

use super::{Accumulator, Batch, State};
use crate::{id::BatchId, time::Instant};

impl Accumulator {
    /// The next partition whose open batch has lingered by `now` and was not ready before.
    pub(crate) fn lingered(&mut self, now: Instant) -> Option<u32> {
        while let Some(&(at, id)) = self.lingering.front() {
            let queue_of_open = self
                .get(id)
                .filter(|b| self.lingers(b))
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

    /// The next batch whose `delivery.timeout.ms` is over. It is still where it was.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<u32> {
        while let Some(&(deadline, id)) = self.expiring.front() {
            let live = self.is_live(id);
            if (deadline > now || (deadline == now && planted!(ExpiresLate))) && live {
                return None;
            }
            self.expiring.pop_front();
            if live {
                return Some(id.slot() as u32);
            }
        }
        None
    }

    /// Notes the deadline of a batch that is not the newest.
    pub(super) fn expires(&mut self, deadline: Instant, id: BatchId) {
        let place = self.expiring.partition_point(|&(at, _)| at <= deadline);
        self.expiring.insert(place, (deadline, id));
    }

    /// When the next open batch will have lingered, and when the next batch expires.
    pub(crate) fn next_timeouts(&mut self) -> (Option<Instant>, Option<Instant>) {
        while let Some(&(_, id)) = self.lingering.front() {
            if self.get(id).is_some_and(|b| self.lingers(b)) {
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

    /// Drops what is over from the lists of deadlines, once that is most of them: one batch that is stuck at the front
    /// must not let them grow.
    pub(super) fn compact(&mut self) {
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

    fn lingers(&self, batch: &Batch) -> bool {
        batch.state == State::Open && !self.queues[batch.partition as usize].open_is_ready
    }

    /// The batch of this id, until its slot goes to the next.
    pub(super) fn get(&self, id: BatchId) -> Option<&Batch> {
        self.batches
            .get(id.slot())
            .filter(|b| b.generation == id.generation())
    }

    fn is_live(&self, id: BatchId) -> bool {
        self.get(id).is_some_and(|b| b.state.is_live())
    }
}
