//! What the command has to say: lines like those of kafka-producer-perf-test, and one of JSON.

use std::time::Duration;

use serde::Serialize;

use super::{
    histogram::Histogram,
    outcomes::{Latest, Outcomes},
};

/// The report, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    records: u64,
    written: u64,
    not_written: u64,
    maybe_written: u64,
    seconds: f64,
    records_per_second: f64,
    megabytes_per_second: f64,
    cpu_seconds: Option<f64>,
    cpu_ns_per_record: Option<f64>,
    max_rss_mb: Option<f64>,
    latency_ms: Latency,
    embedded: bool,
}

#[derive(Debug, Serialize)]
struct Latency {
    avg: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    max: Option<f64>,
}

/// What was measured from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) time: Duration,
    pub(crate) cpu_time: Option<Duration>,
    pub(crate) peak_memory: Option<u64>,
    pub(crate) record_size: usize,
    pub(crate) embedded: bool,
}

impl Report {
    pub(crate) fn new(outcomes: &Outcomes, measured: Measured) -> Self {
        let seconds = measured.time.as_secs_f64();
        let cpu = measured.cpu_time.map(|time| time.as_secs_f64());
        outcomes.with(|written, rest| {
            let tally = &rest.tally;
            let records = written + tally.records();
            let rate = written as f64 / seconds.max(1e-9);
            Self {
                records,
                written,
                not_written: tally.not_written,
                maybe_written: tally.maybe_written,
                seconds: rounded(seconds, 6),
                records_per_second: rounded(rate, 1),
                megabytes_per_second: rounded(megabytes(rate, measured.record_size), 3),
                cpu_seconds: cpu.map(|cpu| rounded(cpu, 6)),
                cpu_ns_per_record: cpu
                    .filter(|_| records > 0)
                    .map(|cpu| rounded(cpu * 1e9 / records as f64, 1)),
                max_rss_mb: measured.peak_memory.map(|peak| rounded(mebi(peak), 1)),
                latency_ms: Latency::new(&rest.latencies),
                embedded: measured.embedded,
            }
        })
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("the report is numbers") + "\n"
    }

    /// What the producer took of the machine, where the system tells.
    pub(crate) fn usage(&self) -> Option<String> {
        let (cpu, each) = self.cpu_seconds.zip(self.cpu_ns_per_record)?;
        let memory = self
            .max_rss_mb
            .map_or_else(String::new, |mb| format!(", {mb:.1} MB of memory at most"));
        let whose = match self.embedded {
            true => ", the embedded cluster's included",
            false => "",
        };
        Some(format!(
            "{cpu:.2} s of CPU time, {each:.0} ns per record{memory}{whose}.\n"
        ))
    }

    /// The last line.
    pub(crate) fn total(&self) -> String {
        let latency = &self.latency_ms;
        let ms = |found: Option<f64>| found.unwrap_or(0.0);
        let whole = |found: Option<f64>| ms(found).round();
        format!(
            "{} records sent, {:.6} records/sec ({:.2} MB/sec), {:.2} ms avg latency, {:.2} ms max latency, {} ms 50th, \
             {} ms 95th, {} ms 99th, {} ms 99.9th.\n",
            self.records,
            self.records_per_second,
            self.megabytes_per_second,
            ms(latency.avg),
            ms(latency.max),
            whole(latency.p50),
            whole(latency.p95),
            whole(latency.p99),
            whole(latency.p999),
        )
    }

    pub(crate) fn all_are_written(&self) -> bool {
        self.written == self.records
    }
}

impl Latency {
    fn new(latencies: &Histogram) -> Self {
        let quantile = |part| latencies.quantile(part).map(|ms| rounded(ms, 4));
        Self {
            avg: latencies.average().map(|ms| rounded(ms, 4)),
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: latencies.max().map(|ms| rounded(ms, 4)),
        }
    }
}

/// The line that comes every few seconds, about the records since the last one.
pub(crate) fn line(records: u64, time: Duration, record_size: usize, latest: Latest) -> String {
    let rate = records as f64 / time.as_secs_f64();
    format!(
        "{records} records sent, {rate:.1} records/sec ({:.2} MB/sec), {:.1} ms avg latency, {:.1} ms max latency.\n",
        megabytes(rate, record_size),
        latest.average().as_secs_f64() * 1e3,
        latest.max.as_secs_f64() * 1e3,
    )
}

/// Megabytes of so many records.
fn megabytes(records: f64, record_size: usize) -> f64 {
    records * mebi(record_size as u64)
}

fn mebi(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}
