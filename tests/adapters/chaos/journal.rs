//! What struck, in the order of time.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

pub(crate) struct Journal {
    start: Instant,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    text: String,
    by_kind: Kinds,
}

/// How often each kind of fault struck.
pub(crate) type Kinds = BTreeMap<&'static str, u64>;

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            entries: Mutex::default(),
        }
    }

    /// Notes something that is no fault.
    pub(crate) fn remark(&self, what: &str) {
        let ms = self.start.elapsed().as_secs_f64() * 1e3;
        writeln!(self.entries().text, "{ms:8.1} ms  {what}").expect("memory takes it");
    }

    pub(crate) fn struck(&self, kind: &'static str, detail: &str) {
        self.remark(&format!("{kind}: {detail}"));
        *self.entries().by_kind.entry(kind).or_default() += 1;
    }

    pub(crate) fn text(&self) -> String {
        self.entries().text.clone()
    }

    pub(crate) fn by_kind(&self) -> Kinds {
        self.entries().by_kind.clone()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
