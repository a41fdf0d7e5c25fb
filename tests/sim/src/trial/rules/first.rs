//! A leader that has taken nothing of ours yet is sent one batch of a partition at a time: it knows no sequence that the
//! next would have to follow (H007). So is one that has forgotten what it took, once it has said so (H025).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::Breach;
use super::super::cases::Scene;
use super::{Rule, keeps_identities};
use crate::{Fact, FaultKind, Line, Produced, World, code};

pub(crate) struct First {
    places: BTreeMap<(Arc<str>, i32, i64), Place>,
    /// How long it takes to the nearest broker and back, at least: brokers may change places.
    round_trip: Duration,
}

#[derive(Default)]
struct Place {
    /// Who has ever taken a batch.
    proven: BTreeSet<i32>,
    /// The last batch that came to somebody who had taken none, and the case that asks for it to be alone.
    first: Option<(Produced, &'static str)>,
    /// First sequences of batches that were not taken, under the newest epoch.
    open: (i16, BTreeSet<i32>),
    /// The highest offset that was told.
    highest: Option<i64>,
    /// A batch was taken of which no offset was told.
    is_unclear: bool,
    forgotten: Option<Forgotten>,
}

/// From this version of Produce on an answer says where the log begins, without which a gap looks the same.
const NAMES_START: i16 = 5;

/// Somebody has said of a batch that the producer is not known any more, and has taken nothing since.
struct Forgotten {
    broker: i32,
    connection: u64,
    epoch: i16,
}

impl First {
    pub(crate) fn new(world: &World) -> First {
        let round_trips = world.cluster.brokers().map(|id| world.round_trip(id));
        First {
            places: BTreeMap::new(),
            round_trip: round_trips.min().unwrap_or_default(),
        }
    }
}

impl Rule for First {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        let Fact::Produced(batch) = &line.fact else {
            return Ok(());
        };
        let is_told = batch.base_sequence >= 0 && !batch.topic.is_empty();
        if !is_told || !scene.plan.kinds.iter().all(keeps_identities) {
            return Ok(());
        }
        // By name: who asks by name may well mean the topic that was there before.
        let key = (Arc::clone(&batch.topic), batch.partition, batch.producer_id);
        let round_trip = self.round_trip;
        let place = self.places.entry(key).or_default();
        // Both from one connection, and sooner after each other than an answer could have reached the producer.
        let is_too_soon = |(first, _): &(Produced, &str)| {
            first.connection == batch.connection
                && first.epoch == batch.epoch
                && first.base_sequence != batch.base_sequence
                && batch.now < first.now + round_trip
        };
        if let Some((first, case)) = place.first.take().filter(is_too_soon) {
            return Err((
                case,
                format!("{batch:?} comes while {first:?} is not answered"),
            ));
        }
        if !place.proven.contains(&batch.broker) {
            place.first = Some(((**batch).clone(), "H007"));
        } else if place.is_forgotten_by(batch) {
            place.first = Some(((**batch).clone(), "H025"));
        }
        place.note(batch, scene);
        Ok(())
    }
}

impl Place {
    /// The producer knows, from an answer on the same connection, that the broker knows it no more: it has begun a new
    /// epoch.
    fn is_forgotten_by(&self, batch: &Produced) -> bool {
        self.forgotten.as_ref().is_some_and(|forgotten| {
            forgotten.broker == batch.broker
                && forgotten.connection == batch.connection
                && forgotten.epoch < batch.epoch
        })
    }

    fn note(&mut self, batch: &Produced, scene: &Scene<'_>) {
        if self.open.0 != batch.epoch {
            self.open = (batch.epoch, BTreeSet::new());
        }
        let open = &mut self.open.1;
        if batch.code == code::NONE || batch.duplicate {
            open.remove(&batch.base_sequence);
            self.proven.insert(batch.broker);
            self.highest = self.highest.max(Some(batch.base_offset));
            self.forgotten = None;
        } else {
            open.insert(batch.base_sequence);
        }
        self.is_unclear |= batch.waits || batch.code == code::DUPLICATE_SEQUENCE_NUMBER;
        // Whoever comes behind others is to wait for those.
        let is_head = open.first() == Some(&batch.base_sequence);
        if batch.code == code::UNKNOWN_PRODUCER_ID
            && batch.version >= NAMES_START
            && batch.fault.is_none()
            && is_head
            && !self.is_unclear
            && self.is_behind_the_start(batch, scene)
        {
            self.forgotten = Some(Forgotten {
                broker: batch.broker,
                connection: batch.connection,
                epoch: batch.epoch,
            });
        }
    }

    /// All that the producer was told to be in the log has gone: that it is not known is no gap.
    fn is_behind_the_start(&self, batch: &Produced, scene: &Scene<'_>) -> bool {
        let start = scene.cluster.log_start(&batch.topic, batch.partition);
        let has_sense = |kind: &FaultKind| *kind != FaultKind::HostileProduce;
        self.highest.is_some_and(|highest| highest < start)
            && scene.plan.kinds.iter().all(has_sense)
    }
}
