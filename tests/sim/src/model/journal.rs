//! What the cluster was asked, for tests to read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::versions::Api;

/// Entries kept; the oldest go first.
const ENTRIES: usize = 1 << 16;
/// Broken rules kept; the first ones matter.
const VIOLATIONS: usize = 1 << 10;

/// One batch that reached a broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Produced {
    /// When the request arrived, since the start.
    pub now: Duration,
    /// The broker that got it.
    pub broker: i32,
    /// The connection it came on.
    pub connection: u64,
    /// The topic's name, or its id if no topic has it.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// The request's `acks`.
    pub acks: i16,
    /// -1 without idempotence, and where the batch has no readable head.
    pub producer_id: i64,
    /// The producer's epoch, or -1.
    pub epoch: i16,
    /// The first record's sequence, or -1.
    pub base_sequence: i32,
    /// Records in the batch.
    pub count: i32,
    /// The code answered, or that would have been if the answer was not lost to a fault.
    pub code: i16,
    /// The base offset answered; -1 for none.
    pub base_offset: i64,
    /// The batch went into the log by this request.
    pub appended: bool,
}

/// Counters, the last Produce requests and the rules broken.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) requests: BTreeMap<Api, u64>,
    pub(crate) produced: VecDeque<Produced>,
    /// Entries ever made.
    pub(crate) noted: u64,
    pub(crate) violations: Vec<String>,
}

impl Journal {
    pub(crate) fn count(&mut self, api: Api) {
        *self.requests.entry(api).or_default() += 1;
    }

    pub(crate) fn note(&mut self, entry: Produced) {
        if self.produced.len() == ENTRIES {
            self.produced.pop_front();
        }
        self.produced.push_back(entry);
        self.noted += 1;
    }

    pub(crate) fn accuse(&mut self, violation: String) {
        if self.violations.len() < VIOLATIONS {
            self.violations.push(violation);
        }
    }
}
