//! Work on batches, done without the lock.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use ottla_core::{Compression, Config, Instant, Work};

use crate::shared::Shared;

/// Does the work and hands it back. If a codec panics, its batch goes as it is.
pub(crate) fn do_work(shared: &Shared, now: Instant, mut work: Work) {
    let _ = catch_unwind(AssertUnwindSafe(|| work.run()));
    hand_back(shared, now, work);
}

fn hand_back(shared: &Shared, now: Instant, work: Work) {
    let mut state = shared.lock();
    if state.end.is_none() {
        state.core.handle_work(now, work);
    }
}

/// Work on its way to another thread: if it is dropped there, it comes back undone.
pub(crate) struct Errand {
    shared: Arc<Shared>,
    work: Option<Work>,
}

impl Errand {
    pub(crate) fn new(shared: &Arc<Shared>, work: Work) -> Self {
        Self {
            shared: Arc::clone(shared),
            work: Some(work),
        }
    }

    pub(crate) fn run(mut self) {
        if let Some(work) = self.work.take() {
            do_work(&self.shared, self.shared.clock.now(), work);
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            hand_back(&self.shared, self.shared.clock.now(), work);
        }
    }
}

/// The work takes more than a tenth of a millisecond or two: less is not worth another thread's waking.
pub(crate) fn is_long(work: &Work, config: &Config) -> bool {
    let is_fast = match work.codec() {
        Compression::Lz4 => config.compression_lz4_level() == 9,
        Compression::Zstd => config.compression_zstd_level() <= 3,
        codec => codec == Compression::Snappy,
    };
    let most = match (is_fast, work.codec()) {
        (true, Compression::Zstd) => 16 << 10,
        (true, _) => 64 << 10,
        (false, _) => 4 << 10,
    };
    work.len() > most
}

/// The processors that this process may use.
#[cfg(any(feature = "tokio", feature = "smol"))]
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
