//! The application's handle.

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use ottla_core::{
    CompressionTotals, Config, InvalidTopic, Metrics, PartitionInfo, Purge, Scope, SendError,
};

use crate::{
    delivery::{Call, Delivery, RecordMetadata, Undelivered},
    record::{Record, Topic, TopicRef},
    sending::{InLine, Sending, give_way},
    shared::Shared,
    state::{State, Wait},
};

/// A Kafka producer: cheap to clone, and the same whichever runtime drives it.
///
/// Its futures need no particular executor; dropping any of them, at any point, never blocks. When the last clone
/// is dropped, what was accepted is still delivered, as long as the runtime lives; [`close`](Self::close) waits for that.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

/// What all clones share; closes the producer when the last one goes.
struct Handle {
    shared: Arc<Shared>,
}

/// A call for many records that ended early: the first ones are on their way, the rest was not taken.
#[derive(Debug)]
pub struct SendAllError {
    /// The deliveries of the records that were taken, in order.
    pub deliveries: Vec<Delivery>,
    /// Why the next record was refused.
    pub error: SendError,
}

/// Records that are sent under one hold of the lock, and their bytes.
const GROUP: usize = 64;
const GROUP_BYTES: usize = 64 << 10;

impl Producer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            handle: Arc::new(Handle { shared }),
        }
    }

    /// Sends a record, waiting for room in `buffer.memory` and for the topic's metadata, at most `max.block.ms`.
    ///
    /// The order of records is that in which their futures are first polled. The [`Delivery`] that comes back is a
    /// future of the record's outcome. A future that is dropped before it ends may or may not have sent the record, but
    /// never half of it: while it waits, nothing is sent; once it was its turn, everything is.
    /// A record that has to wait is copied, beside `buffer.memory`. Once in 256 KiB other tasks are let run, so that the
    /// driver has its turn where there is but one thread.
    #[inline]
    pub fn send(&self, record: Record<'_>) -> impl Future<Output = Result<Delivery, SendError>> {
        Sending::new(self, record)
    }

    /// Sends a record if there is room for it now, and its topic is known; otherwise refuses it
    /// ([`Full`](SendError::Full), [`TopicNotReady`](SendError::TopicNotReady)).
    #[inline]
    pub fn try_send(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        let mut state = self.shared().lock_to_send();
        state.send(&record, State::delivery)
    }

    /// Sends a record like [`send`](Self::send); its outcome goes to `callback`.
    ///
    /// Callbacks run in the driver, in the order of the records of a partition, with no lock held: sending from one is
    /// fine, blocking in one holds up the producer. Its panic harms nobody else. If the record is refused, `callback` is
    /// never called.
    pub async fn send_with(
        &self,
        record: Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, Undelivered>) + Send + 'static,
    ) -> Result<(), SendError> {
        let handed_in = self.hand_in(&record, Some(Box::new(callback)))?;
        self.settle(handed_in).await?;
        Ok(())
    }

    /// Sends a record like [`try_send`](Self::try_send); its outcome goes to `callback` as with
    /// [`send_with`](Self::send_with).
    pub fn try_send_with(
        &self,
        record: Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, Undelivered>) + Send + 'static,
    ) -> Result<(), SendError> {
        // Outlives the lock if it is refused.
        let mut call: Option<Call> = Some(Box::new(callback));
        let mut state = self.shared().lock_to_send();
        state.send(&record, |state, accepted| {
            state.receipt(accepted, &mut call);
        })
    }

    /// Sends many records like [`send`](Self::send), up to 64 under one hold of the lock; deliveries come in the order
    /// of the records. At the first record that can't be sent it ends.
    ///
    /// Dropping the future sends nothing more, but the deliveries of what it had sent go with it: who wants every
    /// outcome lets it end, with [`close`](Self::close) if need be.
    // `I` has to be a parameter of its own. Whether a task that awaits this is `Send` the compiler asks without regard to
    // lifetimes, and then it does not see that a `map` by a closure is an iterator: no `R::IntoIter` may be in the future.
    pub fn send_all<'a, R, I>(
        &self,
        records: R,
    ) -> impl Future<Output = Result<Vec<Delivery>, SendAllError>>
    where
        R: IntoIterator<Item = Record<'a>, IntoIter = I>,
        I: Iterator<Item = Record<'a>>,
    {
        self.send_each(records.into_iter())
    }

    async fn send_each<'a, I: Iterator<Item = Record<'a>>>(
        &self,
        mut records: I,
    ) -> Result<Vec<Delivery>, SendAllError> {
        let mut deliveries = Vec::with_capacity(records.size_hint().0.min(1 << 16));
        let mut group = Vec::new();
        loop {
            fill(&mut group, &mut records);
            if group.is_empty() {
                return Ok(deliveries);
            }
            let mut taken = 0;
            while taken < group.len() {
                let before = deliveries.len();
                let sent = self.send_group(&group[taken..], &mut deliveries);
                taken += deliveries.len() - before;
                let error = match sent {
                    Ok(owes_turn) => {
                        if owes_turn {
                            give_way().await;
                        }
                        break;
                    }
                    Err(error) => error,
                };
                match self.insist(&group[taken], error).await {
                    Ok(delivery) => deliveries.push(delivery),
                    Err(error) => return Err(SendAllError { deliveries, error }),
                }
                taken += 1;
            }
            group.clear();
        }
    }

    /// Sends as many of the records as there is room for, in order; the error says why the next one was not taken.
    pub fn try_send_all(&self, records: &[Record<'_>]) -> Result<Vec<Delivery>, SendAllError> {
        let mut deliveries = Vec::with_capacity(records.len());
        let mut rest = records;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_len(rest));
            if let Err(error) = self.send_group(group, &mut deliveries) {
                return Err(SendAllError { deliveries, error });
            }
            rest = later;
        }
        Ok(deliveries)
    }

    /// Waits until every record that was accepted before has its outcome, and sends them without lingering.
    pub async fn flush(&self) {
        let flushed = {
            let mut state = self.shared().lock();
            if state.end.is_some() {
                return;
            }
            state.flush(Scope::All)
        };
        flushed.await;
    }

    /// Ends records without waiting for their delivery: those on the way to a broker as perhaps written, the others as
    /// not written, unless an earlier attempt left no answer. Their deliveries and callbacks learn
    /// [`DeliveryError::Purged`]. Who waits for room is not touched, and later records are sent as ever.
    ///
    /// [`DeliveryError::Purged`]: crate::DeliveryError::Purged
    pub fn purge(&self, what: Purge) {
        let mut state = self.shared().lock();
        if state.end.is_none() {
            let now = state.moment().now;
            state.core.purge(now, what);
        }
    }

    /// The partitions of a topic and their leaders, waiting for them at most `max.block.ms`.
    pub async fn partitions_for(
        &self,
        topic: impl Into<TopicRef<'_>>,
    ) -> Result<Vec<PartitionInfo>, SendError> {
        let topic = topic.into();
        loop {
            let wait = {
                let mut state = self.shared().lock();
                let now = state.moment().now;
                let topic = state.topic(now, topic)?;
                if let Some(partitions) = state.core.partitions(topic) {
                    return Ok(partitions.collect());
                }
                state.wait_for_topic(topic)
            };
            self.in_line(wait).await?;
        }
    }

    /// Accepts no more records, delivers those that were accepted, and ends the producer for all its clones; after
    /// `timeout` what is left ends without delivery. May be called again, and by several at once.
    pub async fn close(&self, timeout: Duration) {
        let closed = {
            let mut state = self.shared().lock();
            if state.end.is_some() {
                return;
            }
            state.close(timeout);
            state.closed()
        };
        closed.await;
    }

    /// A handle for a topic, which saves looking its name up for every record.
    pub fn topic(&self, name: &str) -> Result<Topic, InvalidTopic> {
        self.shared().lock().handle(name)
    }

    /// The settings, with the `client.id` that was chosen if none was set.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared().config
    }

    /// Counters since the start.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared().lock().core.metrics()
    }

    /// What became of a topic's batches under `compression.type`; `None` if the handle is of another producer, or this one
    /// has ended. Java's metric `compression-rate` of the topic is its [`rate_avg`](CompressionTotals::rate_avg).
    #[must_use]
    pub fn compression_of(&self, topic: Topic) -> Option<CompressionTotals> {
        let mut state = self.shared().lock();
        let now = state.moment().now;
        let topic = state.topic(now, topic.into()).ok()?;
        state.core.compression_of(topic)
    }

    /// Has the core look whether all that must hold of it does; `None` with the driver gone. For simulators.
    #[doc(hidden)]
    #[must_use]
    pub fn audit(&self) -> Option<Result<ottla_core::Audit, &'static str>> {
        let state = self.shared().lock();
        state.end.is_none().then(|| state.core.audit())
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Hands in a record, or gets in line with it.
    #[inline]
    pub(crate) fn hand_in(
        &self,
        record: &Record<'_>,
        mut call: Option<Call>,
    ) -> Result<HandedIn, SendError> {
        let mut state = self.shared().lock_to_send();
        let taken = state.send(record, |state, accepted| {
            let delivery = state.receipt(accepted, &mut call);
            match state.owes_turn() {
                false => HandedIn::Taken(delivery),
                true => HandedIn::TakenInHaste(delivery),
            }
        });
        match taken {
            Ok(taken) => Ok(taken),
            Err(SendError::Full | SendError::TopicNotReady) => {
                state.wait(record, &mut call).map(HandedIn::Waits)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits in line with a record that was just refused with `error`, if waiting helps.
    async fn insist(&self, record: &Record<'_>, error: SendError) -> Result<Delivery, SendError> {
        match error {
            SendError::Full | SendError::TopicNotReady => self.send(record.clone()).await,
            error => Err(error),
        }
    }

    /// Sends what there is room for; whether the driver should have its turn now.
    #[inline]
    pub(crate) fn send_group(
        &self,
        records: &[Record<'_>],
        deliveries: &mut Vec<Delivery>,
    ) -> Result<bool, SendError> {
        deliveries.reserve(records.len());
        let mut state = self.shared().lock();
        for record in records {
            deliveries.push(state.send(record, State::delivery)?);
        }
        Ok(state.owes_turn())
    }

    pub(crate) fn in_line(&self, wait: Wait) -> InLine<'_> {
        InLine::new(self.shared(), wait)
    }
}

/// Takes the next group from an iterator, which is user code and so runs outside of the lock.
fn fill<'a>(group: &mut Vec<Record<'a>>, records: &mut impl Iterator<Item = Record<'a>>) {
    let mut bytes = 0;
    while group.len() < GROUP && bytes < GROUP_BYTES {
        let Some(record) = records.next() else { return };
        bytes += record.size();
        group.push(record);
    }
}

/// How many of the records make the next group: at least one.
pub(crate) fn group_len(records: &[Record<'_>]) -> usize {
    let mut bytes = 0;
    let within = records.iter().take(GROUP).take_while(|record| {
        let fits = bytes < GROUP_BYTES;
        bytes += record.size();
        fits
    });
    within.count()
}

/// What came of a record that was handed in.
pub(crate) enum HandedIn {
    Taken(Option<Delivery>),
    /// It was taken, and the driver should have its turn now.
    TakenInHaste(Option<Delivery>),
    Waits(Wait),
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.end.is_none() && !state.closing {
            // As long as the records' own delivery.timeout.ms allows.
            state.close(Duration::MAX);
        }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client_id = self.config().client_id();
        f.debug_struct("Producer")
            .field("client_id", &client_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SendAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} records: {}", self.deliveries.len(), self.error)
    }
}

impl Error for SendAllError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_bounded_in_records_and_bytes_and_never_empty() {
        let large = [0; 2 * GROUP_BYTES];
        let record = |len: usize| Record::to("t").value(&large[..len]);
        for (len, expected) in [(0, GROUP), (GROUP_BYTES / 4, 4), (GROUP_BYTES + 1, 1)] {
            let records = vec![record(len); 3 * GROUP];
            assert_eq!(group_len(&records), expected);
            let (mut group, mut rest) = (Vec::new(), records.into_iter());
            fill(&mut group, &mut rest);
            assert_eq!((group.len(), rest.len()), (expected, 3 * GROUP - expected));
        }
        assert_eq!(group_len(&[record(0)]), 1);
    }
}
