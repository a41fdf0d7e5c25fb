//! What a send takes while another thread compresses: nobody holds the producer's lock for that.

use std::thread;
use std::time::{Duration, Instant};

use ottla::{Producer, Record};

use crate::desk::config;
use crate::elsewhere::{Elsewhere, HERE, THERE};
use crate::measure::pin;
use crate::payload::Payload;
use crate::table::Table;
use crate::{Failure, PARTITIONS};

const SIZE: usize = 1_024;
/// At this rate the codec is busy for more than half of the time.
const GAP: Duration = Duration::from_micros(200);
const RECORDS: usize = 20_000;

/// Megabytes under the slowest codec, and the same without one.
const SETTINGS: [(&str, &[(&str, &str)]); 2] = [
    ("none", &[("batch.size", "1048576"), ("linger.ms", "1000")]),
    (
        "zstd 19",
        &[
            ("batch.size", "1048576"),
            ("linger.ms", "1000"),
            ("max.request.size", "16777216"),
            ("compression.type", "zstd"),
            ("compression.zstd.level", "19"),
        ],
    ),
];

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "a send beside the codec",
        "p50, µs",
        "p99, µs",
        "p99.9, µs",
        "MB compressed at once",
    ]);
    for (codec, settings) in SETTINGS {
        let ways: [(&str, Way); 2] = [("tokio", with_tokio), ("blocking", with_threads)];
        for (name, way) in ways {
            let broker = Elsewhere::start(PARTITIONS);
            pin(&[HERE, THERE]);
            let numbers = way(settings, broker.port()).expect("all are accepted");
            pin(&[HERE]);
            table.row(format!("{codec}, {name}"), &numbers);
        }
    }
    table
}

/// Sends with these settings to the broker at a port.
type Way = fn(&[(&str, &str)], u16) -> Result<[f64; 4], Failure>;

fn with_tokio(settings: &[(&str, &str)], port: u16) -> Result<[f64; 4], Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let _inside = runtime.enter();
    application(&ottla::tokio::start(config(settings, port))?)
}

fn with_threads(settings: &[(&str, &str)], port: u16) -> Result<[f64; 4], Failure> {
    application(&ottla::blocking::start(config(settings, port))?)
}

fn application(producer: &Producer) -> Result<[f64; 4], Failure> {
    let payload = Payload::json(SIZE);
    let topic = producer.topic("letters")?;
    let record = |n| Record::to(topic).value(payload.value(n));
    drop(producer.send_blocking(record(0))?);
    let mut times = Vec::with_capacity(RECORDS);
    for n in 0..RECORDS {
        let start = Instant::now();
        drop(producer.try_send(record(n))?);
        times.push(start.elapsed());
        thread::sleep(GAP.saturating_sub(start.elapsed()));
    }
    producer.close_blocking(Duration::from_secs(30))?;
    times.sort_unstable();
    let micros = |share: f64| times[(share * RECORDS as f64) as usize].as_secs_f64() * 1e6;
    let metrics = producer.metrics();
    let at_once = metrics.compression.bytes_before as f64 / metrics.compression.batches as f64;
    Ok([micros(0.5), micros(0.99), micros(0.999), at_once / 1e6])
}
