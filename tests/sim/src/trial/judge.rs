//! What must be true when everything is over: the logs against what the application was told.

use std::collections::{BTreeMap, BTreeSet};

use ottla::Acks;

use super::ledger::{Entry, Fate};
use super::letter::Letter;
use super::{Breach, Trial};
use crate::{FaultKind, LogRecord};

/// Where a record was found: its partition and its offset.
type Places = BTreeMap<usize, Vec<(i32, i64)>>;

impl Trial {
    pub(super) fn judge(&self) -> Result<(), Breach> {
        self.judge_counts()?;
        if let Some(violation) = self.world.cluster.violations().first() {
            return Err(("I8", violation.clone()));
        }
        for (topic, of_plan) in self.plan.topics.iter().enumerate() {
            let mut places = Places::new();
            for partition in 0..self.world.cluster.partitions(&of_plan.name) {
                let log: Vec<LogRecord> =
                    self.world.cluster.log(&of_plan.name, partition).collect();
                let numbers = self.judge_log(topic, partition, &log)?;
                for (n, record) in numbers.iter().zip(&log) {
                    places
                        .entry(*n)
                        .or_default()
                        .push((partition, record.offset));
                }
            }
            self.judge_records(topic, &places)?;
        }
        Ok(())
    }

    /// Every record has exactly one outcome.
    fn judge_counts(&self) -> Result<(), Breach> {
        let ledger = self.application.ledger.borrow();
        let open = ledger
            .entries
            .iter()
            .position(|e| e.fate == Fate::Open && e.accepted.is_some());
        if let Some(n) = open {
            return Err(("I5", format!("record {n} never had an outcome")));
        }
        let Some(producer) = &self.probe else {
            return Ok(());
        };
        let m = producer.metrics();
        if m.records_accepted != m.records_written + m.records_not_written + m.records_maybe_written
        {
            return Err(("I5", format!("{m:?}")));
        }
        if m.buffer_available_bytes != m.buffer_total_bytes {
            return Err(("I7", format!("{m:?}")));
        }
        Ok(())
    }

    /// A log has what was sent to it, in order and once. Returns its records' numbers.
    fn judge_log(
        &self,
        topic: usize,
        partition: i32,
        log: &[LogRecord],
    ) -> Result<Vec<usize>, Breach> {
        let ledger = self.application.ledger.borrow();
        let name = &self.plan.topics[topic].name;
        let mut numbers = Vec::new();
        for record in log {
            let found = Letter::number_of(record).filter(|&n| n < ledger.entries.len());
            let is_there = |n: &usize| {
                let letter = &ledger.entries[*n].letter;
                let fits = letter.partition.is_none_or(|asked| asked == partition);
                letter.topic == topic && fits && letter.is(record)
            };
            match found.filter(is_there) {
                Some(n) => numbers.push(n),
                None => {
                    let what = format!("{name}-{partition} has what nobody sent there: {record:?}");
                    return Err(("H039", what));
                }
            }
        }
        let forgot = format!("{name}-{partition}");
        if !self.plan.keeps_order
            || self.plan.resends
            || self.has_struck(FaultKind::ForgetProducers, &forgot)
        {
            return Ok(numbers);
        }
        let mut numbers_once = numbers.clone();
        if !self.plan.is_idempotent {
            // A retry may write a batch twice; its first copy counts. What was given up may come late, from a
            // connection that is gone.
            let mut seen = BTreeSet::new();
            numbers_once.retain(|&n| ledger.entries[n].fate.is_known() && seen.insert(n));
        }
        if let Some((before, after)) = ledger.out_of_order(&numbers_once) {
            let rule = if before == after { "I2" } else { "I3" };
            return Err((
                rule,
                format!("{name}-{partition} has record {after} after {before}"),
            ));
        }
        Ok(numbers)
    }

    /// What was said of a record is true.
    fn judge_records(&self, topic: usize, places: &Places) -> Result<(), Breach> {
        let ledger = self.application.ledger.borrow();
        let name = &self.plan.topics[topic].name;
        let loses = self.has_struck(FaultKind::RecreateTopic, name)
            || self.has_struck(FaultKind::LoseBatches, name);
        let of_topic = (0..)
            .zip(&ledger.entries)
            .filter(|(_, e)| e.letter.topic == topic);
        for (n, entry) in of_topic {
            let places = places.get(&n).map_or(&[][..], Vec::as_slice);
            self.judge_record(n, entry, places, loses)?;
        }
        Ok(())
    }

    fn judge_record(
        &self,
        n: usize,
        entry: &Entry,
        places: &[(i32, i64)],
        loses: bool,
    ) -> Result<(), Breach> {
        match &entry.fate {
            Fate::Written(written) if !loses && self.plan.acks != Acks::None => {
                let name = &self.plan.topics[entry.letter.topic].name;
                let start = self.world.cluster.log_start(name, written.partition);
                let is_there = match written.offset {
                    Some(offset) => offset < start || places.contains(&(written.partition, offset)),
                    // A broker that has lost its state may take any sequence, and then says of an earlier one that it
                    // was written.
                    None => {
                        let place = format!("{name}-{}", written.partition);
                        start > 0
                            || self.has_struck(FaultKind::ForgetProducers, &place)
                            || places.iter().any(|place| place.0 == written.partition)
                    }
                };
                if !is_there {
                    return Err((
                        "I1",
                        format!("record {n} is not where it was written: {written:?}"),
                    ));
                }
            }
            Fate::NotWritten(why) if !places.is_empty() => {
                return Err((
                    "I4",
                    format!("record {n} is in the log at {places:?}: {why}"),
                ));
            }
            Fate::Refused(_) | Fate::Unsent if !places.is_empty() => {
                return Err((
                    "I4",
                    format!("record {n} was refused and is in the log at {places:?}"),
                ));
            }
            _ => {}
        }
        let is_twice = places
            .iter()
            .map(|place| place.0)
            .collect::<BTreeSet<_>>()
            .len()
            > 1;
        if is_twice {
            return Err(("I2", format!("record {n} is in two partitions: {places:?}")));
        }
        Ok(())
    }

    /// A fault has struck this topic, or this partition of it.
    fn has_struck(&self, kind: FaultKind, target: &str) -> bool {
        self.report.struck.iter().any(|(struck, whom)| {
            *struck == kind
                && whom
                    .strip_prefix(target)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',', '-']))
        })
    }
}
