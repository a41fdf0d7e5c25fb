//! Connections as the facts tell of them: what was asked on each and is not answered.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use ottla::Acks;

use super::Scene;
use crate::{Api, Fact, Line, Tamper};

/// A connection that did nothing for so long is idle.
const IDLE: Duration = Duration::from_millis(300);

/// All connections that a producer has not left.
#[derive(Default)]
pub(crate) struct Roads {
    pub(crate) open: BTreeMap<u64, Road>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Road {
    pub(crate) address: Ipv4Addr,
    pub(crate) dialled: Duration,
    /// 0 before it is up.
    pub(crate) broker: i32,
    /// Something other than its versions was asked of the broker.
    pub(crate) ready: bool,
    /// The version in which the broker was asked for its versions last.
    pub(crate) asked_versions: Option<i16>,
    /// What is not answered, with the time when it was asked.
    pub(crate) pending: VecDeque<(Api, Duration)>,
    pub(crate) tamper: Option<Tamper>,
    /// The broker has answered a Produce request with noise.
    pub(crate) noise: bool,
    /// It was idle when it began to lose what is written.
    pub(crate) vanished: bool,
}

impl Road {
    /// A Produce request has waited for its answer for so long, and still does.
    pub(crate) fn held(&self, now: Duration) -> Option<Duration> {
        let (api, asked) = self.pending.front()?;
        (*api == Api::Produce).then(|| now.saturating_sub(*asked))
    }
}

impl Roads {
    /// Follows a fact; returns the road that it ends, if it does.
    pub(crate) fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Option<Road> {
        match &line.fact {
            Fact::Dials { wire, address } => {
                let road = Road {
                    address: *address,
                    dialled: line.at,
                    broker: 0,
                    ready: false,
                    asked_versions: None,
                    pending: VecDeque::new(),
                    tamper: None,
                    noise: false,
                    vanished: false,
                };
                self.open.insert(*wire, road);
            }
            Fact::Up { wire, broker } => self.change(*wire, |road| road.broker = *broker),
            Fact::Asked {
                wire,
                api: Some(api),
                version,
                ..
            } => {
                let is_answered = *api != Api::Produce || scene.plan.acks != Acks::None;
                self.change(*wire, |road| {
                    match api {
                        Api::ApiVersions => road.asked_versions = Some(*version),
                        _ => road.ready = true,
                    }
                    if is_answered {
                        road.pending.push_back((*api, line.at));
                    }
                });
            }
            Fact::Answered { wire, .. } => self.change(*wire, |road| {
                road.pending.pop_front();
            }),
            Fact::Produced(batch) if batch.fault == Some("garbage") => {
                self.change(batch.connection, |road| road.noise = true);
            }
            Fact::Tampered { wire, tamper } => {
                self.change(*wire, |road| road.tamper = Some(*tamper));
            }
            Fact::Vanishes { wire, idle } if *idle >= IDLE => {
                self.change(*wire, |road| road.vanished = true);
            }
            Fact::Left { wire, .. } => return self.open.remove(wire),
            _ => {}
        }
        None
    }

    fn change(&mut self, wire: u64, change: impl FnOnce(&mut Road)) {
        if let Some(road) = self.open.get_mut(&wire) {
            change(road);
        }
    }
}
