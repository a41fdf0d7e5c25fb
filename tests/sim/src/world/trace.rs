//! All that happened: as one number, and the last of it to read.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::fact::{Fact, Line};

/// The facts of a world.
pub(crate) struct Trace {
    lines: VecDeque<Line>,
    /// Lines kept for reading.
    kept: usize,
    digest: DefaultHasher,
    pub(crate) count: u64,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace {
            lines: VecDeque::new(),
            kept: 60,
            digest: DefaultHasher::new(),
            count: 0,
        }
    }

    pub(crate) fn keep(&mut self, lines: usize) {
        self.kept = lines;
    }

    pub(crate) fn add(&mut self, at: Duration, fact: Fact) {
        let line = Line { at, fact };
        line.hash(&mut self.digest);
        self.count += 1;
        if self.lines.len() >= self.kept {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }
}
