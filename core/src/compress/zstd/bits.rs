//! Bits written low first, as the decoder reads them from the end.

/// Writes bits into a slice that may turn out too small.
pub(super) struct BitWriter<'a> {
    out: &'a mut [u8],
    len: usize,
    /// Bits that are not yet in `out`: the lowest `count` of `bits`, fewer than eight after a flush.
    bits: u64,
    count: u32,
    is_full: bool,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            len: 0,
            bits: 0,
            count: 0,
            is_full: false,
        }
    }

    /// Adds the `count` bits of `value`, which has no others. At most 56 bits fit in between two flushes.
    #[inline(always)]
    pub(super) fn add(&mut self, value: u64, count: u32) {
        debug_assert!(self.count + count <= 64);
        debug_assert!(count == 64 || value >> count == 0);
        self.bits |= value << self.count;
        self.count += count;
    }

    #[inline(always)]
    pub(super) fn flush(&mut self) {
        let whole = self.count / 8;
        match self.out.get_mut(self.len..self.len + 8) {
            Some(place) => place.copy_from_slice(&self.bits.to_le_bytes()),
            None => self.flush_at_the_end(whole as usize),
        }
        self.len += whole as usize;
        self.bits = self.bits.checked_shr(whole * 8).unwrap_or(0);
        self.count &= 7;
    }

    #[cold]
    fn flush_at_the_end(&mut self, whole: usize) {
        let bytes = self.bits.to_le_bytes();
        match self.out.get_mut(self.len..self.len + whole) {
            Some(place) => place.copy_from_slice(&bytes[..whole]),
            None => self.is_full = true,
        }
    }

    /// Ends the stream with the bit that marks its end. Returns its length, or `None` if it did not fit.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.add(1, 1);
        self.finish_unmarked()
    }

    /// Ends a stream that nobody reads from the end, with zero bits up to a whole byte.
    pub(super) fn finish_unmarked(mut self) -> Option<usize> {
        self.count = self.count.next_multiple_of(8);
        self.flush();
        (!self.is_full).then_some(self.len)
    }
}
