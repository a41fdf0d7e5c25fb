//! InitProducerId (22), versions 0 to 5: the identity behind idempotence and transactions.

use super::{ApiKey, DecodeError, ErrorCode, Reader, Writer};
use alloc::vec::Vec;

/// Asks for a producer id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitProducerIdRequest<'a> {
    /// `transactional.id`; `None` for a producer that is only idempotent.
    pub transactional_id: Option<&'a str>,
    /// `transaction.timeout.ms`; without meaning if there is no transactional id.
    pub transaction_timeout_ms: i32,
    /// The id to go on with under a new epoch (KIP-360), or -1; from version 3.
    pub producer_id: i64,
    /// The epoch that belongs to `producer_id`, or -1; from version 3.
    pub producer_epoch: i16,
}

impl InitProducerIdRequest<'_> {
    /// Appends the request.
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) {
        debug_assert!(API.versions().contains(&version));
        let mut w = Writer::new(out, API.is_flexible(version));
        w.nullable_string(self.transactional_id);
        w.i32(self.transaction_timeout_ms);
        if version >= 3 {
            w.i64(self.producer_id);
            w.i16(self.producer_epoch);
        }
        w.no_tagged_fields();
    }
}

/// A producer id and epoch, or why there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitProducerIdResponse {
    /// How long to send nothing (KIP-219).
    pub throttle_time_ms: i32,
    /// Why there is no id.
    pub error_code: ErrorCode,
    /// The id; -1 after an error.
    pub producer_id: i64,
    /// The epoch.
    pub producer_epoch: i16,
}

impl InitProducerIdResponse {
    /// Decodes the body of the response to a request of `version`, and leaves in `body` what follows it.
    pub fn decode(body: &mut &[u8], version: i16) -> Result<Self, DecodeError> {
        debug_assert!(API.versions().contains(&version));
        let mut r = Reader::new(body, API.is_flexible(version));
        let throttle_time_ms = r.i32("throttle_time_ms")?;
        let error_code = ErrorCode(r.i16("error_code")?);
        let producer_id = r.i64("producer_id")?;
        let producer_epoch = r.i16("producer_epoch")?;
        r.skip_tagged_fields()?;
        *body = r.rest();
        Ok(Self {
            throttle_time_ms,
            error_code,
            producer_id,
            producer_epoch,
        })
    }
}

const API: ApiKey = ApiKey::INIT_PRODUCER_ID;

#[cfg(test)]
mod tests {
    use super::super::second_opinion::{
        decoded, encoded, no_byte_panics, only_the_whole_decodes, whole,
    };
    use super::*;
    use bytes::Bytes;
    use kafka_protocol::messages::{self, ProducerId, TransactionalId};
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn requests_equal_those_of_kafka_protocol() {
        for version in API.versions() {
            for transactional_id in [None, Some("tx-1")] {
                for (producer_id, producer_epoch) in [(-1, -1), (4_000_000_001, 17)] {
                    let request = InitProducerIdRequest {
                        transactional_id,
                        transaction_timeout_ms: 60_000,
                        producer_id,
                        producer_epoch,
                    };
                    let mut out = Vec::new();
                    request.encode(version, &mut out);
                    let mut expected = messages::InitProducerIdRequest::default()
                        .with_transactional_id(
                            transactional_id
                                .map(|id| TransactionalId(StrBytes::from_static_str(id))),
                        )
                        .with_transaction_timeout_ms(60_000);
                    if version >= 3 {
                        expected.producer_id = ProducerId(producer_id);
                        expected.producer_epoch = producer_epoch;
                    }
                    assert_eq!(out, encoded(&expected, version), "version {version}");
                    assert_eq!(
                        decoded::<messages::InitProducerIdRequest>(&out, version),
                        expected
                    );
                }
            }
        }
    }

    #[test]
    fn responses_of_every_version_decode() {
        for version in API.versions() {
            let mut answer = messages::InitProducerIdResponse::default()
                .with_throttle_time_ms(3)
                .with_error_code(ErrorCode::CONCURRENT_TRANSACTIONS.0)
                .with_producer_id(ProducerId(i64::MAX))
                .with_producer_epoch(i16::MAX);
            if version >= 2 {
                answer
                    .unknown_tagged_fields
                    .insert(0, Bytes::from_static(b"unknown"));
            }
            let body = encoded(&answer, version);
            let expected = InitProducerIdResponse {
                throttle_time_ms: 3,
                error_code: ErrorCode::CONCURRENT_TRANSACTIONS,
                producer_id: i64::MAX,
                producer_epoch: i16::MAX,
            };
            assert_eq!(
                InitProducerIdResponse::decode(&mut &body[..], version),
                Ok(expected)
            );

            let decode = whole(|body| InitProducerIdResponse::decode(body, version).map(drop));
            only_the_whole_decodes(&body, &decode);
            if version >= 2 {
                // Before, every byte is a value of its own and nothing can be refused.
                no_byte_panics(&body, &decode);
            }
        }
    }
}
