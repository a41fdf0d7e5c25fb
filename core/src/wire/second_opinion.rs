//! For tests: the codec of `kafka-protocol` beside our own, and what hostile bytes do to a decoder.

use super::{DecodeError, check_end};
use bytes::{Bytes, BytesMut};
use core::str::FromStr;
use kafka_protocol::protocol::{Decodable, Encodable};
use std::collections::BTreeSet;
use std::format;
use std::vec::Vec;

/// The bytes of a message as `kafka-protocol` writes it.
pub(super) fn encoded<T: Encodable>(message: &T, version: i16) -> Vec<u8> {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).unwrap();
    out.to_vec()
}

/// The message that `kafka-protocol` finds in our bytes, which it must use up.
pub(super) fn decoded<T: Decodable>(bytes: &[u8], version: i16) -> T {
    let mut rest = Bytes::copy_from_slice(bytes);
    let message = T::decode(&mut rest, version).unwrap();
    assert!(
        rest.is_empty(),
        "version {version}: {} bytes are left",
        rest.len()
    );
    message
}

/// `kafka-protocol`'s type of an id, whose crate is no dependency here.
pub(super) fn uuid<T: FromStr<Err: core::fmt::Debug>>(byte: u8) -> T {
    let b = format!("{byte:02x}");
    let (four, two) = (b.repeat(4), b.repeat(2));
    format!("{four}-{two}-{two}-{two}-{}", b.repeat(6))
        .parse()
        .unwrap()
}

/// A decoder that takes nothing but a whole message, made of one that leaves what follows.
pub(super) fn whole(
    decode: impl Fn(&mut &[u8]) -> Result<(), DecodeError>,
) -> impl Fn(&[u8]) -> Result<(), DecodeError> {
    move |bytes| {
        let mut rest = bytes;
        decode(&mut rest)?;
        check_end(bytes.len() - rest.len(), rest.len())
    }
}

/// The whole decodes, and no beginning of it does.
pub(super) fn every_truncation_fails(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<(), DecodeError>,
) {
    assert_eq!(decode(bytes), Ok(()));
    for length in 0..bytes.len() {
        assert!(
            decode(&bytes[..length]).is_err(),
            "cut to {length} of {}",
            bytes.len()
        );
    }
}

/// As [`every_truncation_fails`], and a byte too many is named.
pub(super) fn only_the_whole_decodes(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<(), DecodeError>,
) {
    every_truncation_fails(bytes, &decode);
    let mut longer = bytes.to_vec();
    longer.push(0);
    let offset = bytes.len();
    assert_eq!(
        decode(&longer),
        Err(DecodeError::TrailingBytes { offset, left: 1 })
    );
}

/// Changed bytes decode to something or to an error; they never panic.
pub(super) fn no_byte_panics(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<(), DecodeError>) {
    let (mut refused, mut tried) = (0, 0);
    let mut attempt = |changed: &[u8]| {
        tried += 1;
        refused += usize::from(decode(changed).is_err());
    };
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 0x23, 0x7f, 0x80, 0xfe, 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            attempt(&changed);
            changed[at..].fill(value);
            attempt(&changed);
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for _ in 0..2000 {
        let mut changed = bytes.to_vec();
        for _ in 0..=random(4) {
            changed[random(bytes.len())] = random(256) as u8;
        }
        attempt(&changed);
    }
    assert!(
        refused > 0 && refused < tried,
        "{refused} of {tried} were refused"
    );
}

/// The arrays in the message, by trial: those that are refused for their length when 2^31 - 1 is
/// written there. Memory for so many elements would end the test.
pub(super) fn arrays_refused(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<(), DecodeError>,
) -> Vec<&'static str> {
    let mut refused = BTreeSet::new();
    for at in 0..bytes.len() {
        let classic = (4, &[0x7f, 0xff, 0xff, 0xff][..]);
        let compact = (1, &[0x80, 0x80, 0x80, 0x80, 0x08][..]);
        for (replaced, length) in [classic, compact] {
            let mut changed = bytes.to_vec();
            changed.splice(at..bytes.len().min(at + replaced), length.iter().copied());
            if let Err(DecodeError::ArrayTooLong { field, length, .. }) = decode(&changed)
                && length == i32::MAX as usize
            {
                refused.insert(field);
            }
        }
    }
    refused.into_iter().collect()
}
