//! What must hold of a partition's sequence at any moment.

use super::{Pipelining, Sequences};

impl Sequences {
    /// An error names the rule that does not hold.
    pub(crate) fn audit(&self) -> Result<(), &'static str> {
        let Pipelining::Idempotent(most) = self.pipelining else {
            return Ok(());
        };
        let in_flight = self.unresolved.iter().filter(|u| u.in_flight).count();
        if in_flight > most {
            return Err("more batches of a partition are on the way than may be");
        }
        let retried = |u: &super::Unresolved| u.in_flight && u.attempts > 1;
        if self.unresolved.iter().skip(1).any(retried) {
            return Err("a batch is sent again while one before it is not resolved");
        }
        let is_stale = |u: &super::Unresolved| u.stamp.base_sequence < 0;
        if self.unresolved.iter().any(is_stale) {
            return Err("a stamp has a negative sequence");
        }
        Ok(())
    }
}
