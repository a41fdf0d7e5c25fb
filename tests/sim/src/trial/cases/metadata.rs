//! Section 5: metadata, leaders, topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::topics::Topics;
use super::{Hits, Scene, Watch};
use crate::{Api, Described, Fact, FaultKind, Hostile, Line, Produced, code};

#[derive(Default)]
pub(crate) struct Metadata {
    topics: Topics,
    /// Partitions whose old leader has named the new one, which the producer was not told otherwise.
    hinted: BTreeMap<(Arc<str>, i32), i32>,
    /// Partitions of which a hint has named an epoch that never was.
    misled: BTreeSet<(Arc<str>, i32)>,
    /// Refusals since metadata was asked for.
    refusals: usize,
    /// A connection was left on which metadata was asked for in vain.
    in_vain: bool,
    /// Where each broker was.
    addresses: BTreeMap<i32, (String, i32)>,
    /// Brokers that have crashed since all others had.
    crashed: BTreeSet<i32>,
    /// Something was written since the last crash.
    has_load: bool,
    /// Brokers that know no topic ids in Metadata.
    by_name: BTreeSet<i32>,
}

/// Refusals after which the producer looks for the leader.
const LOOK_AGAIN: [i16; 7] = [
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::LEADER_NOT_AVAILABLE,
    code::NOT_LEADER_OR_FOLLOWER,
    code::KAFKA_STORAGE_ERROR,
    code::FENCED_LEADER_EPOCH,
    code::UNKNOWN_LEADER_EPOCH,
    code::UNKNOWN_TOPIC_ID,
];

/// So many refusals are many.
const MANY: usize = 3;

impl Watch for Metadata {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        match &line.fact {
            Fact::Asked {
                api: Some(Api::Metadata),
                broker,
                version,
                ..
            } => self.asked(*broker, *version, hits),
            Fact::Described(described) => self.described(line.at, described, hits),
            Fact::Produced(batch) => self.produced(line.at, batch, scene, hits),
            Fact::Left { metadata: true, .. } => self.in_vain = true,
            Fact::Struck {
                kind: FaultKind::Crash,
                target,
            } => self.crashed(target, scene, hits),
            _ => {}
        }
    }
}

impl Metadata {
    fn asked(&mut self, broker: i32, version: i16, hits: &mut Hits) {
        // Many refusals, and one question.
        hits.hit_if(72, std::mem::take(&mut self.refusals) >= MANY);
        // The last one was asked of somebody who never answered.
        hits.hit_if(73, std::mem::take(&mut self.in_vain));
        if version < 10 {
            self.by_name.insert(broker);
        }
    }

    fn described(&mut self, now: Duration, described: &Described, hits: &mut Hits) {
        let is_empty =
            |topic: &crate::DescribedTopic| topic.code == code::NONE && topic.partitions.is_empty();
        hits.hit_if(67, described.topics.iter().any(is_empty));
        let makes_no_sense = described.makes_no_sense();
        hits.hit_if(74, makes_no_sense);
        if makes_no_sense || described.code != code::NONE {
            return;
        }
        self.move_brokers(described, hits);
        self.hinted
            .retain(|(topic, _), _| !described.topics.iter().any(|t| *t.name == **topic));
        self.topics.described(now, described, hits);
    }

    /// A broker is at another address than before, or another one is at its address.
    fn move_brokers(&mut self, described: &Described, hits: &mut Hits) {
        for (id, host, port) in &described.brokers {
            let is_there = |known: &(String, i32)| known.0 == *host && known.1 == *port;
            if self.addresses.get(id).is_some_and(is_there) {
                continue;
            }
            let place = (host.clone(), *port);
            let is_taken = self.addresses.values().any(|known| *known == place);
            self.addresses.retain(|_, known| *known != place);
            let has_moved = self.addresses.insert(*id, place).is_some();
            hits.hit_if(75, has_moved || is_taken);
        }
    }

    fn produced(&mut self, now: Duration, batch: &Produced, scene: &Scene<'_>, hits: &mut Hits) {
        // The topic that was meant is gone.
        hits.hit_if(62, batch.code == code::UNKNOWN_TOPIC_ID);
        self.refusals += usize::from(LOOK_AGAIN.contains(&batch.code));
        self.has_load |= batch.appended;
        let offers_ids = batch.version == 12 && self.by_name.contains(&batch.broker);
        hits.hit_if(
            77,
            offers_ids && scene.cluster.offers(batch.broker, Api::Produce, 13),
        );
        self.follow_hint(batch, scene, hits);
        self.lead_back(batch, hits);
        self.topics.produced(now, batch, hits);
    }

    /// A batch comes to the leader that the old one has named, before anybody else has.
    fn follow_hint(&mut self, batch: &Produced, scene: &Scene<'_>, hits: &mut Hits) {
        let place = (Arc::clone(&batch.topic), batch.partition);
        let leader = scene.cluster.leader(&batch.topic, batch.partition);
        let is_hint = batch.code == code::NOT_LEADER_OR_FOLLOWER && batch.version >= 10;
        match leader.filter(|&leader| is_hint && leader != batch.broker) {
            Some(leader) if self.topics.leader(&place) != Some(leader) => {
                self.hinted.insert(place, leader);
            }
            _ => {
                let named = self.hinted.remove(&place);
                hits.hit_if(59, named == Some(batch.broker));
            }
        }
    }

    /// A batch is written again after a hint that would have kept the producer from the leader for ever.
    fn lead_back(&mut self, batch: &Produced, hits: &mut Hits) {
        let place = (Arc::clone(&batch.topic), batch.partition);
        if batch.fault == Some(Hostile::HintFromTheFuture.name()) {
            self.misled.insert(place);
        } else if batch.appended {
            hits.hit_if(167, self.misled.remove(&place));
        }
    }

    /// Each broker has been down once, and records were written all the while.
    fn crashed(&mut self, target: &str, scene: &Scene<'_>, hits: &mut Hits) {
        let broker = target.strip_prefix("broker ");
        let broker = broker.and_then(|n| n.parse::<i32>().ok());
        if self.crashed.is_empty() || std::mem::take(&mut self.has_load) {
            self.crashed.extend(broker);
        }
        let brokers = usize::from(scene.plan.brokers);
        if brokers > 1 && self.crashed.len() >= brokers {
            self.crashed.clear();
            hits.hit(78);
        }
    }
}
