//! Faults of the producer's own process.

use std::time::Duration;

use super::FaultKind;
use crate::World;

/// A day, in milliseconds.
const DAY: usize = 86_400_000;

impl World {
    pub(super) fn strike_host(&mut self, kind: FaultKind) -> Option<String> {
        match kind {
            FaultKind::Freeze => {
                let longest = *self.chance.pick(&[1_000, 10_000, 300_000]);
                let longest = Duration::from_millis(longest);
                let time = self.chance.duration(Duration::from_millis(10)..longest);
                self.freeze(time);
                Some(format!("for {time:?}"))
            }
            FaultKind::WallJump => {
                let millis = self.chance.within(0..2 * DAY) as i64 - DAY as i64;
                self.clock().jump(millis);
                Some(format!("by {millis} ms"))
            }
            _ => None,
        }
    }
}
