//! What must hold of the whole at any moment, for simulators and fuzzers to ask; it costs nothing where nobody does.

use alloc::vec::Vec;

use super::{ProducerCore, waiters::State};

/// What is under way, counted by looking at every batch.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// Records without an outcome that no broker has been sent, or that wait to be sent again.
    pub queued: usize,
    /// Records without an outcome that are on the way to a broker.
    pub on_the_way: usize,
    /// What is known of the partitions' leaders.
    pub leaders: Vec<KnownLeader>,
}

/// What the core holds for a partition's leader.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownLeader {
    /// The id under which the leader is known; zero if no answer with an id told it.
    pub topic_id: [u8; 16],
    /// The partition.
    pub partition: i32,
    /// The leader's id, if there is a leader.
    pub broker: Option<i32>,
    /// The leader's epoch; -1 if it has none.
    pub epoch: i32,
    /// How often older epochs of the topic were believed in the end.
    pub rewinds: u32,
}

impl ProducerCore {
    /// Looks at everything; an error names the rule that does not hold.
    ///
    /// Not for applications: it takes time that grows with what is under way.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<Audit, &'static str> {
        self.accumulator.audit()?;
        self.audit_memory()?;
        self.audit_attempts()?;
        self.audit_deadline()?;
        let mut audit = Audit {
            leaders: self.leaders(),
            ..Audit::default()
        };
        for slot in self.accumulator.live() {
            let records = self.accumulator.batch(slot).body.count() as usize;
            let is_queued = self.accumulator.is_queued(slot);
            match !is_queued && self.sequences_of(slot).is_in_flight(slot) {
                true => audit.on_the_way += records,
                false => audit.queued += records,
            }
        }
        Ok(audit)
    }

    fn leaders(&self) -> Vec<KnownLeader> {
        let known = self.partitions.iter().map(|p| KnownLeader {
            topic_id: self.cluster.state(p.topic).id_of_leaders(),
            partition: p.index,
            broker: p.leader.broker,
            epoch: p.leader.epoch,
            rewinds: self.cluster.state(p.topic).rewinds,
        });
        known.collect()
    }

    /// What is charged is what batches hold, and what is kept for those who may hand a record in (I7).
    fn audit_memory(&self) -> Result<(), &'static str> {
        let (mut reserved, mut admitted) = (0, 0);
        for slot in &self.waiters.slots {
            if let State::Admitted(bytes) = slot.state {
                reserved += bytes;
                admitted += 1;
            }
        }
        if admitted != self.waiters.admitted {
            return Err("the count of admitted waiters is not theirs");
        }
        match self.memory.used() == self.accumulator.held() + reserved {
            true => Ok(()),
            false => Err("what is charged is not what is held and reserved"),
        }
    }

    fn audit_attempts(&self) -> Result<(), &'static str> {
        let most = self.config.max_in_flight_requests_per_connection() as usize;
        for peer in &self.peers {
            if peer.link().is_some_and(|link| link.produces() > most) {
                return Err("more requests are in flight than a connection may have");
            }
        }
        self.partitions
            .iter()
            .try_for_each(|partition| partition.sequences.audit())
    }

    /// The driver is called again before anything is due.
    fn audit_deadline(&self) -> Result<(), &'static str> {
        let backoff = self.backoffs.first().map(|&(at, _)| at);
        let delivery = self.accumulator.earliest_delivery();
        let throttled = (0u32..).zip(&self.peers).filter_map(|(slot, peer)| {
            let waits = !self.rings[slot as usize].is_empty();
            peer.link().filter(|_| waits)?.throttled_until(self.clock)
        });
        let due = throttled.chain(backoff).chain(delivery).min();
        match due.is_some_and(|due| due < self.deadline) {
            true => Err("something is due before the driver's deadline"),
            false => Ok(()),
        }
    }

    fn sequences_of(&self, slot: u32) -> &crate::idempotence::Sequences {
        let partition = self.accumulator.batch(slot).partition;
        &self.partitions[partition as usize].sequences
    }
}
