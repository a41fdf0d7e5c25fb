//! What it cost, and how that is written down.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::job::{Job, Mode, Settings};

/// When the clock began to run.
pub(crate) struct Start {
    cpu: Duration,
    wall: Instant,
}

/// What some records cost, and how long each one took if that was asked for.
pub(crate) struct Report {
    records: usize,
    cpu: Duration,
    wall: Duration,
    latencies: Vec<u64>,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self {
            cpu: cpu(),
            wall: Instant::now(),
        }
    }

    pub(crate) fn end(&self, records: usize) -> Report {
        Report {
            records,
            cpu: cpu() - self.cpu,
            wall: self.wall.elapsed(),
            latencies: Vec::new(),
        }
    }
}

impl Report {
    /// With the time that each record took, in nanoseconds.
    pub(crate) fn with(self, mut latencies: Vec<u64>) -> Self {
        latencies.sort_unstable();
        Self { latencies, ..self }
    }

    /// One line of JSON.
    pub(crate) fn json(&self, job: &Job) -> String {
        let settings = match job.settings {
            Settings::Default => "default",
            Settings::Tuned => "tuned",
        };
        let mode = match job.mode {
            Mode::Throughput { .. } => "throughput",
            Mode::Latency { .. } => "latency",
        };
        let mut line = format!(
            r#"{{"peer":"{}","mode":"{mode}","size":{},"settings":"{settings}","records":{},"cpu_ns":{},"wall_ns":{},"rss_kb":{}"#,
            job.peer,
            job.size,
            self.records,
            self.cpu.as_nanos(),
            self.wall.as_nanos(),
            peak_rss(),
        );
        if let Mode::Latency { rate, .. } = job.mode {
            line += &format!(r#","rate":{rate}"#);
            for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
                let at = (self.latencies.len() as f64 * part) as usize;
                line += &format!(r#","{name}_us":{:.1}"#, self.latencies[at] as f64 / 1e3);
            }
        }
        line + "}"
    }
}

/// The processor time of all threads.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The most memory that the process had, in KiB.
fn peak_rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|word| word.parse().ok()).unwrap_or(0)
}
