//! ListGroups, DescribeGroups and DeleteGroups: what `kafka-consumer-groups` asks for.

use std::collections::BTreeSet;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::group::{Group, State};
use crate::code;
use crate::model::Model;
use crate::model::envelope::Caller;

/// Kafka's name for groups whose members share the work out.
const CLASSIC: &str = "classic";

impl Model {
    /// Each broker lists the groups that it coordinates.
    pub(crate) fn list_groups(
        &mut self,
        caller: Caller,
        request: ListGroupsRequest,
    ) -> ListGroupsResponse {
        let is_among = |wanted: &[StrBytes], name: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        let listed = self.groups.by_name.iter().filter(|(name, group)| {
            self.coordinates(caller.broker, name).is_ok()
                && is_among(&request.states_filter, group.state.name())
                && is_among(&request.types_filter, CLASSIC)
        });
        let listed = listed.map(|(name, group)| {
            let text = |text: &str| StrBytes::from_string(text.to_owned());
            let listed = ListedGroup::default()
                .with_group_id(text(name).into())
                .with_protocol_type(text(&group.protocol_type));
            match caller.version {
                5.. => listed
                    .with_group_state(text(group.state.name()))
                    .with_group_type(text(CLASSIC)),
                4 => listed.with_group_state(text(group.state.name())),
                _ => listed,
            }
        });
        ListGroupsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_groups(listed.collect())
    }

    pub(crate) fn describe_groups(
        &mut self,
        caller: Caller,
        request: DescribeGroupsRequest,
    ) -> DescribeGroupsResponse {
        let mut seen = BTreeSet::new();
        let groups = request.groups.into_iter();
        let groups = groups.filter(|id| seen.insert(id.clone()));
        let described = groups.map(|id| {
            let found = match self.coordinates(caller.broker, &id) {
                Ok(()) => self
                    .groups
                    .by_name
                    .get(id.as_str())
                    .ok_or(code::GROUP_ID_NOT_FOUND),
                Err(code) => Err(code),
            };
            let answer = DescribedGroup::default().with_group_id(id);
            match found {
                Ok(group) => describe(group, caller.version, answer),
                // Before version 6 a group that is not there is dead.
                Err(code::GROUP_ID_NOT_FOUND) if caller.version < 6 => {
                    answer.with_group_state(StrBytes::from_static_str("Dead"))
                }
                Err(code) => answer.with_error_code(code),
            }
        });
        DescribeGroupsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_groups(described.collect())
    }

    pub(crate) fn delete_groups(
        &mut self,
        caller: Caller,
        request: DeleteGroupsRequest,
    ) -> DeleteGroupsResponse {
        let deleted = request.groups_names.into_iter().map(|id| {
            let code = self.delete_group(caller, &id);
            DeletableGroupResult::default()
                .with_group_id(id)
                .with_error_code(code)
        });
        let deleted = deleted.collect();
        DeleteGroupsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_results(deleted)
    }

    fn delete_group(&mut self, caller: Caller, id: &GroupId) -> i16 {
        if let Err(code) = self.coordinates(caller.broker, id) {
            return code;
        }
        match self
            .groups
            .by_name
            .get(id.as_str())
            .map(|group| group.state)
        {
            None => code::GROUP_ID_NOT_FOUND,
            Some(State::Empty) => {
                self.groups.by_name.remove(id.as_str());
                code::NONE
            }
            Some(_) => code::NON_EMPTY_GROUP,
        }
    }
}

fn describe(group: &Group, version: i16, answer: DescribedGroup) -> DescribedGroup {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let members = group.members.iter().map(|(id, member)| {
        let instance = member.instance.as_deref().map(text);
        DescribedGroupMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.filter(|_| version >= 4))
            .with_member_metadata(member.data(&group.protocol))
            .with_member_assignment(member.assignment.clone())
    });
    answer
        .with_group_state(text(group.state.name()))
        .with_protocol_type(text(&group.protocol_type))
        .with_protocol_data(text(&group.protocol))
        .with_members(members.collect())
}
