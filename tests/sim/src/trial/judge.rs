//! What must be true when everything is over: the logs against what the application was told.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla::{Acks, DeliveryError, RecordMetadata, Undelivered};

use super::finds::{Finds, Lost, Place};
use super::focus::Focus;
use super::ledger::{Entry, Fate};
use super::letter::Letter;
use super::plan::Ending;
use super::{Breach, Trial};
use crate::{FaultKind, LogRecord};

impl Trial {
    pub(super) fn judge(&self) -> Result<(), Breach> {
        self.judge_counts()?;
        if let Some(violation) = self.world.cluster.violations().first() {
            let rule = if violation.starts_with("I13") {
                "I13"
            } else {
                "I8"
            };
            return Err((rule, violation.clone()));
        }
        for topic in 0..self.plan.topics.len() {
            let finds = self.find(topic)?;
            self.judge_records(topic, &finds)?;
        }
        Ok(())
    }

    /// Judges all logs that the topic ever had, and says where its records are.
    fn find(&self, topic: usize) -> Result<Finds, Breach> {
        let cluster = &self.world.cluster;
        let name = &self.plan.topics[topic].name;
        let mut finds = Finds::default();
        for topic_id in cluster.incarnations(name) {
            finds.incarnations += 1;
            for partition in 0..cluster.partitions_of(topic_id) {
                let log: Vec<LogRecord> = cluster.log_of(topic_id, partition).collect();
                let told = || cluster.first_told(topic_id).unwrap_or(Duration::MAX);
                let since = (finds.incarnations > 1).then(told);
                let numbers = self.judge_log(topic, partition, &log, since)?;
                finds.add_log(topic_id, partition, numbers.iter().zip(&log));
                finds.add_start(partition, cluster.log_start_of(topic_id, partition));
            }
        }
        let of_topic = cluster.losses().filter(|loss| *loss.topic == **name);
        of_topic.for_each(|loss| finds.add_loss(loss));
        Ok(finds)
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
    ///
    /// `since` is when the producer may first have heard that its topic was made anew, if it was.
    fn judge_log(
        &self,
        topic: usize,
        partition: i32,
        log: &[LogRecord],
        since: Option<Duration>,
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
        if !self.plan.keeps_order || self.plan.resends || self.has_lost_state(name, partition) {
            return Ok(numbers);
        }
        let mut seen = BTreeSet::new();
        let mut once = numbers.clone();
        once.retain(|&n| seen.insert(n));
        if self.plan.is_idempotent && once.len() < numbers.len() {
            let mut seen = BTreeSet::new();
            let twice = numbers.iter().find(|n| !seen.insert(**n));
            return Err((
                "I2",
                format!("{name}-{partition} has record {twice:?} twice"),
            ));
        }
        // What was given up may come late, from a connection that is gone; only an epoch fences it off, not a new id.
        let ids: BTreeSet<i64> = log.iter().map(|record| record.producer_id).collect();
        if !self.plan.is_idempotent || ids.len() > 1 {
            once.retain(|&n| ledger.entries[n].fate.is_known());
        }
        // What was sent to the old topic by its name may be taken by the new one, which knows no sequence to keep.
        if let Some(since) = since.filter(|_| self.plan.is_idempotent) {
            once.retain(|&n| ledger.entries[n].asked > since);
        }
        if let Some((before, after)) = ledger.out_of_order(&once) {
            return Err((
                "I3",
                format!("{name}-{partition} has record {after} after {before}"),
            ));
        }
        Ok(numbers)
    }

    /// What was said of a record is true.
    fn judge_records(&self, topic: usize, finds: &Finds) -> Result<(), Breach> {
        let ledger = self.application.ledger.borrow();
        let of_topic = (0..)
            .zip(&ledger.entries)
            .filter(|(_, entry)| entry.letter.topic == topic);
        for (n, entry) in of_topic {
            self.judge_record(n, entry, finds)?;
        }
        Ok(())
    }

    fn judge_record(&self, n: usize, entry: &Entry, finds: &Finds) -> Result<(), Breach> {
        let places = finds.places(n);
        let is_taken = !places.is_empty()
            || matches!(
                entry.fate,
                Fate::Written(_) | Fate::NotWritten(_) | Fate::MaybeWritten(_)
            );
        if is_taken && entry.letter.timestamp.is_some_and(|time| time < 0) {
            return Err(("H143", format!("record {n} is of a time before 1970")));
        }
        let freezes = self.plan.kinds.contains(&FaultKind::Freeze);
        let is_closed = |why: &Undelivered| {
            let (Undelivered::NotWritten(why) | Undelivered::MaybeWritten(why)) = why;
            matches!(why, DeliveryError::Closed { .. })
        };
        match &entry.fate {
            // Its own time would have been over before.
            Fate::NotWritten(why) | Fate::MaybeWritten(why)
                if self.plan.ending == Ending::Close && !freezes && is_closed(why) =>
            {
                return Err(("H109", format!("record {n} was not given its time: {why}")));
            }
            Fate::Written(written) if !self.is_where_it_was_written(n, written, finds) => {
                let what = format!("record {n} is not where it was written: {written:?}");
                let rule = match self.plan.acks {
                    Acks::None => "H169",
                    _ => "I1",
                };
                return Err((rule, what));
            }
            Fate::NotWritten(why) if !places.is_empty() => {
                let what = format!("record {n} is in the log at {places:?}: {why}");
                return Err(("I4", what));
            }
            Fate::Refused(_) | Fate::Unsent if !places.is_empty() => {
                let what = format!("record {n} was refused and is in the log at {places:?}");
                return Err(("I4", what));
            }
            _ => {}
        }
        let partitions: BTreeSet<_> = places.iter().map(Place::partition_of_topic).collect();
        let topics: BTreeSet<_> = places.iter().map(|place| place.topic_id).collect();
        if partitions.len() > topics.len() {
            let what = format!("record {n} is in two partitions: {places:?}");
            return Err(("I2", what));
        }
        Ok(())
    }

    /// A record is in a log, or went in a way in which brokers may lose what they acknowledged.
    fn is_where_it_was_written(&self, n: usize, written: &RecordMetadata, finds: &Finds) -> bool {
        let topic = self.application.ledger.borrow().entries[n].letter.topic;
        let is_it = |place: &Place| {
            let fits = written.offset.is_none_or(|offset| offset == place.offset);
            fits && written.partition == place.partition
        };
        // Under acks=all only what all replicas in sync had was acknowledged.
        let may_lose = |lost: &&Lost| lost.was_committed || self.plan.acks == Acks::Leader;
        let mut lost = finds.lost(n).iter().filter(may_lose);
        // A broker that has lost its state, or never had that of the topic's former self, may take any sequence, and then
        // says of an earlier one that it was written.
        let name = &self.plan.topics[topic].name;
        let is_mistaken = self.plan.names_old_duplicates
            && written.offset.is_none()
            && (finds.incarnations > 1 || self.has_lost_state(name, written.partition));
        let is_loss_free = self.plan.focus == Some(Focus::Farewells);
        self.plan.acks == Acks::None && !is_loss_free
            || is_mistaken
            || finds.places(n).iter().any(is_it)
            || lost.any(|lost| is_it(&lost.place))
            || finds.is_retained_no_more(written.partition, written.offset)
    }

    /// A leader of the partition has forgotten producers, or the batches that it knew them by.
    fn has_lost_state(&self, topic: &str, partition: i32) -> bool {
        let place = format!("{topic}-{partition}");
        let whole = format!("{topic},");
        self.has_struck(FaultKind::ForgetProducers, &place)
            || self.has_struck(FaultKind::LoseBatches, &place)
            || self.has_struck(FaultKind::LoseBatches, &whole)
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
