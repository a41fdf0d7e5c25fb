//! The rule of sequences, as the brokers see it: no gap, and nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Breach;
use crate::Fact;

/// For each topic, partition, producer id and epoch: the sequence that comes next.
#[derive(Default)]
pub(crate) struct Sequences {
    next: BTreeMap<(Arc<str>, i32, i64, i16), i32>,
}

impl Sequences {
    /// A batch begins where an earlier one began, or where the newest one ended. Only what ended without anybody knowing
    /// may be missing between them: `is_excused` says that there was such a record.
    pub(crate) fn see(
        &mut self,
        fact: &Fact,
        is_excused: impl Fn(&str) -> bool,
    ) -> Result<(), Breach> {
        let Fact::Produced(batch) = fact else {
            return Ok(());
        };
        if batch.producer_id < 0 || batch.base_sequence < 0 || batch.topic.is_empty() {
            return Ok(());
        }
        let place = (
            Arc::clone(&batch.topic),
            batch.partition,
            batch.producer_id,
            batch.epoch,
        );
        let end = batch.base_sequence.wrapping_add(batch.count) & i32::MAX;
        let next = self.next.entry(place).or_insert(batch.base_sequence);
        let ahead = batch.base_sequence.wrapping_sub(*next);
        if ahead > 0 && !is_excused(&batch.topic) {
            return Err((
                "I9",
                format!("{ahead} sequences are left out before {batch:?}"),
            ));
        }
        if end.wrapping_sub(*next) > 0 {
            *next = end;
        }
        Ok(())
    }
}
