//! The check that a stamp never changes its bytes: same producer id, epoch, base sequence and partition, same batch.

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use super::batch::Head;

/// Stamps remembered; the oldest go first.
const REMEMBERED: usize = 1 << 18;

type Stamp = (Uuid, i32, i64, i16, i32);

/// The stamps seen and what they stood on.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// Checksum and length: they cover all of a batch but base offset, leader epoch and version byte.
    bytes: BTreeMap<Stamp, (u32, usize)>,
    order: VecDeque<Stamp>,
}

impl Stamps {
    /// Notes a batch whose checksum holds, and says whether its stamp was seen on other bytes before.
    pub(crate) fn is_reused(
        &mut self,
        topic: Uuid,
        partition: i32,
        head: &Head,
        length: usize,
    ) -> bool {
        let stamp = stamp(topic, partition, head);
        if let Some(&before) = self.bytes.get(&stamp) {
            return before != (head.crc, length);
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes.remove(&oldest);
        }
        self.order.push_back(stamp);
        self.bytes.insert(stamp, (head.crc, length));
        false
    }

    /// Lets a stamp come again on other bytes.
    pub(crate) fn release(&mut self, topic: Uuid, partition: i32, head: &Head) {
        self.bytes.remove(&stamp(topic, partition, head));
    }
}

fn stamp(topic: Uuid, partition: i32, head: &Head) -> Stamp {
    (
        topic,
        partition,
        head.producer_id,
        head.producer_epoch,
        head.base_sequence,
    )
}
