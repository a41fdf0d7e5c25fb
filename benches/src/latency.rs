//! From `send` to the outcome, with a linger of 0, for a sender that keeps its pace; beside it the same request written and
//! its answer read by nobody but the sender.

use std::sync::Arc;
use std::time::Duration;

use ottla::{Producer, Record};

use crate::desk::{Desk, config};
use crate::elsewhere::Elsewhere;
use crate::limit::Line;
use crate::measure::Report;
use crate::outcomes::Outcomes;
use crate::pace::send_at;
use crate::payload::Payload;
use crate::table::Table;
use crate::{Failure, PARTITIONS};

const SIZE: usize = 100;
const RATES: [usize; 2] = [5_000, 50_000];
const SECONDS: usize = 4;
const WARM_UP: usize = 1_000;
const SETTINGS: &[(&str, &str)] = &[("linger.ms", "0")];

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "latency",
        "p50, µs",
        "p99, µs",
        "p99.9, µs",
        "CPU per record, µs",
    ]);
    for rate in RATES {
        let ways: [(&str, Way); 3] = [
            ("tokio", with_tokio),
            ("blocking", with_threads),
            ("a bare socket", with_a_socket),
        ];
        for (name, way) in ways {
            let broker = Elsewhere::start(PARTITIONS);
            let report = way(broker.port(), rate).expect("all are written");
            table.row(
                format!("{rate} records/s, {name}"),
                &[
                    report.micros(0.5),
                    report.micros(0.99),
                    report.micros(0.999),
                    report.cost.cpu_per_record() / 1e3,
                ],
            );
        }
    }
    table
}

/// Sends to the broker at a port, so many records a second.
type Way = fn(u16, usize) -> Result<Report, Failure>;

fn with_tokio(port: u16, rate: usize) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let _inside = runtime.enter();
    let producer = ottla::tokio::start(config(SETTINGS, port))?;
    application(&producer, rate)
}

fn with_threads(port: u16, rate: usize) -> Result<Report, Failure> {
    let producer = ottla::blocking::start(config(SETTINGS, port))?;
    application(&producer, rate)
}

/// Sends from this thread; outcomes come to callbacks.
fn application(producer: &Producer, rate: usize) -> Result<Report, Failure> {
    let payload = Payload::new(SIZE);
    let topic = producer.topic("letters")?;
    let record = |n| Record::to(topic).value(payload.value(n));
    for n in 0..WARM_UP {
        producer.send_blocking(record(n))?.wait()?;
    }
    let records = rate * SECONDS;
    let outcomes = Arc::new(Outcomes::timed(records));
    let report = send_at(rate, records, &outcomes, |n| {
        let outcomes = Arc::clone(&outcomes);
        let end = move |outcome: Result<_, _>| outcomes.end(n, outcome.is_ok());
        Ok(producer.send_with_blocking(record(n), end)?)
    })?;
    producer.close_blocking(Duration::from_secs(10))?;
    Ok(report)
}

/// One record in each request, the same every time.
fn with_a_socket(port: u16, rate: usize) -> Result<Report, Failure> {
    let (mut desk, topic) = Desk::new(SETTINGS, PARTITIONS);
    desk.tap = Some(Vec::new());
    desk.send_all(topic, &Payload::new(SIZE), 1);
    let requests = desk.tap.take().unwrap_or_default();
    let mut line = Line::to(port);
    line.round(&requests);
    let records = rate * SECONDS;
    let outcomes = Outcomes::timed(records);
    send_at(rate, records, &outcomes, |n| {
        line.round(&requests);
        outcomes.end(n, true);
        Ok(())
    })
}
