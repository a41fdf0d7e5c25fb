//! Why records and waiters are held up: the last reason that is known, from a link or from a response (H046, H047, H168).

use super::{ProducerCore, ProducerId};
use crate::{error::Cause, event::Warning, id::Topic, peer::Peer};

impl ProducerCore {
    /// What stands in the way of a batch that has no outcome yet.
    pub(super) fn batch_obstacle(&self, batch: u32) -> Cause {
        let batch = self.accumulator.batch(batch);
        let partition = &self.partitions[batch.partition as usize];
        let failed = batch.last.clone();
        let Some(peer) = partition.peer.map(|p| &self.peers[p as usize]) else {
            return self
                .topic_obstacle(partition.topic, Some(partition.index))
                .or(failed)
                .unwrap_or(Cause::NoLeader);
        };
        // What is so now comes before what the batch's own attempts met, and that before what the batch ahead of it met.
        self.link_obstacle(peer)
            .or(failed)
            .or_else(|| partition.last.as_deref().cloned())
            .or_else(|| self.producer_id_obstacle())
            .or_else(|| (!peer.is_ready()).then(|| not_connected(peer)))
            .unwrap_or(Cause::Busy)
    }

    /// Why a topic, or a partition of it, is not known yet: what brokers answer, or why none can be asked. `None` if nothing
    /// is in the way but time.
    pub(super) fn topic_obstacle(&self, topic: Topic, partition: Option<i32>) -> Option<Cause> {
        let said = self.metadata_error(topic, partition);
        if said.is_some() && self.peers.iter().any(Peer::is_ready) {
            return said;
        }
        let trouble = self.trouble.clone();
        trouble.or(said).or_else(|| self.link_coming_up())
    }

    /// Why no memory is freed: what holds up the batch that was accepted first.
    pub(super) fn memory_obstacle(&self) -> Option<Cause> {
        let order = |&batch: &u32| self.accumulator.batch(batch).order;
        let oldest = self.accumulator.live().min_by_key(order);
        let obstacle = oldest.map(|batch| self.batch_obstacle(batch));
        obstacle
            .filter(|cause| *cause != Cause::Busy)
            .or_else(|| self.trouble.clone())
            .or_else(|| self.link_coming_up())
    }

    /// Notes trouble with a broker, which is the reason for whatever waits until a broker answers.
    pub(super) fn note_trouble(&mut self, cause: Cause) {
        self.trouble = Some(cause.clone());
        self.warn(Warning::Broker(cause));
    }

    /// A link that is not up yet.
    fn link_coming_up(&self) -> Option<Cause> {
        let coming_up = self.peers.iter().find(|p| p.is_coming_up());
        coming_up.map(not_connected)
    }

    /// What the last Metadata response says is wrong with a topic, or with a partition of it.
    fn metadata_error(&self, topic: Topic, partition: Option<i32>) -> Option<Cause> {
        if planted!(KeepsReasons) {
            return None;
        }
        let state = self.cluster.state(topic);
        let of_partition = || {
            let partition = partition?;
            let code = *state.partition_errors.get(&partition)?;
            Some((Some(partition), code))
        };
        let of_topic = state.error.map(|code| (None, code));
        let (partition, code) = of_topic.or_else(of_partition)?;
        Some(Cause::Metadata {
            topic: state.name.clone(),
            partition,
            code,
        })
    }

    /// What keeps a leader's link from taking requests, if anything does.
    fn link_obstacle(&self, peer: &Peer) -> Option<Cause> {
        match peer.link() {
            Some(link) if link.is_throttled(self.clock) => Some(Cause::Throttled),
            Some(link) if link.is_ready() => None,
            _ => peer.last.clone(),
        }
    }

    fn producer_id_obstacle(&self) -> Option<Cause> {
        match self.producer_id {
            ProducerId::Wanted { last, .. } | ProducerId::Asked { last, .. } => {
                Some(Cause::NoProducerId { last })
            }
            ProducerId::Off | ProducerId::Held(_) => None,
        }
    }
}

fn not_connected(peer: &Peer) -> Cause {
    let (host, port) = (peer.host.clone(), peer.port);
    Cause::NotConnected { host, port }
}
