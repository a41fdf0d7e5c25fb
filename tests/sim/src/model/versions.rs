//! The APIs of a broker and the versions it offers of each.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::envelope::{Caller, Reply};
use super::{Fault, Model};
use crate::code;

/// An API that the model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(i16)]
pub enum Api {
    /// Appends records.
    Produce = 0,
    /// Reads records.
    Fetch = 1,
    /// Finds offsets by time, the first and the last among them.
    ListOffsets = 2,
    /// Names brokers, topics, partitions and leaders.
    Metadata = 3,
    /// Remembers how far a group has read.
    OffsetCommit = 8,
    /// Tells how far a group has read.
    OffsetFetch = 9,
    /// Names the broker that coordinates a group.
    FindCoordinator = 10,
    /// Takes a member into a group.
    JoinGroup = 11,
    /// Keeps a member in its group.
    Heartbeat = 12,
    /// Lets a member out of its group.
    LeaveGroup = 13,
    /// Gives a member its part of the work.
    SyncGroup = 14,
    /// Shows groups and their members.
    DescribeGroups = 15,
    /// Names the groups that a broker coordinates.
    ListGroups = 16,
    /// Names the APIs and their versions.
    ApiVersions = 18,
    /// Creates topics.
    CreateTopics = 19,
    /// Deletes topics.
    DeleteTopics = 20,
    /// Hands out producer ids.
    InitProducerId = 22,
    /// Shows the settings of topics and brokers.
    DescribeConfigs = 32,
    /// Adds partitions to topics.
    CreatePartitions = 37,
    /// Forgets groups.
    DeleteGroups = 42,
    /// Changes the settings of topics.
    IncrementalAlterConfigs = 44,
    /// Names partitions that move; none do.
    ListPartitionReassignments = 46,
    /// Names the brokers.
    DescribeCluster = 60,
    /// The newer protocol of groups, which is refused.
    ConsumerGroupHeartbeat = 68,
    /// Names the partitions of topics, a page at a time.
    DescribeTopicPartitions = 75,
}

impl Api {
    const ALL: [Api; 25] = [
        Api::Produce,
        Api::Fetch,
        Api::ListOffsets,
        Api::Metadata,
        Api::OffsetCommit,
        Api::OffsetFetch,
        Api::FindCoordinator,
        Api::JoinGroup,
        Api::Heartbeat,
        Api::LeaveGroup,
        Api::SyncGroup,
        Api::DescribeGroups,
        Api::ListGroups,
        Api::ApiVersions,
        Api::CreateTopics,
        Api::DeleteTopics,
        Api::InitProducerId,
        Api::DescribeConfigs,
        Api::CreatePartitions,
        Api::DeleteGroups,
        Api::IncrementalAlterConfigs,
        Api::ListPartitionReassignments,
        Api::DescribeCluster,
        Api::ConsumerGroupHeartbeat,
        Api::DescribeTopicPartitions,
    ];

    pub(crate) fn from_key(key: i16) -> Option<Api> {
        Api::ALL.into_iter().find(|&api| api as i16 == key)
    }

    /// Whether a producer asks for it, or the one who reads what a producer wrote.
    pub(crate) fn is_for_producers(self) -> bool {
        matches!(
            self,
            Api::Produce
                | Api::Fetch
                | Api::ListOffsets
                | Api::Metadata
                | Api::ApiVersions
                | Api::InitProducerId
        )
    }

    /// What the model can serve, and offers unless a test says otherwise.
    fn served(self) -> RangeInclusive<i16> {
        match self {
            Api::Produce => 3..=13,
            Api::Fetch => 4..=16,
            Api::ListOffsets => 1..=9,
            Api::Metadata => 0..=13,
            Api::ApiVersions => 0..=4,
            Api::InitProducerId => 0..=5,
            Api::OffsetCommit => 2..=9,
            Api::OffsetFetch => 1..=9,
            Api::FindCoordinator => 0..=6,
            Api::JoinGroup => 0..=9,
            Api::Heartbeat => 0..=4,
            Api::LeaveGroup => 0..=5,
            Api::SyncGroup => 0..=5,
            Api::DescribeGroups => 0..=6,
            Api::ListGroups => 0..=5,
            Api::CreateTopics => 2..=7,
            Api::DeleteTopics => 1..=6,
            Api::DescribeConfigs => 1..=4,
            Api::CreatePartitions => 0..=3,
            Api::DeleteGroups => 0..=2,
            Api::IncrementalAlterConfigs => 0..=1,
            Api::ListPartitionReassignments => 0..=0,
            Api::DescribeCluster => 0..=2,
            Api::ConsumerGroupHeartbeat => 0..=1,
            Api::DescribeTopicPartitions => 0..=0,
        }
    }

    /// Since which version a client has to wait as long as an answer says; before KIP-219 the broker did.
    pub(crate) fn client_waits_since(self) -> i16 {
        match self {
            Api::Produce | Api::Metadata => 6,
            Api::Fetch => 8,
            Api::OffsetCommit | Api::OffsetFetch => 4,
            Api::ListOffsets | Api::JoinGroup | Api::CreateTopics => 3,
            Api::FindCoordinator
            | Api::Heartbeat
            | Api::LeaveGroup
            | Api::SyncGroup
            | Api::DescribeGroups
            | Api::ListGroups
            | Api::ApiVersions
            | Api::DeleteTopics
            | Api::DescribeConfigs => 2,
            Api::InitProducerId | Api::CreatePartitions | Api::DeleteGroups => 1,
            Api::IncrementalAlterConfigs
            | Api::ListPartitionReassignments
            | Api::DescribeCluster
            | Api::ConsumerGroupHeartbeat
            | Api::DescribeTopicPartitions => 0,
        }
    }
}

/// The table of one broker.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    offered: BTreeMap<Api, (i16, i16)>,
}

impl Default for Versions {
    fn default() -> Versions {
        let offer = |api: Api| match api {
            // Kafka 4 names versions 0 to 2, which it refuses, because librdkafka looks for them (KAFKA-18659).
            Api::Produce => (api, (0, 13)),
            _ => (api, api.served().into_inner()),
        };
        Versions {
            offered: Api::ALL.map(offer).into(),
        }
    }
}

impl Versions {
    /// Offers a range, or takes the API off the table.
    pub(crate) fn set(&mut self, api: Api, range: Option<(i16, i16)>) {
        match range {
            Some(range) => self.offered.insert(api, range),
            None => self.offered.remove(&api),
        };
    }

    /// Whether a request of this version is served.
    pub(crate) fn serves(&self, api: Api, version: i16) -> bool {
        let offered = self
            .offered
            .get(&api)
            .is_some_and(|&(min, max)| (min..=max).contains(&version));
        offered && api.served().contains(&version)
    }

    /// Whether the API is on the table at all.
    pub(crate) fn knows(&self, api: Api) -> bool {
        self.offered.contains_key(&api)
    }

    fn of(api: Api, (min, max): (i16, i16)) -> ApiVersion {
        ApiVersion::default()
            .with_api_key(api as i16)
            .with_min_version(min)
            .with_max_version(max)
    }
}

impl Model {
    /// Whether the cluster serves an API at all.
    pub(crate) fn is_served(&self, api: Api) -> bool {
        !self.settings.serves_producers_alone || api.is_for_producers()
    }

    pub(crate) fn api_versions(
        &self,
        caller: Caller,
        request: &ApiVersionsRequest,
        fault: Option<&Fault>,
    ) -> Reply {
        let refused = fault.and_then(Fault::code);
        let named = caller.version < 3
            || (is_software_name(&request.client_software_name)
                && is_software_name(&request.client_software_version));
        let error = refused.unwrap_or(if named {
            code::NONE
        } else {
            code::INVALID_REQUEST
        });
        let mut response = ApiVersionsResponse::default().with_error_code(error);
        if error == code::NONE {
            let offered = &self.broker(caller.broker).versions.offered;
            response.api_keys = offered
                .iter()
                .filter(|&(&api, _)| self.is_served(api))
                .map(|(&api, &range)| Versions::of(api, range))
                .collect();
        }
        if caller.version >= 1 {
            response.throttle_time_ms = caller.throttle_ms();
        }
        if let Some(hostile) = fault.and_then(Fault::hostile) {
            hostile.spoil_versions(&mut response);
        }
        caller.reply(&response)
    }

    /// Answers a version of ApiVersions that is newer than the broker, in the oldest format, with the range to try
    /// (KIP-511).
    pub(crate) fn api_versions_fallback(&self, caller: Caller) -> Reply {
        let offered = &self.broker(caller.broker).versions.offered;
        let range = offered
            .get(&Api::ApiVersions)
            .map(|&range| Versions::of(Api::ApiVersions, range));
        let response = ApiVersionsResponse::default()
            .with_error_code(code::UNSUPPORTED_VERSION)
            .with_api_keys(range.into_iter().collect());
        Caller {
            version: 0,
            ..caller
        }
        .reply(&response)
    }
}

/// Kafka's pattern for the name and version of client software.
fn is_software_name(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
    let outer = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    outer(name.bytes().next()) && outer(name.bytes().next_back()) && name.bytes().all(inner)
}
