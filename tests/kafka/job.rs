//! A workload for a producer, and what is known of it while it is under way.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::broker::Kafka;
use crate::java::Java;
use crate::ledger::Told;
use crate::workload::Workload;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(900);
/// Longer than that: no record expires because Kafka is late to come back.
const PATIENCE: &str = "1800000";
const TICK: Duration = Duration::from_millis(5);
/// A paced job goes this far in a tick.
const STRIDE: u64 = 25;

/// Sends the workload of a job until it is stopped, and gives what it was told of each record; it tells the job of every
/// answer.
pub(crate) type Produce = fn(&Arc<Job>) -> Result<Vec<Told>, String>;

/// The records, where they go, and how far they are.
pub(crate) struct Job {
    pub(crate) java: Java,
    pub(crate) servers: String,
    pub(crate) topic: String,
    pub(crate) workload: Workload,
    /// The producer's settings besides its servers, by Kafka's names.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// A record that is not written does not end the job.
    pub(crate) endures: bool,
    limit: Duration,
    stride: u64,
    allowed: AtomicU64,
    stopped: AtomicBool,
    acknowledged: AtomicU64,
    start: Instant,
    diary: Mutex<Vec<String>>,
}

impl Job {
    /// All records at once, unless fewer are [allowed](Self::allow).
    pub(crate) fn new(kafka: &Kafka, topic: &str, workload: Workload) -> Self {
        Self {
            java: kafka.java().clone(),
            servers: kafka.bootstrap_servers(),
            topic: topic.to_owned(),
            workload,
            settings: vec![
                ("max.block.ms", PATIENCE.to_owned()),
                ("delivery.timeout.ms", PATIENCE.to_owned()),
            ],
            endures: false,
            limit: LIMIT,
            stride: u64::MAX,
            allowed: AtomicU64::new(u64::MAX),
            stopped: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            start: Instant::now(),
            diary: Mutex::default(),
        }
    }

    /// At most 5,000 records a second, and none before it is allowed.
    pub(crate) fn paced(kafka: &Kafka, topic: &str, workload: Workload) -> Self {
        Self {
            stride: STRIDE,
            allowed: AtomicU64::new(0),
            ..Self::new(kafka, topic, workload)
        }
    }

    /// So many records a tick until it is stopped, whatever becomes of them; the whole may take so long.
    pub(crate) fn lasting(
        kafka: &Kafka,
        topic: &str,
        workload: Workload,
        stride: u64,
        limit: Duration,
    ) -> Self {
        Self {
            settings: vec![("max.block.ms", PATIENCE.to_owned())],
            endures: true,
            limit,
            stride,
            ..Self::new(kafka, topic, workload)
        }
    }

    /// Allows the records below a number.
    pub(crate) fn allow(&self, number: u64) {
        self.allowed.store(number, Ordering::Relaxed);
    }

    /// Waits until a record may be sent; false if it may not be any more.
    pub(crate) async fn admit(&self, number: u64, pause: &impl AsyncFn(Duration)) -> bool {
        if number.is_multiple_of(self.stride) {
            pause(TICK).await;
        }
        while self.holds(number) {
            pause(TICK).await;
        }
        !self.is_stopped()
    }

    /// The same, blocking.
    pub(crate) fn admit_blocking(&self, number: u64) -> bool {
        if number.is_multiple_of(self.stride) {
            std::thread::sleep(TICK);
        }
        while self.holds(number) {
            std::thread::sleep(TICK);
        }
        !self.is_stopped()
    }

    /// No further record is sent: the time is up, or the producer has failed.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// So many records were acknowledged.
    pub(crate) fn acknowledge(&self, records: u64) {
        self.acknowledged.store(records, Ordering::Relaxed);
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    fn holds(&self, number: u64) -> bool {
        let allowed = self.allowed.load(Ordering::Relaxed);
        number >= allowed && !self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Keeps what happened, for [`explain`](Self::explain).
    pub(crate) fn note(&self, what: impl Display) {
        let (time, number) = (self.start.elapsed().as_secs_f32(), self.acknowledged());
        let line = format!("{time:7.3} s, {number:6} acknowledged: {what}");
        let diary = self.diary.lock();
        diary.expect("nothing panics while it writes").push(line);
    }

    /// An error, and all that was noted.
    pub(crate) fn explain(&self, why: &str) -> String {
        let diary = self.diary.lock().expect("nothing panics while it writes");
        format!("{why}\n{}", diary.join("\n"))
    }
}

/// A producer at its job, on a thread of its own that nobody has to wait for.
pub(crate) struct Running {
    job: Arc<Job>,
    end: Receiver<Result<Vec<Told>, String>>,
}

impl Running {
    pub(crate) fn start(job: &Arc<Job>, produce: Produce) -> Self {
        let (ended, end) = channel();
        let job = job.clone();
        let theirs = job.clone();
        std::thread::spawn(move || ended.send(produce(&theirs)));
        Self { job, end }
    }

    /// Waits until so many records are acknowledged.
    pub(crate) fn reach(&self, records: u64) -> Result<(), String> {
        while self.job.acknowledged() < records {
            match self.end.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) if self.left().is_zero() => return Err(late()),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Ok(_)) => return Err("the producer ended early".to_owned()),
                Ok(Err(why)) => return Err(why),
                Err(RecvTimeoutError::Disconnected) => return Err(panicked()),
            }
        }
        Ok(())
    }

    /// Waits for the end of the job.
    pub(crate) fn finish(self) -> Result<Vec<Told>, String> {
        match self.end.recv_timeout(self.left()) {
            Ok(seats) => seats,
            Err(RecvTimeoutError::Timeout) => Err(late()),
            Err(RecvTimeoutError::Disconnected) => Err(panicked()),
        }
    }

    fn left(&self) -> Duration {
        self.job.limit.saturating_sub(self.job.start.elapsed())
    }
}

fn late() -> String {
    "the producer ran out of time".to_owned()
}

fn panicked() -> String {
    "the producer panicked".to_owned()
}
