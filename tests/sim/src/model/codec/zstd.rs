//! Zstandard as libzstd reads it: frames one behind the other, with or without size and checksum, and skippable ones.

use std::io::Read;

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::MOST;

/// What libzstd takes unless it is told otherwise (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const WIDEST_WINDOW: u64 = 1 << 27;
/// The first bytes of a frame to pass over; the lowest four bits of the first one are free.
const SKIPPABLE: u32 = 0x184d_2a50;
/// In the byte behind a frame's first four.
const RESERVED: u8 = 1 << 3;
const SINGLE_SEGMENT: u8 = 1 << 5;
const SIZE_OF_SIZE: u8 = 0b11 << 6;

pub(super) fn open(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body;
    let mut opened = Vec::new();
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WIDEST_WINDOW);
    while !rest.is_empty() {
        match skip(rest) {
            Some(behind) => rest = behind,
            None => frame(&mut decoder, &mut rest, &mut opened)?,
        }
    }
    Some(opened)
}

/// What stands behind the skippable frame at the front, if there is one; one that is cut off is passed over too.
fn skip(rest: &[u8]) -> Option<&[u8]> {
    let (head, behind) = rest.split_first_chunk()?;
    if u32::from_le_bytes(*head) & !0xf != SKIPPABLE {
        return None;
    }
    let length = behind
        .first_chunk()
        .map(|length| u32::from_le_bytes(*length));
    let behind = length.and_then(|length| behind.get(4 + length as usize..));
    Some(behind.unwrap_or_default())
}

fn frame(decoder: &mut FrameDecoder, rest: &mut &[u8], opened: &mut Vec<u8>) -> Option<()> {
    let descriptor = *rest.get(4)?;
    if descriptor & RESERVED != 0 {
        return None;
    }
    let room = MOST - opened.len();
    let start = opened.len();
    let stream = StreamingDecoder::new_with_decoder(rest, &mut *decoder).ok()?;
    stream.take(room as u64).read_to_end(opened).ok()?;
    let is_sized = descriptor & (SINGLE_SEGMENT | SIZE_OF_SIZE) != 0;
    let length = (opened.len() - start) as u64;
    let is_whole = decoder.is_finished() && (!is_sized || decoder.content_size() == length);
    let said = decoder.get_checksum_from_data();
    let is_intact = said.is_none() || said == decoder.get_calculated_checksum();
    (is_whole && is_intact).then_some(())
}
