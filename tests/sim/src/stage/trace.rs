//! What happened, line by line: the last lines to read, all of them as one number.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Lines kept for reading.
const KEPT: usize = 80;

/// The last lines, and a digest of all.
pub(crate) struct Trace {
    seed: u64,
    lines: VecDeque<String>,
    digest: DefaultHasher,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Trace {
        Trace {
            seed,
            lines: VecDeque::with_capacity(KEPT),
            digest: DefaultHasher::new(),
        }
    }

    pub(crate) fn line(&mut self, now: Duration, what: fmt::Arguments<'_>) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        let line = format!("{:>12.6}  {what}", now.as_secs_f64());
        line.hash(&mut self.digest);
        self.lines.push_back(line);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }
}

impl Drop for Trace {
    /// A test that fails shows how it came to that.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}; the last lines of the trace:", self.seed);
            for line in &self.lines {
                eprintln!("{line}");
            }
        }
    }
}
