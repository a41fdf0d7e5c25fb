//! Groups as clients see them: requests and answers in every version.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::*;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use ottla_sim::{Answer, Api, Model, code};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    text("g").into()
}

/// A model of one broker, which coordinates everything, with the topic `t`.
fn alone() -> Model {
    let mut model = Model::new(1, 1);
    model.create_topic("t", 2);
    model
}

fn join(version: i16, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"topics"));
    let request = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    match version {
        0 => request,
        _ => request.with_rebalance_timeout_ms(20_000),
    }
}

fn sync(version: i16, member: &str, generation: i32) -> SyncGroupRequest {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(text(member))
        .with_assignment(Bytes::from_static(b"all"));
    let request = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(vec![assignment]);
    match version {
        5.. => request
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range"))),
        _ => request,
    }
}

/// Joins and gets its part of the work; the member's id and generation.
fn enter(model: &mut Model, version: i16) -> (String, i32) {
    let mut joined: JoinGroupResponse = ask(model, 1, JOIN_GROUP, version, &join(version, ""));
    if version >= 4 {
        assert_eq!(joined.error_code, code::MEMBER_ID_REQUIRED);
        let id = joined.member_id.to_string();
        joined = ask(model, 1, JOIN_GROUP, version, &join(version, &id));
    }
    assert_eq!(joined.error_code, code::NONE, "version {version}");
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(
        (&joined.leader, joined.members.len()),
        (&joined.member_id, 1)
    );
    let (id, generation) = (joined.member_id.to_string(), joined.generation_id);
    let version = version.min(5);
    let request = sync(version, &id, generation);
    let synced: SyncGroupResponse = ask(model, 1, SYNC_GROUP, version, &request);
    assert_eq!(
        (synced.error_code, &*synced.assignment),
        (code::NONE, &b"all"[..])
    );
    (id, generation)
}

fn heartbeat(model: &mut Model, version: i16, id: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(text(id));
    let response: HeartbeatResponse = ask(model, 1, HEARTBEAT, version, &request);
    response.error_code
}

#[test]
fn a_member_joins_works_and_leaves_in_every_version() {
    for version in 0..=9 {
        let mut model = alone();
        let (id, generation) = enter(&mut model, version);
        let beats = version.min(4);
        assert_eq!(heartbeat(&mut model, beats, &id, generation), code::NONE);
        let leaves = version.min(5);
        let request = LeaveGroupRequest::default().with_group_id(group());
        let request = match leaves {
            3.. => request.with_members(vec![MemberIdentity::default().with_member_id(text(&id))]),
            _ => request.with_member_id(text(&id)),
        };
        let left: LeaveGroupResponse = ask(&mut model, 1, LEAVE_GROUP, leaves, &request);
        let of_member = left
            .members
            .first()
            .map_or(code::NONE, |one| one.error_code);
        assert_eq!((left.error_code, of_member), (code::NONE, code::NONE));
        let code = heartbeat(&mut model, beats, &id, generation);
        assert_eq!(code, code::UNKNOWN_MEMBER_ID);
        assert_eq!(model.violations(), [] as [&str; 0]);
    }
}

#[test]
fn an_answer_waits_for_the_other_members_and_no_longer_than_they_may_take() {
    let mut model = alone();
    let (first, generation) = enter(&mut model, 3);
    let second = request(JOIN_GROUP, 3, 9, &join(3, ""));
    let answer = model.handle(Duration::from_secs(1), 1, 2, second);
    assert_eq!(answer, Answer::Waits);
    assert_eq!(
        heartbeat(&mut model, 3, &first, generation),
        code::REBALANCE_IN_PROGRESS
    );
    assert_eq!(model.poll_answer(Duration::from_secs(2)), None);
    // The first is not heard of any more.
    let due = model.next_answer().unwrap();
    assert_eq!(model.poll_answer(due - Duration::from_millis(1)), None);
    let answered = model.poll_answer(due).unwrap();
    assert_eq!((answered.broker, answered.connection), (1, 2));
    let Answer::Reply(frame) = answered.answer else {
        panic!("{answered:?}");
    };
    let joined: JoinGroupResponse = response(frame, 3, 9);
    assert_eq!(
        (joined.error_code, joined.generation_id),
        (code::NONE, generation + 1)
    );
    assert_eq!(joined.members.len(), 1);
}

fn commit(version: i16, member: &str, generation: i32) -> OffsetCommitRequest {
    let partition = |index: i32| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(7)
            .with_committed_leader_epoch(if version >= 6 { 3 } else { -1 })
            .with_committed_metadata(Some(text("note")))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(name("t"))
        .with_partitions(vec![partition(1), partition(2)]);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic])
}

fn commit_codes(model: &mut Model, version: i16, request: &OffsetCommitRequest) -> Vec<i16> {
    let response: OffsetCommitResponse = ask(model, 1, OFFSET_COMMIT, version, request);
    let partitions = response.topics[0].partitions.iter();
    partitions.map(|partition| partition.error_code).collect()
}

#[test]
fn what_is_committed_is_told_in_every_version() {
    for version in 2..=9 {
        let mut model = alone();
        let (id, generation) = enter(&mut model, version);
        let right = commit(version, &id, generation);
        let codes = commit_codes(&mut model, version, &right);
        assert_eq!(codes, [code::NONE, code::UNKNOWN_TOPIC_OR_PARTITION]);
        let old = commit(version, &id, generation - 1);
        let codes = commit_codes(&mut model, version, &old);
        assert_eq!(codes, [code::ILLEGAL_GENERATION; 2]);
        let stranger = commit(version, "", -1);
        let codes = commit_codes(&mut model, version, &stranger);
        assert_eq!(codes, [code::UNKNOWN_MEMBER_ID; 2]);
        for fetches in 1..=9 {
            let epoch = if version >= 6 && fetches >= 5 { 3 } else { -1 };
            let told = told_offsets(&mut model, fetches);
            assert_eq!(
                told,
                [(0, -1, -1, String::new()), (1, 7, epoch, "note".into())]
            );
        }
        model.delete_topic("t");
        model.create_topic("t", 2);
        assert_eq!(told_offsets(&mut model, 9)[1].1, -1);
    }
}

/// Index, offset, leader epoch and metadata of both partitions of `t`.
fn told_offsets(model: &mut Model, version: i16) -> Vec<(i32, i64, i32, String)> {
    let request = OffsetFetchRequest::default();
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(name("t"))
            .with_partition_indexes(vec![0, 1]);
        let request = request
            .with_group_id(group())
            .with_topics(Some(vec![topic]));
        let response: OffsetFetchResponse = ask(model, 1, OFFSET_FETCH, version, &request);
        let partitions = response.topics[0].partitions.iter();
        return partitions
            .map(|p| {
                let metadata = p.metadata.clone().unwrap_or_default().to_string();
                (
                    p.partition_index,
                    p.committed_offset,
                    p.committed_leader_epoch,
                    metadata,
                )
            })
            .collect();
    }
    let topic = OffsetFetchRequestTopics::default()
        .with_name(name("t"))
        .with_partition_indexes(vec![0, 1]);
    let of_group = OffsetFetchRequestGroup::default()
        .with_group_id(group())
        .with_topics(Some(vec![topic]));
    let request = request.with_groups(vec![of_group]);
    let response: OffsetFetchResponse = ask(model, 1, OFFSET_FETCH, version, &request);
    let partitions = response.groups[0].topics[0].partitions.iter();
    partitions
        .map(|p| {
            let metadata = p.metadata.clone().unwrap_or_default().to_string();
            (
                p.partition_index,
                p.committed_offset,
                p.committed_leader_epoch,
                metadata,
            )
        })
        .collect()
}

#[test]
fn who_has_no_members_commits_for_itself() {
    let mut model = alone();
    let request = commit(9, "", -1);
    assert_eq!(commit_codes(&mut model, 9, &request)[0], code::NONE);
    assert_eq!(told_offsets(&mut model, 8)[1].1, 7);
}

#[test]
fn each_group_has_one_coordinator_and_the_others_say_so() {
    let mut model = Model::new(3, 1);
    let find = |model: &mut Model, version: i16| {
        let request = FindCoordinatorRequest::default();
        let request = match version {
            4.. => request.with_coordinator_keys(vec![text("g")]),
            _ => request.with_key(text("g")),
        };
        let response: FindCoordinatorResponse = ask(model, 1, FIND_COORDINATOR, version, &request);
        match response.coordinators.first() {
            Some(found) => (found.node_id.0, found.host.to_string(), found.port),
            None => (response.node_id.0, response.host.to_string(), response.port),
        }
    };
    let (id, host, port) = find(&mut model, 0);
    assert_eq!((host, port), (format!("broker-{id}"), 9092));
    for version in 1..=6 {
        assert_eq!(find(&mut model, version).0, id);
    }
    for broker in 1..=3 {
        let joined: JoinGroupResponse = ask(&mut model, broker, JOIN_GROUP, 3, &join(3, ""));
        let expected = if broker == id {
            code::NONE
        } else {
            code::NOT_COORDINATOR
        };
        assert_eq!(joined.error_code, expected);
    }
    model.stop_broker(id);
    assert_ne!(find(&mut model, 6).0, id);
}

#[test]
fn transactions_and_share_groups_have_no_coordinator() {
    let mut model = alone();
    for (kind, expected) in [
        (1, code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (2, code::INVALID_REQUEST),
    ] {
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![text("x")]);
        let response: FindCoordinatorResponse = ask(&mut model, 1, FIND_COORDINATOR, 6, &request);
        assert_eq!(response.coordinators[0].error_code, expected);
    }
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let mut model = alone();
    let (id, generation) = enter(&mut model, 9);
    for version in 0..=5 {
        let listed: ListGroupsResponse = ask(
            &mut model,
            1,
            LIST_GROUPS,
            version,
            &ListGroupsRequest::default(),
        );
        assert_eq!(&*listed.groups[0].group_id, "g");
    }
    for version in 0..=6 {
        let request = DescribeGroupsRequest::default().with_groups(vec![group()]);
        let described: DescribeGroupsResponse =
            ask(&mut model, 1, DESCRIBE_GROUPS, version, &request);
        let described = &described.groups[0];
        assert_eq!(
            (&*described.group_state, described.members.len()),
            ("Stable", 1)
        );
        assert_eq!(described.members[0].member_id, *id);
    }
    let delete = |model: &mut Model, version: i16| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
        let deleted: DeleteGroupsResponse = ask(model, 1, DELETE_GROUPS, version, &request);
        deleted.results[0].error_code
    };
    assert_eq!(delete(&mut model, 0), code::NON_EMPTY_GROUP);
    let member = MemberIdentity::default().with_member_id(text(&id));
    let leave = LeaveGroupRequest::default()
        .with_group_id(group())
        .with_members(vec![member]);
    let _: LeaveGroupResponse = ask(&mut model, 1, LEAVE_GROUP, 5, &leave);
    assert_eq!(delete(&mut model, 1), code::NONE);
    assert_eq!(delete(&mut model, 2), code::GROUP_ID_NOT_FOUND);
    assert_eq!(
        heartbeat(&mut model, 4, &id, generation),
        code::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn the_newer_protocol_is_refused_in_words() {
    let mut model = alone();
    let request = ConsumerGroupHeartbeatRequest::default().with_group_id(group());
    for version in 0..=1 {
        let response: ConsumerGroupHeartbeatResponse =
            ask(&mut model, 1, CONSUMER_GROUP_HEARTBEAT, version, &request);
        assert_eq!(response.error_code, code::UNSUPPORTED_VERSION);
        assert!(
            response
                .error_message
                .unwrap()
                .contains("group.protocol=classic")
        );
    }
}

#[test]
fn a_request_that_is_cut_off_closes_the_connection() {
    let whole = [
        request(JOIN_GROUP, 9, 1, &join(9, "")),
        request(JOIN_GROUP, 0, 1, &join(0, "")),
        request(SYNC_GROUP, 5, 1, &sync(5, "m", 1)),
        request(OFFSET_COMMIT, 9, 1, &commit(9, "", -1)),
        request(OFFSET_COMMIT, 2, 1, &commit(2, "", -1)),
    ];
    for request in whole {
        for length in 8..request.len() {
            let answer = alone().handle(Duration::ZERO, 1, 1, request.slice(..length));
            assert_eq!(answer, Answer::Disconnect, "{length} of {request:?}");
        }
    }
}

#[test]
fn a_cluster_for_producers_alone_knows_no_groups() {
    let mut model = alone();
    model.set_serves_producers_alone(true);
    let answer = model.handle(
        Duration::ZERO,
        1,
        1,
        request(JOIN_GROUP, 9, 1, &join(9, "")),
    );
    assert_eq!(answer, Answer::Disconnect);
    let response: ApiVersionsResponse = ask(
        &mut model,
        1,
        API_VERSIONS,
        0,
        &ApiVersionsRequest::default(),
    );
    let keys: Vec<i16> = response.api_keys.iter().map(|api| api.api_key).collect();
    assert_eq!(keys, [0, 1, 2, 3, 18, 22]);
    assert_eq!(model.requests(Api::JoinGroup), 1);
}

#[test]
fn what_is_asked_again_and_again_is_answered_once() {
    let mut model = alone();
    let topic = OffsetFetchRequestTopics::default()
        .with_name(name("t"))
        .with_partition_indexes(vec![0, 0, 1, 0]);
    let of_group = OffsetFetchRequestGroup::default()
        .with_group_id(group())
        .with_topics(Some(vec![topic.clone(), topic]));
    let request = OffsetFetchRequest::default().with_groups(vec![of_group.clone(), of_group]);
    let response: OffsetFetchResponse = ask(&mut model, 1, OFFSET_FETCH, 9, &request);
    assert_eq!(response.groups.len(), 1);
    let topics = response.groups[0].topics.iter();
    let counts: Vec<usize> = topics.map(|topic| topic.partitions.len()).collect();
    assert_eq!(counts, [2, 0]);
    let request = DescribeGroupsRequest::default().with_groups(vec![group(), group()]);
    let response: DescribeGroupsResponse = ask(&mut model, 1, DESCRIBE_GROUPS, 6, &request);
    assert_eq!(response.groups.len(), 1);
}

#[test]
fn a_request_that_is_far_too_long_closes_the_connection() {
    let keys = |count: usize| {
        let keys = vec![text("a key of 17 bytes"); count];
        let request = FindCoordinatorRequest::default().with_coordinator_keys(keys);
        common::request(FIND_COORDINATOR, 6, 1, &request)
    };
    let longest = (1 << 20) / 18 - 2;
    let answer = alone().handle(Duration::ZERO, 1, 1, keys(longest));
    assert!(matches!(answer, Answer::Reply(_)));
    let answer = alone().handle(Duration::ZERO, 1, 1, keys(longest + 3));
    assert_eq!(answer, Answer::Disconnect);
}
