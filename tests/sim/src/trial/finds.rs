//! Where the records of a topic turned up: in its logs, the deleted ones too, and among what those have lost.

use std::collections::BTreeMap;

use super::letter::Letter;
use crate::{LogRecord, Loss};

/// The whereabouts of a topic's records, by their numbers.
#[derive(Default)]
pub(crate) struct Finds {
    places: BTreeMap<usize, Vec<Place>>,
    lost: BTreeMap<usize, Vec<Lost>>,
    /// For each partition: the highest offset at which one of its logs begins.
    starts: BTreeMap<i32, i64>,
    /// How many topics had the name, one after the other.
    pub(crate) incarnations: usize,
}

/// A place in a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) topic_id: [u8; 16],
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// A record that was in a log, and was cut off.
pub(crate) struct Lost {
    pub(crate) place: Place,
    /// All replicas in sync had it.
    pub(crate) was_committed: bool,
}

impl Finds {
    /// Adds the records of a log with their numbers.
    pub(crate) fn add_log<'a>(
        &mut self,
        topic_id: [u8; 16],
        partition: i32,
        log: impl Iterator<Item = (&'a usize, &'a LogRecord)>,
    ) {
        for (&n, record) in log {
            let place = Place {
                topic_id,
                partition,
                offset: record.offset,
            };
            self.places.entry(n).or_default().push(place);
        }
    }

    /// Retention has taken what lies before `offset` in a log of the partition.
    pub(crate) fn add_start(&mut self, partition: i32, offset: i64) {
        let start = self.starts.entry(partition).or_default();
        *start = offset.max(*start);
    }

    /// Adds what a log has lost.
    pub(crate) fn add_loss(&mut self, loss: &Loss) {
        for record in loss.records() {
            let Some(n) = Letter::number_of(&record) else {
                continue;
            };
            let place = Place {
                topic_id: loss.topic_id,
                partition: loss.partition,
                offset: record.offset,
            };
            self.lost.entry(n).or_default().push(Lost {
                place,
                was_committed: record.offset < loss.high_watermark,
            });
        }
    }

    /// Where a record is.
    pub(crate) fn places(&self, n: usize) -> &[Place] {
        self.places.get(&n).map_or(&[], Vec::as_slice)
    }

    /// Where a record was.
    pub(crate) fn lost(&self, n: usize) -> &[Lost] {
        self.lost.get(&n).map_or(&[], Vec::as_slice)
    }

    /// Retention may have taken the record that was at this offset, or at an unknown one.
    pub(crate) fn is_retained_no_more(&self, partition: i32, offset: Option<i64>) -> bool {
        let start = self.starts.get(&partition).copied().unwrap_or(0);
        offset.unwrap_or(0) < start
    }
}

impl Place {
    pub(crate) fn partition_of_topic(&self) -> ([u8; 16], i32) {
        (self.topic_id, self.partition)
    }
}
