//! OffsetCommit and OffsetFetch.

use std::collections::BTreeSet;

use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::group::State;
use super::offsets::Committed;
use crate::code;
use crate::model::Model;
use crate::model::envelope::Caller;

/// Kafka's `offset.metadata.max.bytes`.
const LONGEST_METADATA: usize = 4_096;
/// What a group is told of a partition that it has not committed for.
const NOTHING: i64 = -1;

/// Topics and the partitions asked for in each; `None` for all that a group has committed for.
type Wanted = Option<Vec<(TopicName, Vec<i32>)>>;

impl Model {
    pub(crate) fn offset_commit(
        &mut self,
        caller: Caller,
        request: OffsetCommitRequest,
    ) -> OffsetCommitResponse {
        let refused = self.may_commit(caller, &request).err();
        let group = request.group_id.to_string();
        let topics = request.topics.into_iter().map(|topic| {
            let OffsetCommitRequestTopic {
                name, partitions, ..
            } = topic;
            let commit = |wanted: OffsetCommitRequestPartition| {
                let index = wanted.partition_index;
                let code = match refused {
                    Some(code) => code,
                    None => self.commit(&group, &name, wanted),
                };
                OffsetCommitResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(code)
            };
            let partitions = partitions.into_iter().map(commit).collect();
            OffsetCommitResponseTopic::default()
                .with_name(name)
                .with_partitions(partitions)
        });
        let topics = topics.collect();
        let response = OffsetCommitResponse::default().with_topics(topics);
        match caller.version {
            3.. => response.with_throttle_time_ms(caller.throttle_ms()),
            _ => response,
        }
    }

    /// Members commit in their generation, and anybody for a group without members.
    fn may_commit(&mut self, caller: Caller, request: &OffsetCommitRequest) -> Result<(), i16> {
        let (now, name) = (caller.now, request.group_id.as_str());
        self.coordinates(caller.broker, name)?;
        if name.is_empty() || name.len() > super::LONGEST_NAME {
            return Err(code::INVALID_GROUP_ID);
        }
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 {
            let group = self.groups.find_or_create(now, name);
            let group = group.ok_or(code::GROUP_MAX_SIZE_REACHED)?;
            return match group.state {
                State::Empty => Ok(()),
                _ => Err(code::UNKNOWN_MEMBER_ID),
            };
        }
        let id = &request.member_id;
        let group = self.groups.of_member(now, name, id, generation)?;
        group.heartbeat(now, id);
        match group.state {
            State::Completing { .. } => Err(code::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, group: &str, topic: &str, wanted: OffsetCommitRequestPartition) -> i16 {
        let partition = wanted.partition_index;
        let found = self.topics.get(topic);
        if found.and_then(|topic| topic.partition(partition)).is_none() {
            return code::UNKNOWN_TOPIC_OR_PARTITION;
        }
        let metadata = wanted.committed_metadata.unwrap_or_default();
        if metadata.len() > LONGEST_METADATA {
            return code::OFFSET_METADATA_TOO_LARGE;
        }
        let committed = Committed {
            offset: wanted.committed_offset,
            leader_epoch: wanted.committed_leader_epoch,
            metadata: metadata.to_string(),
        };
        let has_room = self.groups.commit(group, topic, partition, committed);
        match has_room {
            true => code::NONE,
            false => code::GROUP_MAX_SIZE_REACHED,
        }
    }

    pub(crate) fn offset_fetch(
        &mut self,
        caller: Caller,
        request: OffsetFetchRequest,
    ) -> OffsetFetchResponse {
        let response = OffsetFetchResponse::default();
        let response = match caller.version {
            3.. => response.with_throttle_time_ms(caller.throttle_ms()),
            _ => response,
        };
        if caller.version < 8 {
            let topics = request.topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|topic| (topic.name, topic.partition_indexes))
                    .collect()
            });
            return self.fetch_offsets_of_one(caller, &request.group_id, topics, response);
        }
        // Each group, and each partition, once: an answer must not grow by what is asked again and again.
        let mut seen = BTreeSet::new();
        let groups = request.groups.into_iter();
        let groups = groups.filter(|group| seen.insert(group.group_id.clone()));
        let groups = groups.map(|group| {
            let topics = group.topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|topic| (topic.name, topic.partition_indexes))
                    .collect()
            });
            let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
            match self.coordinates(caller.broker, &group.group_id) {
                Ok(()) => answer.with_topics(self.fetch_offsets(&group.group_id, topics)),
                Err(code) => answer.with_error_code(code),
            }
        });
        response.with_groups(groups.collect())
    }

    fn fetch_offsets_of_one(
        &self,
        caller: Caller,
        group: &str,
        wanted: Wanted,
        response: OffsetFetchResponse,
    ) -> OffsetFetchResponse {
        let refused = self.coordinates(caller.broker, group).err();
        let topics = self.fetch_offsets(group, wanted).into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|found| {
                let epoch = match caller.version {
                    5.. => found.committed_leader_epoch,
                    _ => -1,
                };
                OffsetFetchResponsePartition::default()
                    .with_partition_index(found.partition_index)
                    .with_committed_offset(found.committed_offset)
                    .with_committed_leader_epoch(epoch)
                    .with_metadata(found.metadata)
                    .with_error_code(refused.unwrap_or(code::NONE))
            });
            OffsetFetchResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions.collect())
        });
        let response = response.with_topics(topics.collect());
        match (caller.version, refused) {
            (2.., Some(code)) => response.with_error_code(code),
            _ => response,
        }
    }

    fn fetch_offsets(&self, group: &str, wanted: Wanted) -> Vec<OffsetFetchResponseTopics> {
        let offsets = self.groups.by_name.get(group).map(|group| &group.offsets);
        let wanted = wanted.unwrap_or_else(|| {
            let mut all: Vec<(TopicName, Vec<i32>)> = Vec::new();
            for (topic, partition) in offsets.into_iter().flat_map(|found| found.partitions()) {
                match all.last_mut() {
                    Some((last, partitions)) if last.as_str() == topic => {
                        partitions.push(partition)
                    }
                    _ => {
                        let name = StrBytes::from_string(topic.to_owned());
                        all.push((name.into(), vec![partition]));
                    }
                }
            }
            all
        });
        let mut seen = BTreeSet::new();
        let topics = wanted.into_iter().map(|(name, mut partitions)| {
            partitions.retain(|&partition| seen.insert((name.clone(), partition)));
            let partitions = partitions.into_iter().map(|partition| {
                let found = offsets.and_then(|offsets| offsets.get(&name, partition));
                let metadata = found.map_or_else(String::new, |found| found.metadata.clone());
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(partition)
                    .with_committed_offset(found.map_or(NOTHING, |found| found.offset))
                    .with_committed_leader_epoch(found.map_or(-1, |found| found.leader_epoch))
                    .with_metadata(Some(StrBytes::from_string(metadata)))
            });
            let partitions = partitions.collect();
            OffsetFetchResponseTopics::default()
                .with_name(name)
                .with_partitions(partitions)
        });
        topics.collect()
    }
}
