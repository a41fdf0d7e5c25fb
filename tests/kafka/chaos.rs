//! Three brokers that die, sleep and hand over their leaders every few seconds, for minutes, under three producers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla::Compression;

use crate::broker::Kafka;
use crate::delivery::{PARTITIONS, compare};
use crate::java::Java;
use crate::job::{Job, Produce, Running};
use crate::leaders::Leaders;
use crate::ledger::Told;
use crate::workload::{Dice, Workload};

const BROKERS: usize = 3;
/// More than are sent in the longest run.
const RECORDS: u64 = 20_000_000;
/// Records that each producer sends in one tick of its pace.
const STRIDE: u64 = 2;
/// What a run may take beyond its time, until the last record has its outcome.
const END_LIMIT: Duration = Duration::from_secs(600);
const COMEBACK_LIMIT: Duration = Duration::from_secs(300);

/// How long chaos reigns, and by which seed: from `OTTLA_KAFKA_CHAOS` (`5m`, `30s`) and `OTTLA_KAFKA_SEED`.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    time: Duration,
    seed: u64,
}

impl Plan {
    /// `None` unless the environment asks for chaos.
    pub(crate) fn from_env() -> Option<Result<Self, String>> {
        let time = std::env::var("OTTLA_KAFKA_CHAOS").ok()?;
        let seed = match std::env::var("OTTLA_KAFKA_SEED") {
            Ok(seed) => seed.parse().map_err(|_| format!("no seed: {seed}")),
            Err(_) => Ok(from_the_clock()),
        };
        let time = duration(&time).ok_or_else(|| format!("neither 5m nor 30s: {time}"));
        Some(time.and_then(|time| Ok(Self { time, seed: seed? })))
    }
}

/// Produces to a topic from each runtime while the brokers suffer; heals them, and reads all records back.
pub(crate) fn reign(java: &Java, plan: Plan, runtimes: &[(&str, Produce)]) -> Result<(), String> {
    println!("chaos for {:?}, OTTLA_KAFKA_SEED={}", plan.time, plan.seed);
    let mut dice = Dice(plan.seed);
    let mut kafka = Kafka::start_apart(java, BROKERS)?;
    let mut jobs = Vec::new();
    for (runtime, _) in runtimes {
        kafka.create_topic(runtime, PARTITIONS, &[])?;
        jobs.push(Arc::new(job(&kafka, runtime, plan, &mut dice)));
    }
    let running = jobs.iter().zip(runtimes);
    let running: Vec<Running> = running
        .map(|(job, (_, produce))| Running::start(job, *produce))
        .collect();
    let mut chaos = Chaos::start(&mut kafka, &jobs, plan, dice)?;
    let reigned = chaos.reign(Instant::now() + plan.time);
    println!("{}", chaos.report());
    reigned.map_err(|why| explain(&jobs, &why))?;
    jobs.iter().for_each(|job| job.stop());
    for (job, running) in jobs.iter().zip(running) {
        let told = running.finish();
        let judged = told.and_then(|told| judge(&kafka, job, &told));
        judged.map_err(|why| job.explain(&why))?;
    }
    Ok(())
}

/// A topic's records, and a producer with settings of its own for them.
fn job(kafka: &Kafka, topic: &str, plan: Plan, dice: &mut Dice) -> Job {
    let workload = Workload::new(RECORDS, PARTITIONS);
    let mut job = Job::lasting(kafka, topic, workload, STRIDE, plan.time + END_LIMIT);
    let mut pick =
        |values: &[&str]| values[dice.between(0..values.len() as u64) as usize].to_owned();
    let codecs = Compression::ALL.iter().filter(|codec| codec.is_built_in());
    let codecs: Vec<&str> = codecs.map(|codec| codec.name()).collect();
    job.settings.extend([
        ("linger.ms", pick(&["0", "5", "20", "100"])),
        ("batch.size", pick(&["1024", "16384", "16384", "131072"])),
        ("compression.type", pick(&codecs)),
    ]);
    println!("{topic}: {:?}", job.settings);
    job
}

/// Prints what the producer was told, and holds the log against it.
fn judge(kafka: &Kafka, job: &Job, told: &[Told]) -> Result<(), String> {
    let count = |kind: fn(&Told) -> bool| told.iter().filter(|told| kind(told)).count();
    let written = count(|told| matches!(told, Told::Written(_)));
    println!(
        "{}: {} records, {written} written, {} not written, {} perhaps",
        job.topic,
        told.len(),
        count(|told| *told == Told::NotWritten),
        count(|told| *told == Told::MaybeWritten),
    );
    if written * 2 < told.len() {
        return Err("most records were not written, which proves little".to_owned());
    }
    compare(kafka, job, told)
}

/// The brokers' fate, as the dice have it.
struct Chaos<'a> {
    kafka: &'a mut Kafka,
    jobs: &'a [Arc<Job>],
    leaders: Leaders,
    dice: Dice,
    /// What happened, and how often.
    events: BTreeMap<String, u64>,
    victims: BTreeSet<usize>,
    last_fault: Instant,
    gaps: Vec<Duration>,
}

impl<'a> Chaos<'a> {
    fn start(
        kafka: &'a mut Kafka,
        jobs: &'a [Arc<Job>],
        plan: Plan,
        dice: Dice,
    ) -> Result<Self, String> {
        let leaders = Leaders::start(kafka, plan.time + END_LIMIT)?;
        Ok(Self {
            kafka,
            jobs,
            leaders,
            dice,
            events: BTreeMap::new(),
            victims: BTreeSet::new(),
            last_fault: Instant::now(),
            gaps: Vec::new(),
        })
    }

    /// Fault after fault until the deadline; leaves the cluster healed.
    fn reign(&mut self, deadline: Instant) -> Result<(), String> {
        while Instant::now() < deadline {
            self.rest(200..1_500);
            match self.dice.between(0..10) {
                0..4 => self.kill()?,
                4..7 => self.pause()?,
                _ => self.move_leader()?,
            }
        }
        self.settle()
    }

    /// Kills the leader of a partition, and lets leaders move while it comes back.
    fn kill(&mut self) -> Result<(), String> {
        let victim = self.leader()?;
        self.kafka.node(victim)?.kill();
        self.happened("a broker killed", format!("node {victim} is killed"));
        self.rest(0..2_000);
        self.kafka.spawn()?;
        let deadline = Instant::now() + COMEBACK_LIMIT;
        while !self.kafka.is_ready() && Instant::now() < deadline {
            self.rest(300..1_500);
            self.move_leader()?;
        }
        // Says what is wrong if it is not back yet.
        self.kafka.restart()?;
        self.note(format!("node {victim} is back"));
        Ok(())
    }

    /// Stops a leader for a while, half the time for longer than its session with the controller lasts.
    fn pause(&mut self) -> Result<(), String> {
        let victim = self.leader()?;
        let (kind, time) = match self.dice.between(0..2) {
            0 => ("a broker paused within its session", 200..1_500),
            _ => ("a broker paused beyond its session", 2_500..6_000),
        };
        self.kafka.node(victim)?.pause()?;
        self.happened(kind, format!("node {victim} is stopped"));
        self.rest(time);
        self.kafka.node(victim)?.resume();
        self.note(format!("node {victim} goes on"));
        Ok(())
    }

    /// Hands a partition to another leader; a node that is down or behind can't be one, and the cluster says so.
    fn move_leader(&mut self) -> Result<(), String> {
        let (topic, partition) = self.partition();
        let first = self.dice.between(0..BROKERS as u64) as usize;
        let nodes: Vec<usize> = (first..).take(BROKERS).map(|n| n % BROKERS + 1).collect();
        match self.leaders.move_to(&topic, partition, &nodes)? {
            Ok(()) => {
                let what = format!("node {} leads {topic}-{partition}", nodes[0]);
                self.happened("a leader moved", what);
            }
            Err(why) => {
                let class = why.split(':').next().and_then(|why| why.rsplit('.').next());
                let kind = format!("a move refused with {}", class.unwrap_or_default());
                *self.events.entry(kind).or_default() += 1;
                self.note(format!("{topic}-{partition} to node {}: {why}", nodes[0]));
            }
        }
        Ok(())
    }

    /// The leader of some partition in a cluster that is settled: what was acknowledged is on another node too.
    fn leader(&mut self) -> Result<usize, String> {
        self.settle()?;
        let (topic, partition) = self.partition();
        let leader = self.kafka.leader(&topic, partition);
        let leader = leader.ok_or_else(|| format!("{topic}-{partition} has no leader"))?;
        self.victims.insert(leader);
        Ok(leader)
    }

    fn settle(&self) -> Result<(), String> {
        let mut topics = self.jobs.iter().map(|job| &job.topic);
        topics.try_for_each(|topic| self.kafka.settle(topic))
    }

    fn partition(&mut self) -> (String, usize) {
        let job = self.dice.between(0..self.jobs.len() as u64) as usize;
        let partition = self.dice.between(0..PARTITIONS as u64) as usize;
        (self.jobs[job].topic.clone(), partition)
    }

    fn rest(&mut self, milliseconds: std::ops::Range<u64>) {
        std::thread::sleep(Duration::from_millis(self.dice.between(milliseconds)));
    }

    fn happened(&mut self, kind: &str, what: String) {
        *self.events.entry(kind.to_owned()).or_default() += 1;
        self.gaps.push(self.last_fault.elapsed());
        self.last_fault = Instant::now();
        self.note(what);
    }

    fn note(&self, what: String) {
        self.jobs.iter().for_each(|job| job.note(&what));
    }

    fn report(&mut self) -> String {
        self.gaps.sort_unstable();
        let median = self.gaps.get(self.gaps.len() / 2);
        let mut report = format!(
            "{} faults, one every {:.1?} (median; at most {:.1?}); killed or paused: nodes {:?}",
            self.gaps.len(),
            median.unwrap_or(&Duration::ZERO),
            self.gaps.last().unwrap_or(&Duration::ZERO),
            self.victims,
        );
        for (kind, count) in &self.events {
            let _ = write!(report, "\n{count:6} times {kind}");
        }
        report
    }
}

fn explain(jobs: &[Arc<Job>], why: &str) -> String {
    let diaries = jobs.iter().map(|job| job.explain(&job.topic));
    format!("{why}\n{}", diaries.collect::<Vec<_>>().join("\n"))
}

fn from_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// `90s` or `5m`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}
