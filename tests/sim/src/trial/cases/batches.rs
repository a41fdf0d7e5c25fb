//! What went into the logs lately, to find the batch of a record that the application is told of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Scene;
use crate::{Fact, Told};

/// The last batches of every partition.
#[derive(Default)]
pub(crate) struct Batches(BTreeMap<Arc<str>, BTreeMap<i32, VecDeque<Batch>>>);

/// A batch that was appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) at: Duration,
    pub(crate) base_offset: i64,
    pub(crate) count: i32,
    pub(crate) bytes: usize,
}

/// Batches kept of each partition.
const KEPT: usize = 12;

impl Batches {
    pub(crate) fn see(&mut self, fact: &Fact) {
        let Fact::Produced(produced) = fact else {
            return;
        };
        if !produced.appended || produced.base_offset < 0 {
            return;
        }
        let topic = match self.0.get_mut(&produced.topic) {
            Some(topic) => topic,
            None => self.0.entry(Arc::clone(&produced.topic)).or_default(),
        };
        let kept = topic.entry(produced.partition).or_default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Batch {
            at: produced.now,
            base_offset: produced.base_offset,
            count: produced.count,
            bytes: produced.bytes,
        });
    }

    /// The batch of a record that was written.
    pub(crate) fn of(&self, record: usize, told: &Told, scene: &Scene<'_>) -> Option<Batch> {
        let Told::Written {
            partition,
            offset: Some(offset),
        } = told
        else {
            return None;
        };
        let letter = &scene.ledger.entries[record].letter;
        let kept = self.0.get(&*scene.plan.topics[letter.topic].name)?;
        let has =
            |batch: &&Batch| (0..i64::from(batch.count)).contains(&(offset - batch.base_offset));
        kept.get(partition)?.iter().rev().find(has).copied()
    }
}
