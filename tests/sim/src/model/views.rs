//! What a broker tells of the cluster: the truth, or what was true when it stopped to follow.

use std::collections::BTreeMap;

use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::protocol::StrBytes;

use super::Model;
use super::envelope::Caller;
use super::topics::{Partition, Topic};
use crate::code;

/// The cluster as Metadata shows it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) cluster: String,
    pub(crate) controller: i32,
    pub(crate) brokers: Vec<MetadataResponseBroker>,
    pub(crate) topics: BTreeMap<String, MetadataResponseTopic>,
}

impl Model {
    /// Makes a broker answer Metadata from now on as if nothing happened any more: old leaders and epochs, no new topics and
    /// partitions, deleted topics still there, old addresses. Calling it again moves on to the present and stops there.
    pub fn lag_metadata(&mut self, broker: i32) {
        let view = self.view();
        self.broker_mut(broker).view = Some(view);
    }

    /// Lets a broker answer Metadata with the truth again.
    pub fn catch_up_metadata(&mut self, broker: i32) {
        self.broker_mut(broker).view = None;
    }

    /// Whether a broker answers Metadata from an old view.
    pub fn lags(&self, broker: i32) -> bool {
        self.broker(broker).view.is_some()
    }

    /// The truth.
    fn view(&self) -> View {
        let seen = self.topics.iter().filter(|topic| !topic.hidden);
        View {
            cluster: self.ids.cluster.clone(),
            controller: self.controller(),
            brokers: self.live_brokers(),
            topics: seen
                .map(|topic| (topic.name.to_string(), describe(topic)))
                .collect(),
        }
    }

    pub(crate) fn live_brokers(&self) -> Vec<MetadataResponseBroker> {
        let live = self.brokers.iter().filter(|(_, broker)| broker.up);
        live.map(|(&id, broker)| {
            MetadataResponseBroker::default()
                .with_node_id(id.into())
                .with_host(StrBytes::from_string(broker.host.clone()))
                .with_port(i32::from(broker.port))
        })
        .collect()
    }

    /// The same, as the client of a connection is told them.
    pub(crate) fn brokers_for(&self, caller: Caller) -> Vec<MetadataResponseBroker> {
        let mut brokers = self.live_brokers();
        self.tell_host(caller, &mut brokers);
        brokers
    }

    /// Puts the host that a client came to in the place of the brokers' own, if it is to be told that.
    pub(crate) fn tell_host(&self, caller: Caller, brokers: &mut [MetadataResponseBroker]) {
        if let Some(host) = self.links.host(caller.broker, caller.connection) {
            let host = StrBytes::from_string(host.to_owned());
            for broker in brokers {
                broker.host = host.clone();
            }
        }
    }

    /// The lowest broker that is up; -1 if none is.
    pub(crate) fn controller(&self) -> i32 {
        self.brokers
            .iter()
            .find(|(_, broker)| broker.up)
            .map_or(-1, |(&id, _)| id)
    }
}

/// A topic as Metadata shows it.
pub(crate) fn describe(topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().zip(0..);
    let partitions = partitions.map(|(partition, index)| describe_partition(partition, index));
    MetadataResponseTopic::default()
        .with_name(Some(StrBytes::from_string(topic.name.to_string()).into()))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}

fn describe_partition(partition: &Partition, index: i32) -> MetadataResponsePartition {
    let replicas = &partition.replicas;
    let down = replicas.iter().filter(|replica| !replica.is_up());
    let in_sync = replicas.iter().filter(|r| r.in_sync && r.is_up());
    let error = match partition.leader {
        Some(_) => code::NONE,
        None => code::LEADER_NOT_AVAILABLE,
    };
    MetadataResponsePartition::default()
        .with_error_code(error)
        .with_partition_index(index)
        .with_leader_id(partition.leader.unwrap_or(-1).into())
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(replicas.iter().map(|r| r.id.into()).collect())
        .with_isr_nodes(in_sync.map(|r| r.id.into()).collect())
        .with_offline_replicas(down.map(|r| r.id.into()).collect())
}
