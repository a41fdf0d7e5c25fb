//! The way in: topics, records, and those who wait to hand one in.

use alloc::vec::Vec;

use super::{
    Ending, Partition, ProducerCore, TimeoutReason, TopicPartitions, Wait,
    compressing::largest_batch, waiters::State,
};
use crate::{
    accumulator::{Appended, Plan},
    batch::{HEAD_LEN, Measure},
    compress::Ratio,
    config::Config,
    error::{InvalidTopic, SendError, WaitedFor},
    event::Event,
    id::{Ticket, Topic, Waiter},
    metrics::CompressionTotals,
    partitioner::{Sticky, partition_for_key},
    record::Record,
    time::Instant,
};

impl ProducerCore {
    /// The handle of a topic; the look-up of a new one begins.
    ///
    /// # Errors
    ///
    /// [`InvalidTopic`] says what is wrong with the name.
    pub fn topic(&mut self, now: Instant, name: &str) -> Result<Topic, InvalidTopic> {
        self.tick(now);
        let topic = self.cluster.topic(name)?;
        if topic.index() == self.topics.len() {
            self.topics.push(TopicPartitions {
                partitions: Vec::new(),
                sticky: Sticky::new(self.config.batch_size()),
                loads_taken: None,
                ratio: Ratio::unknown(),
                batch_size: largest_batch(&self.config),
                compression: CompressionTotals::default(),
                too_large: usize::MAX,
                announced: false,
            });
            self.is_due_now();
        }
        Ok(topic)
    }

    /// Accepts a record into its partition's open batch, or refuses it, and then has taken nothing.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] and [`SendError::TopicNotReady`] pass: [`wait`](Self::wait), or try later. The others are
    /// final for this record.
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.offer(now, record)
            .map_err(|refusal| self.explain(refusal, record))
    }

    /// As [`send`](Self::send); what a refusal means is asked from [`explain`](Self::explain).
    ///
    /// An error that owns something keeps the ticket beside it in memory, written in parts and read as a whole, which makes
    /// a processor wait for the parts. A result of plain numbers stays in registers.
    ///
    /// # Errors
    ///
    /// As `send`.
    #[inline]
    pub fn offer(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, Refusal> {
        self.tick(now);
        if !matches!(self.ending, Ending::Running) {
            return Err(Refusal::Ended);
        }
        self.put(now, record, false)
    }

    /// Why `record` was just refused.
    #[cold]
    pub fn explain(&self, refusal: Refusal, record: &Record<'_>) -> SendError {
        match refusal {
            Refusal::Ended => self.check_running().err().unwrap_or(SendError::Closed),
            Refusal::UnknownTopic => SendError::UnknownTopic,
            Refusal::TopicNotReady => SendError::TopicNotReady,
            Refusal::InvalidPartition => SendError::InvalidPartition {
                topic: self.cluster.state(record.topic).name.clone(),
                partition: record.partition.unwrap_or(-1),
                partitions: self.partition_count(record.topic) as u32,
            },
            Refusal::InvalidTimestamp => SendError::InvalidTimestamp(record.timestamp),
            Refusal::TooLarge => self.check_size(record).err().unwrap_or(SendError::Full),
            Refusal::Full => SendError::Full,
        }
    }

    /// Begins to wait for what [`send`](Self::send) lacked, behind all who wait already; `max.block.ms` begins to run.
    ///
    /// An [`Event::Admitted`] or [`Event::WaitFailed`] names the waiter when its wait ends.
    pub fn wait(&mut self, now: Instant, what: Wait<'_>) -> Waiter {
        self.tick(now);
        let deadline = self.clock + self.config.max_block();
        let waiter = self.waiters.add(deadline);
        let (topic, partition, then) = match what {
            Wait::Topic(topic) => (topic, None, None),
            Wait::Record(record) => (
                record.topic,
                record.partition,
                Some(self.reservation(record)),
            ),
        };
        let refused = self.check_running().and_then(|()| match what {
            Wait::Topic(topic) => self
                .cluster
                .get(topic)
                .map(|_| ())
                .ok_or(SendError::UnknownTopic),
            Wait::Record(record) => match self.choose(now, record) {
                Ok(_) | Err(Refusal::TopicNotReady) => self.check_size(record),
                Err(refusal) => Err(self.explain(refusal, record)),
            },
        });
        if let Err(error) = refused {
            self.fail_wait(waiter, error);
            return waiter;
        }
        self.waiters.slots[waiter.slot()].state = State::Topic {
            topic,
            partition,
            then,
        };
        if self.is_partition_known(topic, partition) {
            self.topic_is_known(waiter, then);
        } else {
            self.cluster.want(topic);
            self.is_due_now();
        }
        self.admit();
        self.arm(deadline, TimeoutReason::MaxBlock);
        waiter
    }

    /// Hands in the record of a waiter that was admitted, into the room that is reserved for it. The waiter ends here.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Full`] if the waiter was not admitted, or waited for less.
    pub fn send_waited(
        &mut self,
        now: Instant,
        waiter: Waiter,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        self.tick(now);
        let Some(State::Admitted(reserved)) = self.waiters.get(waiter) else {
            return Err(SendError::Full);
        };
        self.waiters.remove(waiter);
        self.waiters.admitted -= 1;
        self.memory.give(reserved);
        let ticket = self.check_running().and_then(|()| {
            self.put(now, record, true)
                .map_err(|refusal| self.explain(refusal, record))
        });
        if planted!(RefusalLeaks) && ticket.is_err() {
            self.memory.take(reserved);
        }
        self.admit();
        ticket
    }

    /// Ends a wait, whatever its state. What was reserved for it goes to the next.
    pub fn cancel_wait(&mut self, waiter: Waiter) {
        match self.waiters.get(waiter) {
            Some(State::Admitted(reserved)) => {
                if !planted!(GrantLeaks) {
                    self.memory.give(reserved);
                }
                self.waiters.admitted -= 1;
            }
            Some(State::Memory) => self.memory.leave(waiter.slot() as u32),
            Some(State::Topic { .. } | State::Vacant) => {}
            // The polling of its event ends it.
            Some(State::Ended) | None => return,
        }
        self.waiters.remove(waiter);
        self.admit();
    }

    /// Notes that an event about the waiter was polled.
    pub(super) fn told(&mut self, waiter: Waiter) {
        if matches!(self.waiters.get(waiter), Some(State::Ended)) {
            self.waiters.remove(waiter);
        }
    }

    /// Admits those for whom there is room, in order.
    ///
    /// Room is given out in portions, so that those who are woken fill whole batches together: from an eighth of
    /// `buffer.memory` on, or when nothing is under way that would free more.
    pub(super) fn admit(&mut self) {
        if !self.memory.has_waiters() {
            return;
        }
        if !self.waiters.open {
            self.waiters.open = self.memory.is_roomy() || self.is_nothing_under_way();
        }
        while let Some((slot, bytes)) = self.memory.admit(self.waiters.open) {
            let entry = &mut self.waiters.slots[slot as usize];
            entry.state = State::Admitted(bytes);
            self.waiters.admitted += 1;
            self.events
                .push_back(Event::Admitted(Waiter::new(slot, entry.generation)));
            self.is_due_now();
        }
        if self.memory.has_waiters() {
            self.waiters.open = false;
            // Memory is full: whatever can free some goes now (H100).
            self.ready_all();
        }
    }

    /// No batch is on its way or being compressed, and no outcome waits to be polled: nothing more will free memory soon.
    fn is_nothing_under_way(&self) -> bool {
        let quiet = |p: &crate::peer::Peer| p.link().is_none_or(|link| link.produces() == 0);
        self.events.is_empty() && self.workshop.is_idle() && self.peers.iter().all(quiet)
    }

    /// Moves on those who waited for `topic`, in order.
    pub(super) fn topic_was_updated(&mut self, topic: Topic) {
        for waiter in self.waiters.of_topic(topic) {
            if let Some(State::Topic {
                partition, then, ..
            }) = self.waiters.get(waiter)
                && self.is_partition_known(topic, partition)
            {
                self.topic_is_known(waiter, then);
            }
        }
        self.admit();
    }

    /// Asks again about the topics that somebody waits for, a partition that is still to be added say (H065).
    pub(super) fn want_awaited_topics(&mut self) {
        for waiter in self.waiters.all() {
            if let Some(State::Topic { topic, .. }) = self.waiters.get(waiter) {
                self.cluster.want(topic);
            }
        }
    }

    /// Fails those who wait for `topic`.
    pub(super) fn topic_was_refused(&mut self, topic: Topic, error: &SendError) {
        for waiter in self.waiters.of_topic(topic) {
            self.fail_wait(waiter, error.clone());
        }
    }

    /// Fails those whose `max.block.ms` is over.
    pub(super) fn expire_waiters(&mut self, now: Instant) {
        let mut memory_obstacle = None; // the same for all of them
        while let Some(waiter) = self.waiters.expired(now) {
            let error = match self.waiters.get(waiter) {
                Some(State::Topic {
                    topic,
                    partition: Some(partition),
                    ..
                }) if self.is_partition_known(topic, None) => SendError::InvalidPartition {
                    topic: self.cluster.state(topic).name.clone(),
                    partition,
                    partitions: self.partition_count(topic) as u32,
                },
                Some(State::Topic {
                    topic, partition, ..
                }) => SendError::TimedOut {
                    waited_for: WaitedFor::Metadata,
                    cause: self.topic_obstacle(topic, partition),
                },
                _ => SendError::TimedOut {
                    waited_for: WaitedFor::Memory,
                    cause: memory_obstacle
                        .get_or_insert_with(|| self.memory_obstacle())
                        .clone(),
                },
            };
            self.fail_wait(waiter, error);
        }
    }

    /// Fails everybody who waits.
    pub(super) fn fail_all_waiters(&mut self, error: &SendError) {
        for waiter in self.waiters.all() {
            self.fail_wait(waiter, error.clone());
        }
    }

    pub(super) fn next_waiter_deadline(&mut self) -> Option<Instant> {
        self.waiters.next_deadline()
    }

    fn fail_wait(&mut self, waiter: Waiter, error: SendError) {
        if matches!(self.waiters.get(waiter), Some(State::Memory)) {
            self.memory.leave(waiter.slot() as u32);
        }
        self.end_wait(waiter, Event::WaitFailed(waiter, error));
    }

    fn end_wait(&mut self, waiter: Waiter, event: Event) {
        self.waiters.slots[waiter.slot()].state = State::Ended;
        self.events.push_back(event);
        self.is_due_now();
    }

    fn topic_is_known(&mut self, waiter: Waiter, then: Option<usize>) {
        match then {
            Some(bytes) => {
                self.waiters.slots[waiter.slot()].state = State::Memory;
                self.memory.wait(waiter.slot() as u32, bytes);
            }
            None => self.end_wait(waiter, Event::Admitted(waiter)),
        }
    }

    #[inline]
    fn check_running(&self) -> Result<(), SendError> {
        match self.ending {
            Ending::Running => Ok(()),
            Ending::Leaving(Some(fatal)) | Ending::Closed(Some(fatal)) => {
                Err(SendError::Fatal(fatal))
            }
            Ending::Closing(_) | Ending::Leaving(None) | Ending::Closed(None) => {
                Err(SendError::Closed)
            }
        }
    }

    /// As [`check_size`](Self::check_size), for a record that was measured: one that is far below both limits is not
    /// measured again.
    #[inline]
    fn check_planned(&self, record: &Record<'_>, plan: &Plan) -> Result<(), Refusal> {
        match plan.len() <= self.surely_fits || self.check_size(record).is_ok() {
            true => Ok(()),
            false => Err(Refusal::TooLarge),
        }
    }

    /// Puts a record into its batch, if nobody waits for that, or it was admitted.
    #[inline]
    fn put(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        admitted: bool,
    ) -> Result<Ticket, Refusal> {
        let partition = self.choose(now, record)?;
        let is_free = admitted || self.waiters.admitted == 0 && !self.memory.has_waiters();
        if is_free && let Some(ticket) = self.join(now, record, partition) {
            return Ok(ticket);
        }
        let place = self.place(now, record, partition);
        self.check_planned(record, &place.plan)?;
        if !is_free {
            return Err(Refusal::Full);
        }
        self.append(now, record, place)
    }

    /// Appends a record to the partition's open batch, if there is nothing else to it.
    #[inline]
    fn join(&mut self, now: Instant, record: &Record<'_>, partition: u32) -> Option<Ticket> {
        let most = self.surely_fits;
        let appended = self.accumulator.join(now, partition, record, most)?;
        Some(self.accepted(record, partition, &appended))
    }

    fn check_size(&self, record: &Record<'_>) -> Result<(), SendError> {
        let size = HEAD_LEN + Measure::alone(record).total;
        let limit = self.config.max_request_size();
        if size > limit {
            return Err(SendError::TooLarge {
                size,
                limit,
                setting: "max.request.size",
            });
        }
        let (size, limit) = (self.reservation(record), self.memory.limit());
        if size > limit {
            return Err(SendError::TooLarge {
                size,
                limit,
                setting: "buffer.memory",
            });
        }
        Ok(())
    }

    /// The memory that a record takes at most, wherever it goes: in a batch its deltas may be longer than alone.
    fn reservation(&self, record: &Record<'_>) -> usize {
        let chunk_size = self.accumulator.chunk_size();
        (Measure::alone(record).total + LONGER_DELTAS).div_ceil(chunk_size) * chunk_size
    }

    #[inline]
    fn append(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        Place { partition, plan }: Place,
    ) -> Result<Ticket, Refusal> {
        let bytes = plan.chunks * self.accumulator.chunk_size();
        if !self.memory.take(bytes) {
            self.ready_all();
            return Err(Refusal::Full);
        }
        let Some(appended) = self.accumulator.append(now, partition, record, plan) else {
            self.memory.give(bytes);
            return Err(Refusal::Full);
        };
        Ok(self.accepted(record, partition, &appended))
    }

    /// Notes where a record went.
    #[inline(always)] // for its two callers, which else hand it what it notes by way of memory: 50 instructions a record
    fn accepted(&mut self, record: &Record<'_>, partition: u32, appended: &Appended) -> Ticket {
        if self.is_sticky(record) {
            self.topics[record.topic.index()]
                .sticky
                .appended(appended.bytes, appended.full);
        }
        self.metrics.records_accepted += 1;
        if appended.index == 0 {
            // Its way may be blocked, and then nothing else wakes the driver in time.
            let deadline = self
                .accumulator
                .batch(appended.batch.slot() as u32)
                .deadline;
            self.arm(deadline, TimeoutReason::Delivery);
        }
        if appended.ready {
            self.refresh(partition);
        } else if let Some(at) = appended.lingers_until {
            self.arm(at, TimeoutReason::Linger);
        }
        let index = self.partitions[partition as usize].index;
        Ticket {
            batch: appended.batch,
            index: appended.index,
            partition: index,
        }
    }

    /// The record's place in a partition: in its open batch, or in a new one.
    #[inline]
    fn place_in(&self, now: Instant, partition: u32, record: &Record<'_>) -> Place {
        let largest = || self.growth(partition);
        let size = self.topics[record.topic.index()].batch_size;
        let plan = self.accumulator.plan(now, partition, record, size, largest);
        Place { partition, plan }
    }

    /// Chooses the record's partition, by its dense index.
    #[inline]
    fn choose(&mut self, now: Instant, record: &Record<'_>) -> Result<u32, Refusal> {
        if self.cluster.get(record.topic).is_none() {
            return Err(Refusal::UnknownTopic);
        }
        let count = self.partition_count(record.topic);
        if record.timestamp < 0 && !planted!(TakesNegativeTimes) {
            return Err(Refusal::InvalidTimestamp);
        }
        if record.partition.is_some_and(|partition| partition < 0) {
            return Err(Refusal::InvalidPartition);
        }
        if !self.is_partition_known(record.topic, record.partition) {
            self.cluster.want(record.topic);
            self.is_due_now();
            return Err(Refusal::TopicNotReady);
        }
        if self.is_sticky(record) {
            self.update_loads(now, record.topic, count);
            return Ok(self.peek_sticky(record.topic, count));
        }
        let key = record.key.unwrap_or_default();
        let by_key = || partition_for_key(key, count as u32);
        let index = record.partition.unwrap_or_else(by_key);
        Ok(self.topics[record.topic.index()].partitions[index as usize])
    }

    /// The record's place in the partition that was chosen; in another, if it is up to the sticky partitioner and the record
    /// begins a batch.
    fn place(&mut self, now: Instant, record: &Record<'_>, partition: u32) -> Place {
        let place = self.place_in(now, partition, record);
        if place.plan.joins || !self.is_sticky(record) {
            return place;
        }
        let topic = record.topic;
        let count = self.partition_count(topic);
        let Self {
            topics, partitions, ..
        } = self;
        let TopicPartitions {
            sticky,
            partitions: slots,
            ..
        } = &mut topics[topic.index()];
        sticky.finish_batch(|partition| is_led(partitions, slots, partition));
        match self.peek_sticky(topic, count) {
            same if same == partition => place,
            other => self.place_in(now, other, record),
        }
    }

    /// Neither the record's key nor the caller says where it goes.
    #[inline]
    fn is_sticky(&self, record: &Record<'_>) -> bool {
        let has_key = record.key.is_some() && !self.config.partitioner_ignore_keys();
        record.partition.is_none() && !has_key
    }

    /// The dense index of the partition that the topic's records without a key go to now.
    #[inline]
    fn peek_sticky(&mut self, topic: Topic, count: usize) -> u32 {
        let Self {
            topics,
            partitions,
            rng,
            ..
        } = self;
        let TopicPartitions {
            sticky,
            partitions: slots,
            ..
        } = &mut topics[topic.index()];
        let index = sticky.peek(rng, count as u32, |partition| {
            is_led(partitions, slots, partition)
        });
        slots[index as usize]
    }

    /// Tells the partitioner how long the queues are, now and then (KIP-794).
    fn update_loads(&mut self, now: Instant, topic: Topic, count: usize) {
        if !self.config.partitioner_adaptive_partitioning_enable() {
            return;
        }
        let taken = self.topics[topic.index()].loads_taken;
        if taken.is_some_and(|at| now.since(at) < LOADS_PERIOD && at <= now) {
            return;
        }
        let timeout = self.config.partitioner_availability_timeout();
        let batch_size = self.config.batch_size().max(1);
        let Self {
            topics,
            partitions: all,
            peers,
            accumulator,
            ..
        } = self;
        let TopicPartitions {
            partitions,
            sticky,
            loads_taken,
            ..
        } = &mut topics[topic.index()];
        *loads_taken = Some(now);
        let is_available = |partition: &super::Partition| {
            let Some(peer) = partition.peer else {
                return false;
            };
            let stalled = peers[peer as usize].stalled_since;
            timeout.is_zero() || stalled.is_none_or(|since| now.since(since) < timeout)
        };
        let queues = partitions[..count].iter().filter_map(|&p| {
            let partition = &all[p as usize];
            let queue = accumulator.queued_bytes(p) / batch_size;
            is_available(partition).then_some((partition.index, queue as u32))
        });
        sticky.update_loads(count as u32, queues);
    }

    fn is_partition_known(&self, topic: Topic, partition: Option<i32>) -> bool {
        let count = self.partition_count(topic);
        match partition {
            Some(partition) => usize::try_from(partition).is_ok_and(|p| p < count),
            None => count > 0,
        }
    }

    fn partition_count(&self, topic: Topic) -> usize {
        let known = self.cluster.state(topic).leaders.len();
        known.min(self.topics[topic.index()].partitions.len())
    }
}

/// Why a record is not taken, in a word; [`ProducerCore::explain`] makes a [`SendError`] of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The producer takes nothing any more.
    Ended,
    /// The topic's handle is of another producer.
    UnknownTopic,
    /// The topic's partitions, or this one of them, are not known yet.
    TopicNotReady,
    /// The partition is negative.
    InvalidPartition,
    /// The timestamp is negative.
    InvalidTimestamp,
    /// It is too large for a request, or for `buffer.memory`.
    TooLarge,
    /// There is no room now.
    Full,
}

/// Where a record goes.
struct Place {
    /// The partition's dense index.
    partition: u32,
    plan: Plan,
}

/// The length below which a record is surely neither too large for a request nor for `buffer.memory`.
pub(super) fn surely_fits(config: &Config) -> usize {
    let request = config.max_request_size().saturating_sub(HEAD_LEN);
    let rounding = LONGER_DELTAS + config.chunk_size();
    request.min(config.buffer_memory().saturating_sub(rounding))
}

/// Bytes by which a record's timestamp and offset deltas may be longer in a batch than alone.
const LONGER_DELTAS: usize = 16;

/// How often queue lengths are looked at for the adaptive partitioner.
const LOADS_PERIOD: core::time::Duration = core::time::Duration::from_millis(5);

/// The partition has a leader, and that one is in the cluster.
fn is_led(partitions: &[Partition], slots: &[u32], partition: i32) -> bool {
    let slot = slots.get(partition as usize);
    slot.is_some_and(|&slot| partitions[slot as usize].peer.is_some())
}
