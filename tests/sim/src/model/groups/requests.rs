//! The requests of members: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and FindCoordinator before them.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::member::{Outcome, Synced, Ticket, Wants};
use super::{Joining, Step};
use crate::code;
use crate::model::envelope::{Caller, Reply};
use crate::model::faults::Fate;
use crate::model::waiting::Deferred;
use crate::model::{Answer, Model};

/// A request of a member that waits for the others.
#[derive(Debug)]
pub(crate) struct InGroup {
    pub(crate) caller: Caller,
    pub(crate) group: String,
    member: String,
    ticket: Ticket,
    wants: Wants,
}

/// What FindCoordinator asks for.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

impl Model {
    pub(crate) fn join_group(&mut self, caller: Caller, request: JoinGroupRequest) -> Answer {
        let millis = |time: i32| Duration::from_millis(u64::try_from(time).unwrap_or(0));
        let session_timeout = millis(request.session_timeout_ms);
        let protocols = request.protocols.into_iter();
        let joining = Joining {
            member: request.member_id.to_string(),
            instance: request.group_instance_id.map(|id| id.to_string()),
            session_timeout,
            rebalance_timeout: match caller.version {
                0 => session_timeout,
                _ => millis(request.rebalance_timeout_ms),
            },
            protocol_type: request.protocol_type.to_string(),
            protocols: protocols
                .map(|protocol| (protocol.name.to_string(), protocol.metadata))
                .collect(),
            learns_id_first: caller.version >= 4,
        };
        let group = request.group_id.to_string();
        let step = match self.coordinates(caller.broker, &group) {
            Ok(()) => self.groups.join(caller.now, &group, joining),
            Err(code) => Step::Now(joining.member, Outcome::Refused(code)),
        };
        self.take_step(caller, group, Wants::ToJoin, step)
    }

    pub(crate) fn sync_group(&mut self, caller: Caller, request: SyncGroupRequest) -> Answer {
        let group = request.group_id.to_string();
        let id = request.member_id.to_string();
        let assignments = request.assignments.into_iter();
        let assignments = assignments.map(|one| (one.member_id.to_string(), one.assignment));
        let step = match self.coordinates(caller.broker, &group) {
            Ok(()) => self.groups.sync(
                caller.now,
                &group,
                (&id, request.generation_id),
                (
                    request.protocol_type.as_deref(),
                    request.protocol_name.as_deref(),
                ),
                assignments.collect(),
            ),
            Err(code) => Step::Now(id, Outcome::Refused(code)),
        };
        self.take_step(caller, group, Wants::ItsAssignment, step)
    }

    fn take_step(&mut self, caller: Caller, group: String, wants: Wants, step: Step) -> Answer {
        match step {
            Step::Now(member, outcome) => {
                let reply = reply(caller, wants, &member, outcome);
                self.fulfil(caller, Fate::Answered, Some(reply))
            }
            Step::Later(member, ticket) => {
                let call = InGroup {
                    caller,
                    group,
                    member,
                    ticket,
                    wants,
                };
                let call = Deferred::InGroup(call);
                self.waiting.hold(caller.broker, caller.connection, call);
                Answer::Waits
            }
        }
    }

    /// The answer to a request that waited, if it is known.
    pub(crate) fn answer_in_group(&mut self, now: Duration, call: &InGroup) -> Option<Answer> {
        let outcome = self.groups.poll(&call.group, &call.member, call.ticket)?;
        let caller = Caller { now, ..call.caller };
        let reply = reply(caller, call.wants, &call.member, outcome);
        Some(self.fulfil(caller, Fate::Answered, Some(reply)))
    }

    pub(crate) fn heartbeat(
        &mut self,
        caller: Caller,
        request: HeartbeatRequest,
    ) -> HeartbeatResponse {
        let code = match self.coordinates(caller.broker, &request.group_id) {
            Ok(()) => self.groups.heartbeat(
                caller.now,
                &request.group_id,
                &request.member_id,
                request.generation_id,
            ),
            Err(code) => code,
        };
        HeartbeatResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_error_code(code)
    }

    pub(crate) fn leave_group(
        &mut self,
        caller: Caller,
        request: LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        let response = LeaveGroupResponse::default().with_throttle_time_ms(caller.throttle_ms());
        let (now, group) = (caller.now, &request.group_id);
        if let Err(code) = self.coordinates(caller.broker, group) {
            return response.with_error_code(code);
        }
        if caller.version < 3 {
            let code = self.groups.leave(now, group, &request.member_id);
            return response.with_error_code(code);
        }
        let members = request.members.into_iter().map(|member| {
            let code = self.groups.leave(now, group, &member.member_id);
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code)
        });
        response.with_members(members.collect())
    }

    /// The newer protocol of groups, which the model does not have.
    pub(crate) fn consumer_group_heartbeat(
        &mut self,
        caller: Caller,
        _: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let why = "The embedded cluster has classic groups only: set group.protocol=classic";
        ConsumerGroupHeartbeatResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_error_code(code::UNSUPPORTED_VERSION)
            .with_error_message(Some(StrBytes::from_static_str(why)))
    }

    pub(crate) fn find_coordinator(
        &mut self,
        caller: Caller,
        request: FindCoordinatorRequest,
    ) -> FindCoordinatorResponse {
        let response =
            FindCoordinatorResponse::default().with_throttle_time_ms(caller.throttle_ms());
        if caller.version >= 4 {
            let keys = request.coordinator_keys.into_iter();
            let found = keys.map(|key| self.locate(caller, request.key_type, key));
            return response.with_coordinators(found.collect());
        }
        let found = self.locate(caller, request.key_type, request.key);
        response
            .with_error_code(found.error_code)
            .with_error_message(found.error_message.filter(|_| caller.version >= 1))
            .with_node_id(found.node_id)
            .with_host(found.host)
            .with_port(found.port)
    }

    fn locate(&self, caller: Caller, kind: i8, key: StrBytes) -> Coordinator {
        let nowhere = |code: i16, why: &'static str| {
            Coordinator::default()
                .with_key(key.clone())
                .with_node_id((-1).into())
                .with_port(-1)
                .with_error_code(code)
                .with_error_message(Some(StrBytes::from_static_str(why)))
        };
        match kind {
            GROUP => {}
            TRANSACTION => {
                let code = code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
                return nowhere(code, "The embedded cluster has no transactions");
            }
            _ => {
                return nowhere(
                    code::INVALID_REQUEST,
                    "The embedded cluster has no share groups",
                );
            }
        }
        let id = self.coordinator(&key);
        let brokers = self.brokers_for(caller).into_iter();
        let found = brokers
            .into_iter()
            .find(|broker| Some(broker.node_id.0) == id);
        match found {
            Some(broker) => Coordinator::default()
                .with_key(key)
                .with_node_id(broker.node_id)
                .with_host(broker.host)
                .with_port(broker.port),
            None => nowhere(code::COORDINATOR_NOT_AVAILABLE, "No broker is up"),
        }
    }

    /// The broker that coordinates a group. All that is known of the group goes to another with the task.
    fn coordinator(&self, group: &str) -> Option<i32> {
        let live: Vec<i32> = self.brokers().filter(|&id| self.is_up(id)).collect();
        let sum: usize = group.bytes().map(usize::from).sum();
        live.get(sum.checked_rem(live.len())?).copied()
    }

    pub(super) fn coordinates(&self, broker: i32, group: &str) -> Result<(), i16> {
        match self.coordinator(group) == Some(broker) {
            true => Ok(()),
            false => Err(code::NOT_COORDINATOR),
        }
    }
}

/// An outcome as the answer to the request that it is the outcome of.
fn reply(caller: Caller, wants: Wants, member: &str, outcome: Outcome) -> Reply {
    match wants {
        Wants::ToJoin => caller.reply(&joined(caller, member, outcome)),
        Wants::ItsAssignment => caller.reply(&synced(caller, outcome)),
    }
}

fn joined(caller: Caller, member: &str, outcome: Outcome) -> JoinGroupResponse {
    let text = |text: String| StrBytes::from_string(text);
    let response = JoinGroupResponse::default()
        .with_throttle_time_ms(caller.throttle_ms())
        .with_member_id(text(member.to_owned()));
    match outcome {
        Outcome::Joined(joined) => {
            let members = joined.members.into_iter().map(|(id, instance, data)| {
                JoinGroupResponseMember::default()
                    .with_member_id(text(id))
                    .with_group_instance_id(instance.map(text))
                    .with_metadata(data)
            });
            let protocol_type = Some(text(joined.protocol_type));
            response
                .with_generation_id(joined.generation)
                .with_protocol_type(protocol_type.filter(|_| caller.version >= 7))
                .with_protocol_name(Some(text(joined.protocol)))
                .with_leader(text(joined.leader))
                .with_members(members.collect())
        }
        Outcome::Refused(code) => response
            .with_error_code(code)
            .with_generation_id(-1)
            // Older versions have no null.
            .with_protocol_name((caller.version < 7).then(StrBytes::default)),
        Outcome::Synced(_) => unreachable!("an assignment is not what was asked for"),
    }
}

fn synced(caller: Caller, outcome: Outcome) -> SyncGroupResponse {
    let response = SyncGroupResponse::default().with_throttle_time_ms(caller.throttle_ms());
    match outcome {
        Outcome::Synced(synced) => {
            let Synced {
                protocol_type,
                protocol,
                assignment,
            } = synced;
            let named = |name: String| {
                let name = StrBytes::from_string(name);
                (caller.version >= 5).then_some(name)
            };
            response
                .with_protocol_type(named(protocol_type))
                .with_protocol_name(named(protocol))
                .with_assignment(assignment)
        }
        Outcome::Refused(code) => response.with_error_code(code).with_assignment(Bytes::new()),
        Outcome::Joined(_) => unreachable!("a place is not what was asked for"),
    }
}
