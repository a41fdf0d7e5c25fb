//! How an attempt to send a batch ended.

use crate::{
    error::{Cause, DeliveryError},
    idempotence::Attempt,
};

/// How an attempt ended, and what the outcome of its batch would say.
pub(super) struct Ended {
    pub(super) attempt: Attempt,
    pub(super) offset: Option<i64>,
    pub(super) append_time: Option<i64>,
    /// What failed, if something did.
    pub(super) cause: Option<Cause>,
    /// The producer id is of no use any more.
    pub(super) new_producer_id: bool,
    /// Another attempt might have helped, but `retries` are used up.
    pub(super) exhausted: bool,
    /// The batch was too large, and goes on in pieces.
    pub(super) splits: bool,
}

impl Ended {
    pub(super) fn written() -> Self {
        Self {
            attempt: Attempt::Written,
            offset: None,
            append_time: None,
            cause: None,
            new_producer_id: false,
            exhausted: false,
            splits: false,
        }
    }

    pub(super) fn untouched() -> Self {
        Self {
            attempt: Attempt::Untouched,
            ..Self::written()
        }
    }

    pub(super) fn without_answer(cause: Cause, retry: bool) -> Self {
        Self {
            attempt: Attempt::Uncertain { retry },
            cause: Some(cause),
            ..Self::written()
        }
    }

    /// What the outcome of a batch says that failed for good.
    pub(super) fn error(&self) -> DeliveryError {
        match self.cause.clone().unwrap_or(Cause::Busy) {
            last if self.exhausted => DeliveryError::RetriesExhausted { last },
            Cause::Broker { code, message } => DeliveryError::Broker { code, message },
            Cause::Unreachable { why, .. } => DeliveryError::Disconnected(why),
            last => DeliveryError::RetriesExhausted { last },
        }
    }
}
