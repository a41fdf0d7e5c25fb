//! Links that the core closes: at once, or after they were drained.

use super::{ProducerCore, spares::Spares};
use crate::{connection::Connection, error::Disconnect, event::Command, log::debug, time::Instant};

impl ProducerCore {
    /// Has the driver close a link; what was in flight on it is settled when the driver reports that it is closed.
    ///
    /// A link that carried records under acks=0 is drained first: closing a socket with unread input resets the connection,
    /// which takes from the peer what it has received and not read yet (H169).
    pub(super) fn close_link(&mut self, peer: u32, why: Disconnect) {
        let until = self.drain_deadline();
        let connection = self.peers[peer as usize].connection_id(peer);
        let Some(link) = self.peers[peer as usize].link_mut() else {
            return;
        };
        if link.is_closing() {
            return link.hurry_drain(until);
        }
        debug!(slot = peer, why = ?why, "link is closed");
        let drains = link.carried_unanswered() && until > self.clock;
        self.commands.push_back(if drains {
            link.drain(why, until);
            Command::Shutdown { connection }
        } else {
            link.close(why);
            Command::Disconnect { connection }
        });
        self.is_due_now();
    }

    /// Has the driver close a link that was drained for long enough.
    pub(super) fn end_drain(&mut self, peer: u32) {
        let connection = self.peers[peer as usize].connection_id(peer);
        if let Some(link) = self.peers[peer as usize].link_mut() {
            link.close(link.why.unwrap_or(Disconnect::Requested));
            self.commands.push_back(Command::Disconnect { connection });
            self.is_due_now();
        }
    }

    /// Until when a link that is closed now may be drained.
    fn drain_deadline(&self) -> Instant {
        if planted!(ClosesWithoutDraining) {
            return Instant::ORIGIN;
        }
        let closed = self.closing_deadline().unwrap_or(Instant::NEVER);
        closed.min(self.clock + DRAIN)
    }

    /// Closes a link that nothing uses; with nothing on its way anywhere, memory kept for batches is freed too.
    pub(super) fn close_idle(&mut self, peer: u32) {
        self.close_link(peer, Disconnect::Idle);
        if self.is_idle() {
            self.accumulator.trim();
            self.workshop.trim();
            self.spares = Spares::default();
        }
    }

    pub(super) fn is_too_idle(&self, now: Instant, peer: u32) -> bool {
        let Some(limit) = self.config.connections_max_idle() else {
            return false;
        };
        let idle_since = self.peers[peer as usize]
            .link()
            .and_then(Connection::idle_since);
        idle_since.is_some_and(|since| since + limit <= now)
    }
}

/// How long a link is drained at most. A broker closes when it has read everything, so that this passes only with one that
/// is very slow, or gone.
const DRAIN: core::time::Duration = core::time::Duration::from_secs(1);
