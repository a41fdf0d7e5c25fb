//! Opens what came under a codec, by crates that no producer here compresses with.

use std::borrow::Cow;
use std::io::Read;

/// What a broker takes memory for when it opens a batch.
const MOST: usize = 256 << 20;

/// The records of a batch under the codec of this number; `None` if they are not that codec's.
pub(crate) fn open(codec: i16, body: &[u8]) -> Option<Cow<'_, [u8]>> {
    match codec {
        0 => Some(Cow::Borrowed(body)),
        1 => gzip(body).map(Cow::Owned),
        2 => snappy(body).map(Cow::Owned),
        3 => read(lz4_flex::frame::FrameDecoder::new(body)),
        4 => read(ruzstd::decoding::StreamingDecoder::new(body).ok()?),
        _ => None,
    }
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let options = zune_inflate::DeflateOptions::default().set_limit(MOST);
    zune_inflate::DeflateDecoder::new_with_options(body, options)
        .decode_gzip()
        .ok()
}

/// The framing of snappy-java: a header of 16 bytes, then blocks with their lengths in front.
fn snappy(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body.strip_prefix(b"\x82SNAPPY\0")?.get(8..)?;
    let mut opened = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk() {
        let (block, behind) = behind.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        if snap::raw::decompress_len(block).ok()? > MOST {
            return None;
        }
        opened.extend(snap::raw::Decoder::new().decompress_vec(block).ok()?);
        rest = behind;
    }
    rest.is_empty().then_some(opened)
}

fn read<'a>(decoder: impl Read) -> Option<Cow<'a, [u8]>> {
    let mut opened = Vec::new();
    let read = decoder.take(MOST as u64).read_to_end(&mut opened);
    read.is_ok().then_some(Cow::Owned(opened))
}
