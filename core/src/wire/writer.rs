//! Writes the primitive types of Kafka's protocol, at the end of a `Vec`.

use alloc::vec::Vec;

/// Writes one message, field by field: the mirror image of [`Reader`](super::Reader).
///
/// The writer knows whether the message's version is flexible (KIP-482), so that one list of fields
/// serves all versions.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    flexible: bool,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, flexible: bool) -> Self {
        Self { out, flexible }
    }

    /// Writes an `INT8`.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes an `INT16`.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes an `INT32`.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes an `INT64`.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes a `BOOLEAN`.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// Writes a `UUID`.
    #[inline]
    pub fn uuid(&mut self, value: &[u8; 16]) {
        self.out.extend_from_slice(value);
    }

    /// Writes a string; see [`Self::nullable_string`].
    #[inline]
    pub fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    /// Writes a string or null.
    ///
    /// # Panics
    /// If the string is longer than Kafka's limit of 32,767 bytes. Names that users choose are
    /// checked where they come in: in the configuration and when a topic is named.
    #[inline]
    pub fn nullable_string(&mut self, value: Option<&str>) {
        let length = value.map(|string| {
            i16::try_from(string.len()).expect("names are checked where they come in")
        });
        if self.flexible {
            self.compact_length(length.map(|length| length as usize));
        } else {
            self.i16(length.unwrap_or(-1));
        }
        self.out
            .extend_from_slice(value.unwrap_or_default().as_bytes());
    }

    /// Writes bytes; see [`Self::bytes_len`].
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        self.bytes_len(value.len());
        self.out.extend_from_slice(value);
    }

    /// Writes bytes or null.
    #[inline]
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        self.length(value.map(<[u8]>::len));
        self.out.extend_from_slice(value.unwrap_or_default());
    }

    /// Writes the length of bytes that the caller sends after what is written so far.
    ///
    /// # Panics
    /// If `length` is above `i32::MAX`; requests are bounded far below it.
    #[inline]
    pub fn bytes_len(&mut self, length: usize) {
        self.length(Some(length));
    }

    /// Writes the length of an array; its elements follow.
    ///
    /// # Panics
    /// If `length` is above `i32::MAX`; requests are bounded far below it.
    #[inline]
    pub fn array_len(&mut self, length: usize) {
        self.length(Some(length));
    }

    /// Writes an array that is null.
    #[inline]
    pub fn null_array(&mut self) {
        self.length(None);
    }

    /// Ends a structure: no tagged fields, if the version is flexible.
    #[inline]
    pub fn no_tagged_fields(&mut self) {
        if self.flexible {
            self.out.push(0);
        }
    }

    #[inline]
    fn length(&mut self, length: Option<usize>) {
        if self.flexible {
            self.compact_length(length);
        } else {
            self.i32(length.map_or(-1, int32));
        }
    }

    #[inline]
    fn compact_length(&mut self, length: Option<usize>) {
        put_uvarint(
            self.out,
            length.map_or(0, |length| int32(length) as u32 + 1),
        );
    }
}

/// Reserves a length of four bytes, which [`end_length`] fills in; the result says where it is.
#[inline]
#[must_use]
pub fn begin_length(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len() - 4
}

/// Fills in the length reserved at `at`: what was written since, and `elsewhere` bytes that the
/// caller sends from other slices.
///
/// # Panics
/// If `at` did not come from [`begin_length`] on the same `out`, or the length is above `i32::MAX`.
#[inline]
pub fn end_length(out: &mut [u8], at: usize, elsewhere: usize) {
    let length = int32(out.len() - at - 4 + elsewhere);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends an `UNSIGNED_VARINT`.
#[inline]
pub fn put_uvarint(out: &mut Vec<u8>, value: u32) {
    put_base128(out, u64::from(value));
}

/// Appends a `VARINT`.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_base128(out, u64::from(zigzag32(value)));
}

/// Appends a `VARLONG`.
#[inline]
pub fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_base128(out, zigzag64(value));
}

/// How many bytes [`put_uvarint`] appends: 1 to 5.
#[inline]
pub const fn uvarint_len(value: u32) -> usize {
    base128_len(value as u64)
}

/// How many bytes [`put_varint`] appends: 1 to 5.
#[inline]
pub const fn varint_len(value: i32) -> usize {
    base128_len(zigzag32(value) as u64)
}

/// How many bytes [`put_varlong`] appends: 1 to 10.
#[inline]
pub const fn varlong_len(value: i64) -> usize {
    base128_len(zigzag64(value))
}

#[inline]
fn put_base128(out: &mut Vec<u8>, mut value: u64) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    if value < 0x4000 {
        out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
        return;
    }
    let mut bytes = [0; 10];
    let mut length = 0;
    for byte in &mut bytes {
        *byte = value as u8 | 0x80;
        value >>= 7;
        length += 1;
        if value == 0 {
            *byte &= 0x7f;
            break;
        }
    }
    out.extend_from_slice(&bytes[..length]);
}

#[inline]
const fn base128_len(value: u64) -> usize {
    // bits / 7, rounded up, without the division; right for 1 to 64 bits.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) >> 6
}

#[inline]
const fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

#[inline]
const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn int32(length: usize) -> i32 {
    i32::try_from(length).expect("requests are bounded far below 2 GiB")
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use std::string::String;
    use std::vec;

    fn written(flexible: bool, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out, flexible));
        out
    }

    #[test]
    fn what_is_written_can_be_read() {
        for flexible in [false, true] {
            let out = written(flexible, |w| {
                w.i8(-8);
                w.i16(-16);
                w.i32(-32);
                w.i64(-64);
                w.bool(true);
                w.uuid(&[7; 16]);
                w.string("größer");
                w.nullable_string(None);
                w.bytes(b"bytes");
                w.nullable_bytes(None);
                w.array_len(2);
                w.i16(1);
                w.i16(2);
                w.null_array();
                w.no_tagged_fields();
            });
            let mut r = Reader::new(&out, flexible);
            assert_eq!(r.i8(""), Ok(-8));
            assert_eq!(r.i16(""), Ok(-16));
            assert_eq!(r.i32(""), Ok(-32));
            assert_eq!(r.i64(""), Ok(-64));
            assert_eq!(r.bool(""), Ok(true));
            assert_eq!(r.uuid(""), Ok([7; 16]));
            assert_eq!(r.string(""), Ok("größer"));
            assert_eq!(r.nullable_string(""), Ok(None));
            assert_eq!(r.bytes(""), Ok(&b"bytes"[..]));
            assert_eq!(r.nullable_bytes(""), Ok(None));
            assert_eq!(r.array("", 2, |r| r.i16("")), Ok(vec![1, 2]));
            assert_eq!(r.nullable_array_len("", 1), Ok(None));
            assert_eq!(r.skip_tagged_fields(), Ok(()));
            assert_eq!(r.finish(), Ok(()));
        }
    }

    #[test]
    fn lengths_have_the_form_of_the_version() {
        assert_eq!(written(false, |w| w.string("ab")), [0, 2, b'a', b'b']);
        assert_eq!(written(true, |w| w.string("ab")), [3, b'a', b'b']);
        assert_eq!(written(false, |w| w.bytes_len(300)), [0, 0, 1, 44]);
        assert_eq!(written(true, |w| w.bytes_len(300)), [0xad, 2]);
        assert_eq!(written(false, |w| w.no_tagged_fields()), []);
        assert_eq!(written(true, |w| w.no_tagged_fields()), [0]);
    }

    #[test]
    #[should_panic(expected = "names are checked")]
    fn a_string_over_kafkas_limit_is_our_own_fault() {
        let long: String = core::iter::repeat_n('x', 32_768).collect();
        written(true, |w| w.string(&long));
    }

    #[test]
    fn a_length_counts_bytes_sent_from_elsewhere() {
        let mut out = vec![9];
        let at = begin_length(&mut out);
        out.extend_from_slice(b"head");
        end_length(&mut out, at, 1000);
        assert_eq!(out, [9, 0, 0, 3, 236, b'h', b'e', b'a', b'd']);
    }

    /// Values at both sides of every change of length, and both ends of the type.
    fn boundaries() -> Vec<u64> {
        let around = |shift: u32| [(1_u64 << shift) - 1, 1 << shift, (1 << shift) + 1];
        let mut values: Vec<u64> = (1..64).flat_map(around).collect();
        values.extend([0, u64::MAX - 1, u64::MAX]);
        values
    }

    #[test]
    fn varints_round_trip_in_the_predicted_length() {
        for value in boundaries() {
            let (unsigned, int, long) = (value as u32, value as i32, value as i64);

            let mut out = Vec::new();
            put_uvarint(&mut out, unsigned);
            assert_eq!(out.len(), uvarint_len(unsigned), "{unsigned}");
            assert_eq!(Reader::new(&out, false).uvarint(""), Ok(unsigned));

            out.clear();
            put_varint(&mut out, int);
            assert_eq!(out.len(), varint_len(int), "{int}");
            assert_eq!(Reader::new(&out, false).varint(""), Ok(int));

            out.clear();
            put_varlong(&mut out, long);
            assert_eq!(out.len(), varlong_len(long), "{long}");
            assert_eq!(Reader::new(&out, false).varlong(""), Ok(long));
        }
    }

    #[test]
    fn varints_have_the_bytes_of_the_specification() {
        let encoded = |value| {
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            out
        };
        assert_eq!(encoded(0), [0]);
        assert_eq!(encoded(-1), [1]);
        assert_eq!(encoded(1), [2]);
        assert_eq!(encoded(-64), [0x7f]);
        assert_eq!(encoded(64), [0x80, 1]);
        assert_eq!(encoded(-8193), [0x81, 0x80, 1]);
        assert_eq!(encoded(i64::MAX).len(), 10);
        assert_eq!(
            encoded(i64::MIN),
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]
        );
    }
}
