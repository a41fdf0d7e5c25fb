//! What every request and response starts with, and which API versions ottla speaks.

use super::{DecodeError, Reader, Writer};
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

/// The number of an API of the protocol; named are those that ottla speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKey(pub i16);

impl ApiKey {
    /// Appends records to partitions.
    pub const PRODUCE: Self = Self(0);
    /// Describes brokers, topics and leaders.
    pub const METADATA: Self = Self(3);
    /// Says which APIs a broker speaks, in which versions.
    pub const API_VERSIONS: Self = Self(18);
    /// Hands out a producer id and epoch.
    pub const INIT_PRODUCER_ID: Self = Self(22);

    /// The versions that ottla speaks; empty for an API it does not speak.
    pub const fn versions(self) -> RangeInclusive<i16> {
        match self {
            Self::PRODUCE => 3..=13,
            Self::METADATA => 1..=13,
            Self::API_VERSIONS => 0..=4,
            Self::INIT_PRODUCER_ID => 0..=5,
            _ => RangeInclusive::new(0, -1),
        }
    }

    /// Whether the version has compact lengths and tagged fields (KIP-482).
    #[inline]
    pub const fn is_flexible(self, version: i16) -> bool {
        match self {
            Self::PRODUCE | Self::METADATA => version >= 9,
            Self::API_VERSIONS => version >= 3,
            Self::INIT_PRODUCER_ID => version >= 2,
            _ => false,
        }
    }

    /// Kafka's name, or `None` for an API that ottla does not speak.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::PRODUCE => Some("Produce"),
            Self::METADATA => Some("Metadata"),
            Self::API_VERSIONS => Some("ApiVersions"),
            Self::INIT_PRODUCER_ID => Some("InitProducerId"),
            _ => None,
        }
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "API {}", self.0),
        }
    }
}

/// The head of a request, without the frame's length before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// What is asked for.
    pub api_key: ApiKey,
    /// The version of the request and of its response.
    pub api_version: i16,
    /// What the response repeats.
    pub correlation_id: i32,
    /// `client.id`; quotas and the broker's logs use it.
    pub client_id: Option<&'a str>,
}

impl RequestHeader<'_> {
    /// Appends the header, in version 2 if the request is flexible and in version 1 otherwise.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // The client id keeps its classic form in version 2, so that a broker can read the start of
        // a header whatever its version is (KIP-482).
        let mut w = Writer::new(out, false);
        w.i16(self.api_key.0);
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        w.nullable_string(self.client_id);
        Writer::new(out, self.api_key.is_flexible(self.api_version)).no_tagged_fields();
    }
}

/// Splits a response, without the frame's length before it, into its correlation id and its body.
///
/// The header has version 1 if the response is flexible, and version 0 otherwise.
pub fn split_response(
    frame: &[u8],
    api: ApiKey,
    version: i16,
) -> Result<(i32, &[u8]), DecodeError> {
    // ApiVersions is answered with version 0 always: the client can't know yet what the broker
    // speaks, so the header must not change its length (KIP-511).
    let flexible = api.is_flexible(version) && api != ApiKey::API_VERSIONS;
    let mut r = Reader::new(frame, flexible);
    let correlation_id = r.i32("correlation_id")?;
    r.skip_tagged_fields()?;
    Ok((correlation_id, r.rest()))
}

#[cfg(test)]
mod tests {
    use super::super::second_opinion::{encoded, every_truncation_fails};
    use super::*;
    use bytes::Bytes;
    use kafka_protocol::messages;
    use kafka_protocol::protocol::StrBytes;
    use std::string::ToString;

    const ALL: [(ApiKey, messages::ApiKey); 4] = [
        (ApiKey::PRODUCE, messages::ApiKey::Produce),
        (ApiKey::METADATA, messages::ApiKey::Metadata),
        (ApiKey::API_VERSIONS, messages::ApiKey::ApiVersions),
        (ApiKey::INIT_PRODUCER_ID, messages::ApiKey::InitProducerId),
    ];

    #[test]
    fn request_headers_equal_those_of_kafka_protocol() {
        for (ours, theirs) in ALL {
            assert_eq!(ours.0, theirs as i16);
            for version in ours.versions() {
                for client_id in [None, Some("ottla")] {
                    let header = RequestHeader {
                        api_key: ours,
                        api_version: version,
                        correlation_id: -5,
                        client_id,
                    };
                    let mut out = Vec::new();
                    header.encode(&mut out);
                    let expected = messages::RequestHeader::default()
                        .with_request_api_key(ours.0)
                        .with_request_api_version(version)
                        .with_correlation_id(-5)
                        .with_client_id(client_id.map(StrBytes::from_static_str));
                    assert_eq!(
                        out,
                        encoded(&expected, theirs.request_header_version(version))
                    );
                }
            }
        }
    }

    #[test]
    fn response_headers_are_those_of_kafka_protocol() {
        for (ours, theirs) in ALL {
            for version in ours.versions() {
                let header_version = theirs.response_header_version(version);
                let mut header = messages::ResponseHeader::default().with_correlation_id(77);
                if header_version >= 1 {
                    header
                        .unknown_tagged_fields
                        .insert(9, Bytes::from_static(b"new"));
                }
                let mut frame = encoded(&header, header_version);
                every_truncation_fails(&frame, |frame| {
                    split_response(frame, ours, version).map(|_| ())
                });
                frame.extend_from_slice(b"body");
                assert_eq!(
                    split_response(&frame, ours, version),
                    Ok((77, &b"body"[..]))
                );
            }
        }
    }

    #[test]
    fn the_ranges_are_within_what_kafka_protocol_knows() {
        for (ours, theirs) in ALL {
            let theirs = theirs.valid_versions();
            assert!(*ours.versions().start() >= theirs.min, "{ours}");
            assert!(*ours.versions().end() <= theirs.max, "{ours}");
        }
    }

    #[test]
    fn an_api_that_ottla_does_not_speak_has_no_versions() {
        let fetch = ApiKey(1);
        assert!(fetch.versions().is_empty());
        assert!(!fetch.is_flexible(17));
        assert_eq!(fetch.to_string(), "API 1");
        assert_eq!(ApiKey::METADATA.to_string(), "Metadata");
    }
}
