//! Gzip as `java.util.zip.GZIPInputStream` reads it: members one behind the other, and then anything.

use super::{MOST, cut};

/// The flags of a member's header (RFC 1952).
const HEADER_SUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
/// Java does not look at so few bytes behind a member.
const OVERLOOKED: usize = 18;

pub(super) fn open(body: &[u8]) -> Option<Vec<u8>> {
    let (mut opened, mut rest) = member(body, header(body)?, MOST)?;
    while let Some(stream) = header(rest).filter(|_| rest.len() > OVERLOOKED) {
        let (more, behind) = member(rest, stream, MOST - opened.len())?;
        opened.extend(more);
        rest = behind;
    }
    Some(opened)
}

/// Where the Deflate stream of a member begins.
fn header(member: &[u8]) -> Option<usize> {
    let mut rest = member;
    let [0x1f, 0x8b, 8, flags, ..] = cut::<10>(&mut rest)? else {
        return None;
    };
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(cut(&mut rest)?);
        rest = rest.get(usize::from(length)..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & HEADER_SUM != 0 {
        let summed = crc32fast::hash(&member[..member.len() - rest.len()]);
        if u16::from_le_bytes(cut(&mut rest)?) != (summed & 0xffff) as u16 {
            return None;
        }
    }
    Some(member.len() - rest.len())
}

/// Bytes of the shortest Deflate stream.
const SHORTEST: usize = 2;

/// What is in the member at the front whose Deflate stream begins there, and what stands behind it.
fn member(bytes: &[u8], stream: usize, limit: usize) -> Option<(Vec<u8>, &[u8])> {
    let stream = &bytes[stream..];
    let options = zune_inflate::DeflateOptions::default().set_limit(limit);
    let mut decoder = zune_inflate::DeflateDecoder::new_with_options(stream, options);
    let opened = decoder.decode_deflate().ok()?;
    // The decoder does not say where the stream ended: the one trailer that is right for what it found does.
    let (sum, length) = (crc32fast::hash(&opened), opened.len() as u32);
    let trailer = [sum.to_le_bytes(), length.to_le_bytes()].concat();
    let behind = stream.get(SHORTEST..)?;
    let end = SHORTEST + behind.windows(8).position(|bytes| bytes == trailer)?;
    Some((opened, &stream[end + 8..]))
}
