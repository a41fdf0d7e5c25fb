//! A member of a group, and what it waits for.

use std::time::Duration;

use bytes::Bytes;

/// A consumer, or whatever else coordinates itself by a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<String>,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    /// What it can work by, the best first, each with what the leader is to know for it.
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// When it counts as dead, unless it waits for an answer or is heard of before.
    pub(crate) deadline: Duration,
    pub(crate) call: Option<Call>,
}

/// The name of a way to share the work, and a member's data for it.
pub(crate) type Protocol = (String, Bytes);

/// A request of a member that could not be answered at once.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ticket: Ticket,
    pub(crate) wants: Wants,
    /// The answer, once it is known.
    pub(crate) outcome: Option<Outcome>,
}

/// Tells the requests apart that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(super) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    ToJoin,
    ItsAssignment,
}

/// What a member is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Joined(Joined),
    Synced(Synced),
    Refused(i16),
}

/// A new generation has begun, and this is the member's place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    /// For the leader alone: each member's id, instance id, and data for the protocol.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// The leader has shared the work out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

impl Member {
    /// It is known to be there, since it waits for an answer.
    pub(crate) fn waits(&self) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.outcome.is_none())
    }

    pub(crate) fn waits_for(&self, wants: Wants) -> bool {
        let call = self.call.as_ref();
        self.waits() && call.is_some_and(|call| call.wants == wants)
    }

    /// Its session begins again.
    pub(crate) fn heard_of(&mut self, now: Duration) {
        self.deadline = now.saturating_add(self.session_timeout);
    }

    /// Answers what it waits for, if that is this.
    pub(crate) fn answer(&mut self, now: Duration, wants: Wants, outcome: Outcome) {
        if self.waits_for(wants) {
            self.heard_of(now);
            if let Some(call) = &mut self.call {
                call.outcome = Some(outcome);
            }
        }
    }

    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// Its data for a protocol.
    pub(crate) fn data(&self, protocol: &str) -> Bytes {
        let mut all = self.protocols.iter();
        let found = all.find(|(name, _)| name == protocol);
        found.map_or_else(Bytes::new, |(_, data)| data.clone())
    }
}
