//! Where the lengths stand in each request: the fields in the protocol's order, as far as their lengths go.

use super::shape::Field;
use super::shape::Field::{Array, Blob, Fixed, Maybe, Numbers, Text, Texts};
use super::versions::Api;

/// The fields of a request, and the first version with compact lengths and tags.
pub(crate) fn layout(api: Api, version: i16) -> (Vec<Field>, i16) {
    let since = |first: i16, bytes: usize| Fixed(at(version, first, bytes));
    let by_id = |first: i16| if version >= first { Fixed(16) } else { Text };
    match api {
        Api::Produce => {
            let partition = vec![Fixed(4), Blob];
            (
                vec![Text, Fixed(6), Array(vec![by_id(13), Array(partition)])],
                9,
            )
        }
        Api::Metadata => {
            let topic = vec![since(10, 16), Text];
            let flags = usize::from(version >= 4)
                + usize::from(version >= 8)
                + usize::from((8..=10).contains(&version));
            (vec![Array(topic), Fixed(flags)], 9)
        }
        Api::ApiVersions if version >= 3 => (vec![Text, Text], 3),
        Api::ApiVersions => (vec![], 3),
        Api::InitProducerId => (vec![Text, Fixed(4), since(3, 10)], 2),
        Api::Fetch => {
            let replica = Fixed(if version < 15 { 4 } else { 0 });
            let partition = Fixed(16 + at(version, 5, 8) + at(version, 9, 4) + at(version, 12, 4));
            let topic = vec![by_id(13), Array(vec![partition])];
            let mut fields = vec![replica, Fixed(13), since(7, 8), Array(topic)];
            if version >= 7 {
                fields.push(Array(vec![by_id(13), Numbers]));
            }
            if version >= 11 {
                fields.push(Text);
            }
            (fields, 12)
        }
        Api::ListOffsets => {
            let partition = Fixed(12 + at(version, 4, 4));
            let topics = Array(vec![Text, Array(vec![partition])]);
            (vec![Fixed(4), since(2, 1), topics], 6)
        }
        _ => of_groups(api, version).unwrap_or_else(|| of_admins(api, version)),
    }
}

/// What members of groups ask.
fn of_groups(api: Api, version: i16) -> Option<(Vec<Field>, i16)> {
    let since = |first: i16, bytes: usize| Fixed(at(version, first, bytes));
    let text_since = |first: i16| if version >= first { Text } else { Fixed(0) };
    Some(match api {
        Api::FindCoordinator if version >= 4 => (vec![Fixed(1), Texts], 3),
        Api::FindCoordinator => (vec![Text, since(1, 1)], 3),
        Api::JoinGroup => {
            let protocol = vec![Text, Blob];
            let times = Fixed(4 + at(version, 1, 4));
            let (instance, reason) = (text_since(5), text_since(8));
            let fields = vec![Text, times, Text, instance, Text, Array(protocol), reason];
            (fields, 6)
        }
        Api::SyncGroup => {
            let assignment = vec![Text, Blob];
            let (instance, kind) = (text_since(3), text_since(5));
            let protocol = text_since(5);
            let fields = vec![
                Text,
                Fixed(4),
                Text,
                instance,
                kind,
                protocol,
                Array(assignment),
            ];
            (fields, 4)
        }
        Api::Heartbeat => (vec![Text, Fixed(4), Text, text_since(3)], 4),
        Api::LeaveGroup if version < 3 => (vec![Text, Text], 4),
        Api::LeaveGroup => (vec![Text, Array(vec![Text, Text, text_since(5)])], 4),
        Api::OffsetCommit => {
            let partition = vec![Fixed(12 + at(version, 6, 4)), Text];
            let retention = Fixed(if version < 5 { 8 } else { 0 });
            let topics = Array(vec![Text, Array(partition)]);
            let fields = vec![Text, Fixed(4), Text, text_since(7), retention, topics];
            (fields, 8)
        }
        Api::OffsetFetch if version >= 8 => {
            let topics = Array(vec![Text, Numbers]);
            let group = vec![Text, text_since(9), since(9, 4), topics];
            (vec![Array(group), Fixed(1)], 6)
        }
        Api::OffsetFetch => (vec![Text, Array(vec![Text, Numbers]), since(7, 1)], 6),
        Api::ListGroups => {
            let names = |first| if version >= first { Texts } else { Fixed(0) };
            (vec![names(4), names(5)], 3)
        }
        Api::DescribeGroups => (vec![Texts, since(3, 1)], 5),
        Api::DeleteGroups => (vec![Texts], 2),
        Api::ConsumerGroupHeartbeat => {
            let own = Array(vec![Fixed(16), Numbers]);
            let regex = text_since(1);
            let fields = vec![
                Text,
                Text,
                Fixed(4),
                Text,
                Text,
                Fixed(4),
                Texts,
                regex,
                Text,
                own,
            ];
            (fields, 0)
        }
        _ => return None,
    })
}

/// What administrators ask.
fn of_admins(api: Api, version: i16) -> (Vec<Field>, i16) {
    let since = |first: i16, bytes: usize| Fixed(at(version, first, bytes));
    match api {
        Api::CreateTopics => {
            let assignments = Array(vec![Fixed(4), Numbers]);
            let configs = Array(vec![Text, Text]);
            let topic = vec![Text, Fixed(6), assignments, configs];
            (vec![Array(topic), Fixed(5)], 5)
        }
        Api::DeleteTopics if version >= 6 => (vec![Array(vec![Text, Fixed(16)]), Fixed(4)], 4),
        Api::DeleteTopics => (vec![Texts, Fixed(4)], 4),
        Api::CreatePartitions => {
            let topic = vec![Text, Fixed(4), Array(vec![Numbers])];
            (vec![Array(topic), Fixed(5)], 2)
        }
        Api::DescribeConfigs => {
            let resource = vec![Fixed(1), Text, Texts];
            (vec![Array(resource), Fixed(1), since(3, 1)], 4)
        }
        Api::IncrementalAlterConfigs => {
            let config = vec![Text, Fixed(1), Text];
            let resource = vec![Fixed(1), Text, Array(config)];
            (vec![Array(resource), Fixed(1)], 1)
        }
        Api::DescribeCluster => (vec![Fixed(1), since(1, 1), since(2, 1)], 0),
        Api::ListPartitionReassignments => (vec![Fixed(4), Array(vec![Text, Numbers])], 0),
        Api::DescribeTopicPartitions => {
            let cursor = Maybe(vec![Text, Fixed(4)]);
            (vec![Array(vec![Text]), Fixed(4), cursor], 0)
        }
        _ => unreachable!("the other layouts have all other requests"),
    }
}

fn at(version: i16, first: i16, bytes: usize) -> usize {
    if version >= first { bytes } else { 0 }
}
