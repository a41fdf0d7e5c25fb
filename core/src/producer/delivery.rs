//! What became of what was sent: answers to Produce, lost links, retries, and the outcomes of batches.

use alloc::{boxed::Box, vec::Vec};

use super::{ProducerCore, ProducerId, acks_answered, attempt::Ended, backoff, verdict::judge};
use crate::{
    connection::{Connection, InFlight, ProduceItem, Request},
    error::{Cause, DeliveryError, Disconnect},
    event::Warning,
    idempotence::{Attempt, Fate, Identity, Resolution, Stranded},
    log::debug,
    outcome::Outcome,
    time::Instant,
    wire::{ErrorCode, PartitionProduceResponse, ProduceResponse, TopicKey},
};

impl ProducerCore {
    /// Takes the answer to a Produce request.
    pub(super) fn produce_answered(
        &mut self,
        now: Instant,
        items: &[ProduceItem],
        response: &ProduceResponse<'_>,
    ) {
        for endpoint in &response.node_endpoints {
            if self.cluster.add_broker(endpoint) {
                self.broker_was_named(endpoint.node_id);
            }
        }
        // In the order of topic and partition, whatever the answer's is.
        let mut rest = core::mem::take(&mut self.spares.open);
        rest.extend(items.iter().copied().map(Some));
        for topic in &response.topics {
            let is_meant = |item: &ProduceItem| match topic.topic {
                TopicKey::Id(id) => item.leadership.topic_id == id,
                TopicKey::Name(name) => *self.cluster.state(item.topic).name == *name,
            };
            let Some(first) = items.iter().position(is_meant) else {
                continue; // a stranger
            };
            let run = items[first..].partition_point(|item| item.topic == items[first].topic);
            for answer in &topic.partitions {
                let run = &items[first..first + run];
                let Ok(place) = run.binary_search_by_key(&answer.index, |item| item.index) else {
                    continue;
                };
                // The first answer counts, if there are several (H087).
                if let Some(item) = rest[first + place].take() {
                    self.partition_answered(now, item, answer);
                }
            }
        }
        for item in rest.drain(..).flatten() {
            if planted!(LeftOutWaits) {
                continue;
            }
            self.attempt_ended(now, item, Ended::without_answer(Cause::Busy, true));
        }
        self.spares.keep_open(rest);
    }

    fn partition_answered(
        &mut self,
        now: Instant,
        item: ProduceItem,
        answer: &PartitionProduceResponse<'_>,
    ) {
        let code = answer.error_code;
        let verdict = judge(code, self.config.acks());
        if let Some(leader) = answer.current_leader
            && self.cluster.hint(
                item.topic,
                item.index,
                leader.leader_id,
                leader.leader_epoch,
            )
        {
            self.update_leader(item.partition);
        }
        if verdict.stale_metadata {
            self.cluster.want(item.topic);
        }
        if verdict.too_large {
            self.learn_size(item);
        }
        let splits = verdict.too_large && self.may_split(now, item.batch);
        let attempt = match code {
            ErrorCode::UNKNOWN_PRODUCER_ID if !self.is_unordered() => {
                let sequences = &self.partitions[item.partition as usize].sequences;
                sequences.forgotten(answer.log_start_offset)
            }
            _ if splits => Attempt::Refused { retry: true },
            // There is no sequence to be out of: it is sent again in its place.
            _ if verdict.attempt == Attempt::OutOfOrder && self.is_unordered() => {
                Attempt::Refused { retry: true }
            }
            _ => verdict.attempt,
        };
        let message: Option<Box<str>> = answer.error_message.map(Into::into);
        if attempt == (Attempt::Refused { retry: false }) && !answer.record_errors.is_empty() {
            return self.records_refused(now, item, answer, message);
        }
        let written = attempt == Attempt::Written;
        if written && answer.base_offset >= 0 {
            self.partitions[item.partition as usize]
                .sequences
                .acknowledged(answer.base_offset);
        }
        let ended = Ended {
            attempt,
            offset: (code.is_none() && answer.base_offset >= 0)
                .then_some(answer.base_offset + i64::from(planted!(OffsetIsNext)))
                .or((planted!(InventsOffset) && written).then_some(0)),
            append_time: (written && answer.log_append_time_ms >= 0)
                .then_some(answer.log_append_time_ms),
            cause: (!written).then_some(Cause::Broker { code, message }),
            new_producer_id: verdict.new_producer_id,
            exhausted: false,
            splits,
        };
        self.attempt_ended(now, item, ended);
    }

    /// Takes the end of an attempt to send a batch.
    pub(super) fn attempt_ended(&mut self, now: Instant, item: ProduceItem, mut ended: Ended) {
        let batch = self.accumulator.batch(item.batch);
        let idempotent = !self.is_unordered();
        if batch.attempts > self.config.retries() && !ended.splits {
            // Under idempotence asking again is what tells; the deadline bounds it (H031).
            match &mut ended.attempt {
                Attempt::Uncertain { .. } if idempotent => {}
                Attempt::Uncertain { retry } | Attempt::Refused { retry } => {
                    ended.exhausted = core::mem::take(retry);
                }
                _ => {}
            }
        }
        let Some(resolution) = self.resolve(item, &ended) else {
            return;
        };
        self.follow(now, item, &ended, resolution.fate);
        self.after_resolution(now, item.partition, &ended, resolution.fault);
    }

    pub(super) fn resolve(&mut self, item: ProduceItem, ended: &Ended) -> Option<Resolution> {
        let batch = self.accumulator.batch_mut(item.batch);
        batch.on_the_wire = false;
        batch.uncertain |= matches!(ended.attempt, Attempt::Uncertain { .. });
        match ended.attempt {
            Attempt::Untouched => batch.attempts -= 1,
            _ if ended.splits => batch.attempts -= 1,
            Attempt::Forgotten => batch.uncertain = false,
            _ => {}
        }
        if ended.cause.is_some() {
            batch.last.clone_from(&ended.cause);
        }
        let at = &mut self.partitions[item.partition as usize];
        // What ended one batch for good says nothing of the next.
        let is_final = matches!(
            ended.attempt,
            Attempt::Written
                | Attempt::Refused { retry: false }
                | Attempt::Uncertain { retry: false }
        );
        if is_final {
            at.last = None;
        } else if let Some(cause) = &ended.cause {
            at.last = Some(Box::new(cause.clone()));
        }
        let was_broken = at.sequences.is_broken();
        let resolution = at.sequences.resolve(item.batch, ended.attempt);
        // Told once: what was on the way behind the gap fails with it. Retention is no gap (H025).
        if ended.attempt == Attempt::OutOfOrder && !was_broken && at.sequences.is_broken() {
            let warning = Warning::SequenceGap {
                topic: at.topic,
                partition: at.index,
            };
            self.warn(warning);
        }
        resolution
    }

    /// Does what the batch's fate asks for.
    pub(super) fn follow(&mut self, now: Instant, item: ProduceItem, ended: &Ended, fate: Fate) {
        match fate {
            Fate::Written => {
                let outcome = Outcome::Written {
                    offset: ended.offset,
                    append_time: ended.append_time,
                };
                self.complete(item.batch, outcome);
            }
            Fate::NotWritten => self.complete(item.batch, self.failed(item.batch, ended.error())),
            Fate::MaybeWritten if planted!(ForgetsDoubt) => {
                self.complete(item.batch, Outcome::NotWritten(ended.error()));
            }
            Fate::MaybeWritten => self.complete(item.batch, Outcome::MaybeWritten(ended.error())),
            Fate::GivenUp if planted!(EndsTwice) && ended.attempt == Attempt::Written => {
                self.complete(item.batch, Outcome::MaybeWritten(ended.error()));
            }
            Fate::GivenUp => self.release(item.batch),
            Fate::Retry | Fate::Requeue if ended.splits => self.split(now, item, fate),
            Fate::Retry | Fate::Requeue => {
                let is_head = self.partitions[item.partition as usize]
                    .sequences
                    .is_head(item.batch);
                // Behind the head the head's wait counts, where there is one order to keep.
                let waits = is_head || fate == Fate::Requeue || self.is_unordered();
                if ended.attempt != Attempt::Untouched && waits {
                    self.back_off(now, item);
                }
                if fate == Fate::Requeue {
                    self.accumulator.put_back(item.batch);
                }
            }
        }
    }

    /// Mends what a resolution broke, and sends what it made sendable.
    pub(super) fn after_resolution(
        &mut self,
        now: Instant,
        partition: u32,
        ended: &Ended,
        fault: Option<Identity>,
    ) {
        if let Some(broken) = fault {
            self.mend(now, partition, broken, ended.new_producer_id);
        }
        self.end_stranded(now, partition);
        self.refresh(partition);
    }

    /// Ends what can't be sent again in order after what became of other batches.
    fn end_stranded(&mut self, now: Instant, partition: u32) {
        let at = &mut self.partitions[partition as usize];
        let Stranded { batches, fault } = at.sequences.strand();
        if batches.is_empty() {
            return;
        }
        if !at.sequences.is_broken() {
            let warning = Warning::SequenceGap {
                topic: at.topic,
                partition: at.index,
            };
            self.warn(warning);
        }
        for batch in batches {
            let error = Ended::without_answer(self.batch_obstacle(batch), false).error();
            self.complete(batch, self.failed(batch, error));
        }
        if let Some(broken) = fault {
            self.mend(now, partition, broken, false);
        }
    }

    /// The sequence of a partition under `broken` can't go on: a new epoch begins, once for all that fail under the old
    /// one (H022), and the partition's batches that are surely not written are stamped anew under it. The caller
    /// refreshes the partition.
    fn mend(&mut self, now: Instant, partition: u32, broken: Identity, new_producer_id: bool) {
        let held = self.producer_id.held();
        let next = held.and_then(|id| id.after_fault(broken, new_producer_id));
        if next != held {
            self.producer_id = match next {
                Some(identity) => ProducerId::Held(identity),
                None => ProducerId::wanted(now),
            };
            debug!(
                producer_id = broken.producer_id,
                epoch = broken.epoch,
                "sequence is broken, epoch ends"
            );
            self.metrics.epoch_bumps += 1;
            self.is_due_now();
        }
        for batch in self.partitions[partition as usize].sequences.unstamp() {
            self.accumulator.put_back(batch);
        }
    }

    pub(super) fn back_off(&mut self, now: Instant, item: ProduceItem) {
        if planted!(RetriesAtOnce) {
            return;
        }
        let attempts = self.accumulator.batch(item.batch).attempts;
        let wait = backoff(&self.config, &mut self.rng, attempts.saturating_sub(1));
        let at = now + wait;
        let partition = &mut self.partitions[item.partition as usize];
        // A leader that became known meanwhile, by a hint say, is asked at once (KIP-951).
        if partition.leader.epoch > item.leadership.epoch && partition.leader.broker.is_some() {
            return;
        }
        self.wait_until(item.partition, at);
    }

    /// Sends nothing to the partition before `at`.
    pub(super) fn wait_until(&mut self, slot: u32, at: Instant) {
        let partition = &mut self.partitions[slot as usize];
        if let Some(before) = partition.retry_at.replace(at) {
            self.backoffs.remove(&(before, slot));
        }
        self.backoffs.insert((at, slot));
    }

    /// Ends a wait before a retry.
    pub(super) fn end_back_off(&mut self, slot: u32) {
        if let Some(at) = self.partitions[slot as usize].retry_at.take() {
            self.backoffs.remove(&(at, slot));
        }
        self.refresh(slot);
    }

    /// The outcome of a batch that is not written, as far as anybody knows.
    pub(super) fn failed(&self, batch: u32, error: DeliveryError) -> Outcome {
        if self.accumulator.batch(batch).uncertain {
            Outcome::MaybeWritten(error)
        } else {
            Outcome::NotWritten(error)
        }
    }

    /// Ends a batch from this side, whatever its state, with an outcome that `error` explains.
    pub(super) fn give_up(&mut self, batch: u32, error: DeliveryError) {
        // Of many that are given up, the end of one may have been the end of the next.
        if self.accumulator.is_ended(batch) {
            return;
        }
        let partition = self.accumulator.batch(batch).partition;
        if self.accumulator.is_queued(batch) {
            return self.complete(batch, self.failed(batch, error));
        }
        let resolution = self.partitions[partition as usize].sequences.give_up(batch);
        let outcome = match resolution.fate {
            Fate::NotWritten => self.failed(batch, error),
            _ if planted!(ExpiredIsNotWritten) => Outcome::NotWritten(error),
            _ => Outcome::MaybeWritten(error),
        };
        self.complete(batch, outcome);
        if let Some(broken) = resolution.fault {
            self.mend(self.clock, partition, broken, false);
        }
        self.end_stranded(self.clock, partition);
        self.refresh(partition);
    }

    /// Takes what was under way on a link that is gone: oldest first.
    pub(super) fn requests_lost(
        &mut self,
        now: Instant,
        peer: u32,
        lost: InFlight,
        untouched: bool,
        why: &Disconnect,
    ) {
        match lost.request {
            Request::ApiVersions => {}
            Request::Metadata { topics } => self.metadata_failed(now, &topics),
            Request::InitProducerId => self.producer_id_failed(now, None),
            Request::Produce { items } => {
                let cause = self.peers[peer as usize].unreachable(*why);
                for item in items {
                    self.cluster.want(item.topic);
                    let ended = match untouched {
                        true => Ended::untouched(),
                        false if planted!(SentIsNothing) => Ended::untouched(),
                        false if planted!(LossIsRefusal) => Ended {
                            attempt: Attempt::Refused { retry: true },
                            ..Ended::without_answer(cause.clone(), true)
                        },
                        false
                            if planted!(UnreadableIsTooLarge)
                                && matches!(why, Disconnect::Protocol(_)) =>
                        {
                            Ended {
                                attempt: Attempt::Refused { retry: true },
                                splits: self.may_split(now, item.batch),
                                ..Ended::without_answer(cause.clone(), true)
                            }
                        }
                        // With acks=0 nobody will ever say more.
                        false => {
                            Ended::without_answer(cause.clone(), acks_answered(self.config.acks()))
                        }
                    };
                    self.attempt_ended(now, item, ended);
                }
            }
        }
    }

    /// The request of a link is wholly with the socket.
    pub(super) fn request_written(&mut self, now: Instant, peer: u32) {
        let Some(link) = self.peers[peer as usize].link_mut() else {
            return;
        };
        let unanswered = link.written(now);
        if let Some(InFlight {
            request: Request::Produce { items },
            ..
        }) = unanswered
        {
            for item in items {
                self.attempt_ended(now, item, Ended::written());
            }
        }
        let Self {
            peers, accumulator, ..
        } = self;
        let newest = peers[peer as usize].link().and_then(Connection::newest);
        let Some(Request::Produce { items }) = newest.map(|sent| &sent.request) else {
            return;
        };
        let mut ended = Vec::new(); // nearly always empty
        for item in items {
            accumulator.batch_mut(item.batch).on_the_wire = false;
            if accumulator.is_ended(item.batch) {
                ended.push(item.batch);
            }
        }
        for batch in ended {
            self.release(batch);
        }
    }

    /// The brokers refuse a producer id for now: what waits for one ends (H028).
    pub(super) fn fail_unstamped(&mut self, code: ErrorCode) {
        let queued: Vec<u32> = self
            .accumulator
            .live()
            .filter(|&b| self.accumulator.is_queued(b))
            .collect();
        for batch in queued {
            let outcome = self.failed(batch, DeliveryError::NoProducerId(code));
            self.complete(batch, outcome);
        }
    }

    /// Nobody keeps the order of batches over a retry.
    fn is_unordered(&self) -> bool {
        matches!(self.producer_id, ProducerId::Off)
    }
}
