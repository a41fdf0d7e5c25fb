//! The searched system: one producer with two partitions, requests under way, and the partitions' leaders.

use std::vec::Vec;

use super::{
    super::{Identity, Leadership, Pipelining, Sequences},
    log::{Entry, Log},
    step::Step,
};
use crate::{batch::Stamp, config::SequenceGap, wire::ErrorCode};

/// Where a search starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// The batches of each partition, all accepted already.
    pub(super) batches: [u8; 2],
    pub(super) faults: u8,
    /// Each leader has taken a batch before, so that the next ones are pipelined.
    pub(super) warm: bool,
    /// `max.in.flight.requests.per.connection`, for a partition.
    pub(super) most: usize,
    pub(super) epoch: i16,
}

/// One state of the system.
#[derive(Clone, Hash)]
pub(super) struct World {
    /// The producer's identity; `None` while it waits for a new id.
    pub(super) identity: Option<Identity>,
    pub(super) ids: i64,
    pub(super) lanes: [Lane; 2],
    pub(super) batches: Vec<Batch>,
    /// Faults that may still come.
    pub(super) faults: u8,
    /// Faults that break a sequence, without an epoch's end yet that they explain.
    pub(super) breaks: u8,
}

/// A partition, on both sides.
#[derive(Clone, Hash)]
pub(super) struct Lane {
    pub(super) sequences: Sequences,
    /// Batches that have no stamp, in order.
    pub(super) queue: Vec<u8>,
    /// The identity and the sequence of the next fresh stamp: the checker's own count (I9).
    pub(super) counted: Option<(Identity, i32)>,
    /// The leader that the producer knows of.
    pub(super) known: i32,
    /// Requests without an answer, on the links to one leader and the next, in the order in which they were sent.
    pub(super) wire: Vec<Request>,
    /// Requests of lost links, which may still arrive, each link's in their order.
    pub(super) strays: Vec<Vec<Request>>,
    pub(super) log: Log,
}

/// An attempt on its way.
#[derive(Clone, Copy, Hash)]
pub(super) struct Request {
    pub(super) entry: Entry,
    pub(super) leadership: Leadership,
    /// What the broker says, if it came to it.
    pub(super) answer: Option<Answer>,
}

#[derive(Clone, Copy, Hash)]
pub(super) struct Answer {
    pub(super) code: ErrorCode,
    pub(super) offset: i64,
    pub(super) log_start: i64,
}

/// A batch's delivery.
#[derive(Clone, Default, Hash)]
pub(super) struct Batch {
    pub(super) lane: usize,
    pub(super) outcome: Option<Outcome>,
    pub(super) stamp: Option<Stamp>,
    /// As the producer sees it.
    pub(super) uncertain: bool,
    /// In truth: some attempt of it may have been, or may still be, appended.
    pub(super) may_arrive: bool,
    /// A broker refused it for good, it was given up, or its leader forgot the producer: it may end as not written.
    pub(super) may_fail: bool,
    /// An unclean election took it after it was acknowledged.
    pub(super) was_cut: bool,
    /// The leader forgot the producer while the batch was in the log, might still come late, or had lost its stamp to a
    /// gap with another one behind it on the way: nothing keeps it out then, or the other.
    pub(super) is_loose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    Written,
    NotWritten,
    MaybeWritten,
}

impl World {
    pub(super) fn new(start: Start) -> Self {
        let identity = Identity {
            producer_id: 0,
            epoch: start.epoch,
        };
        let lane = || Lane {
            sequences: Sequences::new(
                Pipelining::Idempotent(start.most),
                SequenceGap::MaybeWritten,
            ),
            queue: Vec::new(),
            counted: None,
            known: 0,
            wire: Vec::new(),
            strays: Vec::new(),
            log: Log::new(),
        };
        let mut world = Self {
            identity: Some(identity),
            ids: 0,
            lanes: [lane(), lane()],
            batches: Vec::new(),
            faults: start.faults,
            breaks: 0,
        };
        for (lane, count) in start.batches.into_iter().enumerate() {
            if start.warm {
                world.warm_up(lane);
            }
            for _ in 0..count {
                world.lanes[lane].queue.push(world.batches.len() as u8);
                world.batches.push(Batch {
                    lane,
                    ..Batch::default()
                });
            }
        }
        world
    }

    /// Has a batch of one record written that nobody looks at any more.
    fn warm_up(&mut self, lane: usize) {
        let leadership = self.leadership(lane);
        let (lane, identity) = (&mut self.lanes[lane], self.identity);
        let stamp = lane
            .sequences
            .stamp(UNWATCHED.into(), 1, identity, leadership);
        let entry = Entry {
            batch: UNWATCHED,
            count: 1,
            stamp,
        };
        let offset = lane.log.take(entry, true).expect("the log is empty");
        lane.sequences.acknowledged(offset as i64);
        let written = super::super::Attempt::Written;
        lane.sequences.resolve(UNWATCHED.into(), written);
        lane.counted = identity.map(|id| (id, 1));
    }

    /// The steps that may come next.
    pub(super) fn steps(&self) -> Vec<Step> {
        Step::all(self)
    }

    pub(super) fn leadership(&self, lane: usize) -> Leadership {
        let known = self.lanes[lane].known;
        Leadership {
            broker: known,
            epoch: known,
            topic_id: [1; 16],
            producer_id: self.identity.map_or(-1, |id| id.producer_id),
        }
    }

    /// Everything has its outcome, and the producer notes nothing any more.
    pub(super) fn is_resolved(&self) -> bool {
        self.batches.iter().enumerate().all(|(batch, b)| {
            b.outcome.is_some() && !self.lanes[b.lane].sequences.holds(batch as u32)
        })
    }
}

/// Records of a batch: not the same for all, so that sequences and batches differ.
pub(super) fn records(batch: u8) -> u8 {
    1 + batch % 2
}

/// Stands for batches that are not ours to check.
pub(super) const UNWATCHED: u8 = 100;
