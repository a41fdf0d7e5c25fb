//! The core and the tables beside it: what the application does with them.

use std::{collections::BTreeMap, mem, sync::Weak, time::Duration};

use ottla_core::{
    self as core, DeliveryError, Fatal, FlushId, Instant, Outcome, ProducerCore, SendError, Ticket,
    Waiter,
};

use crate::{
    clock::{Clock, Moment, Watch},
    delivery::{Batch, Call, Callback, Delivery},
    names,
    outbox::{Note, quietly},
    record::{OwnedRecord, Record, Topic, TopicRef},
    reply::{Answer, Promise, promise},
    share::Giver,
    shared::{Asleep, End, Shared},
};

/// Everything that changes. Who holds the lock does work for one record, a few dozen, or one frame: no system
/// call, no checksum, no waker, no user code.
pub(crate) struct State {
    pub(crate) core: ProducerCore,
    /// What holds this state; set at once.
    pub(crate) shared: Weak<Shared>,
    /// The driver rests where nobody waits for it; set at once.
    pub(crate) rests: bool,
    clock: Clock,
    /// The number of the producer in this process.
    number: u32,
    /// Set once: nothing is accepted any more, and nothing is left in the tables.
    pub(crate) end: Option<End>,
    pub(crate) closing: bool,
    pub(crate) driver: Asleep,
    /// The driver's time while it is at work: saves every send the look at the clocks.
    pub(crate) turn: Option<Moment>,
    watch: Watch,
    /// Names by [`core::Topic::index`].
    pub(crate) topics: Vec<&'static str>,
    /// By [`BatchId::slot`].
    pub(crate) batches: Vec<OpenBatch>,
    /// The callbacks of the batch that was completed last: how many the next one is likely to have.
    pub(crate) usual_callbacks: usize,
    /// By [`Waiter::slot`].
    waiting: Vec<Option<Waiting>>,
    /// How many of them there are.
    pub(crate) waiters: usize,
    pub(crate) flushes: BTreeMap<FlushId, Promise<()>>,
    closes: Vec<Promise<()>>,
}

#[derive(Default)]
pub(crate) struct OpenBatch {
    pub(crate) batch: Option<Giver<Batch>>,
    pub(crate) callbacks: Vec<Callback>,
}

/// Somebody who waits, in the driver's hands.
pub(crate) struct Waiting {
    waiter: Waiter,
    /// `None`: it waits for a topic only.
    pub(crate) record: Option<OwnedRecord>,
    pub(crate) call: Option<Call>,
    promise: Promise<Admission>,
}

impl Waiting {
    /// Ends the wait, under the lock: who finds that it can't be given up any more has the answer. Waking whoever waits, and
    /// freeing what waited, is left for later.
    pub(crate) fn answered(self, admission: Admission) -> Note {
        let waker = self.promise.answer(admission);
        Note::WaitEnded {
            waiting: self,
            waker,
        }
    }
}

/// The caller's end of a wait.
pub(crate) struct Wait {
    pub(crate) waiter: Waiter,
    pub(crate) answer: Answer<Admission>,
}

/// How a wait ended. A record that was sent with a callback has no delivery.
pub(crate) type Admission = Result<Option<Delivery>, SendError>;

/// Callbacks that room is made for with the first of a batch: not more memory than the batch's own first chunk.
const CALLBACKS_AT_ONCE: usize = 128;

/// A record in the core's hands.
#[derive(Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) ticket: Ticket,
    pub(crate) topic: core::Topic,
    pub(crate) timestamp: i64,
}

impl State {
    pub(crate) fn new(core: ProducerCore, clock: Clock, number: u32) -> Self {
        Self {
            core,
            shared: Weak::new(),
            rests: false,
            number,
            end: None,
            closing: false,
            driver: Asleep::not(),
            turn: None,
            watch: Watch::new(&clock),
            clock,
            topics: Vec::new(),
            batches: Vec::new(),
            usual_callbacks: 0,
            waiting: Vec::new(),
            waiters: 0,
            flushes: BTreeMap::new(),
            closes: Vec::new(),
        }
    }

    /// The time for a verb.
    #[inline]
    pub(crate) fn moment(&mut self) -> Moment {
        match self.turn {
            Some(moment) => moment,
            None => self.watch.moment(&self.clock),
        }
    }

    /// The core's handle for a topic, unless the producer has ended.
    #[inline]
    pub(crate) fn topic(
        &mut self,
        now: Instant,
        topic: TopicRef<'_>,
    ) -> Result<core::Topic, SendError> {
        if let Some(end) = self.end {
            return Err(end.refusal());
        }
        match topic {
            TopicRef::Name(name) => {
                let found = self.topic_named(now, name);
                found.map_err(SendError::InvalidTopic)
            }
            TopicRef::Handle(topic) if topic.producer == self.number => Ok(topic.id),
            TopicRef::Handle(_) => Err(SendError::UnknownTopic),
        }
    }

    /// The application's handle for a topic.
    pub(crate) fn handle(&mut self, name: &str) -> Result<Topic, core::InvalidTopic> {
        let now = self.moment().now;
        let id = self.topic_named(now, name)?;
        Ok(Topic {
            id,
            producer: self.number,
        })
    }

    fn topic_named(&mut self, now: Instant, name: &str) -> Result<core::Topic, core::InvalidTopic> {
        let topic = self.core.topic(now, name)?;
        if topic.index() == self.topics.len() {
            self.topics.push(names::intern(name));
        }
        Ok(topic)
    }

    /// Hands a record to the core, which takes it or refuses it; `receipt` makes what the caller gets for one that is taken.
    #[inline]
    pub(crate) fn send<T>(
        &mut self,
        record: &Record<'_>,
        receipt: impl FnOnce(&mut Self, Accepted) -> T,
    ) -> Result<T, SendError> {
        let Moment { now, wall } = self.moment();
        let topic = self.topic(now, record.topic)?;
        let record = record.resolved(topic, wall);
        let accepted = |ticket| Accepted {
            ticket,
            topic,
            timestamp: record.timestamp,
        };
        match self.core.offer(now, &record) {
            Ok(ticket) => Ok(receipt(self, accepted(ticket))),
            Err(refusal) => Err(self.core.explain(refusal, &record)),
        }
    }

    /// Queues a copy of a record that was refused for want of room or of its topic; the driver sends it when its turn
    /// comes.
    ///
    /// Takes `call` only if the record waits, so that the lock is never held where a user's function is dropped.
    pub(crate) fn wait(
        &mut self,
        record: &Record<'_>,
        call: &mut Option<Call>,
    ) -> Result<Wait, SendError> {
        let Moment { now, wall } = self.moment();
        let topic = self.topic(now, record.topic)?;
        let record = record.resolved(topic, wall);
        let waiter = self.core.wait(now, core::Wait::Record(&record));
        Ok(self.enqueue(waiter, Some(OwnedRecord::copy(&record)), call.take()))
    }

    /// Waits until the topic's partitions are known.
    pub(crate) fn wait_for_topic(&mut self, topic: core::Topic) -> Wait {
        let now = self.moment().now;
        let waiter = self.core.wait(now, core::Wait::Topic(topic));
        self.enqueue(waiter, None, None)
    }

    fn enqueue(&mut self, waiter: Waiter, record: Option<OwnedRecord>, call: Option<Call>) -> Wait {
        self.rouse();
        let (promise, answer) = promise();
        let slot = waiter.slot();
        if slot >= self.waiting.len() {
            self.waiting.resize_with(slot + 1, || None);
        }
        self.waiters += 1;
        self.waiting[slot] = Some(Waiting {
            waiter,
            record,
            call,
            promise,
        });
        Wait { waiter, answer }
    }

    pub(crate) fn cancel(&mut self, waiter: Waiter) -> Option<Waiting> {
        let cancelled = self.take_waiting(waiter)?;
        if self.end.is_none() && !planted!(CancelLeaks) {
            self.core.cancel_wait(waiter);
        }
        Some(cancelled)
    }

    pub(crate) fn take_waiting(&mut self, waiter: Waiter) -> Option<Waiting> {
        let slot = self.waiting.get_mut(waiter.slot())?;
        let waiting = slot.take_if(|w| w.waiter == waiter)?;
        self.waiters -= 1;
        Some(waiting)
    }

    /// The delivery of an accepted record.
    #[inline(always)]
    pub(crate) fn delivery(&mut self, accepted: Accepted) -> Delivery {
        let open = self.open_batch(&accepted);
        let batch = open.batch.as_mut().expect("open_batch has put it there");
        Delivery::new(batch.share(), accepted.ticket.index(), accepted.timestamp)
    }

    /// Keeps the function that an accepted record's outcome goes to.
    pub(crate) fn call_back(&mut self, accepted: Accepted, call: Call) {
        let (index, timestamp) = (accepted.ticket.index(), accepted.timestamp);
        let usual = self.usual_callbacks;
        let callbacks = &mut self.open_batch(&accepted).callbacks;
        if callbacks.is_empty() {
            callbacks.reserve(usual.min(CALLBACKS_AT_ONCE));
        }
        callbacks.push(Callback {
            index,
            timestamp,
            call,
        });
    }

    /// Takes the callback if there is one; else gives a delivery.
    #[inline]
    pub(crate) fn receipt(
        &mut self,
        accepted: Accepted,
        call: &mut Option<Call>,
    ) -> Option<Delivery> {
        match call.take() {
            Some(call) => {
                self.call_back(accepted, call);
                None
            }
            None => Some(self.delivery(accepted)),
        }
    }

    #[inline(always)]
    fn open_batch(&mut self, accepted: &Accepted) -> &mut OpenBatch {
        let slot = accepted.ticket.batch().slot();
        let is_open = |open: &OpenBatch| accepted.ticket.index() > 0 && open.batch.is_some();
        if !self.batches.get(slot).is_some_and(is_open) {
            self.begin_batch(accepted.ticket, accepted.topic);
        }
        &mut self.batches[slot]
    }

    #[cold]
    fn begin_batch(&mut self, ticket: Ticket, topic: core::Topic) {
        let slot = ticket.batch().slot();
        if slot >= self.batches.len() {
            self.batches.resize_with(slot + 1, OpenBatch::default);
        }
        let name = self.topics[topic.index()];
        let batch = Batch::new(name, ticket.partition(), self.shared.clone(), self.rests);
        self.batches[slot].batch = Some(Giver::new(batch));
    }

    pub(crate) fn flush(&mut self, scope: core::Scope) -> Answer<()> {
        let (promise, answer) = promise();
        let now = self.moment().now;
        let flush = self.core.flush(now, scope);
        self.rouse();
        self.flushes.insert(flush, promise);
        answer
    }

    pub(crate) fn close(&mut self, grace: Duration) {
        let now = self.moment().now;
        self.closing = true;
        self.core.close(now, grace);
        self.rouse();
    }

    pub(crate) fn closed(&mut self) -> Answer<()> {
        let (promise, answer) = promise();
        self.closes.retain(|promise| !promise.is_forgotten());
        self.closes.push(promise);
        answer
    }

    /// Empties the tables.
    pub(crate) fn clear(&mut self) -> Left {
        self.waiters = 0;
        Left {
            batches: mem::take(&mut self.batches),
            waiting: mem::take(&mut self.waiting),
            flushes: mem::take(&mut self.flushes),
            closes: mem::take(&mut self.closes),
        }
    }
}

/// Those who still wait for something at the producer's end.
#[must_use]
pub(crate) struct Left {
    batches: Vec<OpenBatch>,
    waiting: Vec<Option<Waiting>>,
    flushes: BTreeMap<FlushId, Promise<()>>,
    closes: Vec<Promise<()>>,
}

impl Left {
    /// Tells them: not under the lock.
    pub(crate) fn tell(self, end: End) {
        for OpenBatch { batch, callbacks } in self.batches {
            if let Some(batch) = batch.filter(|_| !planted!(EndsInSilence)) {
                let lost = Outcome::MaybeWritten(DeliveryError::Fatal(Fatal::DriverGone));
                batch.complete(0..u32::MAX, lost, callbacks);
            }
        }
        for waiting in self.waiting.into_iter().flatten() {
            quietly(|| waiting.promise.keep(Err(end.refusal())));
        }
        for promise in self.flushes.into_values().chain(self.closes) {
            quietly(|| promise.keep(()));
        }
    }
}
