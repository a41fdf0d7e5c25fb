//! How often each hard case comes up in a trial, so that a random run can say what it has tried.
//!
//! A watch sees every fact as it happens and counts a case when its situation has come about and been survived. What
//! would be wrong there is the judge's business.

mod batches;
mod closing;
mod expiry;
mod idempotence;
mod lanes;
mod links;
mod memory;
mod metadata;
mod ordering;
mod process;
mod roads;
mod size;
mod time;
mod topics;
mod track;
mod traffic;

use std::collections::BTreeMap;

use super::ledger::Ledger;
use super::plan::Plan;
use crate::{Line, Model};

/// What a watch may look at beside the facts.
pub(crate) struct Scene<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) ledger: &'a Ledger,
    pub(crate) cluster: &'a Model,
}

/// Watches for the cases of one section.
pub(crate) trait Watch {
    /// Looks at something that has just happened.
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits);

    /// Looks back when everything is over.
    fn end(&mut self, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = (scene, hits);
    }
}

/// Cases that no run of a producer can bring up, and where they are shown instead.
pub const ELSEWHERE: &[(u16, &str)] = &[
    (
        152,
        "core/src/config/tests.rs: settings are refused before there is a producer",
    ),
    (
        153,
        "core/src/config/tests.rs: settings are refused before there is a producer",
    ),
    (
        154,
        "core/src/config/tests.rs: settings are refused before there is a producer",
    ),
    (
        158,
        "core/src/partitioner.rs: ten thousand keys, with the partitions that Java chose",
    ),
    (
        163,
        "tests/adapters/forked.rs: there is one process in a world",
    ),
    (
        166,
        "tests/adapters/holding_up.rs: a world's only thread runs everything",
    ),
    (170, "tests/adapters/paused.rs: a world has one clock"),
    (
        171,
        "runtimes/cli/tests/cli/interrupts.rs: there is no process to end",
    ),
];

/// How often each case came up, by its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits(pub(crate) BTreeMap<u16, u64>);

/// All watches.
pub(crate) struct Watches(Vec<Box<dyn Watch>>);

impl Hits {
    pub(crate) fn hit(&mut self, case: u16) {
        *self.0.entry(case).or_default() += 1;
    }

    pub(crate) fn hit_if(&mut self, case: u16, condition: bool) {
        if condition {
            self.hit(case);
        }
    }
}

impl Watches {
    pub(crate) fn new() -> Watches {
        Watches(vec![
            Box::<lanes::Lanes>::default(),
            Box::<size::Size>::default(),
            Box::<metadata::Metadata>::default(),
            Box::<traffic::Traffic>::default(),
            Box::<time::Time>::default(),
            Box::<process::Process>::default(),
        ])
    }

    pub(crate) fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        self.0
            .iter_mut()
            .for_each(|watch| watch.see(line, scene, hits));
    }

    pub(crate) fn end(&mut self, scene: &Scene<'_>, hits: &mut Hits) {
        self.0.iter_mut().for_each(|watch| watch.end(scene, hits));
    }
}
