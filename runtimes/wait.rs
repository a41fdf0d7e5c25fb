//! The blocking forms of every call, for threads that run no tasks.

use std::{
    error::Error,
    fmt,
    pin::{Pin, pin},
    thread,
    time::Duration,
};

use ottla_core::{Deadlock, DeliveryError, Fatal, PartitionInfo, SendError};

use crate::{
    delivery::{Call, Delivery, Onlooker, RecordMetadata, Undelivered},
    parking::block_on,
    producer::{HandedIn, Producer, SendAllError, group_len},
    record::{Record, TopicRef},
    state::{Admission, Wait},
};

/// Why [`Delivery::wait`] gives no place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// The record is not, or perhaps not, in the log.
    Undelivered(Undelivered),
    /// The outcome is still open, and this thread is no place to wait for it. The delivery is good as before: await it, or
    /// wait elsewhere.
    Deadlock(Deadlock),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undelivered(error) => error.fmt(f),
            Self::Deadlock(error) => write!(f, "the outcome is still open: {error}"),
        }
    }
}

impl Error for WaitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Undelivered(error) => Some(error),
            Self::Deadlock(error) => Some(error),
        }
    }
}

/// # Blocking forms
///
/// They block the thread, so they are for threads that run no tasks. Where such a call would have to wait for a driver that
/// it holds up, it returns a [`Deadlock`] instead:
///
/// - at once from within a callback, and from a task of the tokio runtime that drives the producer, or the future of its
///   `block_on` if it is a current-thread runtime: await the async form there, or call from `spawn_blocking`;
/// - after a second if the driver ran on this very thread last and has no turn meanwhile, as in a task of an executor with
///   one thread: there is smol's `unblock`;
/// - anywhere else when the call's own time-out has passed by the clock of the caller, and a second of grace.
///
/// What a call gave up waiting for is withdrawn, as if it had never been asked for; a record that was accepted keeps its
/// outcome.
impl Producer {
    /// Sends a record like [`send`](Self::send), and blocks until there is room for it.
    #[inline]
    pub fn send_blocking(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        let delivery = self.offer_blocking(&record, None)?;
        Ok(delivery.expect("a record without a callback has a delivery"))
    }

    /// Sends a record like [`send_with`](Self::send_with), and blocks until there is room for it.
    pub fn send_with_blocking(
        &self,
        record: Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, Undelivered>) + Send + 'static,
    ) -> Result<(), SendError> {
        self.offer_blocking(&record, Some(Box::new(callback)))?;
        Ok(())
    }

    #[inline]
    fn offer_blocking(&self, record: &Record<'_>, call: Option<Call>) -> Admission {
        match self.hand_in(record, call)? {
            HandedIn::Taken(delivery) => Ok(delivery),
            HandedIn::TakenInHaste(delivery) => {
                thread::yield_now();
                Ok(delivery)
            }
            HandedIn::Waits(wait) => self.wait_in_line(wait),
        }
    }

    #[cold]
    fn wait_in_line(&self, wait: Wait) -> Admission {
        let mut place = self.in_line(wait);
        let limit = self.config().max_block();
        match block_on(self.shared(), Pin::new(&mut place), limit) {
            Ok(admission) => admission,
            // It may have been sent in the last moment.
            Err(deadlock) => place
                .withdraw()
                .unwrap_or(Err(SendError::Deadlock(deadlock))),
        }
    }

    /// Sends many records like [`send_all`](Self::send_all), and blocks until there is room for them.
    pub fn send_all_blocking(&self, records: &[Record<'_>]) -> Result<Vec<Delivery>, SendAllError> {
        let mut deliveries = Vec::with_capacity(records.len());
        while let Some(rest) = records.get(deliveries.len()..).filter(|r| !r.is_empty()) {
            let error = match self.send_group(&rest[..group_len(rest)], &mut deliveries) {
                Ok(owes_turn) => {
                    if owes_turn {
                        thread::yield_now();
                    }
                    continue;
                }
                Err(error) => error,
            };
            let waited = match error {
                SendError::Full | SendError::TopicNotReady => {
                    self.send_blocking(records[deliveries.len()].clone())
                }
                error => Err(error),
            };
            match waited {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => return Err(SendAllError { deliveries, error }),
            }
        }
        Ok(deliveries)
    }

    /// Blocks until all records that were accepted before have their outcome; see [`flush`](Self::flush).
    pub fn flush_blocking(&self) -> Result<(), Deadlock> {
        let limit = self.config().delivery_timeout();
        block_on(self.shared(), pin!(self.flush()), limit)
    }

    /// Blocks until the topic's partitions are known; see [`partitions_for`](Self::partitions_for).
    pub fn partitions_for_blocking<'a>(
        &self,
        topic: impl Into<TopicRef<'a>>,
    ) -> Result<Vec<PartitionInfo>, SendError> {
        let limit = self.config().max_block();
        let partitions = pin!(self.partitions_for(topic));
        block_on(self.shared(), partitions, limit).map_err(SendError::Deadlock)?
    }

    /// Closes the producer, and blocks until it has ended; see [`close`](Self::close). With an error the closing has begun
    /// all the same, and nothing waits for its end.
    pub fn close_blocking(&self, timeout: Duration) -> Result<(), Deadlock> {
        block_on(self.shared(), pin!(self.close(timeout)), timeout)
    }
}

impl Delivery {
    /// Blocks until the outcome is known, which takes `delivery.timeout.ms` at most, as the
    /// [blocking forms](Producer#blocking-forms) do. With [`WaitError::Deadlock`] it is not known, and may be asked for
    /// again.
    #[inline]
    pub fn wait(&self) -> Result<RecordMetadata, WaitError> {
        let outcome = match self.known() {
            Some(known) => known,
            None => self.block().map_err(WaitError::Deadlock)?,
        };
        outcome.map_err(WaitError::Undelivered)
    }

    #[cold]
    fn block(&self) -> Result<Result<RecordMetadata, Undelivered>, Deadlock> {
        let Some(shared) = self.producer() else {
            // The end of the producer resolves every delivery, so that `known` gives the outcome.
            let gone = Undelivered::MaybeWritten(DeliveryError::Fatal(Fatal::DriverGone));
            return Ok(self.known().unwrap_or(Err(gone)));
        };
        let limit = shared.config.delivery_timeout();
        block_on(&shared, pin!(Onlooker::new(self)), limit)
    }
}
