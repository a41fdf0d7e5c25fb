//! A batch that is compressed where it lies, and opened again to be cut.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::{Body, put_over};
use crate::{
    compress::{Compression, Encoder, decompress},
    pool::Pool,
    work::Bench,
};

impl Body {
    /// Gives the batch away to be worked on. What stays behind has its numbers, and holds its memory in name.
    pub(crate) fn lend(&mut self, chunk_size: usize) -> Self {
        let stays = Self {
            lent: self.held(chunk_size),
            len: self.len,
            raw_len: self.raw_len,
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            codec: self.codec,
            ..Self::default()
        };
        core::mem::replace(self, stays)
    }

    /// Compresses the records into the chunks that they lie in; they stay as they are if that makes them no shorter.
    ///
    /// The batch is closed for appending, but not sealed yet.
    pub(crate) fn compress(&mut self, bench: &mut Bench) {
        debug_assert!(self.sealed.is_empty() && self.codec == Compression::None);
        let Bench {
            codec,
            encoder,
            whole,
            short,
        } = bench;
        let input = match (self.tail, &self.chunks[..]) {
            (0, [only, ..]) => &only[..self.at],
            _ => {
                gather(&self.chunks, self.len, whole);
                &whole[..]
            }
        };
        let Some(written) = shorter(encoder, input, short) else {
            return;
        };
        (self.tail, self.at) = put_over(&mut self.chunks, 0, 0, &short[..written]);
        (self.raw_len, self.len, self.codec) = (self.len, written, *codec);
    }

    /// Gives the chunks that hold nothing any more back to the pool, and seals the batch.
    pub(crate) fn settle(&mut self, pool: &mut Pool) {
        for chunk in self.chunks.drain((self.tail + 1).min(self.chunks.len())..) {
            pool.put(chunk);
        }
        self.seal();
    }

    /// Opens a sealed and compressed batch, and cuts it as [`split`](Self::split) does; each piece is compressed, if that
    /// makes it shorter. `None` if there is no memory for it.
    pub(crate) fn split_compressed(&self, most: usize, bench: &mut Bench) -> Option<Vec<Self>> {
        let Bench {
            codec,
            encoder,
            whole,
            short,
        } = bench;
        whole.clear();
        for chunk in &self.sealed {
            whole.extend_from_slice(chunk);
        }
        let mut raw = Vec::new();
        // What we compressed ourselves opens.
        decompress(*codec, whole, self.raw_len, &mut raw).ok()?;
        let opened = Self {
            len: raw.len(),
            sealed: [Bytes::from(raw)].into(),
            is_piece: true,
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            ..Self::default()
        };
        let mut pieces = opened.split(most)?;
        for piece in &mut pieces {
            let [bytes] = &mut piece.sealed[..] else {
                continue;
            };
            let len = shorter(encoder, bytes, short);
            if let Some(len) = len {
                *bytes = Bytes::copy_from_slice(&short[..len]);
                (piece.raw_len, piece.len, piece.codec) = (piece.len, len, *codec);
            }
        }
        Some(pieces)
    }
}

/// Puts the `len` bytes of the chunks into one piece.
fn gather(chunks: &[BytesMut], len: usize, whole: &mut Vec<u8>) {
    whole.clear();
    whole.reserve(len);
    for chunk in chunks {
        let rest = len - whole.len();
        whole.extend_from_slice(&chunk[..rest.min(chunk.len())]);
    }
}

/// Compresses `input` into `out`; the length, if that is shorter than the input.
fn shorter(encoder: &mut Encoder, input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let most = input.len().checked_sub(1)?;
    if out.len() < most {
        out.resize(most, 0);
    }
    encoder.compress(input, &mut out[..most])
}
