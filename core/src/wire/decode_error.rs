//! What can be wrong with bytes.

use core::fmt;

/// Why bytes are not the message that was expected.
///
/// The peer does not speak the protocol, or not the version it was asked in: nothing more on the
/// connection can be trusted, so the caller closes it. Offsets count from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ends inside a field.
    Truncated {
        /// The field that was being read.
        field: &'static str,
        /// Where it would have gone on.
        offset: usize,
    },
    /// A length is negative and does not mean null.
    NegativeLength {
        /// The field whose length it is.
        field: &'static str,
        /// Where the length stands.
        offset: usize,
        /// The length.
        length: i32,
    },
    /// An array claims more elements than the bytes after it, or the message's own bound, allow.
    ArrayTooLong {
        /// The array.
        field: &'static str,
        /// Where its length stands.
        offset: usize,
        /// The claimed length.
        length: usize,
        /// The largest length that would have been possible.
        limit: usize,
    },
    /// A field is null that must not be.
    UnexpectedNull {
        /// The field.
        field: &'static str,
        /// Where its length stands.
        offset: usize,
    },
    /// A string is not UTF-8.
    InvalidUtf8 {
        /// The string.
        field: &'static str,
        /// Where its bytes start.
        offset: usize,
    },
    /// A variable-length integer has more bits than its type.
    VarintTooLong {
        /// The integer.
        field: &'static str,
        /// Where it starts.
        offset: usize,
    },
    /// Bytes are left after the end of the message, more than are passed over, or after the end of a tagged field.
    TrailingBytes {
        /// Where the message ended.
        offset: usize,
        /// How many bytes follow.
        left: usize,
    },
}

/// Checks that nothing follows the last field of a message, which ended at `offset` with so many bytes `left`.
///
/// # Errors
///
/// [`DecodeError::TrailingBytes`] if something does.
#[inline]
pub fn check_end(offset: usize, left: usize) -> Result<(), DecodeError> {
    match left {
        0 => Ok(()),
        left => Err(DecodeError::TrailingBytes { offset, left }),
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { field, offset } => {
                write!(f, "the input ends at byte {offset}, inside `{field}`")
            }
            Self::NegativeLength {
                field,
                offset,
                length,
            } => {
                write!(f, "`{field}` at byte {offset} has the length {length}")
            }
            Self::ArrayTooLong {
                field,
                offset,
                length,
                limit,
            } => write!(
                f,
                "`{field}` at byte {offset} claims {length} elements, at most {limit} are possible"
            ),
            Self::UnexpectedNull { field, offset } => {
                write!(
                    f,
                    "`{field}` at byte {offset} is null, which it must not be"
                )
            }
            Self::InvalidUtf8 { field, offset } => {
                write!(f, "`{field}` at byte {offset} is not UTF-8")
            }
            Self::VarintTooLong { field, offset } => {
                write!(
                    f,
                    "`{field}` at byte {offset} is an integer with too many bits"
                )
            }
            Self::TrailingBytes { offset, left } => {
                write!(
                    f,
                    "the message ends at byte {offset}, but {left} bytes follow"
                )
            }
        }
    }
}

impl core::error::Error for DecodeError {}
