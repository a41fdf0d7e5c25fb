//! How long something takes, in wall time and in this process's own processor time, and the middle of several tries.

use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// What some records cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) records: usize,
    /// Processor time of all threads.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Cost {
    /// Does something with so many records.
    pub(crate) fn of(records: usize, work: impl FnOnce()) -> Self {
        let start = Self::begin();
        work();
        start.end(records)
    }

    /// Looks at the clocks.
    pub(crate) fn begin() -> Start {
        Start {
            cpu: cpu(),
            wall: Instant::now(),
        }
    }

    /// Nanoseconds of processor time for each record.
    pub(crate) fn cpu_per_record(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.records as f64
    }

    /// With the time that each record took, in nanoseconds.
    pub(crate) fn with(self, mut times: Vec<u64>) -> Report {
        times.sort_unstable();
        Report { cost: self, times }
    }

    /// Records a second.
    pub(crate) fn rate(&self) -> f64 {
        self.records as f64 / self.wall.as_secs_f64()
    }

    pub(crate) fn add(&mut self, other: Cost) {
        self.records += other.records;
        self.cpu += other.cpu;
        self.wall += other.wall;
    }

    pub(crate) const NONE: Self = Self {
        records: 0,
        cpu: Duration::ZERO,
        wall: Duration::ZERO,
    };
}

/// What some records cost, and how long each of them took, where somebody looked.
pub(crate) struct Report {
    pub(crate) cost: Cost,
    times: Vec<u64>,
}

impl Report {
    /// How long such a share of the records took at most, in microseconds.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        self.times[(self.times.len() as f64 * share) as usize] as f64 / 1e3
    }
}

/// When something began.
pub(crate) struct Start {
    cpu: Duration,
    wall: Instant,
}

impl Start {
    /// What it cost until now.
    pub(crate) fn end(&self, records: usize) -> Cost {
        Cost {
            records,
            cpu: cpu() - self.cpu,
            wall: self.wall.elapsed(),
        }
    }
}

/// The middle cost by processor time.
pub(crate) fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.cpu_per_record().total_cmp(&b.cpu_per_record()));
    costs[costs.len() / 2]
}

/// Keeps this thread, and all that it starts, on these processors.
pub(crate) fn pin(processors: &[usize]) {
    let mut set = CpuSet::new();
    for &processor in processors {
        set.set(processor);
    }
    if let Err(error) = sched_setaffinity(None, &set) {
        eprintln!("the processors {processors:?} are not to be had: {error}");
    }
}

/// The most memory that this process had at once, in bytes.
pub(crate) fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
