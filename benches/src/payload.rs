//! What is sent: text, random enough that no two values of a run are alike.

/// Values that are sent in turn; together they stay in the processor's caches, as an application's fresh records do.
pub(crate) const VALUES: usize = 256;

/// Values of one size.
pub(crate) struct Payload {
    text: Vec<u8>,
    size: usize,
}

impl Payload {
    pub(crate) fn new(size: usize) -> Self {
        const LETTERS: &[u8; 32] = b"etaoin shrdlu cmfwyp vbgkqj xz,.";
        // Knuth's MMIX generator: the same text in every run.
        let mut state = 7_u64;
        let mut letter = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            LETTERS[(state >> 59) as usize]
        };
        let text = (0..VALUES * size).map(|_| letter()).collect();
        Self { text, size }
    }

    /// The value of the `n`-th record.
    #[inline]
    pub(crate) fn value(&self, n: usize) -> &[u8] {
        let from = n % VALUES * self.size;
        &self.text[from..from + self.size]
    }
}
