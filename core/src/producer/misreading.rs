//! Planted defects in the reading of metadata that are longer than a line.

use alloc::vec::Vec;

use super::ProducerCore;
use crate::{
    outcome::Outcome,
    wire::{ErrorCode, MetadataResponse},
};

impl ProducerCore {
    pub(super) fn misread(&mut self, response: &MetadataResponse<'_>) {
        for answer in &response.topics {
            let is_named = |slot: &u32| {
                let topic = self.partitions[*slot as usize].topic;
                Some(&*self.cluster.state(topic).name) == answer.name
            };
            let slots: Vec<u32> = (0..self.partitions.len() as u32).filter(is_named).collect();
            if planted!(RestartsCount) && answer.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            {
                for &slot in &slots {
                    self.partitions[slot as usize].sequences.restart();
                }
            }
            if planted!(EmptyIsWritten)
                && answer.error_code.is_none()
                && answer.partitions.is_empty()
            {
                self.take_for_written(&slots);
            }
        }
    }

    fn take_for_written(&mut self, partitions: &[u32]) {
        let is_meant = |&batch: &u32| {
            let partition = self.accumulator.batch(batch).partition;
            self.accumulator.is_queued(batch) && partitions.contains(&partition)
        };
        for batch in self.accumulator.live().filter(is_meant).collect::<Vec<_>>() {
            let (offset, append_time) = (None, None);
            let outcome = Outcome::Written {
                offset,
                append_time,
            };
            self.complete(batch, outcome);
        }
    }
}
