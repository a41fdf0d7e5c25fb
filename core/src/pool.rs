//! Chunks of batch memory, taken last in first out so that they are warm.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

/// A stock of chunks of one size.
///
/// A chunk goes out as a [`BytesMut`] of its full length to be written over, is cut to what was written and frozen into
/// [`Bytes`] when its batch is sealed, and comes back when nobody else holds those bytes. What it allocates it keeps, up to
/// what was ever charged to `buffer.memory` at once, until [`trim`](Self::trim).
pub(crate) struct Pool {
    chunk_size: usize,
    free: Vec<BytesMut>,
}

impl Pool {
    pub(crate) fn new(chunk_size: usize) -> Self {
        Self {
            chunk_size,
            free: Vec::new(),
        }
    }

    pub(crate) fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Has at least `count` chunks in stock, unless the allocator has no memory for them.
    pub(crate) fn stock(&mut self, count: usize) -> bool {
        while self.free.len() < count {
            match allocate(self.chunk_size) {
                Some(chunk) => self.free.push(chunk),
                None => return false,
            }
        }
        true
    }

    /// A chunk with any bytes in it, or `None` if the allocator has no memory for it.
    pub(crate) fn take(&mut self) -> Option<BytesMut> {
        match self.free.pop() {
            Some(chunk) => Some(chunk),
            None => allocate(self.chunk_size),
        }
    }

    /// Takes a chunk back that was not frozen.
    pub(crate) fn put(&mut self, chunk: BytesMut) {
        debug_assert_eq!(chunk.len(), self.chunk_size);
        self.free.push(chunk);
    }

    /// Takes a chunk back. One whose bytes somebody still holds is left to its last holder.
    pub(crate) fn give(&mut self, chunk: Bytes) {
        if let Ok(mut chunk) = chunk.try_into_mut()
            && chunk.capacity() >= self.chunk_size
        {
            chunk.resize(self.chunk_size, 0);
            self.free.push(chunk);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// Frees all chunks that are in stock.
    pub(crate) fn trim(&mut self) {
        self.free = Vec::new();
    }
}

/// Allocates a chunk whose `freeze` and way back allocate nothing.
///
/// A `BytesMut` fresh from a vector would get its shared counter at each `freeze` anew. Splitting once gives it the
/// counter for good, at the price of the byte that is split off.
fn allocate(size: usize) -> Option<BytesMut> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(size + 1).ok()?;
    vec.resize(size + 1, 0);
    let mut chunk = Bytes::from(vec).try_into_mut().ok()?;
    drop(chunk.split_to(1));
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_comes_back_to_the_same_place() {
        let mut pool = Pool::new(256);
        let mut chunk = pool.take().unwrap();
        assert_eq!(chunk.len(), 256);
        let place = chunk.as_ptr();
        for _ in 0..3 {
            chunk[..7].copy_from_slice(&[7; 7]);
            chunk.truncate(7);
            pool.give(chunk.freeze());
            chunk = pool.take().unwrap();
            assert_eq!((chunk.as_ptr(), chunk.len()), (place, 256));
        }
    }

    #[test]
    fn bytes_in_somebodys_hands_are_never_reused() {
        let mut pool = Pool::new(256);
        let mut chunk = pool.take().unwrap();
        chunk[..9].copy_from_slice(b"in flight");
        chunk.truncate(9);
        let sent = chunk.freeze();
        pool.give(sent.clone());
        let mut other = pool.take().unwrap();
        other[..9].copy_from_slice(b"different");
        assert_eq!(&sent[..], b"in flight");
    }
}
