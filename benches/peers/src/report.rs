//! How it is written down what it cost.

use crate::job::{Job, Mode, Settings};
use crate::measure::{Report, peak_memory};

/// One line of JSON.
pub(crate) fn json(report: &Report, job: &Job) -> String {
    let settings = match job.settings {
        Settings::Default => "default",
        Settings::Tuned => "tuned",
    };
    let mode = match job.mode {
        Mode::Throughput { .. } => "throughput",
        Mode::Latency { .. } => "latency",
    };
    let mut line = format!(
        r#"{{"peer":"{}","mode":"{mode}","size":{},"settings":"{settings}","compression":"{}","records":{},"cpu_ns":{},"wall_ns":{},"rss_kb":{}"#,
        job.peer,
        job.size,
        job.compression.name(),
        report.cost.records,
        report.cost.cpu.as_nanos(),
        report.cost.wall.as_nanos(),
        peak_memory() as u64 / 1024,
    );
    if let Mode::Latency { rate, .. } = job.mode {
        line += &format!(r#","rate":{rate}"#);
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            line += &format!(r#","{name}_us":{:.1}"#, report.micros(share));
        }
    }
    line + "}"
}
