//! The producer's warnings, each reason once in a while.

use std::time::{Duration, Instant};

use crate::progress::Progress;

/// Shows warnings on standard error.
pub(crate) struct Warnings {
    progress: Progress,
    shown: Vec<(String, Instant)>,
}

/// A broker is tried again up to twenty times a second; its reason is news again after this.
const NEWS_AGAIN: Duration = Duration::from_secs(30);
/// Reasons that are remembered.
const REASONS: usize = 100;

impl Warnings {
    pub(crate) fn new(progress: Progress) -> Self {
        Self {
            progress,
            shown: Vec::new(),
        }
    }

    pub(crate) fn show(&mut self, warning: String, now: Instant) {
        if self.is_news(&warning, now) {
            self.progress.note("warning", &warning);
        }
    }

    fn is_news(&mut self, warning: &str, now: Instant) -> bool {
        self.shown
            .retain(|(_, then)| now.duration_since(*then) < NEWS_AGAIN);
        let known = self.shown.iter().any(|(shown, _)| shown == warning);
        if known || self.shown.len() == REASONS {
            return false;
        }
        self.shown.push((warning.to_owned(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_shown_once_in_a_while() {
        let mut warnings = Warnings::new(Progress::hidden());
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let news = [
            ("a", 0),
            ("a", 1),
            ("b", 1),
            ("a", 29),
            ("a", 30),
            ("b", 30),
            ("b", 31),
        ];
        let news = news.map(|(reason, at)| warnings.is_news(reason, after(at)));
        assert_eq!(news, [true, false, true, false, true, false, true]);
    }
}
