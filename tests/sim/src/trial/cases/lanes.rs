//! Sections 1 to 3: each partition's batches as the brokers saw them and as the producer heard of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::expiry::{self, Expiry};
use super::idempotence::{self, Idempotence};
use super::ordering;
use super::track::{Batch, Track};
use super::{Hits, Scene, Watch};
use crate::{Fact, FaultKind, Line, Produced};

/// Follows all partitions and connections, and has each section count what it sees.
#[derive(Default)]
pub(crate) struct Lanes {
    places: BTreeMap<(Arc<str>, i32), usize>,
    lanes: Vec<Lane>,
    wires: BTreeMap<u64, Wire>,
    /// Batches ever seen.
    serials: u64,
    idempotence: Idempotence,
    expiry: Expiry,
}

/// One partition, and what each section remembers of it.
#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) track: Track,
    pub(crate) ordering: ordering::Marks,
    pub(crate) idempotence: idempotence::Marks,
    pub(crate) expiry: expiry::Marks,
}

/// A batch comes to a broker.
pub(crate) struct Arrival<'a> {
    pub(crate) now: Duration,
    pub(crate) batch: &'a Produced,
    /// What was known of it, if it is not the first attempt under this stamp.
    pub(crate) before: Option<&'a Batch>,
    pub(crate) track: &'a Track,
    pub(crate) scene: &'a Scene<'a>,
}

/// An attempt ends: with an answer, or with its connection.
pub(crate) struct End<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) is_heard: bool,
    pub(crate) track: &'a Track,
    /// The partition's leader at this moment.
    pub(crate) leader: Option<i32>,
}

/// A connection's Produce requests.
#[derive(Default)]
struct Wire {
    asked: u64,
    heard: u64,
    /// Of each batch without an answer: its request, its partition and its serial.
    sent: VecDeque<(u64, usize, u64)>,
    /// Answers no longer are what the broker meant, or no longer come.
    is_spoiled: bool,
    /// Of the newest request: some batches were taken, and some refused.
    has_taken: bool,
    has_refused: bool,
}

/// Faults after which a connection says nothing to the request, or nothing that can be read.
const MUTE: [&str; 4] = [
    "append, then silence",
    "append, then disconnect",
    "silence",
    "garbage",
];

impl Watch for Lanes {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        match &line.fact {
            Fact::Asked { wire, api, .. } => {
                if *api == Some(crate::Api::Produce) {
                    self.wires.entry(*wire).or_default().begin();
                }
                self.idempotence.asked(*api, hits);
                if *api == Some(crate::Api::Metadata) {
                    self.lanes
                        .iter_mut()
                        .for_each(|lane| lane.idempotence.looked_up());
                }
            }
            Fact::Produced(batch) if !batch.topic.is_empty() => {
                self.arrive(line.at, batch, scene, hits);
            }
            Fact::Heard { wire } => self.hear(line.at, *wire, scene, hits),
            Fact::Left {
                wire, unanswered, ..
            } => self.leave(line.at, *wire, *unanswered, scene, hits),
            Fact::Tampered { wire, .. } => {
                self.wires.entry(*wire).or_default().is_spoiled = true;
            }
            Fact::Struck { kind, target } => self.strike(*kind, target),
            Fact::Ended { record, .. } => {
                let lane = self.lane_of(*record, scene);
                let lane = lane.map(|lane| &mut self.lanes[lane]);
                ordering::ended(*record, scene, hits);
                idempotence::ended(*record, scene, hits);
                self.expiry.ended(line.at, *record, lane, scene, hits);
            }
            _ => {}
        }
        self.expiry.see(line, scene, hits);
    }

    fn end(&mut self, scene: &Scene<'_>, hits: &mut Hits) {
        for lane in &self.lanes {
            ordering::end(lane, scene, hits);
        }
    }
}

impl Lanes {
    fn arrive(&mut self, now: Duration, batch: &Produced, scene: &Scene<'_>, hits: &mut Hits) {
        let place = self.place(&batch.topic, batch.partition);
        let wire = self.wires.entry(batch.connection).or_default();
        hits.hit_if(14, wire.is_divided(batch));
        wire.is_spoiled |= batch.fault.is_some_and(|fault| MUTE.contains(&fault));
        let lane = &mut self.lanes[place];
        let arrival = Arrival {
            now,
            batch,
            before: lane.track.find(batch),
            track: &lane.track,
            scene,
        };
        ordering::arrives(&arrival, &mut lane.ordering, hits);
        self.idempotence
            .arrives(place, &arrival, &mut lane.idempotence, hits);
        expiry::arrives(&arrival, &mut lane.expiry, hits);
        self.serials += 1;
        let serial = lane.track.enter(now, batch, self.serials);
        if batch.acks != 0 {
            wire.sent.push_back((wire.asked, place, serial));
        }
    }

    /// The producer reads the answer to a connection's oldest request.
    fn hear(&mut self, now: Duration, serial: u64, scene: &Scene<'_>, hits: &mut Hits) {
        let Some(wire) = self.wires.get_mut(&serial).filter(|w| !w.is_spoiled) else {
            return;
        };
        wire.heard += 1;
        let heard = wire.heard;
        loop {
            let wire = self.wires.get_mut(&serial).expect("it was there just now");
            let Some((_, lane, batch)) = wire.sent.pop_front_if(|sent| sent.0 <= heard) else {
                return;
            };
            self.resolve(now, lane, batch, true, scene, hits);
        }
    }

    /// The producer lets go of a connection: nothing more is heard of what it sent there.
    fn leave(
        &mut self,
        now: Duration,
        wire: u64,
        unanswered: usize,
        scene: &Scene<'_>,
        hits: &mut Hits,
    ) {
        hits.hit_if(9, unanswered > 1);
        let sent = self.wires.remove(&wire).map(|wire| wire.sent);
        for (_, lane, batch) in sent.unwrap_or_default() {
            self.resolve(now, lane, batch, false, scene, hits);
        }
    }

    fn resolve(
        &mut self,
        now: Duration,
        place: usize,
        serial: u64,
        is_heard: bool,
        scene: &Scene<'_>,
        hits: &mut Hits,
    ) {
        let lane = &mut self.lanes[place];
        let leader = scene.cluster.leader(&lane.topic, lane.partition);
        let Some(batch) = lane.track.resolve(now, serial, is_heard) else {
            return;
        };
        let end = End {
            batch: &batch,
            is_heard,
            track: &lane.track,
            leader,
        };
        ordering::resolved(&end, &mut lane.ordering, hits);
        expiry::resolved(&end, &mut lane.expiry, hits);
    }

    fn strike(&mut self, kind: FaultKind, target: &str) {
        for lane in &mut self.lanes {
            let rest = target.strip_prefix(&*lane.topic);
            if let Some(rest) = rest.filter(|rest| names(rest, lane.partition)) {
                let is_whole_topic = rest.is_empty();
                lane.idempotence.struck(kind, is_whole_topic, &lane.track);
            }
        }
    }

    /// The partition of a record, if it is certain before the record is written.
    fn lane_of(&self, record: usize, scene: &Scene<'_>) -> Option<usize> {
        let letter = &scene.ledger.entries[record].letter;
        let topic = &scene.plan.topics[letter.topic];
        let is_alone = || scene.cluster.partitions(&topic.name) == 1;
        let partition = letter.partition.or_else(|| is_alone().then_some(0))?;
        self.lanes
            .iter()
            .position(|lane| lane.partition == partition && *lane.topic == *topic.name)
    }

    fn place(&mut self, topic: &Arc<str>, partition: i32) -> usize {
        let next = self.lanes.len();
        let place = *self
            .places
            .entry((Arc::clone(topic), partition))
            .or_insert(next);
        if place == next {
            self.lanes.push(Lane {
                topic: Arc::clone(topic),
                partition,
                ..Lane::default()
            });
        }
        place
    }
}

/// Whether what follows a topic's name means this partition of it, or all of them.
fn names(rest: &str, partition: i32) -> bool {
    let Some(rest) = rest.strip_prefix('-') else {
        return rest.is_empty() || rest.starts_with([' ', ',']);
    };
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()) == Some(partition)
}

impl Arrival<'_> {
    pub(crate) fn identity(&self) -> (i64, i16) {
        (self.batch.producer_id, self.batch.epoch)
    }

    pub(crate) fn is_stamped(&self) -> bool {
        self.batch.producer_id >= 0
    }

    /// The first attempt under this stamp was before this one.
    pub(crate) fn is_retry(&self) -> bool {
        self.before.is_some()
    }

    /// The batches before this one under its identity.
    pub(crate) fn ahead(&self) -> impl Iterator<Item = &Batch> {
        self.track
            .ahead_of(self.identity(), self.batch.base_sequence)
    }

    /// The batches behind this one under its identity.
    pub(crate) fn behind(&self) -> impl Iterator<Item = &Batch> {
        self.track.behind(self.identity(), self.batch.base_sequence)
    }

    pub(crate) fn is_out_of_order(&self) -> bool {
        self.batch.code == crate::code::OUT_OF_ORDER_SEQUENCE_NUMBER && !self.batch.old_duplicate
    }
}

impl Wire {
    /// A request arrives.
    fn begin(&mut self) {
        self.asked += 1;
        (self.has_taken, self.has_refused) = (false, false);
    }

    /// The newest request turns out to be taken in part and refused in part.
    fn is_divided(&mut self, batch: &Produced) -> bool {
        let was_divided = self.has_taken && self.has_refused;
        self.has_taken |= batch.code == crate::code::NONE;
        self.has_refused |= batch.code != crate::code::NONE;
        self.has_taken && self.has_refused && !was_divided
    }
}
