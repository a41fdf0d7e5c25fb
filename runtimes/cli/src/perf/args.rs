//! What may be typed after `ottla perf`.

use std::{num::NonZeroU64, path::PathBuf};

use clap::Args;

use crate::target::Target;

/// Produces records as fast as they are taken, or at a steady rate, and reports the rate, the latency and the CPU time.
///
/// Says what kafka-producer-perf-test says, a line every 5 s and one at the end. The time from the first record to the
/// last outcome counts; a record's latency is the time from its send to its outcome, waiting for room included. Above
/// 100,000 records per second it is taken of one record in 64.
///
/// Without a bootstrap server anywhere, an embedded cluster starts in the process, and then its CPU time and its memory
/// are part of what is reported. For figures of the producer alone, run `ottla broker` beside it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Perf {
    #[command(flatten)]
    pub(crate) target: Target,

    /// How many records to send
    #[arg(long, value_name = "N")]
    pub(crate) num_records: NonZeroU64,

    /// Bytes of each value
    #[arg(long, value_name = "BYTES")]
    pub(crate) record_size: usize,

    /// What values are slices of, one behind the other, round and round; otherwise random text, the same in each run
    #[arg(long, value_name = "FILE")]
    pub(crate) payload_file: Option<PathBuf>,

    /// Records per second; -1 for as many as are taken
    #[arg(
        long,
        value_name = "RATE",
        default_value = "-1",
        value_parser = rate,
        allow_negative_numbers = true
    )]
    pub(crate) throughput: Rate,

    /// How many threads send, each its share, with the one producer
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,

    /// Print the report as one line of JSON, and all other lines on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// Records per second in all, if that is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(pub(crate) Option<f64>);

const EXAMPLES: &str = "\
Examples:
  ottla perf --num-records 5000000 --record-size 100
  ottla perf --num-records 1000000 --record-size 1000 --throughput 50000 -X linger.ms=0
  ottla perf --num-records 20000000 --record-size 100 --bootstrap-server localhost:9092 --runtime blocking --json

The JSON has records, written, not_written, maybe_written, seconds, records_per_second (those written),
megabytes_per_second (of values, 2^20 bytes), cpu_seconds (of the process in that time, user and system),
cpu_ns_per_record, max_rss_mb (2^20 bytes), latency_ms (avg, p50, p95, p99, p999, max) and embedded (true if the
cluster ran in the process). What the system does not tell, or what has no value without a record, is null.

Exit codes:
  0  every record is written
  1  some records are not, or perhaps not, written
  2  the command, a setting or a file is no good; nothing was produced
  130, 143, 129  ended by Ctrl-C, SIGTERM or SIGHUP, with a report, after up to 4 s for what had been sent

A second Ctrl-C, half a second or more after the first signal, ends at once. SIGHUP does nothing if it was ignored at the
start, as under nohup.";

fn rate(text: &str) -> Result<Rate, String> {
    match text.parse::<f64>() {
        Ok(-1.0) => Ok(Rate(None)),
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(Rate(Some(rate))),
        _ => Err("expected a number above 0, or -1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_positive_or_none() {
        assert_eq!(rate("-1"), Ok(Rate(None)));
        for (text, value) in [("0.5", 0.5), ("1e-300", 1e-300), ("1e300", 1e300)] {
            assert_eq!(rate(text), Ok(Rate(Some(value))));
        }
        for text in [
            "0", "-0", "1e-400", "-2", "inf", "-inf", "1e400", "NaN", "many", "",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
