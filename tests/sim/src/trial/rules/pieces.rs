//! A batch that may be written is not sent in pieces: a broker that has the whole does not know them for the same (H051).

use std::collections::BTreeMap;

use super::super::Breach;
use super::super::cases::Scene;
use super::Rule;
use crate::{Fact, Line, Produced, code};

/// For each place in a sequence at which a batch was written: how many records it has.
#[derive(Default)]
pub(crate) struct Pieces {
    written: BTreeMap<Place, i32>,
}

/// A topic's id, a partition, a producer's id, its epoch and a sequence.
type Place = ([u8; 16], i32, i64, i16, i32);

impl Rule for Pieces {
    fn see(&mut self, line: &Line, _: &Scene<'_>) -> Result<(), Breach> {
        let Fact::Produced(batch) = &line.fact else {
            return Ok(());
        };
        if batch.base_sequence < 0 || !is_judged(batch) {
            return Ok(());
        }
        let place = (
            batch.topic_id,
            batch.partition,
            batch.producer_id,
            batch.epoch,
            batch.base_sequence,
        );
        if self
            .written
            .get(&place)
            .is_some_and(|&whole| batch.count < whole)
        {
            return Err(("H051", format!("a piece of what is written: {batch:?}")));
        }
        if batch.appended {
            self.written.insert(place, batch.count);
        }
        Ok(())
    }
}

/// The broker has looked at its sequence, and so found it whole.
fn is_judged(batch: &Produced) -> bool {
    let is_out_of_order = batch.code == code::OUT_OF_ORDER_SEQUENCE_NUMBER && batch.fault.is_none();
    batch.appended || batch.duplicate || batch.old_duplicate || is_out_of_order
}
