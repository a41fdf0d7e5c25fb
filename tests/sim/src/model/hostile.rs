//! Answers that decode and make no sense.

use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse, ProduceResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::versions::Api;
use crate::code;

/// What is wrong with an answer; [`Fault::Hostile`](crate::Fault::Hostile) plans one.
///
/// The request is carried out as usual unless the variant says that it is refused. An answer that has not the field in its
/// version, or no entry to change, stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hostile {
    /// Metadata: leaders that are not in the list of brokers.
    UnknownLeader,
    /// Metadata: every partition twice, the second time with another leader.
    RepeatedPartition,
    /// Metadata: topics without an error and without partitions.
    NoPartitions,
    /// Metadata: the first partition of each topic has the number -1.
    NegativePartition,
    /// Metadata: the first partition of each topic has the number 2^31-1.
    HugePartition,
    /// Metadata: 10,000 more partitions in each topic, without a leader.
    ManyPartitions,
    /// Metadata: the leader epochs are below -1.
    NegativeEpoch,
    /// Metadata: every broker twice, the second time at another port.
    RepeatedBroker,
    /// Metadata: 10,000 more brokers.
    ManyBrokers,
    /// Metadata: no broker at all.
    NoBrokers,
    /// Metadata: all brokers have the id -1.
    NegativeBrokers,
    /// Metadata: brokers without a host.
    EmptyHost,
    /// Metadata: ports above 65,535 and below 0 in turn.
    PortOutOfRange,
    /// Metadata: the id of a cluster that there is not.
    OtherCluster,
    /// Metadata: the topics asked for are missing, and a stranger stands there.
    OtherTopics,
    /// Metadata: every topic twice, the second time unknown.
    RepeatedTopic,
    /// Produce: an answer without the partition.
    MissingPartition,
    /// Produce: the partition twice, the second time with NOT_LEADER_OR_FOLLOWER.
    RepeatedAnswer,
    /// Produce: a partition that nobody asked for, without an error, in front.
    StrangerPartition,
    /// Produce: a topic that nobody asked for, without an error.
    StrangerTopic,
    /// Produce: no error, and -1 for the base offset.
    NoOffset,
    /// Produce, refused with NOT_LEADER_OR_FOLLOWER: the hint names a broker that there is not.
    HintToStranger,
    /// Produce, refused with NOT_LEADER_OR_FOLLOWER: the hint is of an older leader epoch.
    HintFromThePast,
    /// Produce, refused with INVALID_RECORD: blames records that are not in the batch.
    StrangeRecords,
    /// InitProducerId: no error, and a negative producer id.
    NegativeProducer,
    /// InitProducerId: no error, and a negative epoch.
    NegativeProducerEpoch,
    /// InitProducerId: the producer id and epoch that were handed out last.
    SameProducer,
    /// ApiVersions: an empty list.
    NoApis,
    /// ApiVersions: ranges that end before they begin.
    MinAboveMax,
    /// ApiVersions: all versions there can be.
    AllVersions,
    /// ApiVersions: ranges below zero.
    NegativeVersions,
    /// ApiVersions: every API twice, the second time with version 0 alone.
    RepeatedApi,
}

impl Hostile {
    /// All of them.
    pub const ALL: [Hostile; 32] = [
        Hostile::UnknownLeader,
        Hostile::RepeatedPartition,
        Hostile::NoPartitions,
        Hostile::NegativePartition,
        Hostile::HugePartition,
        Hostile::ManyPartitions,
        Hostile::NegativeEpoch,
        Hostile::RepeatedBroker,
        Hostile::ManyBrokers,
        Hostile::NoBrokers,
        Hostile::NegativeBrokers,
        Hostile::EmptyHost,
        Hostile::PortOutOfRange,
        Hostile::OtherCluster,
        Hostile::OtherTopics,
        Hostile::RepeatedTopic,
        Hostile::MissingPartition,
        Hostile::RepeatedAnswer,
        Hostile::StrangerPartition,
        Hostile::StrangerTopic,
        Hostile::NoOffset,
        Hostile::HintToStranger,
        Hostile::HintFromThePast,
        Hostile::StrangeRecords,
        Hostile::NegativeProducer,
        Hostile::NegativeProducerEpoch,
        Hostile::SameProducer,
        Hostile::NoApis,
        Hostile::MinAboveMax,
        Hostile::AllVersions,
        Hostile::NegativeVersions,
        Hostile::RepeatedApi,
    ];

    /// The API whose answer it spoils.
    pub fn api(self) -> Api {
        match self as usize {
            0..=15 => Api::Metadata,
            16..=23 => Api::Produce,
            24..=26 => Api::InitProducerId,
            _ => Api::ApiVersions,
        }
    }

    /// A name that stays the same from version to version, for counters.
    pub fn name(self) -> &'static str {
        match self {
            Hostile::UnknownLeader => "metadata: unknown leader",
            Hostile::RepeatedPartition => "metadata: repeated partition",
            Hostile::NoPartitions => "metadata: no partitions",
            Hostile::NegativePartition => "metadata: negative partition",
            Hostile::HugePartition => "metadata: huge partition",
            Hostile::ManyPartitions => "metadata: many partitions",
            Hostile::NegativeEpoch => "metadata: negative epoch",
            Hostile::RepeatedBroker => "metadata: repeated broker",
            Hostile::ManyBrokers => "metadata: many brokers",
            Hostile::NoBrokers => "metadata: no brokers",
            Hostile::NegativeBrokers => "metadata: negative brokers",
            Hostile::EmptyHost => "metadata: empty host",
            Hostile::PortOutOfRange => "metadata: port out of range",
            Hostile::OtherCluster => "metadata: other cluster",
            Hostile::OtherTopics => "metadata: other topics",
            Hostile::RepeatedTopic => "metadata: repeated topic",
            Hostile::MissingPartition => "produce: missing partition",
            Hostile::RepeatedAnswer => "produce: repeated partition",
            Hostile::StrangerPartition => "produce: stranger partition",
            Hostile::StrangerTopic => "produce: stranger topic",
            Hostile::NoOffset => "produce: no offset",
            Hostile::HintToStranger => "produce: hint to a stranger",
            Hostile::HintFromThePast => "produce: hint from the past",
            Hostile::StrangeRecords => "produce: strange records",
            Hostile::NegativeProducer => "producer id: negative id",
            Hostile::NegativeProducerEpoch => "producer id: negative epoch",
            Hostile::SameProducer => "producer id: the same again",
            Hostile::NoApis => "versions: none",
            Hostile::MinAboveMax => "versions: min above max",
            Hostile::AllVersions => "versions: all",
            Hostile::NegativeVersions => "versions: negative",
            Hostile::RepeatedApi => "versions: repeated API",
        }
    }

    /// The code with which it refuses a batch, if it does.
    pub(crate) fn refuses(self) -> Option<i16> {
        match self {
            Hostile::HintToStranger | Hostile::HintFromThePast => {
                Some(code::NOT_LEADER_OR_FOLLOWER)
            }
            Hostile::StrangeRecords => Some(code::INVALID_RECORD),
            _ => None,
        }
    }

    pub(crate) fn spoil_metadata(self, answer: &mut MetadataResponse) {
        match self {
            Hostile::NoBrokers => answer.brokers.clear(),
            Hostile::OtherCluster => {
                answer.cluster_id = Some(StrBytes::from_static_str("some-other-cluster"));
            }
            Hostile::OtherTopics => {
                answer.topics.truncate(1);
                for topic in &mut answer.topics {
                    topic.name = Some(stranger());
                    topic.topic_id = Uuid::from_u128(u128::MAX);
                }
            }
            Hostile::RepeatedTopic => {
                let mut again = answer.topics.clone();
                for topic in &mut again {
                    topic.error_code = code::UNKNOWN_TOPIC_OR_PARTITION;
                    topic.partitions.clear();
                }
                answer.topics.append(&mut again);
            }
            Hostile::RepeatedBroker
            | Hostile::ManyBrokers
            | Hostile::NegativeBrokers
            | Hostile::EmptyHost
            | Hostile::PortOutOfRange => self.spoil_brokers(answer),
            _ => self.spoil_partitions(answer),
        }
    }

    fn spoil_brokers(self, answer: &mut MetadataResponse) {
        let brokers = &mut answer.brokers;
        match self {
            Hostile::RepeatedBroker => {
                let mut again = brokers.clone();
                again.iter_mut().for_each(|broker| broker.port ^= 1);
                brokers.append(&mut again);
            }
            Hostile::ManyBrokers => {
                let Some(first) = brokers.first().cloned() else {
                    return;
                };
                let more = (100_000..110_000).map(|id| first.clone().with_node_id(BrokerId(id)));
                brokers.extend(more);
            }
            Hostile::NegativeBrokers => {
                brokers.iter_mut().for_each(|b| b.node_id = BrokerId(-1));
            }
            Hostile::EmptyHost => {
                brokers
                    .iter_mut()
                    .for_each(|b| b.host = StrBytes::default());
            }
            _ => {
                let ports = [70_000, -1].into_iter().cycle();
                brokers
                    .iter_mut()
                    .zip(ports)
                    .for_each(|(b, port)| b.port = port);
            }
        }
    }

    fn spoil_partitions(self, answer: &mut MetadataResponse) {
        let known = answer
            .topics
            .iter_mut()
            .filter(|t| t.error_code == code::NONE);
        for partitions in known.map(|topic| &mut topic.partitions) {
            match self {
                Hostile::UnknownLeader => {
                    partitions
                        .iter_mut()
                        .for_each(|p| p.leader_id = BrokerId(4_711));
                }
                Hostile::RepeatedPartition => {
                    let mut again = partitions.clone();
                    again.iter_mut().for_each(|p| p.leader_id.0 += 1);
                    partitions.append(&mut again);
                }
                Hostile::NoPartitions => partitions.clear(),
                Hostile::NegativePartition | Hostile::HugePartition => {
                    let number = if self == Hostile::HugePartition {
                        i32::MAX
                    } else {
                        -1
                    };
                    partitions
                        .iter_mut()
                        .take(1)
                        .for_each(|p| p.partition_index = number);
                }
                Hostile::ManyPartitions => {
                    let Some(last) = partitions.last().cloned() else {
                        continue;
                    };
                    let next = last.partition_index.saturating_add(1);
                    let stray = last
                        .with_error_code(code::LEADER_NOT_AVAILABLE)
                        .with_leader_id(BrokerId(-1));
                    let stray = |index| stray.clone().with_partition_index(index);
                    partitions.extend((next..next.saturating_add(10_000)).map(stray));
                }
                Hostile::NegativeEpoch => {
                    partitions.iter_mut().for_each(|p| p.leader_epoch = -7);
                }
                _ => {}
            }
        }
    }

    /// Changes what a partition is answered before it is put into the answer.
    pub(crate) fn spoil_partition(self, answer: &mut PartitionProduceResponse, records: i32) {
        match self {
            Hostile::NoOffset => answer.base_offset = -1,
            Hostile::HintToStranger => {
                answer.current_leader = LeaderIdAndEpoch::default()
                    .with_leader_id(BrokerId(4_711))
                    .with_leader_epoch(i32::MAX);
            }
            Hostile::HintFromThePast => answer.current_leader.leader_epoch = 0,
            Hostile::StrangeRecords => {
                let blame = |index| BatchIndexAndErrorMessage::default().with_batch_index(index);
                answer.record_errors = [-1, records, i32::MAX].map(blame).into();
            }
            _ => {}
        }
    }

    /// Changes the topic's part of an answer after the partition's entry was put there.
    pub(crate) fn spoil_topic(self, topic: &mut TopicProduceResponse) {
        let Some(entry) = topic.partition_responses.last().cloned() else {
            return;
        };
        match self {
            Hostile::MissingPartition => drop(topic.partition_responses.pop()),
            Hostile::RepeatedAnswer => {
                let again = entry
                    .with_error_code(code::NOT_LEADER_OR_FOLLOWER)
                    .with_base_offset(-1);
                topic.partition_responses.push(again);
            }
            Hostile::StrangerPartition => {
                let stranger = entry
                    .with_index(1_000_000)
                    .with_error_code(code::NONE)
                    .with_base_offset(17);
                topic.partition_responses.insert(0, stranger);
            }
            _ => {}
        }
    }

    pub(crate) fn spoil_produce(self, answer: &mut ProduceResponse) {
        if self != Hostile::StrangerTopic {
            return;
        }
        let Some(topic) = answer.responses.first().cloned() else {
            return;
        };
        let is_named = topic.topic_id.is_nil();
        let topic = match is_named {
            true => topic.with_name(stranger()),
            false => topic.with_topic_id(Uuid::from_u128(u128::MAX)),
        };
        answer.responses.insert(0, topic);
    }

    pub(crate) fn spoil_producer(self, answer: &mut InitProducerIdResponse, last: (i64, i16)) {
        match self {
            Hostile::NegativeProducer => answer.producer_id.0 = -9,
            Hostile::NegativeProducerEpoch => answer.producer_epoch = -9,
            Hostile::SameProducer => {
                (answer.producer_id.0, answer.producer_epoch) = last;
            }
            _ => {}
        }
    }

    pub(crate) fn spoil_versions(self, answer: &mut ApiVersionsResponse) {
        let apis = &mut answer.api_keys;
        let set = |min: i16, max: i16| {
            move |api: &mut kafka_protocol::messages::api_versions_response::ApiVersion| {
                (api.min_version, api.max_version) = (min, max);
            }
        };
        match self {
            Hostile::NoApis => apis.clear(),
            Hostile::MinAboveMax => apis
                .iter_mut()
                .for_each(|api| std::mem::swap(&mut api.min_version, &mut api.max_version)),
            Hostile::AllVersions => apis.iter_mut().for_each(set(i16::MIN, i16::MAX)),
            Hostile::NegativeVersions => apis.iter_mut().for_each(set(-5, -1)),
            Hostile::RepeatedApi => {
                let mut again = apis.clone();
                again.iter_mut().for_each(set(0, 0));
                apis.append(&mut again);
            }
            _ => {}
        }
    }
}

fn stranger() -> TopicName {
    StrBytes::from_static_str("a-stranger").into()
}
