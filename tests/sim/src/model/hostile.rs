//! Answers that decode and make no sense.

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
    /// Metadata: 1,000 more partitions in each topic, without a leader.
    ManyPartitions,
    /// Metadata: the leader epochs are below -1.
    NegativeEpoch,
    /// Metadata: every broker twice, the second time at another port.
    RepeatedBroker,
    /// Metadata: 1,000 more brokers.
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
    /// Produce, refused with NOT_LEADER_OR_FOLLOWER: the hint names another broker of the cluster, if there is one, and a
    /// leader epoch that was never reached.
    HintFromTheFuture,
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
    pub const ALL: [Hostile; 33] = [
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
        Hostile::HintFromTheFuture,
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
            16..=24 => Api::Produce,
            25..=27 => Api::InitProducerId,
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
            Hostile::HintFromTheFuture => "produce: hint from the future",
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
            Hostile::HintToStranger | Hostile::HintFromThePast | Hostile::HintFromTheFuture => {
                Some(code::NOT_LEADER_OR_FOLLOWER)
            }
            Hostile::StrangeRecords => Some(code::INVALID_RECORD),
            _ => None,
        }
    }
}
