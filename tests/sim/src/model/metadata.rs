//! Metadata: brokers, topics, partitions and leaders, with topics created on demand.

use std::sync::Arc;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::envelope::{Caller, Reply};
use super::faults::On;
use super::topics::is_valid_name;
use super::{Fault, Model};
use crate::code;

/// How a client asks for a topic.
enum Asked {
    Name(String),
    Id(Uuid),
}

impl Model {
    pub(crate) fn metadata(
        &mut self,
        caller: Caller,
        request: MetadataRequest,
        refused: Option<i16>,
    ) -> Reply {
        let may_create = caller.version < 4 || request.allow_auto_topic_creation;
        let mut response = MetadataResponse::default()
            .with_brokers(self.live_brokers())
            .with_cluster_id(Some(StrBytes::from_string(self.ids.cluster.clone())))
            .with_controller_id(self.controller().into())
            .with_throttle_time_ms(self.throttle_ms());
        if caller.version >= 13 {
            response.error_code = refused.unwrap_or(code::NONE);
        }
        let asked = self.asked_topics(caller, request.topics);
        response.topics = asked
            .into_iter()
            .map(|asked| self.describe(asked, may_create, refused))
            .collect();
        caller.reply(&response)
    }

    /// The topics asked for; without a list (in version 0: with an empty one) all there are.
    fn asked_topics(
        &self,
        caller: Caller,
        topics: Option<Vec<MetadataRequestTopic>>,
    ) -> Vec<Asked> {
        match topics.filter(|topics| caller.version > 0 || !topics.is_empty()) {
            Some(topics) => topics.into_iter().map(Asked::from).collect(),
            None => {
                let seen = self.topics.iter().filter(|topic| !topic.hidden);
                seen.map(|topic| Asked::Name(topic.name.to_string()))
                    .collect()
            }
        }
    }

    fn describe(
        &mut self,
        asked: Asked,
        may_create: bool,
        refused: Option<i16>,
    ) -> MetadataResponseTopic {
        let (name, id) = match asked {
            Asked::Name(name) => (Some(name), None),
            Asked::Id(id) => (self.topics.name(id).map(|name| name.to_string()), Some(id)),
        };
        let planned = name.as_ref().and_then(|topic| {
            self.faults.take(&On::MetadataOf {
                topic: topic.clone(),
            })
        });
        let refused = refused.or(planned.as_ref().and_then(Fault::code));
        let found = match refused {
            Some(code) => Err(code),
            None => self.find_or_create(name.as_deref(), may_create && id.is_none()),
        };
        match (found, id) {
            (Ok(topic), _) => self.describe_topic(&topic),
            // A topic asked for by its id stays without a name where the broker can't or won't tell it.
            (Err(code), Some(id)) => {
                let code = if code == code::UNKNOWN_TOPIC_OR_PARTITION {
                    code::UNKNOWN_TOPIC_ID
                } else {
                    code
                };
                MetadataResponseTopic::default()
                    .with_error_code(code)
                    .with_topic_id(id)
                    .with_name(None)
            }
            (Err(code), None) => {
                let name = name.map(|name| StrBytes::from_string(name).into());
                MetadataResponseTopic::default()
                    .with_error_code(code)
                    .with_name(name)
            }
        }
    }

    /// The topic, which is created if the client and the cluster's settings allow it.
    fn find_or_create(&mut self, name: Option<&str>, may_create: bool) -> Result<Arc<str>, i16> {
        let name = name.ok_or(code::UNKNOWN_TOPIC_ID)?;
        if !is_valid_name(name) {
            return Err(code::INVALID_TOPIC_EXCEPTION);
        }
        if self.topics.get(name).is_none() && may_create && self.settings.auto_create {
            self.create_topic(name, self.settings.partitions);
        }
        let seen = self.topics.get(name).filter(|topic| !topic.hidden);
        seen.map(|topic| topic.name.clone())
            .ok_or(code::UNKNOWN_TOPIC_OR_PARTITION)
    }

    fn describe_topic(&self, name: &str) -> MetadataResponseTopic {
        let topic = self.topic(name);
        let partitions = topic.partitions.iter().zip(0..).map(|(partition, index)| {
            let live = |id: &i32| self.is_up(*id);
            let leader = partition.leader;
            MetadataResponsePartition::default()
                .with_error_code(if leader.is_some() {
                    code::NONE
                } else {
                    code::LEADER_NOT_AVAILABLE
                })
                .with_partition_index(index)
                .with_leader_id(leader.unwrap_or(-1).into())
                .with_leader_epoch(partition.leader_epoch)
                .with_replica_nodes(partition.replicas.iter().map(|&id| id.into()).collect())
                .with_isr_nodes(
                    partition
                        .replicas
                        .iter()
                        .copied()
                        .filter(live)
                        .map(Into::into)
                        .collect(),
                )
                .with_offline_replicas(
                    partition
                        .replicas
                        .iter()
                        .copied()
                        .filter(|id| !live(id))
                        .map(Into::into)
                        .collect(),
                )
        });
        MetadataResponseTopic::default()
            .with_name(Some(StrBytes::from_string(topic.name.to_string()).into()))
            .with_topic_id(topic.id)
            .with_partitions(partitions.collect())
    }

    fn live_brokers(&self) -> Vec<MetadataResponseBroker> {
        let live = self.brokers.iter().filter(|(_, broker)| broker.up);
        live.map(|(&id, broker)| {
            MetadataResponseBroker::default()
                .with_node_id(id.into())
                .with_host(StrBytes::from_string(broker.host.clone()))
                .with_port(i32::from(broker.port))
        })
        .collect()
    }

    /// The lowest broker that is up; -1 if none is.
    fn controller(&self) -> i32 {
        self.brokers
            .iter()
            .find(|(_, broker)| broker.up)
            .map_or(-1, |(&id, _)| id)
    }
}

impl From<MetadataRequestTopic> for Asked {
    fn from(topic: MetadataRequestTopic) -> Asked {
        match topic.name {
            Some(name) => Asked::Name(name.0.to_string()),
            None => Asked::Id(topic.topic_id),
        }
    }
}
