//! What takes too long to be done where the core is locked: compressing a batch, and cutting one that was compressed.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use crate::{
    batch::Body,
    compress::{Compression, Encoder},
    id::BatchId,
};

/// Work on a batch's bytes, for the driver to have done wherever it likes: [`run`](Self::run) it, and hand it back with
/// [`ProducerCore::handle_work`](crate::ProducerCore::handle_work).
///
/// It is all there is of those bytes, and it has a place of work that others wait for: it has to come back even if it was
/// not run, and then the batch goes as it is.
pub struct Work {
    pub(crate) batch: BatchId,
    pub(crate) job: Job,
    pub(crate) bench: Box<Bench>,
    /// The batch.
    pub(crate) body: Body,
    /// What it was cut into.
    pub(crate) pieces: Vec<Body>,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    NotBegun,
    Begun,
    Finished,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Compress the batch.
    Compress,
    /// Open the compressed batch, cut it into pieces of at most so many bytes each, and compress them.
    Split(usize),
}

/// A codec and the memory that it works in, kept from work to work.
pub(crate) struct Bench {
    pub(crate) codec: Compression,
    pub(crate) encoder: Encoder,
    /// What lies in several chunks, in one piece.
    pub(crate) whole: Vec<u8>,
    /// What was compressed.
    pub(crate) short: Vec<u8>,
}

impl Work {
    pub(crate) fn new(batch: BatchId, job: Job, bench: Box<Bench>, body: Body) -> Self {
        Self {
            batch,
            job,
            bench,
            body,
            pieces: Vec::new(),
            progress: Progress::NotBegun,
        }
    }

    /// Does it, which takes from microseconds to tens of milliseconds. A second call does nothing.
    pub fn run(&mut self) {
        if self.progress != Progress::NotBegun {
            return;
        }
        self.progress = Progress::Begun;
        match self.job {
            Job::Compress => self.body.compress(&mut self.bench),
            Job::Split(most) => {
                self.pieces = self
                    .body
                    .split_compressed(most, &mut self.bench)
                    .unwrap_or_default();
            }
        }
        self.progress = Progress::Finished;
    }

    /// A codec panicked half way, and left its memory in any state.
    pub(crate) fn is_broken(&self) -> bool {
        self.progress == Progress::Begun
    }

    /// The bytes that are to be worked on, by which a driver may tell short work, done in place, from long work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.raw_len()
    }

    /// There is nothing to do: never so for what the core asks for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The codec that it is done with.
    #[must_use]
    pub fn codec(&self) -> Compression {
        self.bench.codec
    }
}

impl Bench {
    /// `None` if this build does not have the codec.
    pub(crate) fn new(codec: Compression, level: i32) -> Option<Self> {
        Some(Self {
            codec,
            encoder: Encoder::new(codec, level)?,
            whole: Vec::new(),
            short: Vec::new(),
        })
    }

    /// Lets go of memory that a batch of unusual size took.
    pub(crate) fn tidy(&mut self, usual: usize) {
        for memory in [&mut self.whole, &mut self.short] {
            if memory.capacity() > 2 * usual {
                *memory = Vec::new();
            }
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("batch", &self.batch)
            .field("job", &self.job)
            .field("len", &self.len())
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
