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
    open: BTreeMap<u64, VecDeque<Request>>,
}

struct Request {
    api: Option<Api>,
    /// It is larger than it should be.
    is_large: bool,
    /// The batches that were found in it.
    batches: usize,
}

impl Rule for Requests {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        match &line.fact {
            Fact::Asked {
                wire, api, bytes, ..
            } => {
                let open = self.open.entry(*wire).or_default();
                let is_large = *bytes > scene.plan.max_request_size + HEADS;
                open.push_back(Request {
                    api: *api,
                    is_large,
                    batches: 0,
                });
                let produces = open
                    .iter()
                    .filter(|request| request.api == Some(Api::Produce))
                    .count();
                let limit = number_of(scene.plan, "max.in.flight.requests.per.connection") as usize;
                if produces > limit && scene.plan.acks != Acks::None {
                    let what = format!("{produces} requests are on the way on wire {wire}");
                    return Err(("H030", what));
                }
                if is_large && !scene.plan.compresses() {
                    return Err(("H056", format!("a request of {bytes} bytes on wire {wire}")));
                }
            }
            Fact::Answered { wire, .. } => {
                self.open.entry(*wire).or_default().pop_front();
            }
            // A batch that compressed worse than was foretold goes, but alone. Who is not answered sends on meanwhile.
            Fact::Produced(batch) if scene.plan.acks != Acks::None => {
                let open = self.open.get_mut(&batch.connection);
                let Some(request) = open.and_then(VecDeque::front_mut) else {
                    return Ok(());
                };
                request.batches += 1;
                if request.is_large && request.batches > 1 {
                    let wire = batch.connection;
                    return Err((
                        "H056",
                        format!("a large request of several batches on wire {wire}"),
                    ));
                }
            }
            Fact::Left { wire, .. } => drop(self.open.remove(wire)),
            _ => {}
        }
        Ok(())
    }
}
