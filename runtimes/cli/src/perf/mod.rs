//! `ottla perf`: records as fast as they are taken, or at a pace, and a report of rate, latency and CPU time.

pub(crate) mod args;
mod histogram;
mod outcomes;
mod pace;
mod payload;
mod report;
mod sender;
mod trial;
mod usage;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use ottla::{Config, Setup};
use ottla_sim::Cluster;
use tokio::runtime;

use crate::{
    Failure,
    interrupt::{Interrupt, Signal},
    output,
    progress::Progress,
    settings::{PARTITIONS, Settings, longest, take_as_large},
    tally::Fate,
    warnings::Warnings,
};
use args::Perf;
use outcomes::Outcomes;
use payload::Payload;
use report::{Measured, Report};
use trial::{Ended, Trial};

/// How long what was sent may take after the signal to end, so that five seconds are enough for all.
const GRACE: Duration = Duration::from_secs(4);
/// Said if the end takes its time.
const ENDING: &str = "what was sent has up to 4 s to be written; Ctrl-C ends at once";
/// What the embedded cluster keeps: it is there to be measured with, not to be read from.
const RETENTION: u64 = 64 << 20;
/// Reasons that are told, the most frequent ones.
const REASONS: usize = 5;

/// Measures, after everything was checked that can be checked before.
pub(crate) fn run(args: &Perf) -> Result<ExitCode, Failure> {
    let settings = Settings::read(&args.target)?;
    // One thread besides this one: it drives the producer, unless that is another runtime's task.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("can't start: {e}")))?;
    let ended = runtime.block_on(perf(args, settings));
    // A name may still be looked up: nobody waits for it.
    runtime.shutdown_background();
    ended
}

async fn perf(args: &Perf, settings: Settings) -> Result<ExitCode, Failure> {
    let interrupt = Interrupt::listen()?;
    let Settings {
        mut builder,
        embedded,
    } = settings;
    let cluster = if embedded {
        Some(start_cluster()?)
    } else {
        None
    };
    if let Some(cluster) = &cluster {
        builder.bootstrap_servers(&cluster.bootstrap_servers());
    }
    let config = builder.build().map_err(|e| Failure::usage(e.to_string()))?;
    if let Some(cluster) = &cluster {
        take_as_large(cluster, &config);
    }
    let payload = payload(args, &config)?;

    let mut warnings = Warnings::new(Progress::hidden());
    let setup = Setup::new(config)
        .on_warning(move |warning| warnings.show(warning.to_string(), Instant::now()));
    let producer = args.target.runtime.start(setup)?;
    let name = &args.target.topic;
    let topic = producer
        .topic(name)
        .map_err(|e| Failure::usage(format!("--topic {name:?}: {e}")))?;

    let outcomes = Arc::new(Outcomes::new());
    let mut trial = Trial {
        args,
        producer: producer.clone(),
        topic,
        payload: Arc::new(payload),
        outcomes: Arc::clone(&outcomes),
        interrupt: interrupt.clone(),
    };
    let ended = trial.run().await;
    producer.close(GRACE).await;
    tell(args, &outcomes, ended, embedded, interrupt.signal())
}

fn start_cluster() -> Result<Cluster, Failure> {
    Cluster::builder()
        .partitions(PARTITIONS)
        .retention_bytes(RETENTION)
        .start()
        .map_err(|e| Failure::failed(format!("can't start the embedded cluster: {e}")))
}

fn payload(args: &Perf, config: &Config) -> Result<Payload, Failure> {
    let size = args.record_size;
    let (limit, setting) = longest(config);
    match &args.payload_file {
        _ if size > limit => Err(Failure::usage(format!(
            "--record-size {size}: more than {setting}={limit}"
        ))),
        Some(path) => Payload::read(path, size),
        None => Ok(Payload::random(size)),
    }
}

/// Reports, and finds the exit code.
fn tell(
    args: &Perf,
    outcomes: &Outcomes,
    ended: Ended,
    embedded: bool,
    signal: Option<Signal>,
) -> Result<ExitCode, Failure> {
    let measured = Measured {
        time: ended.time,
        cpu_time: ended.cpu_time,
        peak_memory: usage::peak_memory(),
        record_size: args.record_size,
        embedded,
    };
    let report = Report::new(outcomes, measured);
    let shown = show(
        args,
        &(report.usage().unwrap_or_default() + &report.total()),
    );
    let printed = shown.and_then(|()| match args.json {
        true => output::print(&report.json()),
        false => Ok(()),
    });
    for reason in outcomes.reasons().iter().take(REASONS) {
        let fate = match reason.fate {
            Fate::NotWritten => "not written",
            Fate::MaybeWritten => "perhaps written, perhaps not",
        };
        output::complain(&format!("{} {fate}: {}", reason.records, reason.words));
    }
    if let Some(failure) = &ended.failure {
        output::complain(failure);
    }
    let good = report.all_are_written() && ended.failure.is_none();
    match signal {
        Some(signal) => signal.end(printed),
        None => printed.map(|()| ExitCode::from(u8::from(!good))),
    }
}

/// Shows lines for people where they can be read, and do not mix with the JSON.
fn show(args: &Perf, lines: &str) -> Result<(), Failure> {
    match args.json {
        true => {
            output::aside(lines);
            Ok(())
        }
        false => output::print(lines),
    }
}
