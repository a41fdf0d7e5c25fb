//! How a hostile answer differs from the honest one.

use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse, ProduceResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::hostile::Hostile;
use crate::code;

impl Hostile {
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
                let more = (100_000..101_000).map(|id| first.clone().with_node_id(BrokerId(id)));
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
                    partitions.extend((next..next.saturating_add(1_000)).map(stray));
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
