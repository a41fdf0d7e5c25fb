//! The frame around a request and its answer.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use super::shape;
use super::versions::Api;

/// An encoded answer, its length in front.
pub(crate) type Reply = Bytes;

/// Who asks, when, and in which words the answer is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) now: Duration,
    pub(crate) broker: i32,
    pub(crate) connection: u64,
    pub(crate) api: Api,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    /// What the answer is to name.
    pub(crate) throttle: Duration,
}

/// The bytes are no request that a broker understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Caller {
    /// Reads the first eight bytes of a request, which every version of every API has alike.
    pub(crate) fn read(
        now: Duration,
        broker: i32,
        connection: u64,
        request: &Bytes,
    ) -> Result<Caller, Malformed> {
        let mut head = request.clone();
        let api = head
            .try_get_i16()
            .ok()
            .and_then(Api::from_key)
            .ok_or(Malformed)?;
        let version = head.try_get_i16().map_err(|_| Malformed)?;
        let correlation = head.try_get_i32().map_err(|_| Malformed)?;
        Ok(Caller {
            now,
            broker,
            connection,
            api,
            version,
            correlation,
            throttle: Duration::ZERO,
        })
    }

    /// Decodes the request behind its header. `Ok` comes with the number of bytes that were left over.
    pub(crate) fn decode<R: Decodable + HeaderVersion>(
        &self,
        mut request: Bytes,
    ) -> Result<(R, usize), Malformed> {
        RequestHeader::decode(&mut request, R::header_version(self.version))
            .map_err(|_| Malformed)?;
        shape::check(self.api, self.version, &request)?;
        let decoded = R::decode(&mut request, self.version).map_err(|_| Malformed)?;
        Ok((decoded, request.remaining()))
    }

    pub(crate) fn throttle_ms(&self) -> i32 {
        i32::try_from(self.throttle.as_millis()).unwrap_or(i32::MAX)
    }

    /// Whether the client has to wait as long as the answer says; before KIP-219 the broker did.
    pub(crate) fn has_to_wait(&self) -> bool {
        self.version >= self.api.client_waits_since()
    }

    /// Encodes an answer.
    pub(crate) fn reply<R: Encodable + HeaderVersion>(&self, response: &R) -> Reply {
        let mut out = BytesMut::with_capacity(256);
        out.put_i32(0);
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        let encoded = header
            .encode(&mut out, R::header_version(self.version))
            .and_then(|()| response.encode(&mut out, self.version));
        if let Err(error) = encoded {
            panic!(
                "the model answers {:?} v{} in fields of another version: {error}",
                self.api, self.version
            );
        }
        let length = i32::try_from(out.len() - 4).expect("answers are bounded far below 2 GiB");
        out[..4].copy_from_slice(&length.to_be_bytes());
        out.freeze()
    }
}
