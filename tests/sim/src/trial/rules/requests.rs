//! Requests as brokers see them: how large they are, and how many are on the way.

use std::collections::{BTreeMap, VecDeque};

use ottla::Acks;

use super::super::Breach;
use super::super::cases::Scene;
use super::{Rule, number_of};
use crate::{Api, Fact, Line};

/// Beyond the batches: heads, names, the client's id.
const HEADS: usize = 4_096;

#[derive(Default)]
pub(crate) struct Requests {
    /// For each connection the requests that have arrived and are not answered.
    open: BTreeMap<u64, VecDeque<Option<Api>>>,
}

impl Rule for Requests {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        match &line.fact {
            Fact::Asked {
                wire, api, bytes, ..
            } => {
                let open = self.open.entry(*wire).or_default();
                open.push_back(*api);
                let produces = open
                    .iter()
                    .filter(|api| **api == Some(Api::Produce))
                    .count();
                let limit = number_of(scene.plan, "max.in.flight.requests.per.connection") as usize;
                if produces > limit && scene.plan.acks != Acks::None {
                    let what = format!("{produces} requests are on the way on wire {wire}");
                    return Err(("H030", what));
                }
                if *bytes > scene.plan.largest_batch().max(scene.plan.max_request_size) + HEADS {
                    return Err(("H056", format!("a request of {bytes} bytes on wire {wire}")));
                }
            }
            Fact::Answered { wire, .. } => {
                self.open.entry(*wire).or_default().pop_front();
            }
            Fact::Left { wire, .. } => drop(self.open.remove(wire)),
            _ => {}
        }
        Ok(())
    }
}
