//! Opens what came under a codec, by crates that no producer here compresses with.
//!
//! Each file takes what Kafka 4.3 takes and refuses what it refuses: `tests/batches` holds them against it.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::borrow::Cow;

/// What a broker takes memory for when it opens a batch.
const MOST: usize = 256 << 20;

/// The records of a batch under the codec of this number; `None` if they are not that codec's.
pub(crate) fn open(codec: i16, body: &[u8]) -> Option<Cow<'_, [u8]>> {
    match codec {
        0 => Some(Cow::Borrowed(body)),
        1 => gzip::open(body).map(Cow::Owned),
        2 => snappy::open(body).map(Cow::Owned),
        3 => lz4::open(body).map(Cow::Owned),
        4 => zstd::open(body).map(Cow::Owned),
        _ => None,
    }
}

/// Cuts a number off the front, its bytes in the order in which a stream has them.
fn cut<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (number, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*number)
}
