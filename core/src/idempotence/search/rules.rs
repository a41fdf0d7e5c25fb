//! What must be true in every state, and what excuses the producer where no producer can help.

use std::{format, vec::Vec};

use super::{
    log::Entry,
    sender::Broken,
    step::Step,
    world::{Lane, Outcome, UNWATCHED, World},
};

impl World {
    /// Holds the state against the rules. `steps` are those that may follow.
    pub(super) fn check(&self, most: usize, steps: &[Step]) -> Result<(), Broken> {
        for lane in &self.lanes {
            self.check_log(lane)?;
            let noted = (0..self.batches.len() as u32).filter(|&b| lane.sequences.holds(b));
            let noted = noted.count();
            if noted > most {
                return Err(format!(
                    "I10: {noted} batches of a partition are not resolved"
                ));
            }
        }
        self.check_outcomes()?;
        if steps.iter().all(|s| s.is_chance()) && !self.is_resolved() {
            return Err("I15: nothing can happen any more, and not all has its outcome".into());
        }
        Ok(())
    }

    fn check_log(&self, lane: &Lane) -> Result<(), Broken> {
        let watched = lane.log.entries.iter().filter(|e| e.batch != UNWATCHED);
        let mut seen: Vec<&Entry> = Vec::new();
        for entry in watched {
            let batch = &self.batches[usize::from(entry.batch)];
            if seen.iter().any(|e| e.batch == entry.batch) {
                if batch.is_loose {
                    continue;
                }
                return Err(format!("I2: B{} is twice in the log", entry.batch));
            }
            // A new id does not fence off what is on its way under the old one.
            let is_broken = |later: &&&Entry| {
                later.batch > entry.batch && later.stamp.producer_id <= entry.stamp.producer_id
            };
            if let Some(later) = seen.iter().find(is_broken).filter(|_| !batch.is_loose) {
                return Err(format!(
                    "I3: B{} stands after B{}",
                    entry.batch, later.batch
                ));
            }
            seen.push(entry);
        }
        Ok(())
    }

    fn check_outcomes(&self) -> Result<(), Broken> {
        for (id, batch) in (0u8..).zip(&self.batches) {
            let log = &self.lanes[batch.lane].log;
            let is_written = log.entries.iter().any(|e| e.batch == id);
            match batch.outcome {
                Some(Outcome::Written) if !is_written && !batch.was_cut => {
                    return Err(format!("I1: B{id} is written, and not in the log"));
                }
                Some(Outcome::NotWritten) if is_written => {
                    return Err(format!("I4: B{id} is not written, and in the log"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
