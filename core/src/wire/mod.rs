//! The bytes of Kafka's protocol: one file per API, request and response together.

mod api_versions;
mod decode_error;
mod error_code;
mod header;
mod init_producer_id;
mod metadata;
mod reader;
#[cfg(test)]
mod second_opinion;
mod writer;

pub use api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
pub use decode_error::DecodeError;
pub use error_code::ErrorCode;
pub use header::{ApiKey, RequestHeader, split_response};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use metadata::{
    MetadataRequest, MetadataResponse, NodeEndpoint, PartitionMetadata, TopicMetadata,
};
pub use reader::Reader;
pub use writer::{
    Writer, begin_length, end_length, put_uvarint, put_varint, put_varlong, uvarint_len,
    varint_len, varlong_len,
};
