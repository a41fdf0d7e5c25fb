//! `ottla produce`: lines in, records out, and a report of what was written where.

mod digest;
mod input;
mod ledger;
mod lines;
mod outcome;
mod pump;
mod report;
mod shape;
mod text;

use std::{
    pin::pin,
    process::ExitCode,
    time::{Duration, Instant},
};

use ottla::{Config, Setup};
use ottla_sim::Cluster;
use tokio::runtime;

use crate::{
    Failure,
    args::Produce,
    interrupt::{Interrupt, Signal},
    output,
    progress::Progress,
    settings::{PARTITIONS, Settings, longest, take_as_large},
    warnings::Warnings,
};
use input::Input;
use ledger::Ledger;
use outcome::Outcome;
use pump::{Pump, Stop};
use report::Report;
use shape::Shape;
use text::Words;

/// How long what was sent may take after the signal to end.
const GRACE: Duration = Duration::from_secs(5);
const ENDING: &str = "what was sent has up to 5 s to be written; Ctrl-C ends at once";
/// The most partitions that the embedded cluster gets in order to have the one that was asked for.
const MOST_PARTITIONS: i32 = 10_000;
/// What the embedded cluster keeps besides what may be in flight.
const RETENTION: u64 = 1 << 30;

/// Produces, after everything was checked that can be checked before.
pub(crate) fn run(args: &Produce) -> Result<ExitCode, Failure> {
    let settings = Settings::read(&args.target)?;
    let input = Input::open(&args.files)?;
    // One thread besides this one: it drives the producer, this one feeds it.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("can't start: {e}")))?;
    let ended = runtime.block_on(produce(args, settings, input));
    // A name may still be looked up: nobody waits for it.
    runtime.shutdown_background();
    ended
}

async fn produce(args: &Produce, settings: Settings, input: Input) -> Result<ExitCode, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let Settings {
        mut builder,
        embedded,
    } = settings;
    let cluster = if embedded {
        Some(start_cluster(args)?)
    } else {
        None
    };
    if let Some(cluster) = &cluster {
        builder.bootstrap_servers(&cluster.bootstrap_servers());
    }
    let config = builder.build().map_err(|e| Failure::usage(e.to_string()))?;
    let ledger = cluster.map(|cluster| keep_ledger(cluster, args, &config));
    let longest = longest(&config).0;

    let progress = match input.is_typed {
        true => Progress::hidden(),
        false => Progress::start(input.size),
    };
    let mut warnings = Warnings::new(progress.clone());
    let setup = Setup::new(config)
        .on_warning(move |warning| warnings.show(warning.to_string(), Instant::now()));
    let producer = args.target.runtime.start(setup)?;
    let topic = producer.topic(&args.target.topic).map_err(|e| {
        progress.end();
        Failure::usage(format!("--topic {:?}: {e}", args.target.topic))
    })?;

    let start = Instant::now();
    let mut pump = Pump::new(
        producer.clone(),
        topic,
        Shape::new(args),
        progress.clone(),
        ledger,
    );
    let ended = {
        let mut run = pin!(pump.run(input.read(longest)?, interrupt.clone()));
        tokio::select! {
            biased;
            ended = &mut run => ended,
            () = interrupt.came() => {
                let closed = async { tokio::join!(run, producer.close(GRACE)).0 };
                with_a_note(closed, &mut interrupt, &progress).await
            }
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    producer.close(GRACE).await;
    progress.end();
    tell(
        args,
        pump.into_outcome(),
        ended,
        interrupt.signal(),
        seconds,
    )
}

/// Waits for the end, and says so if that takes its time.
async fn with_a_note<T>(
    end: impl Future<Output = T>,
    interrupt: &mut Interrupt,
    progress: &Progress,
) -> T {
    let mut end = pin!(end);
    tokio::select! {
        biased;
        ended = &mut end => ended,
        () = interrupt.lasts() => {
            progress.note("note", ENDING);
            end.await
        }
    }
}

fn start_cluster(args: &Produce) -> Result<Cluster, Failure> {
    let asked = args
        .partition
        .filter(|asked| *asked < MOST_PARTITIONS)
        .unwrap_or(0);
    Cluster::builder()
        .partitions(PARTITIONS.max(asked + 1))
        .start()
        .map_err(|e| Failure::failed(format!("can't start the embedded cluster: {e}")))
}

/// The cluster must not lose what was not yet compared.
fn keep_ledger(cluster: Cluster, args: &Produce, config: &Config) -> Ledger {
    let retention = RETENTION.saturating_add(2 * config.buffer_memory() as u64);
    cluster.with_model(|model| model.set_retention_bytes(retention));
    take_as_large(&cluster, config);
    Ledger::new(cluster, &args.target.topic)
}

/// Reports, and finds the exit code.
fn tell(
    args: &Produce,
    outcome: Outcome,
    ended: Result<(), Stop>,
    signal: Option<Signal>,
    seconds: f64,
) -> Result<ExitCode, Failure> {
    let failure = match ended {
        Err(Stop::Failed(failure)) if failure.code == 2 => return Err(failure),
        Err(Stop::Failed(failure)) => Some(failure.line),
        // Without a record the report has no place for the reason.
        Err(Stop::Refused(reason)) if outcome.tally.records() == 0 => Some(reason),
        Ok(()) | Err(Stop::Refused(_) | Stop::Interrupted) => None,
    };
    let Outcome {
        tally,
        ledger,
        unread,
        notes,
    } = outcome;
    let verdict = ledger.map(|ledger| ledger.verdict(tally.maybe_written));
    let report = Report::new(&args.target.topic, &tally, notes, verdict.as_ref(), seconds);
    let good = report.is_good() && failure.is_none();
    let words = Words {
        report: &report,
        tally: &tally,
        verdict: verdict.as_ref(),
        complete: good && signal.is_none(),
        unread,
        colours: output::shows_colours(),
    };
    let printed = output::print(&match args.json {
        true => report.json(),
        false => words.to_string(),
    });
    output::complain(failure.as_deref().unwrap_or_default());
    match (signal, good) {
        (Some(signal), _) => signal.end(printed),
        (None, good) => printed.map(|()| ExitCode::from(u8::from(!good))),
    }
}
