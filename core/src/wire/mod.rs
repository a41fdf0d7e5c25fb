//! The bytes of Kafka's protocol: one file per API, request and response together.

mod decode_error;
mod error_code;
mod reader;
mod writer;

pub use decode_error::DecodeError;
pub use error_code::ErrorCode;
pub use reader::Reader;
pub use writer::{
    Writer, begin_length, end_length, put_uvarint, put_varint, put_varlong, uvarint_len,
    varint_len, varlong_len,
};
