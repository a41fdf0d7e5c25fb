//! The bar on standard error, if that is a terminal.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output;

/// How far the records have come.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    records: Arc<AtomicU64>,
}

const KNOWN: &str = "{bar:32.cyan/dim} {percent:>3}%  {records} records  {rate}/s  {mb} MB  {eta}";
const UNKNOWN: &str = "{spinner:.cyan} {records} records  {rate}/s  {mb} MB";

impl Progress {
    /// A bar over so many bytes of input, if that is known.
    pub(crate) fn start(size: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::hidden();
        }
        let records = Arc::new(AtomicU64::new(0));
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(10));
        bar.set_style(style(size.map_or(UNKNOWN, |_| KNOWN), &records));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, records }
    }

    /// No bar, where it would be in the way.
    pub(crate) fn hidden() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            records: Arc::default(),
        }
    }

    /// More records have their outcome, with so many bytes of input.
    pub(crate) fn add(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    /// One line on standard error, above the bar.
    pub(crate) fn note(&self, kind: &str, line: &str) {
        self.bar.suspend(|| output::note(kind, line));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str, records: &Arc<AtomicU64>) -> ProgressStyle {
    let counted = Arc::clone(records);
    let count = move |_: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{}", HumanCount(counted.load(Ordering::Relaxed)));
    };
    let counted = Arc::clone(records);
    let rate = move |state: &ProgressState, out: &mut dyn Write| {
        let seconds = state.elapsed().as_secs_f64().max(0.001);
        let rate = counted.load(Ordering::Relaxed) as f64 / seconds;
        let _ = write!(out, "{}", HumanCount(rate as u64));
    };
    let megabytes = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{:.1}", state.pos() as f64 / 1e6);
    };
    ProgressStyle::with_template(template)
        .expect("the template is one of the two above")
        .progress_chars("━╸─")
        .with_key("records", count)
        .with_key("rate", rate)
        .with_key("mb", megabytes)
}
