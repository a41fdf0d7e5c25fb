//! What administrators ask, in every version.

mod common;

use std::time::Duration;

use common::*;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use ottla_sim::{Answer, Model, code};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(topic: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn with_config(topic: CreatableTopic, setting: &str, value: &str) -> CreatableTopic {
    let config = CreatableTopicConfig::default()
        .with_name(text(setting))
        .with_value(Some(text(value)));
    topic.with_configs(vec![config])
}

fn create(
    model: &mut Model,
    version: i16,
    topics: Vec<CreatableTopic>,
) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(1_000);
    let response: CreateTopicsResponse = ask(model, 1, CREATE_TOPICS, version, &request);
    response.topics
}

#[test]
fn topics_are_created_grow_and_go_in_every_version() {
    for version in 2..=7 {
        let mut model = Model::new(3, 1);
        let created = create(
            &mut model,
            version,
            vec![topic("a", 4, 2), topic("b", -1, -1)],
        );
        let codes: Vec<i16> = created.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [code::NONE; 2]);
        assert_eq!((model.partitions("a"), model.partitions("b")), (4, 1));
        assert_eq!(model.replicas("a", 0).count(), 2);
        if version >= 7 {
            assert_eq!(Some(created[0].topic_id.into_bytes()), model.topic_id("a"));
        }

        let more = CreatePartitionsTopic::default()
            .with_name(name("a"))
            .with_count(6)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![more]);
        let grown: CreatePartitionsResponse =
            ask(&mut model, 1, CREATE_PARTITIONS, version.min(3), &request);
        assert_eq!(grown.results[0].error_code, code::NONE);
        assert_eq!(
            (model.partitions("a"), model.replicas("a", 5).count()),
            (6, 2)
        );
        let again: CreatePartitionsResponse =
            ask(&mut model, 1, CREATE_PARTITIONS, version.min(3), &request);
        assert_eq!(again.results[0].error_code, code::INVALID_PARTITIONS);

        let deletes = version - 1;
        let request = DeleteTopicsRequest::default();
        let request = match deletes {
            6.. => {
                request.with_topics(vec![DeleteTopicState::default().with_name(Some(name("a")))])
            }
            _ => request.with_topic_names(vec![name("a")]),
        };
        for expected in [code::NONE, code::UNKNOWN_TOPIC_OR_PARTITION] {
            let deleted: DeleteTopicsResponse =
                ask(&mut model, 1, DELETE_TOPICS, deletes, &request);
            assert_eq!(deleted.responses[0].error_code, expected);
        }
        assert_eq!(model.topics().collect::<Vec<_>>(), ["b"]);
        assert_eq!(model.violations(), [] as [&str; 0]);
    }
}

#[test]
fn a_topic_is_deleted_by_its_id() {
    let mut model = cluster();
    let id = uuid::Uuid::from_bytes(model.topic_id("t").unwrap());
    let by_id = DeleteTopicState::default()
        .with_name(None)
        .with_topic_id(id);
    let request = DeleteTopicsRequest::default().with_topics(vec![by_id]);
    for expected in [code::NONE, code::UNKNOWN_TOPIC_ID] {
        let deleted: DeleteTopicsResponse = ask(&mut model, 1, DELETE_TOPICS, 6, &request);
        assert_eq!(deleted.responses[0].error_code, expected);
    }
}

#[test]
fn what_no_topic_can_be_is_refused_in_words() {
    let placed = CreatableReplicaAssignment::default().with_broker_ids(vec![1.into()]);
    for (topics, expected, why) in [
        (
            vec![topic("t", 1, 1)],
            code::TOPIC_ALREADY_EXISTS,
            "already exists",
        ),
        (
            vec![topic("a b", 1, 1)],
            code::INVALID_TOPIC_EXCEPTION,
            "a b",
        ),
        (
            vec![topic("a", 1, 1), topic("a", 1, 1)],
            code::INVALID_REQUEST,
            "Duplicate",
        ),
        (
            vec![topic("a", 0, 1)],
            code::INVALID_PARTITIONS,
            "0 partitions",
        ),
        (
            vec![topic("a", i32::MAX, 1)],
            code::INVALID_PARTITIONS,
            "10000",
        ),
        (
            vec![topic("a", 1, 4)],
            code::INVALID_REPLICATION_FACTOR,
            "3 broker(s)",
        ),
        (
            vec![topic("a", 1, 0)],
            code::INVALID_REPLICATION_FACTOR,
            "0 time(s)",
        ),
        (
            vec![topic("a", -1, -1).with_assignments(vec![placed])],
            code::INVALID_REPLICA_ASSIGNMENT,
            "places replicas itself",
        ),
        (
            vec![with_config(topic("a", 1, 1), "x", "1")],
            code::INVALID_CONFIG,
            "\"x\"",
        ),
        (
            vec![with_config(topic("a", 1, 1), "max.message.bytes", "-1")],
            code::INVALID_CONFIG,
            "max.message.bytes",
        ),
        (
            vec![with_config(topic("a", 1, 1), "compression.type", "gzip")],
            code::INVALID_CONFIG,
            "producer",
        ),
    ] {
        let mut model = cluster();
        let refused = &create(&mut model, 7, topics)[0];
        assert_eq!(refused.error_code, expected, "{why}");
        let said = refused.error_message.as_deref().unwrap();
        assert!(said.contains(why), "{said}");
        assert_eq!(model.topics().collect::<Vec<_>>(), ["t"]);
    }
}

#[test]
fn a_trial_run_creates_nothing() {
    let mut model = cluster();
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic("a", 2, 1)])
        .with_validate_only(true);
    let response: CreateTopicsResponse = ask(&mut model, 1, CREATE_TOPICS, 7, &request);
    let tried = &response.topics[0];
    assert_eq!((tried.error_code, tried.num_partitions), (code::NONE, 2));
    assert_eq!(model.partitions("a"), 0);
}

fn configs(model: &mut Model, version: i16, kind: i8, of: &str) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(of))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let mut response: DescribeConfigsResponse = ask(model, 1, DESCRIBE_CONFIGS, version, &request);
    response.results.remove(0)
}

/// Each setting's name, value and source.
fn shown(result: &DescribeConfigsResult) -> Vec<(String, String, i8)> {
    let configs = result.configs.iter();
    configs
        .map(|config| {
            let value = config.value.clone().unwrap_or_default();
            (
                config.name.to_string(),
                value.to_string(),
                config.config_source,
            )
        })
        .collect()
}

fn alter(model: &mut Model, kind: i8, setting: &str, operation: i8, value: Option<&str>) -> i16 {
    let config = AlterableConfig::default()
        .with_name(text(setting))
        .with_config_operation(operation)
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(if kind == 2 { "t" } else { "1" }))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let response: IncrementalAlterConfigsResponse =
        ask(model, 1, INCREMENTAL_ALTER_CONFIGS, 1, &request);
    response.responses[0].error_code
}

#[test]
fn the_settings_of_a_topic_are_shown_and_hold() {
    let mut model = cluster();
    let setting = |name: &str, value: &str, source| (name.to_owned(), value.to_owned(), source);
    for version in 1..=4 {
        let result = configs(&mut model, version, 2, "t");
        let expected = [
            setting("cleanup.policy", "delete", 5),
            setting("compression.type", "producer", 5),
            setting("max.message.bytes", "1048588", 5),
            setting("message.timestamp.type", "CreateTime", 5),
        ];
        assert_eq!(shown(&result), expected);
    }
    let batch = batch(UNSTAMPED, &[value("some bytes")]);
    assert_eq!(
        alter(&mut model, 2, "max.message.bytes", 0, Some("50")),
        code::NONE
    );
    assert_eq!(
        alter(&mut model, 2, "retention.ms", 0, Some("1000")),
        code::NONE
    );
    let result = configs(&mut model, 4, 2, "t");
    assert!(shown(&result).contains(&setting("max.message.bytes", "50", 1)));
    assert!(shown(&result).contains(&setting("retention.ms", "1000", 1)));
    let refused = send(&mut model, "t", 0, &batch);
    assert_eq!(refused.error_code, code::MESSAGE_TOO_LARGE);
    assert_eq!(
        alter(&mut model, 2, "max.message.bytes", 1, None),
        code::NONE
    );
    assert_eq!(send(&mut model, "t", 0, &batch).error_code, code::NONE);
}

#[test]
fn settings_that_there_are_not_are_refused() {
    let mut model = cluster();
    let missing = configs(&mut model, 4, 2, "nowhere");
    assert_eq!(missing.error_code, code::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(
        configs(&mut model, 4, 4, "9").error_code,
        code::INVALID_REQUEST
    );
    assert_eq!(
        configs(&mut model, 4, 8, "1").error_code,
        code::INVALID_REQUEST
    );
    let broker = configs(&mut model, 4, 4, "1");
    assert!(shown(&broker).contains(&("message.max.bytes".into(), "1048588".into(), 4)));
    assert_eq!(
        alter(&mut model, 2, "x", 0, Some("1")),
        code::INVALID_CONFIG
    );
    assert_eq!(
        alter(&mut model, 2, "cleanup.policy", 2, Some("compact")),
        code::INVALID_CONFIG
    );
    assert_eq!(
        alter(&mut model, 4, "num.partitions", 0, Some("1")),
        code::INVALID_REQUEST
    );
}

#[test]
fn the_cluster_is_described() {
    let mut model = cluster();
    model.stop_broker(2);
    for version in 0..=2 {
        let request = DescribeClusterRequest::default();
        let response: DescribeClusterResponse =
            ask(&mut model, 1, DESCRIBE_CLUSTER, version, &request);
        let ids: Vec<i32> = response
            .brokers
            .iter()
            .map(|broker| broker.broker_id.0)
            .collect();
        assert_eq!((response.controller_id.0, ids), (1, vec![1, 3]));
    }
    let controllers = DescribeClusterRequest::default().with_endpoint_type(2);
    let response: DescribeClusterResponse = ask(&mut model, 1, DESCRIBE_CLUSTER, 1, &controllers);
    assert_eq!(response.error_code, code::UNSUPPORTED_ENDPOINT_TYPE);
    let none: ListPartitionReassignmentsResponse = ask(
        &mut model,
        1,
        LIST_PARTITION_REASSIGNMENTS,
        0,
        &ListPartitionReassignmentsRequest::default(),
    );
    assert_eq!((none.error_code, none.topics.len()), (code::NONE, 0));
}

#[test]
fn topics_are_described_page_by_page() {
    let mut model = cluster();
    model.create_topic("a", 5);
    model.create_topic("b", 2);
    let mut cursor = None;
    let mut seen: Vec<(String, i32)> = Vec::new();
    for _ in 0..10 {
        let names =
            ["t", "a", "b", "c"].map(|topic| TopicRequest::default().with_name(name(topic)));
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(names.to_vec())
            .with_response_partition_limit(3)
            .with_cursor(cursor.take());
        let page: DescribeTopicPartitionsResponse =
            ask(&mut model, 1, DESCRIBE_TOPIC_PARTITIONS, 0, &request);
        for topic in &page.topics {
            let shown = topic.name.as_ref().unwrap().to_string();
            let unknown = code::UNKNOWN_TOPIC_OR_PARTITION;
            let expected = if shown == "c" { unknown } else { code::NONE };
            assert_eq!(topic.error_code, expected, "{shown}");
            let indexes = topic.partitions.iter().map(|p| p.partition_index);
            seen.extend(indexes.map(|index| (shown.clone(), index)));
        }
        assert!(
            page.topics
                .iter()
                .map(|topic| topic.partitions.len())
                .sum::<usize>()
                <= 3
        );
        let Some(next) = page.next_cursor else {
            break;
        };
        cursor = Some(
            Cursor::default()
                .with_topic_name(next.topic_name)
                .with_partition_index(next.partition_index),
        );
    }
    let all = [("a", 5), ("b", 2), ("t", 1)];
    let all = all.map(|(topic, count)| (0..count).map(move |index| (topic.to_owned(), index)));
    assert_eq!(seen, all.into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn a_request_that_is_cut_off_closes_the_connection() {
    let topics = vec![with_config(topic("a", 1, 1), "retention.ms", "1")];
    let create = CreateTopicsRequest::default().with_topics(topics);
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text("retention.ms")]));
    let configs = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let cursor = Cursor::default().with_topic_name(name("t"));
    let pages = DescribeTopicPartitionsRequest::default()
        .with_topics(vec![TopicRequest::default().with_name(name("t"))])
        .with_cursor(Some(cursor));
    for request in [
        request(CREATE_TOPICS, 7, 1, &create),
        request(CREATE_TOPICS, 2, 1, &create),
        request(DESCRIBE_CONFIGS, 4, 1, &configs),
        request(DESCRIBE_CONFIGS, 1, 1, &configs),
        request(DESCRIBE_TOPIC_PARTITIONS, 0, 1, &pages),
    ] {
        for length in 8..request.len() {
            let answer = cluster().handle(Duration::ZERO, 1, 1, request.slice(..length));
            assert_eq!(answer, Answer::Disconnect, "{length} of {request:?}");
        }
    }
}
