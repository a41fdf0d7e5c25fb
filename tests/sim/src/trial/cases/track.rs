//! The last batches of one partition, and how far each has got.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Produced;

/// The last batches of a partition that came to a broker, in the order of their first arrival.
#[derive(Default)]
pub(crate) struct Track {
    batches: VecDeque<Batch>,
    /// The broker that got the last one.
    pub(crate) broker: Option<i32>,
    /// The newest producer id and epoch.
    pub(crate) identity: Option<(i64, i16)>,
}

/// One batch: everything with one stamp, or one attempt without a stamp.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    serial: u64,
    pub(crate) identity: (i64, i16),
    pub(crate) sequence: i32,
    pub(crate) count: i32,
    pub(crate) attempts: u32,
    /// Where the last attempt went.
    pub(crate) broker: i32,
    pub(crate) wire: u64,
    /// The last attempt has no answer yet.
    pub(crate) is_open: bool,
    /// What the broker made of the last attempt.
    pub(crate) code: i16,
    pub(crate) was_appended: bool,
    /// An attempt ended without an answer.
    pub(crate) is_unknown: bool,
    /// The producer has read that it is written.
    pub(crate) is_acked: bool,
    /// Its records have been given up.
    pub(crate) is_expired: bool,
    /// When the last attempt came to its end.
    pub(crate) resolved: Duration,
    /// The wait before the last attempt.
    pub(crate) pause: Duration,
}

/// Batches kept of each partition: the five that a producer may have on the way, and some that they replaced.
const KEPT: usize = 16;

impl Track {
    /// The batches of one identity before a sequence.
    pub(crate) fn ahead_of(
        &self,
        identity: (i64, i16),
        sequence: i32,
    ) -> impl Iterator<Item = &Batch> {
        self.under(identity)
            .filter(move |batch| batch.sequence < sequence)
    }

    /// The batches of one identity behind a sequence.
    pub(crate) fn behind(
        &self,
        identity: (i64, i16),
        sequence: i32,
    ) -> impl Iterator<Item = &Batch> {
        self.under(identity)
            .filter(move |batch| batch.sequence > sequence)
    }

    /// The batches that the producer still has to bring to an end.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter().filter(|batch| batch.is_unresolved())
    }

    pub(crate) fn batches(&mut self) -> impl Iterator<Item = &mut Batch> {
        self.batches.iter_mut()
    }

    fn under(&self, identity: (i64, i16)) -> impl Iterator<Item = &Batch> {
        self.batches
            .iter()
            .filter(move |batch| batch.identity == identity)
    }

    pub(crate) fn find(&self, batch: &Produced) -> Option<&Batch> {
        let known = |known: &&Batch| known.is(batch);
        self.batches.iter().rev().find(known)
    }

    /// Notes an attempt, and returns its batch's serial.
    pub(crate) fn enter(&mut self, now: Duration, batch: &Produced, serial: u64) -> u64 {
        self.broker = Some(batch.broker);
        let identity = (batch.producer_id, batch.epoch);
        if batch.producer_id >= 0 {
            self.identity = self.identity.max(Some(identity));
        }
        let known = self.batches.iter_mut().rev().find(|known| known.is(batch));
        if let Some(known) = known {
            known.again(now, batch);
            return known.serial;
        }
        if self.batches.len() == KEPT {
            self.batches.pop_front();
        }
        self.batches.push_back(Batch {
            serial,
            identity,
            sequence: batch.base_sequence,
            count: batch.count,
            attempts: 1,
            broker: batch.broker,
            wire: batch.connection,
            is_open: batch.acks != 0,
            code: batch.code,
            was_appended: batch.appended,
            is_unknown: false,
            is_acked: false,
            is_expired: false,
            resolved: now,
            pause: Duration::ZERO,
        });
        serial
    }

    /// Notes that a batch's last attempt has come to its end, and returns what is known of the batch.
    pub(crate) fn resolve(&mut self, now: Duration, serial: u64, is_heard: bool) -> Option<Batch> {
        let mut all = self.batches.iter_mut();
        let batch = all.find(|batch| batch.serial == serial)?;
        (batch.is_open, batch.resolved) = (false, now);
        batch.is_acked |= is_heard && batch.code == crate::code::NONE;
        batch.is_unknown |= !is_heard;
        Some(batch.clone())
    }
}

impl Batch {
    pub(crate) fn is_unresolved(&self) -> bool {
        !self.is_acked && !self.is_expired
    }

    /// It was sent, failed, and waits to be sent again.
    pub(crate) fn waits_for_retry(&self) -> bool {
        self.is_unresolved() && !self.is_open
    }

    fn is(&self, batch: &Produced) -> bool {
        self.identity == (batch.producer_id, batch.epoch)
            && batch.producer_id >= 0
            && self.sequence == batch.base_sequence
            && self.count == batch.count
    }

    fn again(&mut self, now: Duration, batch: &Produced) {
        self.attempts += 1;
        (self.broker, self.wire) = (batch.broker, batch.connection);
        (self.code, self.is_open) = (batch.code, true);
        self.was_appended |= batch.appended;
        self.pause = now.saturating_sub(self.resolved);
    }
}
