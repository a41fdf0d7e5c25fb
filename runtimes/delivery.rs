//! What became of a record: a future of it, or a callback with it.

use std::{
    error::Error,
    fmt,
    future::Future,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use ottla_core::{DeliveryError, Outcome};

use crate::{outbox::quietly, share::Share, shared::Shared};

/// The future of an accepted record's outcome; needs no particular executor.
///
/// Dropping it changes nothing: the record is on its way. Polled again after its end, it gives the outcome again.
#[must_use = "a record's outcome is known only through its delivery; drop it explicitly if nobody cares"]
pub struct Delivery {
    batch: Share<Batch>,
    timestamp: i64,
    /// Its number in the batch, and above that where its waker lies there, or `NOWHERE`: one word, since the processor
    /// waits for what is stored as two and loaded as one, which happens when a delivery is moved.
    place: u64,
}

/// Where a record is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// The topic's name, which lives as long as the process.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// The record's offset in the partition. `None` where the broker did not say: with `acks=0`, and for a
    /// duplicate that it no longer remembers.
    pub offset: Option<i64>,
    /// Milliseconds since the Unix epoch: when the broker appended the record, if the topic is set to
    /// LogAppendTime, else the record's own time.
    pub timestamp: i64,
}

/// A record that is not, or perhaps not, in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The record is not in the log and never will be: it may be sent again without becoming a duplicate.
    NotWritten(DeliveryError),
    /// At least one attempt left no answer, so the record may be in the log, or may not.
    MaybeWritten(DeliveryError),
}

impl Undelivered {
    /// What stood in the way.
    #[must_use]
    pub const fn error(&self) -> &DeliveryError {
        match self {
            Self::NotWritten(error) | Self::MaybeWritten(error) => error,
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWritten(error) => write!(f, "not written: {error}"),
            Self::MaybeWritten(error) => write!(f, "perhaps written, perhaps not: {error}"),
        }
    }
}

impl Error for Undelivered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error())
    }
}

/// A user's function, to be called once with a record's outcome.
pub(crate) struct Callback {
    pub(crate) index: u32,
    pub(crate) timestamp: i64,
    pub(crate) call: Call,
}

pub(crate) type Call = Box<dyn FnOnce(Result<RecordMetadata, Undelivered>) + Send>;

/// The records of one batch that share an outcome, and those who wait for it.
pub(crate) struct Batch {
    topic: &'static str,
    partition: i32,
    /// The part that came first, which nearly always is the whole batch: read without a lock.
    first: OnceLock<Part>,
    rest: Mutex<Rest>,
    producer: Weak<Shared>,
    /// The producer's driver rests, and has to hear of who waits.
    rests: bool,
}

#[derive(Clone)]
struct Part {
    records: Range<u32>,
    outcome: Outcome,
}

#[derive(Default)]
struct Rest {
    /// The other parts of a batch that was split.
    parts: Vec<Part>,
    seats: Vec<Option<(u32, Waker)>>,
}

const NOWHERE: u32 = u32::MAX;

#[inline]
const fn place(index: u32, seat: u32) -> u64 {
    index as u64 | (seat as u64) << 32
}

impl Delivery {
    #[inline]
    pub(crate) const fn new(batch: Share<Batch>, index: u32, timestamp: i64) -> Self {
        Self {
            batch,
            timestamp,
            place: place(index, NOWHERE),
        }
    }

    #[inline]
    const fn index(&self) -> u32 {
        self.place as u32
    }

    #[inline]
    const fn seat(&self) -> u32 {
        (self.place >> 32) as u32
    }

    #[inline]
    const fn sit(&mut self, seat: u32) {
        self.place = place(self.index(), seat);
    }

    /// The record's topic.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.batch.topic
    }

    /// The partition that was chosen for the record.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.batch.partition
    }

    /// The outcome, if it is known: without a lock, but for parts of a batch that was split.
    #[inline]
    pub(crate) fn known(&self) -> Option<Result<RecordMetadata, Undelivered>> {
        let part = self.batch.first_with(self.index())?;
        Some(self.result(part))
    }

    /// What its producer's handles and driver share, unless those are gone.
    pub(crate) fn producer(&self) -> Option<Arc<Shared>> {
        self.batch.producer.upgrade()
    }

    #[inline]
    fn result(&self, part: &Part) -> Result<RecordMetadata, Undelivered> {
        self.batch.result(part, self.index(), self.timestamp)
    }

    /// Takes a seat to be woken from, or keeps the one it has.
    fn poll_at(
        &self,
        seat: &mut u32,
        cx: &Context<'_>,
    ) -> Poll<Result<RecordMetadata, Undelivered>> {
        let mut rest = self.batch.rest();
        // Once more, since the batch may have ended before the lock was taken.
        if let Some(part) = self.batch.part_with(&rest, self.index()) {
            return Poll::Ready(self.result(part));
        }
        let old = rest.sit_down(self.index(), seat, cx.waker());
        drop(rest);
        drop(old);
        if self.batch.rests
            && let Some(producer) = self.producer()
        {
            producer.lock().await_delivery();
        }
        Poll::Pending
    }

    /// Gives what lies there, to be dropped after the lock: it may hold the task that holds other deliveries of the batch.
    #[cold]
    fn leave(&self, seat: u32) -> Option<(u32, Waker)> {
        let mut rest = self.batch.rest();
        rest.seats.get_mut(seat as usize).and_then(Option::take)
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, Undelivered>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(known) = self.known() {
            self.sit(NOWHERE);
            return Poll::Ready(known);
        }
        let mut seat = self.seat();
        let polled = self.poll_at(&mut seat, cx);
        self.sit(seat);
        polled
    }
}

impl Drop for Delivery {
    #[inline]
    fn drop(&mut self) {
        if self.seat() != NOWHERE {
            drop(self.leave(self.seat()));
        }
    }
}

/// Waits for a delivery from a seat of its own.
pub(crate) struct Onlooker<'a> {
    delivery: &'a Delivery,
    seat: u32,
}

impl<'a> Onlooker<'a> {
    pub(crate) const fn new(delivery: &'a Delivery) -> Self {
        Self {
            delivery,
            seat: NOWHERE,
        }
    }
}

impl Future for Onlooker<'_> {
    type Output = Result<RecordMetadata, Undelivered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let delivery = self.delivery;
        delivery.poll_at(&mut self.seat, cx)
    }
}

impl Drop for Onlooker<'_> {
    fn drop(&mut self) {
        drop(self.delivery.leave(self.seat));
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .finish_non_exhaustive()
    }
}

impl Batch {
    pub(crate) fn new(
        topic: &'static str,
        partition: i32,
        producer: Weak<Shared>,
        rests: bool,
    ) -> Self {
        Self {
            topic,
            partition,
            first: OnceLock::new(),
            rest: Mutex::default(),
            producer,
            rests,
        }
    }

    /// Gives a range of the records its outcome, wakes who waits for it and calls the users' functions: not under a
    /// lock. Who has an outcome already keeps it.
    pub(crate) fn complete(&self, records: Range<u32>, outcome: Outcome, calls: Vec<Callback>) {
        let part = Part { records, outcome };
        let later = self.first.set(part.clone()).err();
        let mut rest = self.rest();
        rest.parts.extend(later);
        let mut woken = rest.stand_up(&part.records);
        drop(rest);
        if planted!(WakesOne) {
            woken.truncate(1);
        }
        for (at, waker) in woken.iter().enumerate() {
            // Who waits for many records of a batch, as a join does with one waker, is woken once.
            if !woken[..at].last().is_some_and(|last| last.will_wake(waker)) {
                quietly(|| waker.wake_by_ref());
            }
        }
        for Callback {
            index,
            timestamp,
            call,
        } in calls
        {
            let result = self.result(&part, index, timestamp);
            match planted!(PanicSpreads) {
                true => call(result),
                false => quietly(|| call(result)),
            }
        }
    }

    #[inline]
    fn first_with(&self, index: u32) -> Option<&Part> {
        self.first
            .get()
            .filter(|part| part.records.contains(&index))
    }

    fn part_with<'a>(&'a self, rest: &'a Rest, index: u32) -> Option<&'a Part> {
        let mut parts = self.first.get().into_iter().chain(&rest.parts);
        parts.find(|part| part.records.contains(&index))
    }

    #[inline]
    fn result(
        &self,
        part: &Part,
        index: u32,
        timestamp: i64,
    ) -> Result<RecordMetadata, Undelivered> {
        match &part.outcome {
            Outcome::Written {
                offset,
                append_time,
            } => Ok(RecordMetadata {
                topic: self.topic,
                partition: self.partition,
                offset: offset.map(|first| match planted!(OffsetOfWhole) {
                    true => first + i64::from(index),
                    false => first + i64::from(index - part.records.start),
                }),
                timestamp: append_time.unwrap_or(timestamp),
            }),
            Outcome::NotWritten(error) => Err(Undelivered::NotWritten(error.clone())),
            Outcome::MaybeWritten(error) => Err(Undelivered::MaybeWritten(error.clone())),
        }
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    /// Leaves a waker for the record; gives back the one that lay there, to be dropped after the lock.
    fn sit_down(&mut self, index: u32, seat: &mut u32, waker: &Waker) -> Option<(u32, Waker)> {
        match self.seats.get_mut(*seat as usize) {
            Some(Some((_, old))) if old.will_wake(waker) => None,
            Some(taken) => taken.replace((index, waker.clone())),
            None => {
                *seat = u32::try_from(self.seats.len())
                    .expect("a batch has fewer records than u32::MAX");
                self.seats.push(Some((index, waker.clone())));
                None
            }
        }
    }

    /// Takes the wakers of a range of records.
    fn stand_up(&mut self, records: &Range<u32>) -> Vec<Waker> {
        let seats = self.seats.iter_mut();
        seats
            .filter_map(|seat| seat.take_if(|(index, _)| records.contains(index)))
            .map(|(_, waker)| waker)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;
    use crate::share::Giver;

    const WRITTEN: Outcome = Outcome::Written {
        offset: Some(100),
        append_time: None,
    };

    fn batch() -> Giver<Batch> {
        Giver::new(Batch::new("t", 3, Weak::new(), false))
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(delivery: &mut Delivery, waker: &Waker) -> Poll<Result<RecordMetadata, Undelivered>> {
        Pin::new(delivery).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_delivery_is_small() {
        assert_eq!(size_of::<Delivery>(), 24);
    }

    #[test]
    fn each_record_has_its_own_offset_and_time() {
        let mut batch = batch();
        let mut deliveries = [0, 1, 7].map(|i| Delivery::new(batch.share(), i, 50 + i64::from(i)));
        batch.complete(0..8, WRITTEN, Vec::new());
        let got = deliveries.each_mut().map(|d| match poll(d, Waker::noop()) {
            Poll::Ready(Ok(written)) => (
                written.offset.unwrap(),
                written.timestamp,
                written.partition,
            ),
            other => panic!("{other:?}"),
        });
        assert_eq!(got, [(100, 50, 3), (101, 51, 3), (107, 57, 3)]);
        assert!(
            poll(&mut deliveries[0], Waker::noop()).is_ready(),
            "asked again, it answers again"
        );
    }

    #[test]
    fn the_brokers_time_counts_if_it_says_one() {
        let mut batch = batch();
        let mut delivery = Delivery::new(batch.share(), 0, 50);
        batch.complete(
            0..1,
            Outcome::Written {
                offset: None,
                append_time: Some(9),
            },
            Vec::new(),
        );
        let Poll::Ready(Ok(written)) = poll(&mut delivery, Waker::noop()) else {
            panic!()
        };
        assert_eq!((written.offset, written.timestamp), (None, 9));
    }

    #[test]
    fn a_split_batch_resolves_range_by_range() {
        let mut batch = batch();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut deliveries = [0, 1, 2].map(|i| Delivery::new(batch.share(), i, 0));
        for delivery in &mut deliveries {
            assert!(poll(delivery, &waker).is_pending());
        }
        let refused = Outcome::NotWritten(DeliveryError::Purged);
        batch.complete(1..2, refused, Vec::new());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(poll(&mut deliveries[0], &waker).is_pending());
        let purged = Undelivered::NotWritten(DeliveryError::Purged);
        assert_eq!(
            poll(&mut deliveries[1], &waker),
            Poll::Ready(Err(purged.clone()))
        );
        batch.complete(0..1, WRITTEN, Vec::new());
        batch.complete(2..3, WRITTEN, Vec::new());
        // The driver's end comes last and changes nothing that is known.
        batch.complete(
            0..u32::MAX,
            Outcome::MaybeWritten(DeliveryError::Fatal(ottla_core::Fatal::DriverGone)),
            Vec::new(),
        );
        assert!(matches!(
            poll(&mut deliveries[0], &waker),
            Poll::Ready(Ok(_))
        ));
        assert_eq!(poll(&mut deliveries[1], &waker), Poll::Ready(Err(purged)));
        let Poll::Ready(Ok(written)) = poll(&mut deliveries[2], &waker) else {
            panic!()
        };
        assert_eq!(
            written.offset,
            Some(100),
            "a range's offset is that of its first record"
        );
    }

    #[test]
    fn who_waits_for_many_records_is_woken_once() {
        let mut batch = batch();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut deliveries: Vec<_> = (0..10)
            .map(|i| Delivery::new(batch.share(), i, 0))
            .collect();
        for delivery in &mut deliveries {
            assert!(poll(delivery, &waker).is_pending());
            assert!(poll(delivery, &waker).is_pending());
        }
        assert_eq!(
            batch.rest().seats.len(),
            10,
            "a second poll takes no second seat"
        );
        batch.complete(0..10, WRITTEN, Vec::new());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn h159_a_dropped_delivery_leaves_nothing_behind() {
        let mut batch = batch();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut delivery = Delivery::new(batch.share(), 0, 0);
        assert!(poll(&mut delivery, &waker).is_pending());
        assert_eq!(Arc::strong_count(&count), 3);
        drop(delivery);
        assert_eq!(Arc::strong_count(&count), 2);
        batch.complete(0..1, WRITTEN, Vec::new());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn h155_a_panic_in_a_callback_harms_nobody_else() {
        let mut batch = batch();
        let called = Arc::new(Count::default());
        let callback = |index: u32| {
            let called = Arc::clone(&called);
            let call: Call = Box::new(move |result| {
                assert_eq!(result.unwrap().offset, Some(100 + i64::from(index)));
                called.0.fetch_add(1, Ordering::Relaxed);
                assert_ne!(index, 1, "a user's mistake");
            });
            Callback {
                index,
                timestamp: 0,
                call,
            }
        };
        let mut delivery = Delivery::new(batch.share(), 3, 0);
        batch.complete(0..4, WRITTEN, (0..3).map(callback).collect());
        assert_eq!(called.0.load(Ordering::Relaxed), 3);
        assert!(poll(&mut delivery, Waker::noop()).is_ready());
    }
}
