//! Snappy as snappy-java's `SnappyInputStream` reads it: its own framing, or one raw block, which librdkafka writes.

use super::{MOST, cut};

/// What the framing begins with; two numbers follow, the framing's version and the oldest that can read it.
const MAGIC: &[u8] = b"\x82SNAPPY\0";
const HEADER: usize = 16;
/// In a header behind the first one, which comes where another stream was joined.
const OLDEST_VERSION: i32 = 1;

pub(super) fn open(body: &[u8]) -> Option<Vec<u8>> {
    match body.strip_prefix(MAGIC).and_then(|rest| rest.get(8..)) {
        Some(blocks) => framed(blocks),
        None => {
            let mut opened = Vec::new();
            block(body, &mut opened)?;
            Some(opened)
        }
    }
}

/// Blocks with their lengths in front. Java overlooks what is too short for a length, and all behind a header that is none.
fn framed(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut opened = Vec::new();
    while let Some(length) = rest.first_chunk() {
        if *length == MAGIC[..4] {
            let (header, behind) = rest.split_at_checked(HEADER)?;
            let Some(mut versions) = header.strip_prefix(MAGIC) else {
                break;
            };
            if i32::from_be_bytes(cut(&mut versions)?) < OLDEST_VERSION {
                return None;
            }
            rest = behind;
            continue;
        }
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (compressed, behind) = rest[4..].split_at_checked(length)?;
        block(compressed, &mut opened)?;
        rest = behind;
    }
    Some(opened)
}

fn block(compressed: &[u8], opened: &mut Vec<u8>) -> Option<()> {
    // Nothing at all is no block: even one of nothing has its length.
    let length = snap::raw::decompress_len(compressed).ok();
    let length = length.filter(|_| !compressed.is_empty())?;
    if length > MOST - opened.len() {
        return None;
    }
    opened.extend(snap::raw::Decoder::new().decompress_vec(compressed).ok()?);
    Some(())
}
