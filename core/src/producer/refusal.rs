//! Batches of which the broker refuses some records (KIP-467).

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use super::{ProducerCore, attempt::Ended};
use crate::{
    connection::ProduceItem,
    error::{Cause, DeliveryError},
    idempotence::{Attempt, Fate},
    outcome::Outcome,
    time::Instant,
    wire::{ErrorCode, PartitionProduceResponse},
};

impl ProducerCore {
    /// The broker named the records that it refuses (KIP-467): the others of the batch may be sent again.
    pub(super) fn records_refused(
        &mut self,
        now: Instant,
        item: ProduceItem,
        answer: &PartitionProduceResponse<'_>,
        message: Option<Box<str>>,
    ) {
        let code = answer.error_code;
        let ended = Ended {
            attempt: Attempt::Refused { retry: false },
            cause: Some(Cause::Broker {
                code,
                message: message.clone(),
            }),
            ..Ended::written()
        };
        let Some(resolution) = self.resolve(item, &ended) else {
            return;
        };
        if resolution.fate == Fate::NotWritten && !self.accumulator.batch(item.batch).uncertain {
            let count = self.accumulator.batch(item.batch).body.count();
            let ranges = refused_ranges(answer, count, message.as_deref());
            self.complete_ranges(item.batch, ranges);
        } else {
            self.follow(now, item, &ended, resolution.fate);
        }
        self.after_resolution(now, item.partition, &ended, resolution.fault);
    }
}

/// The batch's records in ranges: those that were named, each with its message, and the others between them.
fn refused_ranges(
    answer: &PartitionProduceResponse<'_>,
    count: u32,
    message: Option<&str>,
) -> Vec<(Range<u32>, Outcome)> {
    let code = answer.error_code;
    let mut culprits: Vec<(u32, Option<&str>)> = answer
        .record_errors
        .iter()
        .filter_map(|e| Some((u32::try_from(e.batch_index).ok()?, e.message)))
        .filter(|(index, _)| *index < count)
        .collect();
    culprits.sort_by_key(|c| c.0);
    culprits.dedup_by_key(|c| c.0);
    if culprits.is_empty() {
        let error = DeliveryError::Broker {
            code,
            message: message.map(Into::into),
        };
        return [(0..count, Outcome::NotWritten(error))].into();
    }
    // With one culprit the batch's own code is its reason; among several, each is an invalid record.
    let own = if culprits.len() == 1 && count == 1 {
        code
    } else {
        ErrorCode::INVALID_RECORD
    };
    let mut ranges = Vec::new();
    let mut next = 0;
    for (index, own_message) in culprits {
        if next < index {
            ranges.push((
                next..index,
                Outcome::NotWritten(DeliveryError::BatchMate { code }),
            ));
        }
        let message = own_message.or(message).map(Into::into);
        ranges.push((
            index..index + 1,
            Outcome::NotWritten(DeliveryError::Broker { code: own, message }),
        ));
        next = index + 1;
    }
    if next < count {
        ranges.push((
            next..count,
            Outcome::NotWritten(DeliveryError::BatchMate { code }),
        ));
    }
    ranges
}
