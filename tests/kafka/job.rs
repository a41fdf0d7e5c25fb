//! A workload for a producer, and what is known of it while it is under way.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::broker::Kafka;
use crate::java::Java;
use crate::ledger::Seat;
use crate::workload::Workload;

const LIMIT: Duration = Duration::from_secs(240);
const TICK: Duration = Duration::from_millis(5);
/// A paced job goes this far in a tick.
const STRIDE: u64 = 25;

/// Sends the whole workload of a job, and gives the seats that it was told; it tells the job of every answer.
pub(crate) type Produce = fn(&Arc<Job>) -> Result<Seats, String>;

/// Where each record is, as far as the producer was told.
pub(crate) type Seats = Vec<Option<Seat>>;

/// The records, where they go, and how far they are.
pub(crate) struct Job {
    pub(crate) java: Java,
    pub(crate) servers: String,
    pub(crate) topic: String,
    pub(crate) workload: Workload,
    stride: u64,
    allowed: AtomicU64,
    given_up: AtomicBool,
    acknowledged: AtomicU64,
    start: Instant,
    diary: Mutex<Vec<String>>,
}

impl Job {
    /// All records at once.
    pub(crate) fn new(kafka: &Kafka, topic: &str, workload: Workload) -> Self {
        Self {
            java: kafka.java().clone(),
            servers: kafka.bootstrap_servers(),
            topic: topic.to_owned(),
            workload,
            stride: u64::MAX,
            allowed: AtomicU64::new(u64::MAX),
            given_up: AtomicBool::new(false),
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

    /// Allows the records below a number, give or take what goes in a tick.
    pub(crate) fn allow(&self, number: u64) {
        self.allowed.store(number, Ordering::Relaxed);
    }

    /// Waits until a record may be sent.
    pub(crate) async fn admit(&self, number: u64, pause: &impl AsyncFn(Duration)) {
        if number.is_multiple_of(self.stride) {
            pause(TICK).await;
            while self.holds(number) {
                pause(TICK).await;
            }
        }
    }

    /// Waits, blocking, until a record may be sent.
    pub(crate) fn admit_blocking(&self, number: u64) {
        if number.is_multiple_of(self.stride) {
            std::thread::sleep(TICK);
            while self.holds(number) {
                std::thread::sleep(TICK);
            }
        }
    }

    /// Holds no record any more: the producer has failed.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
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
        number >= allowed && !self.given_up.load(Ordering::Relaxed)
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
    end: Receiver<Result<Seats, String>>,
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
    pub(crate) fn finish(self) -> Result<Seats, String> {
        match self.end.recv_timeout(self.left()) {
            Ok(seats) => seats,
            Err(RecvTimeoutError::Timeout) => Err(late()),
            Err(RecvTimeoutError::Disconnected) => Err(panicked()),
        }
    }

    fn left(&self) -> Duration {
        LIMIT.saturating_sub(self.job.start.elapsed())
    }
}

fn late() -> String {
    "the producer ran out of time".to_owned()
}

fn panicked() -> String {
    "the producer panicked".to_owned()
}
