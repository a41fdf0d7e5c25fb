//! A leader that has taken nothing of ours yet is sent one batch of a partition at a time: it knows no sequence that the
//! next would have to follow (H007).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::Breach;
use super::super::cases::Scene;
use super::{Rule, keeps_identities};
use crate::{Fact, Line, Produced, World, code};

pub(crate) struct First {
    places: BTreeMap<(Arc<str>, i32, i64), Place>,
    /// How long it takes to the nearest broker and back, at least: brokers may change places.
    round_trip: Duration,
}

#[derive(Default)]
struct Place {
    /// Who has ever taken a batch.
    proven: BTreeSet<i32>,
    /// The last batch that came to somebody who had taken none.
    first: Option<Produced>,
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
        if !is_told || !keeps_identities(scene.plan) {
            return Ok(());
        }
        // By name: who asks by name may well mean the topic that was there before.
        let key = (Arc::clone(&batch.topic), batch.partition, batch.producer_id);
        let round_trip = self.round_trip;
        let place = self.places.entry(key).or_default();
        // Both from one connection, and sooner after each other than an answer could have reached the producer.
        let is_too_soon = |first: &Produced| {
            first.connection == batch.connection
                && first.epoch == batch.epoch
                && first.base_sequence != batch.base_sequence
                && batch.now < first.now + round_trip
        };
        if let Some(first) = place.first.take().filter(is_too_soon) {
            return Err((
                "H007",
                format!("{batch:?} comes while {first:?} is not answered"),
            ));
        }
        if !place.proven.contains(&batch.broker) {
            place.first = Some((**batch).clone());
        }
        if batch.code == code::NONE || batch.duplicate {
            place.proven.insert(batch.broker);
        }
        Ok(())
    }
}
