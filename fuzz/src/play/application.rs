//! What the application does.

use std::time::Duration;

use ottla_core::Purge;

use super::{Play, topic};
use crate::Tape;

impl Play {
    /// Sends, waits, flushes, purges or closes.
    pub(super) fn act(&mut self, tape: &mut Tape<'_>) {
        match tape.below(15) {
            0..8 => {
                let (topic, partition) = (topic(tape), partition(tape));
                let len = 4 * usize::from(tape.byte());
                self.send(topic, partition, len);
            }
            8..11 => {
                let (topic, partition) = (topic(tape), partition(tape));
                for _ in 0..tape.byte() {
                    self.try_send(topic, partition);
                }
            }
            11 => self.send_after_another(tape),
            12 => _ = self.stage.flush(),
            13 => self
                .stage
                .purge(tape.one_of(&[Purge::Queued, Purge::InFlight, Purge::All])),
            _ => {
                self.closes = true;
                let grace = Duration::from_millis(tape.byte().into());
                self.stage.close(4 * grace);
            }
        }
    }

    /// Sends a record of so many bytes, by waiting if it must.
    pub(super) fn send(&mut self, topic: &str, partition: Option<i32>, len: usize) -> usize {
        let value = self.value(len);
        self.stage.send(topic, partition, key(&value), &value)
    }

    /// Sends a record once an accepted one has its outcome, from within that event.
    fn send_after_another(&mut self, tape: &mut Tape<'_>) {
        let mut open = self.stage.unsettled();
        open.retain(|&n| self.stage.sent(n).accepted.is_some() && !self.followed.contains(&n));
        if let Some(&n) = open.get(tape.below(16)) {
            self.followed.insert(n);
            let (topic, value) = (topic(tape), self.value(20));
            self.stage
                .send_when_ended(n, topic, partition(tape), key(&value), &value);
        }
    }

    fn try_send(&mut self, topic: &str, partition: Option<i32>) {
        let value = self.value(12);
        // A refusal is an outcome too: the stage notes it.
        let _ = self.stage.try_send(topic, partition, key(&value), &value);
    }

    /// A value that no other record has. Of sixteen on end, half would shrink under a codec.
    fn value(&mut self, len: usize) -> Vec<u8> {
        self.values += 1;
        let mut value = self.values.to_be_bytes().to_vec();
        let step = match self.values & 8 {
            0 => 0,
            _ => self.values.wrapping_mul(0x9e37_79b9) | 1,
        };
        let fill = (0_u32..).map(|n| (step.wrapping_mul(n * n) >> 24) as u8);
        value.extend(fill.take(len.saturating_sub(value.len())));
        value
    }
}

/// Every third record has a key.
fn key(value: &[u8]) -> Option<&[u8]> {
    value[3].is_multiple_of(3).then_some(&value[..4])
}

/// Nobody's choice but the partitioner's, or one of three, not all of which exist.
fn partition(tape: &mut Tape<'_>) -> Option<i32> {
    tape.below(4).checked_sub(1).map(|n| n as i32)
}
