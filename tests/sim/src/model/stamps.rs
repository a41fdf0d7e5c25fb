//! The check that a stamp never changes its bytes: same producer id, epoch, base sequence and partition, same batch.

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use super::Model;
use super::batch::Head;
use super::produce::Part;

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

impl Model {
    /// Whatever becomes of the request: its stamp has been on the wire, and must not come again on other bytes.
    pub(crate) fn check_stamp(&mut self, part: &Part) {
        let Some(head) = part.stamped() else {
            return;
        };
        let (topic, partition) = (part.topic_id, part.partition);
        if self
            .stamps
            .is_reused(topic, partition, head, part.raw.len())
        {
            self.journal.accuse(format!(
                "I8: {}-{partition}: one stamp on different bytes ({head:?})",
                part.name
            ));
        }
    }

    /// A batch that is too large, whole or not, may come again in pieces, the first of which has its stamp.
    pub(crate) fn release_stamp(&mut self, part: &Part) {
        if let Ok(head) = &part.head {
            self.stamps.release(part.topic_id, part.partition, head);
        }
    }

    /// A topic id comes from an answer of the cluster and from nowhere else.
    pub(crate) fn check_topic_id(&mut self, id: Uuid) {
        if !self.topics.was_there(id) {
            self.journal
                .accuse(format!("topic id: {id} was never handed out"));
        }
    }
}

impl Part {
    /// The head of a batch that has a stamp, arrived whole, and is for a topic that there is.
    fn stamped(&self) -> Option<&Head> {
        let head = self.head.as_ref().ok()?;
        (self.intact && head.is_idempotent() && self.is_known).then_some(head)
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
