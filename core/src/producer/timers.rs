//! Time: what is due, and the one deadline.

use super::{ProducerCore, ProducerId};
use crate::{
    connection::Connection,
    error::{DeliveryError, ResolveError},
    peer::Peer,
    time::Instant,
};

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutReason {
    /// Output waits to be polled.
    Output,
    /// A batch will have lingered.
    Linger,
    /// `delivery.timeout.ms` of a batch.
    Delivery,
    /// `max.block.ms` of a waiter.
    MaxBlock,
    /// A retry's back-off ends.
    RetryBackoff,
    /// A link's set-up or request time-out, the end of its draining, or a reconnect's back-off.
    Connection,
    /// A link is idle for too long.
    Idle,
    /// A broker's throttling ends.
    Throttle,
    /// Metadata is old, or asked for again.
    Metadata,
    /// The producer id is asked for again.
    ProducerId,
    /// The grace of [`close`](ProducerCore::close) ends.
    Close,
}

impl ProducerCore {
    /// Does what is due at `now`. May be called at any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        let now = self.clock;
        while let Some(partition) = self.accumulator.lingered(now) {
            self.refresh(partition);
        }
        while let Some(batch) = self.accumulator.expired(now) {
            let cause = self.batch_obstacle(batch);
            self.give_up(batch, DeliveryError::Expired { cause });
        }
        while let Some(&(at, partition)) = self.backoffs.first()
            && at <= now
        {
            self.end_back_off(partition);
        }
        for peer in 0..self.peers.len() as u32 {
            self.check_peer(now, peer);
        }
        self.expire_waiters(now);
        self.settle();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called at the latest; `None` if nothing is due ever. It is
    /// not after the present while any output waits to be polled.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.deadline < Instant::NEVER).then_some(self.deadline)
    }

    /// What the deadline is for; `None` if there is none.
    #[must_use]
    pub fn timeout_reason(&self) -> Option<TimeoutReason> {
        (self.deadline < Instant::NEVER).then_some(self.reason)
    }

    /// Draws the consequences of what came in.
    pub(super) fn settle(&mut self) {
        self.admit();
        self.pursue_end();
        if self.is_active() {
            self.pursue();
        }
        self.update_deadline();
    }

    /// Computes the deadline from everything that runs.
    pub(super) fn update_deadline(&mut self) {
        (self.deadline, self.reason) = (Instant::NEVER, TimeoutReason::Output);
        if !(self.commands.is_empty() && self.events.is_empty() && self.links.is_empty()) {
            return self.is_due_now();
        }
        let (linger, delivery) = self.accumulator.next_timeouts();
        let waiter = self.next_waiter_deadline();
        let backoff = self.backoffs.first().map(|b| b.0);
        let delivery = delivery.filter(|_| !planted!(NoExpiryTimer));
        let backoff = backoff.filter(|_| !planted!(NoBackoffTimer));
        let candidates = [
            (linger, TimeoutReason::Linger),
            (delivery, TimeoutReason::Delivery),
            (waiter, TimeoutReason::MaxBlock),
            (backoff, TimeoutReason::RetryBackoff),
            (self.closing_deadline(), TimeoutReason::Close),
        ];
        for (at, reason) in candidates {
            self.arm(at.unwrap_or(Instant::NEVER), reason);
        }
        if self.is_active() {
            self.arm_requests();
            let needs_any = self.needs_any_link(self.clock);
            for peer in 0..self.peers.len() {
                self.arm_peer(peer, needs_any);
            }
        } else {
            self.arm_drains();
        }
    }

    /// At the producer's end nothing but draining takes time.
    fn arm_drains(&mut self) {
        let links = self.peers.iter().filter_map(Peer::link);
        let draining = links.filter(|link| link.is_closing());
        if let Some(at) = draining.filter_map(Connection::next_timeout).min() {
            self.arm(at, TimeoutReason::Connection);
        }
    }

    /// Metadata and producer id: only where their request is not waiting for a link already.
    fn arm_requests(&mut self) {
        let now = self.clock;
        if let Some(at) = self.cluster.next_timeout().filter(|&at| at > now) {
            self.arm(at, TimeoutReason::Metadata);
        }
        if let ProducerId::Wanted { at, .. } = self.producer_id
            && at > now
            && self.wants_producer_id()
        {
            self.arm(at, TimeoutReason::ProducerId);
        }
    }

    fn arm_peer(&mut self, slot: usize, needs_any: bool) {
        let now = self.clock;
        let peer = &self.peers[slot];
        let any = needs_any && peer.is_of_use() && !peer.may_dial(now);
        let connection = peer.next_timeout(any || !self.rings[slot].is_empty());
        let has_output = !self.rings[slot].is_empty()
            || self.metadata_is_for(slot as u32)
            || self.producer_id_is_for(slot as u32);
        let throttle = peer
            .link()
            .filter(|_| has_output)
            .and_then(|l| l.throttled_until(now))
            .filter(|_| !planted!(NoThrottleTimer));
        let idle = peer
            .link()
            .and_then(Connection::idle_since)
            .zip(self.config.connections_max_idle());
        self.arm(
            connection.unwrap_or(Instant::NEVER),
            TimeoutReason::Connection,
        );
        self.arm(throttle.unwrap_or(Instant::NEVER), TimeoutReason::Throttle);
        self.arm(
            idle.map_or(Instant::NEVER, |(since, limit)| since + limit),
            TimeoutReason::Idle,
        );
    }

    fn check_peer(&mut self, now: Instant, slot: u32) {
        let peer = &mut self.peers[slot as usize];
        #[cfg(planted)]
        if planted!(WritesIntoMiddle) && peer.link_mut().is_some_and(|l| l.stops_writing(now)) {
            return self.mark_link(slot);
        }
        if peer.link().is_some_and(|link| link.is_drained(now)) {
            return self.end_drain(slot);
        }
        if let Some(why) = peer.link().and_then(|link| link.timed_out(now)) {
            return self.close_link(slot, why);
        }
        if peer.is_lookup_late(now) {
            return self.lookup_failed(slot, ResolveError::Failed);
        }
        if self.is_too_idle(now, slot) {
            return self.close_idle(slot);
        }
        // A link whose throttling ended may go on; a peer that something waits for may be dialled again.
        if self.has_batches(slot) {
            self.want_link(slot);
        }
    }
}
