//! What the cluster was asked, for tests to read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::described::Described;
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
    /// The version of the request.
    pub version: i16,
    /// The topic's name; empty if the request has an id that no topic has.
    pub topic: Arc<str>,
    /// The topic's id; zero if the request has a name that no topic has.
    pub topic_id: [u8; 16],
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
    /// Bytes of the batch.
    pub bytes: usize,
    /// The number of its codec; 0 for none.
    pub codec: i16,
    /// The code answered, or that would have been if the answer was not lost to a fault.
    pub code: i16,
    /// The base offset answered; -1 for none.
    pub base_offset: i64,
    /// The batch went into the log by this request.
    pub appended: bool,
    /// Batches that the broker remembered of the producer, and no longer does since this one was appended.
    pub pushed_out: usize,
    /// The batch was in the log before, and one of those that the broker remembers.
    pub duplicate: bool,
    /// The batch lies before those that the broker remembers.
    pub old_duplicate: bool,
    /// The answer waits for the followers; the code is not final.
    pub waits: bool,
    /// The name of the planned fault that struck it.
    pub fault: Option<&'static str>,
}

/// Counters, the last Produce requests and the rules broken.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) requests: BTreeMap<Api, u64>,
    pub(crate) produced: VecDeque<Produced>,
    /// The last answer to Metadata, until somebody takes it.
    pub(crate) described: Option<Described>,
    /// Entries ever made.
    pub(crate) noted: u64,
    pub(crate) violations: Vec<String>,
}

impl Journal {
    pub(crate) fn count(&mut self, api: Api) {
        *self.requests.entry(api).or_default() += 1;
    }

    /// Adds an entry and returns its number.
    pub(crate) fn note(&mut self, entry: Produced) -> u64 {
        if self.produced.len() == ENTRIES {
            self.produced.pop_front();
        }
        self.produced.push_back(entry);
        self.noted += 1;
        self.noted
    }

    /// An entry's answer waits for nothing any more.
    pub(crate) fn settle(&mut self, number: u64, code: i16) {
        let from_last = usize::try_from(self.noted - number).unwrap_or(usize::MAX);
        let place = self.produced.len().checked_sub(from_last.saturating_add(1));
        if let Some(entry) = place.and_then(|place| self.produced.get_mut(place)) {
            (entry.code, entry.waits) = (code, false);
        }
    }

    pub(crate) fn accuse(&mut self, violation: String) {
        let is_repeated = self.violations.last() == Some(&violation);
        if self.violations.len() < VIOLATIONS && !is_repeated {
            self.violations.push(violation);
        }
    }
}
