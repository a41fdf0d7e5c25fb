//! Consumer groups: who is in them, who does what, and how far they have read.

mod describe;
mod group;
mod member;
mod offset_requests;
mod offsets;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::code;
use group::{Group, State};
use member::{Call, Member, Outcome, Protocol, Ticket, Wants};
use offsets::Committed;

pub(crate) use requests::InGroup;

/// Groups that are remembered; a new one takes the place of the one without members that was used longest ago.
const MOST_GROUPS: usize = 256;
/// Members of all groups together, ids that were handed out and not used among them.
const MOST_MEMBERS: usize = 4_096;
/// Partitions that all groups together can have committed for.
const MOST_OFFSETS: usize = 50_000;
/// The most bytes of a member's metadata, and of its assignment.
const MOST_BYTES: usize = 64 << 10;
/// The longest name of a group.
const LONGEST_NAME: usize = 1 << 10;
/// Kafka's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
const SESSIONS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(6)..=Duration::from_secs(30 * 60);

/// All groups of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_name: BTreeMap<String, Group>,
    /// Ids and tickets that were given out.
    given: u64,
}

/// A member as it wants to join.
#[derive(Clone, Debug)]
pub(crate) struct Joining {
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<Protocol>,
    /// A new member is told its id first, and joins with it then.
    pub(crate) learns_id_first: bool,
}

/// What becomes of a request that may have to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// With the member's id.
    Now(String, Outcome),
    Later(String, Ticket),
}

impl Groups {
    /// A member joins, for the first time or again.
    pub(crate) fn join(&mut self, now: Duration, name: &str, joining: Joining) -> Step {
        let id = joining.member.clone();
        let refuse = |code| Step::Now(id.clone(), Outcome::Refused(code));
        if let Err(code) = check(name, &joining) {
            return refuse(code);
        }
        let is_new = id.is_empty();
        let has_room = self.member_count() < MOST_MEMBERS;
        let group = match is_new {
            true if !has_room => return refuse(code::GROUP_MAX_SIZE_REACHED),
            true => self.find_or_create(now, name),
            false => self.find(now, name),
        };
        let Some(group) = group else {
            return refuse(match is_new {
                true => code::GROUP_MAX_SIZE_REACHED,
                false => code::UNKNOWN_MEMBER_ID,
            });
        };
        let is_known = group.members.contains_key(&id);
        if !is_new && !is_known && !group.pending.contains_key(&id) {
            return refuse(code::UNKNOWN_MEMBER_ID);
        }
        if !group.fits(&id, &joining.protocol_type, &joining.protocols) {
            return refuse(code::INCONSISTENT_GROUP_PROTOCOL);
        }
        self.given += 1;
        let ticket = Ticket(self.given);
        let id = match is_new {
            true => format!("member-{}", self.given),
            false => id,
        };
        let Some(group) = self.find(now, name) else {
            unreachable!("it was found above");
        };
        if is_new && joining.learns_id_first {
            let until = now.saturating_add(joining.session_timeout);
            group.pending.insert(id.clone(), until);
            return Step::Now(id, Outcome::Refused(code::MEMBER_ID_REQUIRED));
        }
        group.protocol_type.clone_from(&joining.protocol_type);
        let outcome = match is_known {
            true => group.join_again(now, &id, joining, ticket),
            false => {
                group.pending.remove(&id);
                let member = Member {
                    instance: joining.instance,
                    session_timeout: joining.session_timeout,
                    rebalance_timeout: joining.rebalance_timeout,
                    protocols: joining.protocols,
                    assignment: Bytes::new(),
                    deadline: now.saturating_add(joining.session_timeout),
                    call: Some(Call::new(ticket, Wants::ToJoin)),
                };
                group.add(now, &id, member);
                None
            }
        };
        match outcome.or_else(|| group.poll(&id, ticket)) {
            Some(outcome) => Step::Now(id, outcome),
            None => Step::Later(id, ticket),
        }
    }

    /// A member asks for its part of the work.
    pub(crate) fn sync(
        &mut self,
        now: Duration,
        name: &str,
        (id, generation): (&str, i32),
        (protocol_type, protocol): (Option<&str>, Option<&str>),
        assignments: Vec<(String, Bytes)>,
    ) -> Step {
        self.given += 1;
        let ticket = Ticket(self.given);
        let step = |outcome: Option<Outcome>| match outcome {
            Some(outcome) => Step::Now(id.to_owned(), outcome),
            None => Step::Later(id.to_owned(), ticket),
        };
        let group = match self.of_member(now, name, id, generation) {
            Ok(group) => group,
            Err(code) => return step(Some(Outcome::Refused(code))),
        };
        let is_ours = protocol_type.is_none_or(|name| name == group.protocol_type)
            && protocol.is_none_or(|name| name == group.protocol);
        if !is_ours {
            return step(Some(Outcome::Refused(code::INCONSISTENT_GROUP_PROTOCOL)));
        }
        if assignments.iter().any(|(_, data)| data.len() > MOST_BYTES) {
            return step(Some(Outcome::Refused(code::INVALID_REQUEST)));
        }
        step(group.sync(now, id, assignments, ticket))
    }

    pub(crate) fn heartbeat(
        &mut self,
        now: Duration,
        name: &str,
        id: &str,
        generation: i32,
    ) -> i16 {
        match self.of_member(now, name, id, generation) {
            Ok(group) => group.heartbeat(now, id),
            Err(code) => code,
        }
    }

    pub(crate) fn leave(&mut self, now: Duration, name: &str, id: &str) -> i16 {
        match self.find(now, name) {
            Some(group) => group.leave(now, id),
            None => code::UNKNOWN_MEMBER_ID,
        }
    }

    /// Remembers how far a group has read a partition, and says whether there was room for it.
    pub(crate) fn commit(
        &mut self,
        name: &str,
        topic: &str,
        partition: i32,
        committed: Committed,
    ) -> bool {
        let there: usize = self.by_name.values().map(|group| group.offsets.len()).sum();
        let Some(group) = self.by_name.get_mut(name) else {
            return false;
        };
        let has_room = there < MOST_OFFSETS || group.offsets.get(topic, partition).is_some();
        if has_room {
            group.offsets.commit(topic, partition, committed);
        }
        has_room
    }

    /// The answer that a request waits for, once it is known.
    pub(crate) fn poll(&mut self, name: &str, id: &str, ticket: Ticket) -> Option<Outcome> {
        match self.by_name.get_mut(name) {
            Some(group) => group.poll(id, ticket),
            None => Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID)),
        }
    }

    /// Lets time pass in all groups.
    pub(crate) fn advance(&mut self, now: Duration) {
        for group in self.by_name.values_mut() {
            group.advance(now);
        }
    }

    /// When time alone will change something in a group.
    pub(crate) fn next_change(&self, name: &str) -> Option<Duration> {
        self.by_name.get(name)?.next_change()
    }

    /// Forgets how far groups have read a topic.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for group in self.by_name.values_mut() {
            group.offsets.forget_topic(topic);
        }
    }

    fn find(&mut self, now: Duration, name: &str) -> Option<&mut Group> {
        let group = self.by_name.get_mut(name)?;
        group.used = now;
        Some(group)
    }

    /// The group, if it has such a member in this generation.
    fn of_member(
        &mut self,
        now: Duration,
        name: &str,
        id: &str,
        generation: i32,
    ) -> Result<&mut Group, i16> {
        let group = self.find(now, name).ok_or(code::UNKNOWN_MEMBER_ID)?;
        if !group.members.contains_key(id) {
            Err(code::UNKNOWN_MEMBER_ID)
        } else if group.generation != generation {
            Err(code::ILLEGAL_GENERATION)
        } else {
            Ok(group)
        }
    }

    /// `None` if there is no room for another group.
    fn find_or_create(&mut self, now: Duration, name: &str) -> Option<&mut Group> {
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= MOST_GROUPS {
                let idle = |group: &&Group| group.state == State::Empty && group.pending.is_empty();
                let all = self.by_name.iter().filter(|(_, group)| idle(group));
                let oldest = all.min_by_key(|(_, group)| group.used)?.0.clone();
                self.by_name.remove(&oldest);
            }
            self.by_name.insert(name.to_owned(), Group::default());
        }
        self.find(now, name)
    }

    fn member_count(&self) -> usize {
        let groups = self.by_name.values();
        groups
            .map(|group| group.members.len() + group.pending.len())
            .sum()
    }
}

/// What speaks against a member whatever the group.
fn check(name: &str, joining: &Joining) -> Result<(), i16> {
    let bytes = |(name, data): &Protocol| name.len() + data.len();
    if name.is_empty() || name.len() > LONGEST_NAME {
        Err(code::INVALID_GROUP_ID)
    } else if !SESSIONS.contains(&joining.session_timeout) {
        Err(code::INVALID_SESSION_TIMEOUT)
    } else if joining.protocols.iter().map(bytes).sum::<usize>() > MOST_BYTES {
        Err(code::INVALID_REQUEST)
    } else {
        Ok(())
    }
}
