//! Reads the primitive types of Kafka's protocol from borrowed bytes.

use super::{DecodeError, check_end};
use alloc::vec::Vec;

/// Reads one message, or a part of one, front to back.
///
/// Each method takes the field's name from the message definition, which an error repeats. Since the
/// reader knows whether the message's version is flexible (KIP-482), one list of fields serves all
/// versions: the length of a string, of bytes or of an array is read in the form that applies, and
/// tagged fields are read only where there are any.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` ends, counted from the start of the outermost input.
    end: usize,
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `input`.
    #[inline]
    pub fn new(input: &'a [u8], flexible: bool) -> Self {
        Self {
            rest: input,
            end: input.len(),
            flexible,
        }
    }

    /// Reads an `INT8`.
    #[inline]
    pub fn i8(&mut self, field: &'static str) -> Result<i8, DecodeError> {
        self.array_of(field).map(i8::from_be_bytes)
    }

    /// Reads an `INT16`.
    #[inline]
    pub fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        self.array_of(field).map(i16::from_be_bytes)
    }

    /// Reads an `INT32`.
    #[inline]
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        self.array_of(field).map(i32::from_be_bytes)
    }

    /// Reads an `INT64`.
    #[inline]
    pub fn i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        self.array_of(field).map(i64::from_be_bytes)
    }

    /// Reads a `BOOLEAN`; every byte but zero is true, as in Kafka.
    #[inline]
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        self.array_of(field).map(|[byte]| byte != 0)
    }

    /// Reads a `UUID`.
    #[inline]
    pub fn uuid(&mut self, field: &'static str) -> Result<[u8; 16], DecodeError> {
        self.array_of(field)
    }

    /// Reads an `UNSIGNED_VARINT` of at most 32 bits.
    #[inline]
    pub fn uvarint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.base128(field, 32).map(|value| value as u32)
    }

    /// Reads a `VARINT`, which is zigzag-encoded.
    #[inline]
    pub fn varint(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        let value = self.uvarint(field)?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// Reads a `VARLONG`, which is zigzag-encoded.
    #[inline]
    pub fn varlong(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        let value = self.base128(field, 64)?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads a string that must not be null.
    #[inline]
    pub fn string(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let offset = self.offset();
        self.nullable_string(field)?
            .ok_or(DecodeError::UnexpectedNull { field, offset })
    }

    /// Reads a string or null.
    #[inline]
    pub fn nullable_string(&mut self, field: &'static str) -> Result<Option<&'a str>, DecodeError> {
        let Some(length) = self.string_length(field)? else {
            return Ok(None);
        };
        let offset = self.offset();
        match core::str::from_utf8(self.raw(length, field)?) {
            Ok(string) => Ok(Some(string)),
            Err(_) => Err(DecodeError::InvalidUtf8 { field, offset }),
        }
    }

    /// Reads bytes that must not be null.
    #[inline]
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let offset = self.offset();
        self.nullable_bytes(field)?
            .ok_or(DecodeError::UnexpectedNull { field, offset })
    }

    /// Reads bytes or null.
    #[inline]
    pub fn nullable_bytes(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.length(field)? {
            Some(length) => self.raw(length, field).map(Some),
            None => Ok(None),
        }
    }

    /// Reads `length` bytes that have no length of their own.
    #[inline]
    pub fn raw(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(length) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.truncated(field)),
        }
    }

    /// Reads the length of an array that must not be null; see [`Self::nullable_array_len`].
    #[inline]
    pub fn array_len(
        &mut self,
        field: &'static str,
        min_element: usize,
    ) -> Result<usize, DecodeError> {
        let offset = self.offset();
        self.nullable_array_len(field, min_element)?
            .ok_or(DecodeError::UnexpectedNull { field, offset })
    }

    /// Reads the length of an array or null.
    ///
    /// A length is refused if that many elements of at least `min_element` bytes do not fit into the
    /// rest of the input, so it is safe to take memory for it.
    #[inline]
    pub fn nullable_array_len(
        &mut self,
        field: &'static str,
        min_element: usize,
    ) -> Result<Option<usize>, DecodeError> {
        let offset = self.offset();
        let Some(length) = self.length(field)? else {
            return Ok(None);
        };
        let limit = self.rest.len() / min_element.max(1);
        if length > limit {
            return Err(DecodeError::ArrayTooLong {
                field,
                offset,
                length,
                limit,
            });
        }
        Ok(Some(length))
    }

    /// Reads a whole array that must not be null into one `Vec` of exactly its length, which is
    /// bounded as in [`Self::nullable_array_len`].
    #[inline]
    pub fn array<T>(
        &mut self,
        field: &'static str,
        min_element: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let length = self.array_len(field, min_element)?;
        let mut elements = Vec::with_capacity(length);
        for _ in 0..length {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Passes over an array whose elements take `element` bytes each.
    #[inline]
    pub fn skip_array(&mut self, field: &'static str, element: usize) -> Result<(), DecodeError> {
        let length = self.array_len(field, element)?;
        self.raw(length * element, field).map(|_| ())
    }

    /// Reads the tagged fields that end a structure of a flexible version; in other versions there
    /// are none.
    ///
    /// `each` gets the tag and a reader over that field alone. A field it leaves untouched is
    /// unknown and passed over; one that it begins must be read to its end.
    #[inline]
    pub fn tagged_fields(
        &mut self,
        mut each: impl FnMut(u32, &mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        // Each round reads two bytes or more, or fails, which bounds the loop.
        for _ in 0..self.uvarint("tagged_fields")? {
            let tag = self.uvarint("tag")?;
            let size = self.uvarint("tagged_field_size")? as usize;
            let bytes = self.raw(size, "tagged_field")?;
            let mut field = Self {
                rest: bytes,
                end: self.offset(),
                flexible: true,
            };
            each(tag, &mut field)?;
            if field.rest.len() < size {
                field.finish()?;
            }
        }
        Ok(())
    }

    /// Passes over the tagged fields of a structure that has no known ones.
    #[inline]
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        self.tagged_fields(|_, _| Ok(()))
    }

    /// Checks that the whole input was read.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        check_end(self.offset(), self.rest.len())
    }

    /// How far the reader has come, counted from the start of the input.
    #[inline]
    pub fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// What is left to read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn array_of<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.truncated(field)),
        }
    }

    /// Seven bits a byte, the lowest first; the top bit says that another byte follows.
    #[inline]
    fn base128(&mut self, field: &'static str, bits: u32) -> Result<u64, DecodeError> {
        let offset = self.offset();
        let [byte] = self.array_of(field)?;
        if byte < 0x80 {
            return Ok(u64::from(byte));
        }
        let mut value = u64::from(byte & 0x7f);
        let mut shift = 7;
        while shift < bits {
            let [byte] = self.array_of(field)?;
            let part = u64::from(byte & 0x7f);
            // The last byte has fewer than seven bits to give.
            if bits - shift < 7 && part >> (bits - shift) != 0 {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
        Err(DecodeError::VarintTooLong { field, offset })
    }

    /// The length of bytes or of an array: `INT32`, -1 for null; if flexible, `UNSIGNED_VARINT` of
    /// the length plus one, 0 for null.
    #[inline]
    fn length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        if self.flexible {
            return self.compact_length(field);
        }
        let offset = self.offset();
        let length = self.i32(field)?;
        classic_length(length, field, offset)
    }

    /// As [`Self::length`], but `INT16` if not flexible.
    #[inline]
    fn string_length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        if self.flexible {
            return self.compact_length(field);
        }
        let offset = self.offset();
        let length = self.i16(field)?;
        classic_length(i32::from(length), field, offset)
    }

    #[inline]
    fn compact_length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        Ok(self
            .uvarint(field)?
            .checked_sub(1)
            .map(|length| length as usize))
    }

    #[cold]
    fn truncated(&self, field: &'static str) -> DecodeError {
        DecodeError::Truncated {
            field,
            offset: self.offset(),
        }
    }
}

#[inline]
fn classic_length(
    length: i32,
    field: &'static str,
    offset: usize,
) -> Result<Option<usize>, DecodeError> {
    match length {
        0.. => Ok(Some(length as usize)),
        -1 => Ok(None),
        _ => Err(DecodeError::NegativeLength {
            field,
            offset,
            length,
        }),
    }
}

#[cfg(test)]
mod tests;
