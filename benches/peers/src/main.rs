//! The work of ottla's benches, done by other producers and by ottla; see README.md.
//!
//! ```sh
//! ottla-peers letters|words SIZE >VALUES
//! ottla-peers PEER throughput|latency --size N --values VALUES --settings default|tuned --broker HOST:PORT \
//!     [--compression TYPE] [--records N] [--rate N] [--seconds N]
//! ```

mod asynchronous;
mod job;
#[allow(dead_code)]
#[path = "../../src/measure.rs"]
mod measure;
#[path = "../../src/outcomes.rs"]
mod outcomes;
#[path = "../../src/pace.rs"]
mod pace;
#[allow(dead_code)]
#[path = "../../src/payload.rs"]
mod payload;
mod report;
#[cfg(feature = "confluent-kafka")]
mod with_confluent;
#[cfg(feature = "krafka")]
mod with_krafka;
#[cfg(feature = "librdkafka")]
mod with_librdkafka;
mod with_ottla;
#[cfg(feature = "rskafka")]
mod with_rskafka;

use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use job::Job;
use payload::Payload;

/// Whatever may go wrong: a measurement with a failure in it is none.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match &words[..] {
        [text, size] => values(text, size),
        _ => measured(words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the values that everybody sends.
fn values(text: &str, size: &str) -> Result<(), Failure> {
    let size = size.parse::<NonZeroUsize>()?.get();
    let payload = match text {
        "letters" => Payload::new(size),
        "words" => Payload::words(size),
        other => return Err(format!("there is no text {other}").into()),
    };
    Ok(io::stdout().write_all(payload.text())?)
}

fn measured(words: Vec<String>) -> Result<(), Failure> {
    let job = Job::parse(words.into_iter())?;
    let line = run(&job)?;
    println!("{line}");
    Ok(())
}

fn run(job: &Job) -> Result<String, Failure> {
    let report = match job.peer.as_str() {
        "ottla-tokio" => with_ottla::tokio(job),
        "ottla-blocking" => with_ottla::blocking(job),
        #[cfg(feature = "confluent-kafka")]
        "confluent-kafka" => with_confluent::run(job),
        #[cfg(feature = "krafka")]
        "krafka" => with_krafka::run(job),
        #[cfg(feature = "librdkafka")]
        "librdkafka" => with_librdkafka::run(job),
        #[cfg(feature = "rskafka")]
        "rskafka" => with_rskafka::run(job),
        other => Err(format!("there is no peer {other} in this build").into()),
    };
    Ok(report::json(&report?, job))
}
