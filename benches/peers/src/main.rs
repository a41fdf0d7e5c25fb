//! The work of ottla's benches, done by other producers and by ottla; see README.md.
//!
//! ```sh
//! ottla-peers PEER throughput|latency --size N --settings default|tuned --broker HOST:PORT \
//!     [--records N] [--rate N] [--seconds N]
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
use std::process::ExitCode;

use job::Job;

/// Whatever may go wrong: a measurement with a failure in it is none.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match Job::parse(std::env::args().skip(1)).and_then(|job| run(&job)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
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
