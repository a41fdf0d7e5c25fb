//! The books of the senders against the logs of the cluster.

use std::{collections::BTreeMap, ops::AddAssign, pin::Pin, task::Poll};

use ottla::{Metrics, RecordMetadata, SendError, Undelivered};
use ottla_sim::Cluster;

use super::{
    sender::{Calls, End, Entry, Sender},
    site::TOPIC,
    world::World,
};
use crate::harness::{log, poll_once};

/// What broke, in words.
pub(crate) struct Verdict {
    /// Where each value is: partitions and offsets.
    places: BTreeMap<String, Vec<(i32, i64)>>,
    idempotent: bool,
    pub(crate) broken: Vec<String>,
    pub(crate) counts: Counts,
}

/// Records by what is known of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) refused: u64,
    pub(crate) unsure: u64,
    pub(crate) accepted: u64,
    pub(crate) written: u64,
    pub(crate) not_written: u64,
    pub(crate) maybe_written: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.refused += other.refused;
        self.unsure += other.unsure;
        self.accepted += other.accepted;
        self.written += other.written;
        self.not_written += other.not_written;
        self.maybe_written += other.maybe_written;
    }
}

impl Verdict {
    pub(crate) fn new(cluster: &Cluster, world: &World) -> Self {
        let mut places: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for partition in 0..world.partitions {
            for (offset, value) in (0..).zip(log(cluster, TOPIC, partition)) {
                places.entry(value).or_default().push((partition, offset));
            }
        }
        let violations = cluster.with_model(|model| model.violations().to_vec());
        Self {
            places,
            idempotent: world.is_idempotent(),
            broken: violations,
            counts: Counts::default(),
        }
    }

    pub(crate) fn judge(&mut self, sender: Sender<'_>) {
        let mut last = BTreeMap::new();
        for entry in sender.book {
            if self.idempotent {
                self.judge_order(&entry, &mut last);
            }
            self.judge_end(entry, &sender.calls);
        }
    }

    /// I5 and I7, from the producer's own numbers.
    pub(crate) fn judge_metrics(&mut self, metrics: &Metrics) {
        let Counts {
            accepted, unsure, ..
        } = self.counts;
        let told = metrics.records_accepted;
        if told < accepted || told > accepted + unsure {
            self.breach(format!(
                "{told} accepted, but {accepted} are known and {unsure} unsure"
            ));
        }
        let ended =
            metrics.records_written + metrics.records_not_written + metrics.records_maybe_written;
        if ended != told {
            self.breach(format!("{told} accepted, {ended} ended"));
        }
        if metrics.buffer_available_bytes != metrics.buffer_total_bytes {
            self.breach(format!("memory is missing: {metrics:?}"));
        }
    }

    pub(crate) fn breach(&mut self, what: String) {
        self.broken.push(what);
    }

    /// I2 and I3: no value twice, and those of one sender in the order of its sends.
    fn judge_order(&mut self, entry: &Entry, last: &mut BTreeMap<i32, i64>) {
        let value = &entry.value;
        match *self.places_of(value) {
            [] => {}
            [(partition, offset)] => {
                let before = last.insert(partition, offset);
                if before.is_some_and(|before| before > offset) {
                    self.breach(format!(
                        "{}: in the log before what was sent earlier",
                        name(value)
                    ));
                }
            }
            ref places => {
                let places = format!("{places:?}");
                self.breach(format!(
                    "{}: more than once in the log: {places}",
                    name(value)
                ));
            }
        }
    }

    fn judge_end(
        &mut self,
        Entry {
            value,
            partition,
            end,
        }: Entry,
        calls: &Calls,
    ) {
        let mut told = calls.of(&value);
        match &end {
            End::Refused(error) => {
                self.counts.refused += 1;
                self.judge_refusal(&value, error);
            }
            End::Unsure => self.counts.unsure += 1,
            _ => self.counts.accepted += 1,
        }
        match end {
            End::Open(mut delivery) => match poll_once(Pin::new(&mut delivery)) {
                Poll::Ready(outcome) => told.push(outcome),
                Poll::Pending => self.breach(format!("{}: no outcome after close", name(&value))),
            },
            End::Told(outcome) => told.push(outcome),
            End::Called if told.is_empty() => {
                self.breach(format!("{}: nobody was called", name(&value)))
            }
            End::Refused(_) if !told.is_empty() => {
                self.breach(format!("{}: refused and called", name(&value)))
            }
            _ => {}
        }
        if told.len() > 1 {
            self.breach(format!("{}: told more than once: {told:?}", name(&value)));
        }
        for outcome in told {
            self.judge_outcome(&value, partition, outcome);
        }
    }

    fn judge_refusal(&mut self, value: &str, error: &SendError) {
        use SendError::{Closed, Full, TimedOut, TopicNotReady};
        self.judge_absence(value, "refused");
        if !matches!(error, Full | TopicNotReady | TimedOut { .. } | Closed) {
            self.breach(format!("{}: refused for no reason: {error}", name(value)));
        }
    }

    /// I1 and I4.
    fn judge_outcome(
        &mut self,
        value: &str,
        partition: i32,
        outcome: Result<RecordMetadata, Undelivered>,
    ) {
        match outcome {
            Ok(written) => {
                self.counts.written += 1;
                self.judge_presence(value, partition, &written);
            }
            Err(Undelivered::NotWritten(why)) => {
                self.counts.not_written += 1;
                self.judge_absence(value, &format!("not written ({why})"));
            }
            Err(Undelivered::MaybeWritten(_)) => self.counts.maybe_written += 1,
        }
    }

    fn judge_presence(&mut self, value: &str, partition: i32, written: &RecordMetadata) {
        if written.partition != partition {
            self.breach(format!(
                "{}: sent to partition {partition}, and: {written:?}",
                name(value)
            ));
        }
        let there = match written.offset {
            Some(offset) => self.places_of(value).contains(&(partition, offset)),
            None => !self.places_of(value).is_empty(),
        };
        if !there {
            self.breach(format!(
                "{}: written, but not in the log there: {written:?}",
                name(value)
            ));
        }
    }

    fn judge_absence(&mut self, value: &str, said: &str) {
        if !self.places_of(value).is_empty() {
            self.breach(format!("{}: {said}, but in the log", name(value)));
        }
    }

    fn places_of(&self, value: &str) -> &[(i32, i64)] {
        self.places.get(value).map_or(&[], Vec::as_slice)
    }
}

/// A value without its padding.
fn name(value: &str) -> &str {
    value.get(..12).unwrap_or(value)
}
