//! What a record costs in ottla. One word for each bench:
//!
//! ```sh
//! cargo build --release --package ottla-benches --package ottla-null-broker
//! cargo run --release --package ottla-benches -- append drive limit adapters latency contention scale memory compression beside
//! ```
//!
//! Everything that is measured runs on one processor, and the broker, if there is one, on another. Numbers of one run may
//! be compared with each other, and with nothing else: machines differ, and are noisy.

mod adapters;
mod append;
mod beside;
mod compression;
mod contention;
mod desk;
mod drive;
mod elsewhere;
mod latency;
mod limit;
mod measure;
mod memory;
mod outcomes;
mod pace;
mod payload;
mod scale;
mod table;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The settings that are measured: the default ones, and batches as large as a request.
const SETTINGS: [(&str, &[(&str, &str)]); 2] = [
    ("default", &[]),
    ("tuned", &[("linger.ms", "10"), ("batch.size", "1048576")]),
];

/// The sizes of values that are measured.
const SIZES: [usize; 2] = [100, 1024];

/// Of several tries the middle one counts.
const TRIES: usize = 5;
/// Of the one topic.
const PARTITIONS: i32 = 6;

/// Whatever may go wrong.
type Failure = Box<dyn Error + Send + Sync>;

/// A bench: a word to ask for it by, and what it does.
type Bench = (&'static str, fn() -> Table);

const BENCHES: [Bench; 10] = [
    ("append", append::run),
    ("drive", drive::run),
    ("limit", limit::run),
    ("adapters", adapters::run),
    ("latency", latency::run),
    ("contention", contention::run),
    ("scale", scale::run),
    ("compression", compression::run),
    ("beside", beside::run),
    ("memory", memory::run),
];

/// How many records of a size one try sends.
fn records_of(size: usize) -> usize {
    if size < 500 { 3_000_000 } else { 600_000 }
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let mut runs = Vec::new();
    for name in &names {
        let Some((_, run)) = BENCHES.iter().find(|(known, _)| known == name) else {
            eprintln!("there is no bench {name}");
            return ExitCode::FAILURE;
        };
        runs.push(run);
    }
    if runs.is_empty() {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        eprintln!("which bench? {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    measure::pin(&[elsewhere::HERE]);
    for run in runs {
        println!("{}", run());
    }
    ExitCode::SUCCESS
}
