//! Section 5, topic by topic: what the brokers told of each, and what became of its records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Hits;
use crate::{Described, DescribedTopic, Produced, code};

/// Every topic that was ever told of.
#[derive(Default)]
pub(crate) struct Topics(BTreeMap<String, Topic>);

#[derive(Default)]
struct Topic {
    id: [u8; 16],
    /// The leader and its epoch, by partition; empty if the topic was never found.
    partitions: Vec<(i32, i32)>,
    /// Since when it is known, and told of by answers that leave it out as well.
    known: Duration,
    left_out: bool,
    /// It was refused before it was ever found.
    is_young: bool,
    /// Answers in a row that it does not exist.
    absent: usize,
    /// The last answer was an error.
    fails: bool,
    /// It may not be written to.
    is_denied: bool,
    /// Partitions there were before more were added.
    before_growth: Option<usize>,
    has_no_leader: bool,
}

/// Answers in a row after which a topic has been unknown for long.
const LONG: usize = 3;

/// For so long a producer that forgets topics remembers one that it does not use (Java's `metadata.max.idle.ms`).
const IDLE: Duration = Duration::from_secs(300);

impl Topics {
    pub(crate) fn described(&mut self, now: Duration, described: &Described, hits: &mut Hits) {
        for (name, topic) in &mut self.0 {
            let is_told = described.topics.iter().any(|told| told.name == *name);
            topic.left_out |= !is_told;
        }
        for told in described.topics.iter().filter(|told| !told.name.is_empty()) {
            if !self.0.contains_key(&told.name) {
                self.0.insert(told.name.clone(), Topic::default());
            }
            if let Some(topic) = self.0.get_mut(&told.name) {
                match told.code {
                    code::NONE if told.partitions.is_empty() => {}
                    code::NONE => topic.found(now, told, hits),
                    code => topic.refused(code, hits),
                }
            }
        }
    }

    pub(crate) fn produced(&mut self, now: Duration, batch: &Produced, hits: &mut Hits) {
        let Some(topic) = self.0.get_mut(&*batch.topic) else {
            return;
        };
        topic.is_denied |= batch.code == code::TOPIC_AUTHORIZATION_FAILED;
        if batch.appended {
            topic.written(now, batch.partition, hits);
        }
    }

    /// The leader that was told last.
    pub(crate) fn leader(&self, place: &(Arc<str>, i32)) -> Option<i32> {
        let topic = self.0.get(&*place.0)?;
        let partition = usize::try_from(place.1).ok()?;
        topic.partitions.get(partition).map(|told| told.0)
    }
}

impl Topic {
    fn refused(&mut self, code: i16, hits: &mut Hits) {
        let is_absent = matches!(
            code,
            code::UNKNOWN_TOPIC_OR_PARTITION | code::UNKNOWN_TOPIC_ID
        );
        self.absent += usize::from(is_absent);
        hits.hit_if(63, is_absent && self.absent == LONG);
        self.is_denied |= code == code::TOPIC_AUTHORIZATION_FAILED;
        self.is_young |= self.partitions.is_empty() && code != code::TOPIC_AUTHORIZATION_FAILED;
        self.fails = true;
    }

    fn found(&mut self, now: Duration, told: &DescribedTopic, hits: &mut Hits) {
        (self.absent, self.fails) = (0, false);
        // None of its partitions has a leader.
        let has_no_leader = told.partitions.iter().all(|partition| partition.1 == -1);
        hits.hit_if(68, has_no_leader && !self.has_no_leader);
        self.has_no_leader = has_no_leader;

        let mut partitions = vec![(-1, -1); told.partitions.len()];
        for &(number, leader, epoch) in &told.partitions {
            partitions[number as usize] = (leader, epoch);
        }
        if self.partitions.is_empty() {
            (self.id, self.partitions, self.known) = (told.id, partitions, now);
            return;
        }
        let (known, count) = (self.partitions.len(), partitions.len());
        let mut pairs = self.partitions.iter().zip(&partitions);
        let goes_back = pairs.any(|(known, told)| told.1 >= 0 && told.1 < known.1);
        let has_id = told.id != [0; 16] && self.id != [0; 16];
        if has_id && told.id != self.id {
            // Another topic of the same name counts its epochs anew, or has fewer partitions.
            hits.hit_if(61, goes_back);
            hits.hit_if(64, count < known);
            *self = Topic {
                id: told.id,
                partitions,
                known: now,
                has_no_leader,
                ..Topic::default()
            };
            return;
        }
        // A broker tells what was true before, or does not know of a partition yet.
        hits.hit_if(60, goes_back);
        hits.hit_if(66, count < known);
        if goes_back || count < known {
            return;
        }
        if count > known {
            self.before_growth = Some(known);
        }
        self.partitions = partitions;
    }

    fn written(&mut self, now: Duration, partition: i32, hits: &mut Hits) {
        // Its metadata can't be had, and nobody has forgotten where it is.
        hits.hit_if(
            70,
            std::mem::take(&mut self.fails) && !self.partitions.is_empty(),
        );
        hits.hit_if(69, std::mem::take(&mut self.is_denied));
        if self.partitions.is_empty() {
            return;
        }
        hits.hit_if(76, std::mem::take(&mut self.is_young));
        let is_new = |count: &mut usize| usize::try_from(partition).is_ok_and(|p| p >= *count);
        hits.hit_if(65, self.before_growth.take_if(is_new).is_some());
        if self.left_out && now.saturating_sub(self.known) > IDLE {
            (self.known, self.left_out) = (now, false);
            hits.hit(71);
        }
    }
}
