//! The way out: which partitions have something to send, and the Produce requests that take it along.

use alloc::vec::Vec;

use super::{ProducerCore, acks_answered};
use crate::{
    compress::Compression,
    connection::{ProduceItem, Request},
    error::{DeliveryError, Disconnect, ProtocolError},
    idempotence::{Leadership, Next},
    time::Instant,
    transmit::Transmit,
    wire::{ApiKey, ProduceRequest},
};

impl ProducerCore {
    /// Puts a partition in its peer's ring if it has something to send now; what is to be compressed before is handed out.
    pub(super) fn refresh(&mut self, slot: u32) {
        self.begin_work(slot);
        if self.partitions[slot as usize].in_ring || self.next_of(slot).is_none() {
            return;
        }
        let partition = &mut self.partitions[slot as usize];
        let Some(peer) = partition.peer else {
            let topic = partition.topic;
            self.cluster.want(topic);
            return self.is_due_now();
        };
        partition.in_ring = true;
        self.rings[peer as usize].push_back(slot);
        let clock = self.clock;
        self.peers[peer as usize].stalled_since.get_or_insert(clock);
        self.want_link(peer);
    }

    pub(super) fn refresh_all(&mut self) {
        for slot in 0..self.partitions.len() as u32 {
            self.refresh(slot);
        }
    }

    /// Makes every open batch ready.
    pub(super) fn ready_all(&mut self) {
        while let Some(partition) = self.accumulator.lingered(Instant::NEVER) {
            self.refresh(partition);
        }
    }

    /// What the partition would send now, leader or not.
    fn next_of(&self, slot: u32) -> Option<Next> {
        let partition = &self.partitions[slot as usize];
        if partition.retry_at.is_some() {
            return None;
        }
        match partition
            .sequences
            .next(self.producer_id.held(), self.leadership(partition))
        {
            Next::Nothing => None,
            Next::Fresh if self.accumulator.sendable(slot).is_none() => None,
            Next::Retry(batch) if self.accumulator.needs_work(batch) => None,
            next => Some(next),
        }
    }

    /// How large a batch of the partition may grow if its way is blocked: whatever the driver did, none that is fresh
    /// could go now. 0 if the way is free.
    pub(super) fn growth(&self, slot: u32) -> usize {
        let partition = &self.partitions[slot as usize];
        let next = partition
            .sequences
            .next(self.producer_id.held(), self.leadership(partition));
        let is_free = partition.retry_at.is_none()
            && !(self.compresses()
                && (partition.awaits_work || self.accumulator.is_work_blocked(slot)))
            && next == Next::Fresh
            && partition.peer.is_some_and(|peer| {
                let link = self.peers[peer as usize].link();
                link.is_some_and(|link| link.is_free(self.clock)) && self.may_produce(peer)
            });
        match is_free {
            true => 0,
            false => self.topics[partition.topic.index()].growth_limit(),
        }
    }

    /// The peer's ring has something to send; what has nothing any more leaves it.
    pub(super) fn has_batches(&mut self, peer: u32) -> bool {
        while let Some(&slot) = self.rings[peer as usize].front() {
            if self.partitions[slot as usize].peer == Some(peer) && self.next_of(slot).is_some() {
                return true;
            }
            self.leave_ring(peer);
            self.refresh(slot);
        }
        self.peers[peer as usize].stalled_since = None;
        false
    }

    fn leave_ring(&mut self, peer: u32) {
        if let Some(slot) = self.rings[peer as usize].pop_front() {
            self.partitions[slot as usize].in_ring = false;
        }
    }

    /// A Produce request of what the peer's partitions have, one batch each, in turn, up to `max.request.size`.
    pub(super) fn produce(&mut self, now: Instant, peer: u32) -> Option<Transmit> {
        if !self.may_produce(peer) {
            return None;
        }
        let link = self.peers[peer as usize].link()?;
        let Some(version) = link.versions.produce else {
            // The next link may be to another version of the broker, or to one that tells the truth.
            self.refuse_batches(peer, &DeliveryError::UnsupportedVersion);
            let error = ProtocolError::UnsupportedVersion { api: "Produce" };
            self.close_link(peer, Disconnect::Protocol(error));
            return None;
        };
        let codec = self.config.compression_type();
        if codec == Compression::Zstd && version < ZSTD_FROM {
            self.refuse_batches(peer, &DeliveryError::UnsupportedCompression(codec));
            return None;
        }
        let items = self.gather(peer, version);
        if items.is_empty() {
            self.spares.keep_items(items);
            return None;
        }
        self.peers[peer as usize].stalled_since = None;
        self.metrics.batches_sent += items.len() as u64;
        Some(self.encode_produce(now, peer, version, items))
    }

    fn gather(&mut self, peer: u32, version: i16) -> Vec<ProduceItem> {
        let (mut items, mut size) = (self.spares.items(), 0);
        for _ in 0..self.rings[peer as usize].len() {
            if !self.has_batches(peer) {
                break;
            }
            let slot = self.rings[peer as usize][0];
            let Some(next) = self.next_of(slot) else {
                break;
            };
            // One whose id is not known would have all named: a topic made anew would refuse what is on the way to its
            // former self by its id, and take what follows by its name.
            let leadership = self.leadership(&self.partitions[slot as usize]);
            let is_apart = |item: &ProduceItem| is_named(item.leadership) != is_named(leadership);
            if version > LAST_BY_NAME && items.first().is_some_and(is_apart) {
                self.leave_ring(peer);
                self.refresh(slot);
                continue;
            }
            let len = match next {
                Next::Retry(batch) => self.accumulator.batch(batch).body.wire_len(),
                _ => self.accumulator.ready_len(slot).unwrap_or(0),
            };
            let topic = self.partitions[slot as usize].topic;
            size += len + PARTITION_OVERHEAD + self.cluster.state(topic).name.len();
            let most = self.config.max_request_size();
            if !items.is_empty() && size > most && !planted!(RequestsOverflow) {
                break;
            }
            self.leave_ring(peer);
            items.extend(self.take(slot, next));
        }
        for item in &items {
            self.refresh(item.partition);
        }
        items.sort_unstable_by_key(|item| (item.topic, item.index));
        items
    }

    /// Takes the partition's next batch and stamps it if it is fresh.
    fn take(&mut self, slot: u32, next: Next) -> Option<ProduceItem> {
        let identity = self.producer_id.held();
        let leadership = self.leadership(&self.partitions[slot as usize]);
        let partition = &mut self.partitions[slot as usize];
        let batch = match next {
            Next::Retry(batch) => {
                partition.sequences.resend(batch, leadership);
                let before = self.accumulator.batch(batch).attempts;
                self.metrics.batches_retried += u64::from(before > 0);
                batch
            }
            _ => {
                let batch = self.accumulator.take(slot)?;
                let count = self.accumulator.batch(batch).body.count();
                partition
                    .sequences
                    .stamp(batch, count, identity, leadership);
                batch
            }
        };
        let (topic, index) = (partition.topic, partition.index);
        let state = self.accumulator.batch_mut(batch);
        state.attempts = state.attempts.saturating_add(1);
        state.on_the_wire = true;
        Some(ProduceItem {
            topic,
            index,
            partition: slot,
            batch,
            leadership,
        })
    }

    fn encode_produce(
        &mut self,
        now: Instant,
        peer: u32,
        version: i16,
        items: Vec<ProduceItem>,
    ) -> Transmit {
        // By id only if every topic's is known (KIP-516).
        let named = items.iter().any(|item| is_named(item.leadership));
        let version = if named {
            version.min(LAST_BY_NAME)
        } else {
            version
        };
        let acks = self.config.acks();
        let request = ProduceRequest {
            version,
            transactional_id: None,
            acks: acks.code(),
            timeout_ms: i32::try_from(self.config.request_timeout().as_millis())
                .unwrap_or(i32::MAX),
        };
        let groups = || items.chunk_by(|a, b| a.topic == b.topic);
        let topics = groups().count();
        let link = self.peers[peer as usize]
            .link()
            .expect("the caller looked at it");
        let correlation_id = link.next_correlation_id();
        let mut transmit = self.begin_request(ApiKey::PRODUCE, version, correlation_id);
        request.head(transmit.heads(), topics);
        for group in groups() {
            let name = &self.cluster.state(group[0].topic).name;
            request.topic(
                transmit.heads(),
                name,
                group[0].leadership.topic_id,
                group.len(),
            );
            for item in group {
                let batch = self.accumulator.batch(item.batch);
                let body = &batch.body;
                let stamp = self.partitions[item.partition as usize]
                    .sequences
                    .stamp_of(item.batch);
                request.partition(transmit.heads(), item.index, body.wire_len());
                let mut head = body.head(stamp);
                head[42] ^= u8::from(planted!(RetryDiffers) && batch.attempts > 1); // its latest timestamp
                transmit.push_batch(&head, body.records());
                request.partition_end(transmit.heads());
            }
            request.topic_end(transmit.heads());
        }
        request.end(transmit.heads());
        let link = self.peers[peer as usize]
            .link_mut()
            .expect("the caller looked at it");
        let (answered, sent) = (acks_answered(acks), Request::Produce { items });
        let id = link.send(now, ApiKey::PRODUCE, version, answered, sent);
        debug_assert_eq!(id, correlation_id);
        self.finish_request(transmit)
    }

    /// The broker can't take what would go to it, which ends here (H036, H145).
    fn refuse_batches(&mut self, peer: u32, error: &DeliveryError) {
        while self.has_batches(peer) {
            let slot = self.rings[peer as usize][0];
            while let Some(Next::Fresh) = self.next_of(slot) {
                let Some(batch) = self.accumulator.take(slot) else {
                    break;
                };
                let outcome = self.failed(batch, error.clone());
                self.complete(batch, outcome);
            }
            if let Some(Next::Retry(batch)) = self.next_of(slot) {
                self.give_up(batch, error.clone());
            }
            self.leave_ring(peer);
            self.refresh(slot);
        }
    }
}

/// The topic's id is not known: it is named.
fn is_named(leadership: Leadership) -> bool {
    leadership.topic_id == [0; 16]
}

/// The first version of Produce that takes Zstandard (KIP-110).
const ZSTD_FROM: i16 = 7;
/// The last version of Produce that names topics by name.
const LAST_BY_NAME: i16 = 12;
/// What a partition takes in a request besides its batch and its topic's name, generously: its index, and lengths.
const PARTITION_OVERHEAD: usize = 64;
