//! Who runs out of time is told what brokers have answered all the while (H168).

use ottla::{Cause, DeliveryError, SendError, Undelivered};

use super::super::Breach;
use super::super::cases::Scene;
use super::super::focus::Focus;
use super::super::ledger::Fate;
use super::Rule;
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Reasons;

impl Rule for Reasons {
    fn see(&mut self, line: &Line, scene: &Scene<'_>) -> Result<(), Breach> {
        let plan = scene.plan;
        if plan.focus != Some(Focus::Reasons) || line.at > plan.storm {
            return Ok(());
        }
        let (Fact::Ended { record, .. } | Fact::Declined { record, .. }) = &line.fact else {
            return Ok(());
        };
        let entry = &scene.ledger.entries[*record];
        let cause = match &entry.fate {
            Fate::Refused(SendError::TimedOut { cause, .. }) => cause.as_ref(),
            // Of one that may be written the request is in flight perhaps, and then no answer is the reason.
            Fate::NotWritten(Undelivered::NotWritten(DeliveryError::Expired { cause })) => {
                Some(cause)
            }
            _ => return Ok(()),
        };
        // A broker that takes its time may be too late, which is a reason as well.
        match cause {
            Some(Cause::Broker { .. } | Cause::Metadata { .. } | Cause::Unreachable { .. }) => {
                Ok(())
            }
            _ => {
                let what = format!("record {record} was told no reason: {cause:?}");
                Err(("H168", what))
            }
        }
    }
}
