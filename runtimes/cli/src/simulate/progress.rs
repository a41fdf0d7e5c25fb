//! The bar over the trials, on standard error if that is a terminal.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{args::Simulate, tally::Tally};

/// How far the trials have come.
pub(crate) struct Progress {
    bar: ProgressBar,
    start: Instant,
    limit: Option<Duration>,
}

const TEMPLATE: &str = "{bar:32.cyan/dim} {percent:>3}%  {msg}  {eta}";

impl Progress {
    pub(crate) fn start(args: &Simulate) -> Self {
        let bar = match io::stderr().is_terminal() {
            true => bar(args.seeds.end - args.seeds.start),
            false => ProgressBar::hidden(),
        };
        Self {
            bar,
            start: Instant::now(),
            limit: args.limit.map(|seconds| Duration::from_secs(seconds.get())),
        }
    }

    /// The time is over.
    pub(crate) fn is_late(&self) -> bool {
        self.limit.is_some_and(|limit| self.elapsed() >= limit)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A trial has ended.
    pub(crate) fn show(&self, tally: &Tally) {
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.elapsed().as_secs_f64();
        let time = self
            .limit
            .map_or(0.0, |limit| seconds / limit.as_secs_f64());
        let seeds = self.bar.length().unwrap_or(0);
        let position = tally.trials().max((seeds as f64 * time) as u64);
        self.bar.set_position(position.min(seeds));
        self.bar.set_message(message(tally, seconds));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn bar(seeds: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(seeds), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template(TEMPLATE).expect("the template is the one above");
    bar.set_style(style.progress_chars("━╸─"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn message(tally: &Tally, seconds: f64) -> String {
    let rate = tally.trials() as f64 / seconds.max(0.001);
    let broken = match &tally.first {
        Some(first) => format!(
            "  {} broken, seed {}",
            HumanCount(tally.broken()),
            first.seed
        ),
        None => String::new(),
    };
    format!(
        "{} seeds  {rate:.1}/s  {} records  {:.1} h simulated{broken}",
        HumanCount(tally.trials()),
        HumanCount(tally.report.records),
        tally.report.simulated.as_secs_f64() / 3600.0,
    )
}
