//! The invariants of a producer, judged from the logs and the outcomes.

use std::collections::{BTreeMap, BTreeSet};

use super::Stage;
use super::outcomes::{Fate, Sent};
use crate::LogRecord;

impl Stage {
    /// Excuses acknowledged records that are not in the log: the test lost them on purpose.
    pub fn excuse_losses(&mut self) {
        self.excused = true;
    }

    /// Asserts what must hold at the end of every test, when the producer is at rest.
    ///
    /// - I1: what was acknowledged is in the log at its offset, with the same content.
    /// - I2: with idempotence nothing is in the log twice.
    /// - I3: a partition's log is in the order of sending (with idempotence, or one request in flight).
    /// - I4: what is not written, or was refused, is not in the log.
    /// - I5: every record has its outcome (that it has only one was checked before).
    /// - I6: no outcome came later than `delivery.timeout.ms` after the record was accepted, but for the time that the
    ///   process stood still.
    /// - I7: all memory is free.
    /// - I8: no stamp stood on different bytes, and no other rule of the protocol was broken.
    ///
    /// # Panics
    ///
    /// If one of them does not hold.
    pub fn check(&self) {
        self.check_rest();
        assert_eq!(self.model.violations(), [] as [String; 0], "I8");
        let logs = self.logs();
        for (n, sent) in self.outcomes.all() {
            self.check_record(n, sent, &logs);
        }
        let config = self.core.config();
        if config.enable_idempotence() || config.max_in_flight_requests_per_connection() == 1 {
            self.check_order(&logs, config.enable_idempotence());
        }
    }

    /// Asserts what must hold at rest even of a producer that was lied to: I5, I7, and that nothing is overdue (H043).
    ///
    /// # Panics
    ///
    /// If one of them does not hold.
    pub fn check_rest(&self) {
        assert_eq!(self.unsettled(), [], "I5: these records have no outcome");
        let (free, limit) = (
            self.core.buffer_available(),
            self.core.config().buffer_memory(),
        );
        assert_eq!(free, limit, "I7: not all memory is free at rest");
        let deadline = self.core.poll_timeout().map(super::duration);
        assert!(
            deadline.is_none_or(|at| at > self.now),
            "H043: the deadline of a core at rest has passed"
        );
    }

    /// The logs of all partitions that records were sent to.
    fn logs(&self) -> BTreeMap<(&str, i32), Vec<LogRecord>> {
        let mut logs = BTreeMap::new();
        for (_, sent) in self.outcomes.all() {
            for partition in 0..self.model.partitions(&sent.topic) {
                logs.entry((&*sent.topic, partition))
                    .or_insert_with(|| self.model.log(&sent.topic, partition).collect());
            }
        }
        logs
    }

    fn check_record(&self, n: usize, sent: &Sent, logs: &BTreeMap<(&str, i32), Vec<LogRecord>>) {
        let life = sent
            .ended
            .zip(sent.accepted)
            .map(|(end, start)| end - start);
        let limit = self.core.config().delivery_timeout() + self.stood_still;
        assert!(
            life.is_none_or(|life| life <= limit),
            "I6: record {n} took {life:?}: {sent:?}"
        );
        let of_partition = sent.partition.and_then(|p| logs.get(&(&*sent.topic, p)));
        let log = of_partition.map_or(&[][..], Vec::as_slice);
        match sent.fate().expect("all records have their outcome") {
            Fate::Written {
                offset: Some(offset),
            } => {
                let there = log.binary_search_by_key(offset, |r| r.offset);
                let there = there.ok().map(|place| &log[place]);
                assert!(
                    self.excused || there.is_some_and(|r| is_of(r, sent)),
                    "I1: record {n} is not at offset {offset}: {there:?} instead of {sent:?}",
                );
            }
            Fate::Written { offset: None }
                if self.core.config().acks() != ottla_core::Acks::None =>
            {
                let is_there = log.iter().any(|r| is_of(r, sent));
                assert!(
                    is_there || self.excused,
                    "I1: record {n} is not in the log: {sent:?}"
                );
            }
            Fate::NotWritten(_) | Fate::Refused(_) | Fate::GivenUp => {
                assert!(
                    !log.iter().any(|r| is_of(r, sent)),
                    "I4: record {n} is in the log: {sent:?}"
                );
            }
            Fate::Written { .. } | Fate::MaybeWritten(_) => {}
        }
    }

    fn check_order(&self, logs: &BTreeMap<(&str, i32), Vec<LogRecord>>, is_idempotent: bool) {
        let accepted = self
            .outcomes
            .all()
            .filter_map(|(_, s)| Some(((&*s.topic, &*s.value), s.order()?)));
        let orders: BTreeMap<(&str, &[u8]), usize> = accepted.collect();
        for (&(topic, partition), log) in logs {
            let order = |r: &LogRecord| {
                orders
                    .get(&(topic, r.value.as_deref().unwrap_or_default()))
                    .copied()
            };
            let mut found: Vec<usize> = log.iter().filter_map(order).collect();
            if !is_idempotent {
                // A retry may write a batch twice; its first copy counts.
                let mut seen = BTreeSet::new();
                found.retain(|&order| seen.insert(order));
            }
            assert!(
                found.is_sorted_by(|a, b| a < b),
                "I2, I3: {topic}-{partition} is not in the order of sending, or has a record twice: {found:?}",
            );
        }
    }
}

fn is_of(record: &LogRecord, sent: &Sent) -> bool {
    record.value.as_deref() == Some(&*sent.value) && record.key.as_deref() == sent.key.as_deref()
}
