//! What logs have lost: batches that were there and went when a leader without them was elected.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::Model;
use super::log::Stored;
use super::readout::{self, LogRecord};

/// Losses kept; the oldest go first.
const KEPT: usize = 1 << 12;

/// Records that were in a partition's log and were cut off.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loss {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id as it goes over the wire.
    pub topic_id: [u8; 16],
    /// The partition's number.
    pub partition: i32,
    /// The epoch in which the log goes on without them.
    pub leader_epoch: i32,
    /// The offsets that were lost; other records may stand there by now.
    pub offsets: Range<i64>,
    /// The high watermark before. What lies below was with all replicas in sync, and may be acknowledged under acks=all;
    /// only an unclean election loses that. What lies above may be acknowledged under acks=1 alone.
    pub high_watermark: i64,
    batches: Vec<Stored>,
}

impl Loss {
    /// Whether something was lost that may have been acknowledged under acks=all.
    pub fn is_unclean(&self) -> bool {
        self.offsets.start < self.high_watermark
    }

    /// The records that were lost, as [`Model::log`] gives those that were not.
    pub fn records(&self) -> impl Iterator<Item = LogRecord> {
        self.batches.iter().flat_map(readout::decode)
    }
}

impl Model {
    /// What was cut off the logs since the start, in order: by elections, by [`truncate`](Model::truncate) and by
    /// [`move_leader_losing`](Model::move_leader_losing). A checker excuses acknowledged records that stand here. The last
    /// 4,096 are kept.
    pub fn losses(&self) -> impl ExactSizeIterator<Item = &Loss> {
        self.losses.iter()
    }

    /// Takes note of batches that were cut off a partition's log.
    pub(crate) fn lost(
        &mut self,
        topic: &str,
        partition: i32,
        high_watermark: i64,
        batches: Vec<Stored>,
    ) {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return;
        };
        let offsets = first.base_offset..last.end();
        self.released(&batches);
        let found = self.topic(topic);
        let loss = Loss {
            topic: found.name.clone(),
            topic_id: found.id.into_bytes(),
            partition,
            leader_epoch: self.partition(topic, partition).leader_epoch,
            offsets,
            high_watermark,
            batches,
        };
        keep(&mut self.losses, loss);
    }
}

fn keep(losses: &mut VecDeque<Loss>, loss: Loss) {
    if losses.len() == KEPT {
        losses.pop_front();
    }
    losses.push_back(loss);
}
