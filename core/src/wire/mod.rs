//! The bytes of Kafka's protocol: one file per API, request and response together.
//!
//! Nothing here decides, waits or remembers: requests become bytes, and bytes become responses.
//!
//! - **Requests** are structs whose `encode` appends the body to a `Vec`; [`RequestHeader`] goes
//!   before it, and [`begin_length`] and [`end_length`] put the frame's length before both.
//!   [`ProduceRequest`] is written piece by piece, since the records are sent from where they lie.
//! - **Responses** are decoded from a whole frame without its length: [`split_response`], then
//!   `decode` of the body. They borrow the strings and allocate one `Vec` per list.
//! - **Versions** are those of [`ApiKey::versions`], and no others may be passed. A field that the
//!   version does not have gets the default of Kafka's message definitions, which its documentation
//!   states. A request's field that the version does not have is left out.
//! - **Fields** have Kafka's names, units and order, each of them once: [`Reader`] and [`Writer`]
//!   know the form that a length or the end of a structure has in flexible versions (KIP-482).
//! - **Bytes after the last field** are left to the caller, who passes over a few of them (H086).
//! - **Hostile bytes** are an error and never a panic. The memory taken follows from the bytes that
//!   are there, not from the lengths that they claim: at most 30 times the response's size.
//!
//! The layouts are those of Kafka 4.3's message definitions, which the
//! [protocol page](https://kafka.apache.org/protocol) prints.

mod api_versions;
mod decode_error;
mod error_code;
mod header;
mod init_producer_id;
mod metadata;
mod produce;
mod reader;
#[cfg(test)]
mod second_opinion;
mod writer;

pub use api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
pub use decode_error::{DecodeError, check_end};
pub use error_code::ErrorCode;
pub use header::{ApiKey, RequestHeader, split_response};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use metadata::{
    MetadataRequest, MetadataResponse, NodeEndpoint, PartitionMetadata, TopicMetadata,
};
pub use produce::{
    CurrentLeader, PartitionProduceResponse, ProduceRequest, ProduceResponse, RecordError,
    TopicKey, TopicProduceResponse,
};
pub use reader::Reader;
pub use writer::{
    Writer, begin_length, end_length, put_uvarint, put_varint, put_varlong, uvarint_len,
    varint_len, varlong_len,
};
