//! A first look at a request: no array in it may claim more elements than the bytes behind it can hold.
//!
//! `kafka-protocol` takes memory for an array by its claimed length alone, so that one flipped bit could ask for hundreds
//! of gigabytes. This walk knows of each API only where its lengths stand.

use super::envelope::Malformed;
use super::layouts::layout;
use super::versions::Api;

/// A field, as far as its length goes.
pub(crate) enum Field {
    Fixed(usize),
    /// A string; null allowed.
    Text,
    /// Bytes with a length of four bytes or a varint; null allowed.
    Blob,
    /// An array of structures; null allowed.
    Array(Vec<Field>),
    /// An array of four-byte numbers; null allowed.
    Numbers,
    /// An array of strings; null allowed.
    Texts,
    /// A structure that may be missing.
    Maybe(Vec<Field>),
}

use Field::{Array, Blob, Fixed, Maybe, Numbers, Text, Texts};

/// Walks the body of a request, its header already read.
pub(crate) fn check(api: Api, version: i16, body: &[u8]) -> Result<(), Malformed> {
    let (fields, flexible_from) = layout(api, version);
    Walk {
        rest: body,
        flexible: version >= flexible_from,
    }
    .structure(&fields)
}

struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), Malformed> {
        for field in fields {
            match field {
                Fixed(bytes) => self.skip(*bytes)?,
                Text => self.text()?,
                Texts => {
                    let count = self.length()?;
                    if count > self.rest.len() {
                        return Err(Malformed);
                    }
                    for _ in 0..count {
                        self.text()?;
                    }
                }
                Maybe(fields) => {
                    let (&there, rest) = self.rest.split_first().ok_or(Malformed)?;
                    self.rest = rest;
                    // -1 says that there is none.
                    if there < 0x80 {
                        self.structure(fields)?;
                    }
                }
                Blob => {
                    let length = self.length()?;
                    self.skip(length)?;
                }
                Numbers => {
                    let count = self.length()?;
                    self.skip(count.checked_mul(4).ok_or(Malformed)?)?;
                }
                Array(element) => {
                    let count = self.length()?;
                    if count > self.rest.len() {
                        return Err(Malformed);
                    }
                    for _ in 0..count {
                        self.structure(element)?;
                    }
                }
            }
        }
        // Tags come last and bring no array.
        if self.flexible { self.tags() } else { Ok(()) }
    }

    fn text(&mut self) -> Result<(), Malformed> {
        let length = match self.flexible {
            true => self.compact()?,
            false => self.short()?,
        };
        self.skip(length)
    }

    fn tags(&mut self) -> Result<(), Malformed> {
        for _ in 0..self.unsigned()? {
            self.unsigned()?;
            let length = self.unsigned()?;
            self.skip(length)?;
        }
        Ok(())
    }

    /// The length of an array or of bytes; null counts as none.
    fn length(&mut self) -> Result<usize, Malformed> {
        if self.flexible {
            return self.compact();
        }
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        from_signed(i64::from(i32::from_be_bytes(*head)))
    }

    fn short(&mut self) -> Result<usize, Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        from_signed(i64::from(i16::from_be_bytes(*head)))
    }

    fn compact(&mut self) -> Result<usize, Malformed> {
        Ok(self.unsigned()?.saturating_sub(1))
    }

    fn unsigned(&mut self) -> Result<usize, Malformed> {
        let mut value = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed)?;
            self.rest = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.rest = self.rest.get(bytes..).ok_or(Malformed)?;
        Ok(())
    }
}

/// -1 is null, and what lies below it is broken.
fn from_signed(length: i64) -> Result<usize, Malformed> {
    match length {
        -1 => Ok(0),
        length => usize::try_from(length).map_err(|_| Malformed),
    }
}
