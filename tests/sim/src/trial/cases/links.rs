//! Section 6: connections and frames.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::roads::Road;
use super::traffic::View;
use super::{Hits, Scene};
use crate::{Api, Fact, Line, Produced, Tamper};

#[derive(Default)]
pub(crate) struct Links {
    dials: BTreeMap<Ipv4Addr, Dials>,
    /// The stamp of each partition's last batch, and the version of the request it came in.
    last: BTreeMap<(Arc<str>, i32), (Stamp, i16)>,
    /// The application has begun to close.
    closing: bool,
}

/// Producer id, epoch, sequence.
type Stamp = (i64, i16, i32);

/// What came of the dials to one address since a connection to it was ready.
#[derive(Default)]
struct Dials {
    in_vain: u32,
    last: Duration,
    wait: Duration,
}

/// How a producer left a connection.
struct Leave<'a> {
    at: Duration,
    road: &'a Road,
    /// The end of [`Fact::Left`].
    unanswered: usize,
    within: bool,
    within_answer: bool,
    lost: bool,
    silent: Duration,
}

/// A Produce request that waits so long for its answer holds up what comes behind it.
const HELD: Duration = Duration::from_millis(500);

/// Bytes that drip come this often at least.
const DRIP: Duration = Duration::from_millis(250);

/// Answers that leave a partition out, repeat one or name a stranger.
const STRANGE: [&str; 4] = [
    "produce: missing partition",
    "produce: repeated partition",
    "produce: stranger partition",
    "produce: stranger topic",
];

impl Links {
    pub(crate) fn see(&mut self, line: &Line, view: &View, hits: &mut Hits) {
        match &line.fact {
            Fact::Dials { address, .. } => self.dials(*address, line.at, hits),
            Fact::Asked {
                wire, api, version, ..
            } => match api {
                Some(Api::ApiVersions) => versions_asked(*wire, *version, view, hits),
                _ => self.asked(*wire, *api, line.at, view, hits),
            },
            Fact::Produced(batch) => self.produced(batch, hits),
            // A request of which no byte was written.
            Fact::Unwritten { .. } => hits.hit(83),
            Fact::CloseBegins { .. } | Fact::LastHandle => self.closing = true,
            _ => {}
        }
    }

    /// The producer has left a connection.
    pub(crate) fn left(&mut self, line: &Line, road: &Road, scene: &Scene<'_>, hits: &mut Hits) {
        let Fact::Left {
            unanswered,
            within,
            within_answer,
            ended,
            lost,
            silent,
            ..
        } = line.fact
        else {
            return;
        };
        if !road.ready {
            self.dials.entry(road.address).or_default().in_vain += 1;
        }
        // What was not the producer's decision, or was since the application closes it, is no time-out.
        if ended || self.closing {
            return;
        }
        let leave = Leave {
            at: line.at,
            road,
            unanswered,
            within,
            within_answer,
            lost,
            silent,
        };
        leave.count(scene, hits);
        leave.count_tampers(hits);
    }

    fn dials(&mut self, address: Ipv4Addr, now: Duration, hits: &mut Hits) {
        let dials = self.dials.entry(address).or_default();
        let wait = now - dials.last;
        // The third dial in a row waits longer than the second did.
        hits.hit_if(96, dials.in_vain >= 2 && wait > dials.wait);
        (dials.last, dials.wait) = (now, wait);
    }

    fn asked(&mut self, wire: u64, api: Option<Api>, now: Duration, view: &View, hits: &mut Hits) {
        let road = view.roads.open.get(&wire);
        if let Some(road) = road.filter(|road| !road.ready) {
            self.dials.remove(&road.address);
        }
        if api == Some(Api::Metadata) {
            let is_held = |(&other, road): (&u64, &Road)| {
                other != wire && road.held(now).is_some_and(|held| held >= HELD)
            };
            // Metadata is asked elsewhere than behind a produce request that has no answer.
            hits.hit_if(95, view.roads.open.iter().any(is_held));
        }
    }

    fn produced(&mut self, batch: &Produced, hits: &mut Hits) {
        // Its place in the answer is empty, or taken twice, or there is another that nobody asked for.
        let is_strange = batch.fault.is_some_and(|fault| STRANGE.contains(&fault));
        hits.hit_if(87, is_strange);
        if batch.producer_id < 0 {
            return;
        }
        let stamp = (batch.producer_id, batch.epoch, batch.base_sequence);
        let place = (Arc::clone(&batch.topic), batch.partition);
        let before = self.last.insert(place, (stamp, batch.version));
        // A batch comes again, in a request of another version.
        let is_other = |before: (Stamp, i16)| before.0 == stamp && before.1 != batch.version;
        hits.hit_if(93, before.is_some_and(is_other));
    }
}

/// A broker that refused the newer form of the question for its versions is asked in the oldest.
fn versions_asked(wire: u64, version: i16, view: &View, hits: &mut Hits) {
    let road = view.roads.open.get(&wire);
    let before = road.and_then(|road| road.asked_versions);
    hits.hit_if(92, version == 0 && before.is_some_and(|before| before > 0));
}

impl Leave<'_> {
    fn count(&self, scene: &Scene<'_>, hits: &mut Hits) {
        let (road, plan) = (self.road, scene.plan);
        let request = plan.millis("request.timeout.ms");
        // Nobody is there any more, and nobody said so.
        hits.hit_if(79, self.lost && self.unanswered > 0 && !self.within_answer);
        // Neither up, nor refused: the time for the setting up is over, which is drawn by 20 % shorter or longer.
        let setup = plan.millis("socket.connection.setup.timeout.ms") * 4 / 5;
        hits.hit_if(80, !road.ready && self.at - road.dialled >= setup);
        // A part of an answer, and nothing more, or more all the time.
        let is_whole = matches!(road.tamper, None | Some(Tamper::Stop)) && !road.noise;
        let stops = is_whole && self.within_answer;
        hits.hit_if(81, stops && self.lost && self.silent >= request / 2);
        hits.hit_if(88, stops && !self.lost && self.silent <= DRIP);
        // A part of a request, and the time for its answer, or for one before it, is over.
        hits.hit_if(82, self.within && road.tamper.is_none() && !road.noise);
        // A request was the first to go out on a connection that was cut when it was idle.
        hits.hit_if(89, road.vanished);
    }

    fn count_tampers(&self, hits: &mut Hits) {
        use Tamper::{
            Extended, Flip, Http, HugeLength, NegativeLength, Noise, Truncated, Twice,
            WrongCorrelation,
        };
        let tamper = self.road.tamper;
        hits.hit_if(
            84,
            matches!(tamper, Some(NegativeLength | HugeLength | Http)),
        );
        hits.hit_if(85, matches!(tamper, Some(WrongCorrelation | Twice)));
        let unreadable = matches!(tamper, Some(Flip | Truncated | Extended | Noise));
        hits.hit_if(86, unreadable || self.road.noise);
    }
}
