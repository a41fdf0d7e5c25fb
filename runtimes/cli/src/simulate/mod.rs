//! `ottla simulate`: trials by seed, on all cores, and what came of them.

pub(crate) mod args;
mod progress;
mod tally;
mod text;

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use ottla_sim::Trial;
use tokio::runtime;

use crate::{Failure, interrupt::Interrupt, output};
use args::Simulate;
use progress::Progress;
use tally::{Breach, Tally};
use text::Words;

/// Runs one trial or many.
pub(crate) fn run(args: &Simulate) -> Result<ExitCode, Failure> {
    match args.trace {
        Some(seed) => trace(seed),
        None => simulate(args),
    }
}

/// One trial with all that happens.
fn trace(seed: u64) -> Result<ExitCode, Failure> {
    let mut trial = Trial::new(seed);
    trial.keep_trace();
    let ended = trial.run();
    let (words, code) = match &ended {
        Ok(_) => {
            let lines: String = trial.trace().map(|line| line + "\n").collect();
            (format!("{lines}seed {seed}: no rule is broken"), 0)
        }
        Err(broken) => (broken.to_string(), 1),
    };
    output::print(&format!("{words}\ndigest {:016x}\n", trial.digest()))?;
    Ok(ExitCode::from(code))
}

fn simulate(args: &Simulate) -> Result<ExitCode, Failure> {
    // It waits for signals, beside the threads that work.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("can't start: {e}")))?;
    let interrupt = runtime.block_on(async { Interrupt::listen() })?;
    let jobs = args.jobs.map_or_else(
        || thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let progress = Progress::start(args);
    let tally = run_all(args, jobs, &progress, &interrupt);
    let time = progress.elapsed();
    progress.end();
    let start = args.seeds.start;
    let words = Words {
        tally: &tally,
        seeds: start..start + tally.trials(),
        jobs,
        time,
        every_case: args.every_case,
    };
    let printed = output::print(&words.to_string());
    let failed = tally.broken() > 0 || args.every_case && !tally.missed().is_empty();
    match interrupt.signal() {
        Some(signal) => signal.end(printed),
        None => printed.map(|()| ExitCode::from(u8::from(failed))),
    }
}

/// Each thread takes the next seed. Whoever takes one runs it to the end, so that there is no gap in the seeds.
fn run_all(args: &Simulate, jobs: usize, progress: &Progress, interrupt: &Interrupt) -> Tally {
    let tally = Mutex::new(Tally::default());
    let seeds = args.seeds.end - args.seeds.start;
    let next = AtomicU64::new(0);
    let work = || {
        while !interrupt.has_come() && !progress.is_late() {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= seeds {
                break;
            }
            let ended = Trial::new(args.seeds.start + n).run();
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(ended.map_err(|broken| Breach::from(&*broken)));
            progress.show(&tally);
        }
    };
    thread::scope(|threads| {
        for _ in 0..jobs {
            threads.spawn(work);
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}
