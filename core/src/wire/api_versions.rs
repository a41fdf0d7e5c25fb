//! ApiVersions (18), versions 0 to 4: which APIs a broker speaks, in which versions.

use super::{ApiKey, DecodeError, ErrorCode, Reader, Writer};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// Asks for the broker's [`ApiVersionsResponse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersionsRequest<'a> {
    /// The client's name, from version 3; letters, digits, `.` and `-` (KIP-511).
    pub client_software_name: &'a str,
    /// The client's version, from version 3; the same characters.
    pub client_software_version: &'a str,
}

impl ApiVersionsRequest<'_> {
    /// Appends the request.
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) {
        debug_assert!(API.versions().contains(&version));
        let mut w = Writer::new(out, API.is_flexible(version));
        if version >= 3 {
            w.string(self.client_software_name);
            w.string(self.client_software_version);
        }
        w.no_tagged_fields();
    }
}

/// Which APIs a broker speaks; its features are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    /// UNSUPPORTED_VERSION asks for another try in a version of the range that `api_keys` has for
    /// ApiVersions, or in version 0 if there is none (KIP-511).
    pub error_code: ErrorCode,
    /// The APIs, at most [`Self::MAX_API_KEYS`].
    pub api_keys: Vec<ApiVersion>,
    /// How long to send nothing (KIP-219); 0 in version 0.
    pub throttle_time_ms: i32,
}

impl ApiVersionsResponse {
    /// More APIs than this are not believed; Kafka 4.3 has fewer than 100.
    pub const MAX_API_KEYS: usize = 1000;

    /// Decodes the body of the response to a request of `version`, and leaves in `body` what follows it.
    pub fn decode(body: &mut &[u8], version: i16) -> Result<Self, DecodeError> {
        debug_assert!(API.versions().contains(&version));
        let error_code = ErrorCode(Reader::new(body, false).i16("error_code")?);
        let read = |version| {
            let mut rest = *body;
            Self::decode_as(&mut rest, version).map(|response| (response, rest))
        };
        // A broker that does not know the request's version answers in version 0 (KIP-511). One
        // that names this error in the version asked for breaks the rule but is understood too, as
        // in Java: the two never look alike, for the length of the array differs. And librdkafka's
        // mock cluster mixes the two: where neither is the whole, only the error is believed.
        let read = if error_code == ErrorCode::UNSUPPORTED_VERSION {
            let only_error = |(_, rest)| {
                let response = Self {
                    error_code,
                    api_keys: Vec::new(),
                    throttle_time_ms: 0,
                };
                (response, rest)
            };
            match (read(0), read(version)) {
                (Ok(whole @ (_, [])), _) | (_, Ok(whole @ (_, []))) => Ok(whole),
                (in_version_0, in_version) => in_version_0.or(in_version).map(only_error),
            }
        } else {
            read(version)
        };
        let (response, rest) = read?;
        *body = rest;
        Ok(response)
    }

    /// The versions of an API that both the broker and ottla speak, or `None` if there are none.
    pub fn common_versions(&self, api: ApiKey) -> Option<RangeInclusive<i16>> {
        let theirs = self.api_keys.iter().find(|entry| entry.api_key == api)?;
        let ours = api.versions();
        let common = theirs.min_version.max(*ours.start())..=theirs.max_version.min(*ours.end());
        (!common.is_empty()).then_some(common)
    }

    fn decode_as(body: &mut &[u8], version: i16) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body, API.is_flexible(version));
        let error_code = ErrorCode(r.i16("error_code")?);
        let offset = r.offset();
        let length = r.array_len("api_keys", ApiVersion::MIN_SIZE)?;
        if length > Self::MAX_API_KEYS {
            let limit = Self::MAX_API_KEYS;
            return Err(DecodeError::ArrayTooLong {
                field: "api_keys",
                offset,
                length,
                limit,
            });
        }
        let mut api_keys = Vec::with_capacity(length);
        for _ in 0..length {
            api_keys.push(ApiVersion::decode(&mut r)?);
        }
        let throttle_time_ms = if version >= 1 {
            r.i32("throttle_time_ms")?
        } else {
            0
        };
        r.skip_tagged_fields()?;
        *body = r.rest();
        Ok(Self {
            error_code,
            api_keys,
            throttle_time_ms,
        })
    }
}

/// One API of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersion {
    /// The API.
    pub api_key: ApiKey,
    /// Its oldest version.
    pub min_version: i16,
    /// Its newest version.
    pub max_version: i16,
}

impl ApiVersion {
    const MIN_SIZE: usize = 6;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let api_key = ApiKey(r.i16("api_key")?);
        let min_version = r.i16("min_version")?;
        let max_version = r.i16("max_version")?;
        r.skip_tagged_fields()?;
        Ok(Self {
            api_key,
            min_version,
            max_version,
        })
    }
}

const API: ApiKey = ApiKey::API_VERSIONS;

#[cfg(test)]
mod tests {
    use super::super::second_opinion::{
        arrays_refused, decoded, encoded, every_truncation_fails, no_byte_panics,
        only_the_whole_decodes, whole,
    };
    use super::*;
    use bytes::Bytes;
    use kafka_protocol::messages::{self, api_versions_response as theirs};
    use kafka_protocol::protocol::StrBytes;
    use std::vec;

    const OURS: ApiVersionsRequest<'_> = ApiVersionsRequest {
        client_software_name: "ottla",
        client_software_version: "0.1.0",
    };

    fn range(api_key: i16, min_version: i16, max_version: i16) -> ApiVersion {
        ApiVersion {
            api_key: ApiKey(api_key),
            min_version,
            max_version,
        }
    }

    fn their_range(api_key: i16, min_version: i16, max_version: i16) -> theirs::ApiVersion {
        theirs::ApiVersion::default()
            .with_api_key(api_key)
            .with_min_version(min_version)
            .with_max_version(max_version)
    }

    fn their_response(version: i16) -> messages::ApiVersionsResponse {
        let mut response = messages::ApiVersionsResponse::default().with_api_keys(vec![
            their_range(0, 0, 13),
            their_range(18, 0, 4),
            their_range(999, 7, 9),
        ]);
        if version >= 1 {
            response.throttle_time_ms = 250;
        }
        if version >= 3 {
            response.api_keys[1]
                .unknown_tagged_fields
                .insert(3, Bytes::from_static(b"later"));
            response.supported_features = vec![
                theirs::SupportedFeatureKey::default()
                    .with_name(StrBytes::from_static_str("metadata.version"))
                    .with_max_version(29),
            ];
            response.finalized_features_epoch = 12;
            response
                .unknown_tagged_fields
                .insert(77, Bytes::from_static(b"unknown"));
        }
        response
    }

    #[test]
    fn requests_equal_those_of_kafka_protocol() {
        for version in API.versions() {
            let mut out = Vec::new();
            OURS.encode(version, &mut out);
            let mut expected = messages::ApiVersionsRequest::default();
            if version >= 3 {
                expected.client_software_name = StrBytes::from_static_str("ottla");
                expected.client_software_version = StrBytes::from_static_str("0.1.0");
            }
            assert_eq!(out, encoded(&expected, version), "version {version}");
            assert_eq!(
                decoded::<messages::ApiVersionsRequest>(&out, version),
                expected
            );
        }
    }

    #[test]
    fn responses_of_every_version_decode() {
        for version in API.versions() {
            let body = encoded(&their_response(version), version);
            let response = ApiVersionsResponse::decode(&mut &body[..], version).unwrap();
            assert_eq!(response.error_code, ErrorCode::NONE);
            assert_eq!(
                response.api_keys,
                [range(0, 0, 13), range(18, 0, 4), range(999, 7, 9)]
            );
            assert_eq!(
                response.throttle_time_ms,
                if version >= 1 { 250 } else { 0 }
            );

            let decode = whole(|body| ApiVersionsResponse::decode(body, version).map(drop));
            only_the_whole_decodes(&body, &decode);
            no_byte_panics(&body, &decode);
            assert_eq!(arrays_refused(&body, &decode), ["api_keys"]);
        }
    }

    /// KIP-511: whatever was asked, the answer has version 0, with or without the range.
    #[test]
    fn an_unsupported_version_is_answered_in_version_0() {
        for version in API.versions() {
            for api_keys in [vec![], vec![their_range(18, 0, 2)]] {
                let expected: Vec<_> = api_keys.iter().map(|_| range(18, 0, 2)).collect();
                let answer = messages::ApiVersionsResponse::default()
                    .with_error_code(ErrorCode::UNSUPPORTED_VERSION.0)
                    .with_api_keys(api_keys);
                let body = encoded(&answer, 0);
                let response = ApiVersionsResponse::decode(&mut &body[..], version).unwrap();
                assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
                assert_eq!(response.api_keys, expected);
                every_truncation_fails(
                    &body,
                    whole(|body| ApiVersionsResponse::decode(body, version).map(drop)),
                );

                let body = encoded(&answer, version);
                let response = ApiVersionsResponse::decode(&mut &body[..], version).unwrap();
                assert_eq!(response.api_keys, expected, "answered in version {version}");
            }
        }
    }

    /// Read as version 3, it would be throttled for twenty minutes.
    #[test]
    fn of_what_librdkafkas_mock_answers_only_the_error_is_believed() {
        let body = [0, 35, 1, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0];
        for version in [3, 4] {
            let rest = &mut &body[..];
            let response = ApiVersionsResponse::decode(rest, version).unwrap();
            assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
            assert_eq!(response.api_keys, []);
            assert_eq!(response.throttle_time_ms, 0);
            assert_eq!(rest.len(), 5);
        }
    }

    #[test]
    fn common_versions_are_those_of_both_sides() {
        let response = |api_keys| ApiVersionsResponse {
            error_code: ErrorCode::NONE,
            api_keys,
            throttle_time_ms: 0,
        };
        let common = |min, max| response(vec![range(0, min, max)]).common_versions(ApiKey::PRODUCE);
        assert_eq!(common(0, 99), Some(3..=13));
        assert_eq!(common(0, 8), Some(3..=8));
        assert_eq!(common(5, 13), Some(5..=13));
        assert_eq!(common(0, 2), None);
        assert_eq!(common(14, 20), None);
        assert_eq!(common(i16::MAX, i16::MIN), None);
        assert_eq!(response(vec![]).common_versions(ApiKey::PRODUCE), None);
        assert_eq!(
            response(vec![range(1, 0, 17)]).common_versions(ApiKey(1)),
            None
        );
    }

    #[test]
    fn too_many_apis_are_refused() {
        for version in API.versions() {
            let answer = |count: usize| {
                let keys = (0..count)
                    .map(|key| their_range(key as i16, 0, 1))
                    .collect();
                let answer = messages::ApiVersionsResponse::default().with_api_keys(keys);
                ApiVersionsResponse::decode(&mut &encoded(&answer, version)[..], version)
            };
            assert_eq!(answer(1000).unwrap().api_keys.len(), 1000);
            assert!(matches!(
                answer(1001),
                Err(DecodeError::ArrayTooLong {
                    length: 1001,
                    limit: 1000,
                    ..
                })
            ));
        }
    }
}
