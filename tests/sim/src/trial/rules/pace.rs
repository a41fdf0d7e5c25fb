//! Nothing is tried again sooner than its back-off allows: batches (H011), metadata (H072), links (H096).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ottla::{Cause, Warning};

use super::super::Breach;
use super::super::cases::Scene;
use super::{Rule, least_wait};
use crate::{Api, Fact, FaultKind, Line, Produced, code};

#[derive(Default)]
pub(crate) struct Pace {
    /// For each stamp: when it was refused last, and how often in a row it came too soon after that.
    refused: BTreeMap<Stamp, (Duration, usize)>,
    /// When metadata was asked for.
    asked: VecDeque<Duration>,
    /// When each broker could not be reached.
    failed: BTreeMap<(Box<str>, u16), VecDeque<Duration>>,
    /// A thousand brokers may be said to be at one address.
    is_crowded: bool,
}

/// By the id, too: a topic that is gone has no name.
type Stamp = (Arc<str>, [u8; 16], i32, i64, i16, i32);

/// A newer leader may be asked at once; not so often.
const RETRIES: usize = 3;
/// In the time of one wait for metadata: one for each topic and for what is new about it.
const QUESTIONS: usize = 12;
/// In the time of one wait for a link: a broker may be two peers, as a seed and by its id, and have two addresses.
const DIALS: usize = 6;

impl Rule for Pace {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        match &line.fact {
            Fact::Produced(batch) => self.produced(line.at, batch, scene),
            Fact::Asked {
                api: Some(Api::Metadata),
                ..
            } => {
                let wait = least_wait(scene.plan, "retry.backoff.ms", "retry.backoff.max.ms");
                match crowds(&mut self.asked, line.at, wait, QUESTIONS) {
                    true => Err(("H072", format!("more than {QUESTIONS} within {wait:?}"))),
                    false => Ok(()),
                }
            }
            Fact::Struck {
                kind: FaultKind::HostileMetadata,
                ..
            } => {
                self.is_crowded = true;
                Ok(())
            }
            Fact::Struck {
                kind: FaultKind::MoveLeader,
                ..
            } => {
                // There is a newer leader, who may be asked at once.
                for (_, soon) in self.refused.values_mut() {
                    *soon = soon.saturating_sub(1);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn warned(&mut self, at: Duration, warning: &Warning, scene: &Scene<'_>) -> Result<(), Breach> {
        let Warning::Broker(Cause::Unreachable { host, port, .. }) = warning else {
            return Ok(());
        };
        if self.is_crowded {
            return Ok(());
        }
        let wait = least_wait(
            scene.plan,
            "reconnect.backoff.ms",
            "reconnect.backoff.max.ms",
        );
        let failed = self.failed.entry((host.clone(), *port)).or_default();
        match crowds(failed, at, wait, DIALS) {
            true => Err((
                "H096",
                format!("{host} was dialled more than {DIALS} times within {wait:?}"),
            )),
            false => Ok(()),
        }
    }
}

impl Pace {
    fn produced(
        &mut self,
        at: Duration,
        batch: &Produced,
        scene: &Scene<'_>,
    ) -> Result<(), Breach> {
        if !scene.plan.is_idempotent || batch.base_sequence < 0 {
            return Ok(());
        }
        let stamp = (
            Arc::clone(&batch.topic),
            batch.topic_id,
            batch.partition,
            batch.producer_id,
            batch.epoch,
            batch.base_sequence,
        );
        let wait = least_wait(scene.plan, "retry.backoff.ms", "retry.backoff.max.ms");
        let before = self.refused.remove(&stamp);
        let is_soon = before.is_some_and(|(last, _)| at < last + wait);
        let soon = match before {
            Some((_, soon)) if is_soon => soon + 1,
            _ => 0,
        };
        if soon >= RETRIES {
            return Err((
                "H011",
                format!("{soon} times in a row within {wait:?}: {batch:?}"),
            ));
        }
        let is_refused = batch.code != code::NONE && batch.code != code::MESSAGE_TOO_LARGE;
        if is_refused && !batch.waits {
            self.refused.insert(stamp, (at, soon));
        }
        Ok(())
    }
}

/// Adds an event; whether there were more than `most` of them within `time`.
fn crowds(events: &mut VecDeque<Duration>, at: Duration, time: Duration, most: usize) -> bool {
    events.push_back(at);
    while events.front().is_some_and(|&first| first + time <= at) {
        events.pop_front();
    }
    events.len() > most
}
