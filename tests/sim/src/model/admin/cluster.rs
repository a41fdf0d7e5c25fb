//! DescribeCluster, DescribeTopicPartitions, and the reassignments that there are none of.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::code;
use crate::model::envelope::Caller;
use crate::model::metadata::{CLUSTER_RIGHTS, TOPIC_RIGHTS};
use crate::model::topics::Topic;
use crate::model::{Model, views};

/// What DescribeCluster may ask for: brokers, not controllers.
const BROKERS: i8 = 1;
/// Partitions of an answer, if the client does not want fewer (Kafka's `max.request.partition.size.limit`).
const MOST_PARTITIONS: usize = 2_000;

impl Model {
    pub(crate) fn describe_cluster(
        &mut self,
        caller: Caller,
        request: DescribeClusterRequest,
    ) -> DescribeClusterResponse {
        let response =
            DescribeClusterResponse::default().with_throttle_time_ms(caller.throttle_ms());
        if request.endpoint_type != BROKERS {
            let why = "The embedded cluster has no controllers of their own";
            return response
                .with_error_code(code::UNSUPPORTED_ENDPOINT_TYPE)
                .with_error_message(Some(StrBytes::from_static_str(why)));
        }
        let brokers = self.brokers_for(caller).into_iter().map(|broker| {
            DescribeClusterBroker::default()
                .with_broker_id(broker.node_id)
                .with_host(broker.host)
                .with_port(broker.port)
        });
        let response = response
            .with_cluster_id(StrBytes::from_string(self.ids.cluster.clone()))
            .with_controller_id(self.controller().into())
            .with_brokers(brokers.collect());
        match request.include_cluster_authorized_operations {
            true => response.with_cluster_authorized_operations(CLUSTER_RIGHTS),
            false => response,
        }
    }

    pub(crate) fn list_reassignments(
        &mut self,
        caller: Caller,
        _: ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        ListPartitionReassignmentsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_error_message(None)
    }

    /// Topics in the order of their names, from the cursor on, as many partitions as fit.
    pub(crate) fn describe_topic_partitions(
        &mut self,
        caller: Caller,
        request: DescribeTopicPartitionsRequest,
    ) -> DescribeTopicPartitionsResponse {
        let mut names: Vec<String> = match request.topics.is_empty() {
            true => self
                .topics
                .iter()
                .filter(|topic| !topic.hidden)
                .map(|topic| topic.name.to_string())
                .collect(),
            false => request
                .topics
                .iter()
                .map(|topic| topic.name.to_string())
                .collect(),
        };
        names.sort_unstable();
        names.dedup();
        let (first, mut from) = match &request.cursor {
            Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index),
            None => ("", 0),
        };
        names.retain(|name| name.as_str() >= first);
        let wanted = usize::try_from(request.response_partition_limit).unwrap_or(0);
        let mut room = wanted.clamp(1, MOST_PARTITIONS);
        let mut response =
            DescribeTopicPartitionsResponse::default().with_throttle_time_ms(caller.throttle_ms());
        for name in names {
            let start = match name == first {
                true => std::mem::take(&mut from),
                false => 0,
            };
            let shown = StrBytes::from_string(name.clone());
            let Some(topic) = self.topics.get(&name).filter(|topic| !topic.hidden) else {
                response.topics.push(missing(shown.into()));
                continue;
            };
            if room == 0 {
                let cursor = Cursor::default()
                    .with_topic_name(shown.into())
                    .with_partition_index(start);
                return response.with_next_cursor(Some(cursor));
            }
            let start = usize::try_from(start).unwrap_or(0);
            let answer = describe(topic, start, room);
            let end = start + answer.partitions.len();
            room -= answer.partitions.len();
            response.topics.push(answer);
            if end < topic.partitions.len() {
                let cursor = Cursor::default()
                    .with_topic_name(shown.into())
                    .with_partition_index(i32::try_from(end).unwrap_or(i32::MAX));
                return response.with_next_cursor(Some(cursor));
            }
        }
        response
    }
}

fn missing(name: TopicName) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(code::UNKNOWN_TOPIC_OR_PARTITION)
        .with_name(Some(name))
}

/// A page of a topic: what Metadata says of it too.
fn describe(topic: &Topic, start: usize, room: usize) -> DescribeTopicPartitionsResponseTopic {
    let described = views::describe(topic);
    let page = described.partitions.into_iter().skip(start).take(room);
    DescribeTopicPartitionsResponseTopic::default()
        .with_name(described.name)
        .with_topic_id(described.topic_id)
        .with_topic_authorized_operations(TOPIC_RIGHTS)
        .with_partitions(page.map(partition).collect())
}

fn partition(seen: MetadataResponsePartition) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(seen.error_code)
        .with_partition_index(seen.partition_index)
        .with_leader_id(seen.leader_id)
        .with_leader_epoch(seen.leader_epoch)
        .with_replica_nodes(seen.replica_nodes)
        .with_isr_nodes(seen.isr_nodes)
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
        .with_offline_replicas(seen.offline_replicas)
}
