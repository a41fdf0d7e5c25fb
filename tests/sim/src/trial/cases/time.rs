//! Section 10: time, throttling, acknowledgements, timestamps.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ottla::Acks;

use super::{Hits, Scene, Watch};
use crate::trial::ledger::{Entry, Fate};
use crate::trial::letter::Letter;
use crate::{Fact, FaultKind, Line, Produced, Told, code};

#[derive(Default)]
pub(crate) struct Time {
    /// The wall clock has jumped, and nothing was written since.
    has_jumped: bool,
    /// The process stands still until then, for longer than a request may take.
    still: Option<Duration>,
    /// Connections on which an answer asked for silence.
    muted: BTreeSet<u64>,
    /// Brokers that acknowledged alone.
    alone: BTreeSet<i32>,
    /// Where batches of several records lie.
    batches: Vec<(Arc<str>, i32, Range<i64>)>,
}

impl Watch for Time {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        match &line.fact {
            Fact::Struck { kind, target } => self.struck(line.at, *kind, target, scene, hits),
            Fact::Answered { .. } => {
                // The answer waits for a process that will find it behind all its deadlines.
                let until = self.still.take_if(|&mut until| line.at < until);
                hits.hit_if(137, until.is_some());
            }
            Fact::Asked { wire, broker, .. } => {
                // It was silent for a time, and speaks again.
                hits.hit_if(138, self.muted.remove(wire));
                if scene.cluster.throttle_of(*broker) > Duration::ZERO {
                    self.muted.insert(*wire);
                }
            }
            Fact::Left { wire, .. } => drop(self.muted.remove(wire)),
            Fact::Produced(batch) => self.produced(batch, hits),
            Fact::Ended {
                told: Told::Written { offset: None, .. },
                ..
            } => hits.hit_if(139, scene.plan.acks == Acks::None),
            _ => {}
        }
    }

    fn end(&mut self, scene: &Scene<'_>, hits: &mut Hits) {
        for entry in &scene.ledger.entries {
            let Fate::Written(written) = &entry.fate else {
                continue;
            };
            // The broker's time, where the record had its own.
            let own = entry.letter.timestamp;
            hits.hit_if(142, own.is_some_and(|own| own != written.timestamp));
            hits.hit_if(143, own.is_some() && self.has_company(entry));
            hits.hit_if(146, has_nothing(&entry.letter));
        }
    }
}

impl Time {
    fn struck(
        &mut self,
        now: Duration,
        kind: FaultKind,
        target: &str,
        scene: &Scene<'_>,
        hits: &mut Hits,
    ) {
        match kind {
            FaultKind::WallJump => self.has_jumped = true,
            FaultKind::Freeze => {
                let until = scene.ledger.frozen.last().map_or(now, |window| window.1);
                let request = scene.plan.number("request.timeout.ms").unwrap_or(30_000);
                let is_long = until - now > Duration::from_millis(request as u64);
                self.still = is_long.then_some(until);
            }
            FaultKind::Crash => {
                // What it acknowledged alone dies with it, if nobody has copied it.
                let broker = target.strip_prefix("broker ").and_then(|n| n.parse().ok());
                hits.hit_if(140, broker.is_some_and(|broker| self.alone.remove(&broker)));
            }
            _ => {}
        }
    }

    fn produced(&mut self, batch: &Produced, hits: &mut Hits) {
        if batch.appended {
            hits.hit_if(136, std::mem::take(&mut self.has_jumped));
            if batch.acks == 1 {
                self.alone.insert(batch.broker);
            }
            if batch.count > 1 {
                let end = batch.base_offset + i64::from(batch.count);
                let topic = Arc::clone(&batch.topic);
                self.batches
                    .push((topic, batch.partition, batch.base_offset..end));
            }
        }
        hits.hit_if(
            143,
            batch.code == code::INVALID_TIMESTAMP && batch.count > 1,
        );
        hits.hit_if(141, batch.code == code::NOT_ENOUGH_REPLICAS);
        let blames = batch.fault == Some("refuse records") && batch.code == code::INVALID_RECORD;
        hits.hit_if(144, blames && batch.count > 1);
    }

    /// The record, of a time far from now, shares a batch with others.
    fn has_company(&self, entry: &Entry) -> bool {
        let Fate::Written(written) = &entry.fate else {
            return false;
        };
        let Some(offset) = written.offset else {
            return false;
        };
        self.batches.iter().any(|(topic, partition, offsets)| {
            **topic == *written.topic
                && *partition == written.partition
                && offsets.contains(&offset)
        })
    }
}

/// Something in the record is null, or empty.
fn has_nothing(letter: &Letter) -> bool {
    let is_blank = |bytes: Option<&[u8]>| bytes.is_none_or(<[u8]>::is_empty);
    let header = |(_, value): &(String, Option<Vec<u8>>)| is_blank(value.as_deref());
    is_blank(letter.value.as_deref())
        || letter.key.as_ref().is_some_and(Vec::is_empty)
        || letter.headers.iter().any(header)
}
