//! One group as a state machine: Kafka's classic protocol, in which a member shares out the work.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::Joining;
use super::member::{Call, Joined, Member, Outcome, Protocol, Synced, Ticket, Wants};
use super::offsets::Offsets;
use crate::code;

/// A group and its members.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) state: State,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    /// The id of the member that shares out the work; empty without members.
    pub(crate) leader: String,
    pub(crate) members: BTreeMap<String, Member>,
    /// Ids that were handed out and have not come back yet, and until when they may.
    pub(crate) pending: BTreeMap<String, Duration>,
    pub(crate) offsets: Offsets,
    /// When a request last named it.
    pub(crate) used: Duration,
}

/// Where a group stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Without members.
    #[default]
    Empty,
    /// Members have to rejoin; those that have not by then are removed.
    Preparing { deadline: Duration },
    /// A generation has begun, and its leader is to share the work out by then.
    Completing { deadline: Duration },
    /// Each member has its part of the work.
    Stable,
}

impl State {
    /// Kafka's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Preparing { .. } => "PreparingRebalance",
            State::Completing { .. } => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// What members send.
impl Group {
    /// Takes a member in that was not there.
    pub(crate) fn add(&mut self, now: Duration, id: &str, member: Member) {
        if self.leader.is_empty() {
            id.clone_into(&mut self.leader);
        }
        self.members.insert(id.to_owned(), member);
        self.rebalance(now);
    }

    /// A member joins that is there already: again, or because it has no answer yet. `None` lets it wait.
    pub(crate) fn join_again(
        &mut self,
        now: Duration,
        id: &str,
        joining: Joining,
        ticket: Ticket,
    ) -> Option<Outcome> {
        let protocols = joining.protocols;
        let is_leader = self.leader == id;
        let state = self.state;
        let Some(member) = self.members.get_mut(id) else {
            return Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID));
        };
        let same = member.protocols == protocols;
        let nothing_new = match state {
            State::Completing { .. } => same,
            State::Stable => same && !is_leader,
            State::Empty | State::Preparing { .. } => false,
        };
        member.session_timeout = joining.session_timeout;
        member.rebalance_timeout = joining.rebalance_timeout;
        member.heard_of(now);
        if nothing_new {
            return Some(Outcome::Joined(self.place(id)));
        }
        member.protocols = protocols;
        member.call = Some(Call::new(ticket, Wants::ToJoin));
        self.rebalance(now);
        None
    }

    /// A member wants its part of the work; the leader brings everybody's along. `None` lets it wait.
    pub(crate) fn sync(
        &mut self,
        now: Duration,
        id: &str,
        assignments: Vec<(String, Bytes)>,
        ticket: Ticket,
    ) -> Option<Outcome> {
        let Some(member) = self.members.get_mut(id) else {
            return Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID));
        };
        member.heard_of(now);
        match self.state {
            State::Empty => return Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID)),
            State::Preparing { .. } => {
                return Some(Outcome::Refused(code::REBALANCE_IN_PROGRESS));
            }
            State::Stable => {}
            State::Completing { .. } if self.leader == id => self.assign(now, assignments),
            State::Completing { .. } => {
                member.call = Some(Call::new(ticket, Wants::ItsAssignment));
                return None;
            }
        }
        Some(Outcome::Synced(self.share(id)))
    }

    /// A member is there. The code tells it to rejoin if the group has begun to.
    pub(crate) fn heartbeat(&mut self, now: Duration, id: &str) -> i16 {
        if let Some(member) = self.members.get_mut(id) {
            member.heard_of(now);
        }
        match self.state {
            State::Preparing { .. } => code::REBALANCE_IN_PROGRESS,
            _ => code::NONE,
        }
    }

    /// A member goes, or gives back an id that it has not used.
    pub(crate) fn leave(&mut self, now: Duration, id: &str) -> i16 {
        let was_pending = self.pending.remove(id).is_some();
        let was_there = self.members.remove(id).is_some();
        if was_there {
            self.lost_members(now);
        }
        self.complete(now);
        match was_pending || was_there {
            true => code::NONE,
            false => code::UNKNOWN_MEMBER_ID,
        }
    }

    /// The answer that a request waits for, once it is known. A member that is gone, or has asked again, is not waited for.
    pub(crate) fn poll(&mut self, id: &str, ticket: Ticket) -> Option<Outcome> {
        let member = self.members.get_mut(id);
        let Some(call) = member.map(|member| &mut member.call) else {
            return Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID));
        };
        match call.take_if(|call| call.ticket == ticket && call.outcome.is_some()) {
            Some(answered) => answered.outcome,
            None if call.as_ref().is_some_and(|call| call.ticket == ticket) => None,
            None => Some(Outcome::Refused(code::UNKNOWN_MEMBER_ID)),
        }
    }

    /// Whether all members could work by one of these.
    pub(crate) fn fits(&self, except: &str, protocol_type: &str, protocols: &[Protocol]) -> bool {
        let others = || self.members.iter().filter(|(id, _)| *id != except);
        if others().next().is_none() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let known_to_all = |name: &str| others().all(|(_, other)| other.supports(name));
        self.protocol_type == protocol_type && protocols.iter().any(|(name, _)| known_to_all(name))
    }
}

/// Time, and what follows from it.
impl Group {
    /// Takes members out that were not heard of, and ends what has lasted too long.
    pub(crate) fn advance(&mut self, now: Duration) {
        self.pending.retain(|_, deadline| now < *deadline);
        let before = self.members.len();
        self.members
            .retain(|_, member| member.waits() || now < member.deadline);
        if self.members.len() < before {
            self.lost_members(now);
        }
        match self.state {
            State::Preparing { deadline } if deadline <= now => {
                self.members
                    .retain(|_, member| member.waits_for(Wants::ToJoin));
                self.pending.clear();
            }
            State::Completing { deadline } if deadline <= now => {
                // Who has not asked for its part in all this time does not come any more.
                let leader = self.leader.clone();
                self.members
                    .retain(|id, member| *id != leader && member.waits_for(Wants::ItsAssignment));
                self.lost_members(now);
            }
            _ => {}
        }
        self.complete(now);
    }

    /// When [`advance`](Group::advance) will change something if nothing happens before.
    pub(crate) fn next_change(&self) -> Option<Duration> {
        let sessions = self.members.values().filter(|member| !member.waits());
        let sessions = sessions.map(|member| member.deadline);
        let of_state = match self.state {
            State::Preparing { deadline } | State::Completing { deadline } => Some(deadline),
            State::Empty | State::Stable => None,
        };
        let pending = self.pending.values().copied();
        sessions.chain(pending).chain(of_state).min()
    }

    /// Asks all members to rejoin.
    fn rebalance(&mut self, now: Duration) {
        if !matches!(self.state, State::Preparing { .. }) {
            let refusal = || Outcome::Refused(code::REBALANCE_IN_PROGRESS);
            for member in self.members.values_mut() {
                member.answer(now, Wants::ItsAssignment, refusal());
            }
            let patience = self.patience();
            self.state = State::Preparing {
                deadline: now.saturating_add(patience),
            };
        }
        self.complete(now);
    }

    /// How long members may take to join or to share the work out: as long as the slowest asks for.
    fn patience(&self) -> Duration {
        let all = self.members.values().map(|member| member.rebalance_timeout);
        all.max().unwrap_or_default()
    }

    fn lost_members(&mut self, now: Duration) {
        if matches!(self.state, State::Completing { .. } | State::Stable) {
            self.rebalance(now);
        }
    }

    /// Begins a generation if all have joined.
    fn complete(&mut self, now: Duration) {
        let joined = |member: &Member| member.waits_for(Wants::ToJoin);
        let is_over = matches!(self.state, State::Preparing { .. })
            && self.pending.is_empty()
            && self.members.values().all(joined);
        if !is_over {
            return;
        }
        self.generation = self.generation.wrapping_add(1) & i32::MAX;
        if self.members.is_empty() {
            self.state = State::Empty;
            self.leader.clear();
            self.protocol.clear();
            return;
        }
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        self.protocol = self.elected();
        let patience = self.patience();
        self.state = State::Completing {
            deadline: now.saturating_add(patience),
        };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let place = Outcome::Joined(self.place(&id));
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = Bytes::new();
                member.answer(now, Wants::ToJoin, place);
            }
        }
    }

    /// Of the protocols that all members know, the one that most like best.
    fn elected(&self) -> String {
        let known_to_all = |name: &str| self.members.values().all(|m| m.supports(name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|(name, _)| name.as_str());
            if let Some(best) = names.find(|name| known_to_all(name)) {
                *votes.entry(best).or_default() += 1;
            }
        }
        let most = votes.into_iter().max_by_key(|&(_, count)| count);
        most.map_or_else(String::new, |(name, _)| name.to_owned())
    }

    fn assign(&mut self, now: Duration, assignments: Vec<(String, Bytes)>) {
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.state = State::Stable;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let share = Outcome::Synced(self.share(&id));
            if let Some(member) = self.members.get_mut(&id) {
                member.answer(now, Wants::ItsAssignment, share);
            }
        }
    }

    /// What a member is told of the generation.
    fn place(&self, id: &str) -> Joined {
        let all = self.members.iter().filter(|_| self.leader == id);
        let all = all.map(|(id, member)| {
            let data = member.data(&self.protocol);
            (id.clone(), member.instance.clone(), data)
        });
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: all.collect(),
        }
    }

    fn share(&self, id: &str) -> Synced {
        let member = self.members.get(id);
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.map_or_else(Bytes::new, |member| member.assignment.clone()),
        }
    }
}

impl Call {
    pub(super) fn new(ticket: Ticket, wants: Wants) -> Call {
        Call {
            ticket,
            wants,
            outcome: None,
        }
    }
}
