//! None lost, none twice, in order, and where Java puts them.

use std::sync::Arc;

use crate::broker::Kafka;
use crate::consumer::{places, read_back};
use crate::java::Java;
use crate::job::{Job, Produce, Running};
use crate::ledger::{Ledger, Told};
use crate::workload::Workload;

pub(crate) const PARTITIONS: usize = 6;
const TOPIC: &str = "letters";

/// Produces `records` records to a Kafka that stays up, and reads all of them back.
pub(crate) fn arrive(java: &Java, records: u64, produce: Produce) -> Result<(), String> {
    let (kafka, job) = start(java, records)?;
    let told = Running::start(&job, produce).finish();
    let compared = told.and_then(|told| compare(&kafka, &job, &told));
    compared.map_err(|why| job.explain(&why))
}

/// The same, but Kafka is killed when a third was acknowledged, and comes back on the same data.
pub(crate) fn survive_a_kill(java: &Java, records: u64, produce: Produce) -> Result<(), String> {
    let (mut kafka, job) = start(java, records)?;
    let killed = kill_at_a_third(&mut kafka, &job, produce);
    killed.map_err(|why| job.explain(&why))
}

fn start(java: &Java, records: u64) -> Result<(Kafka, Arc<Job>), String> {
    let kafka = Kafka::start(java, 1)?;
    kafka.create_topic(TOPIC, PARTITIONS, &[])?;
    let workload = Workload::new(records, PARTITIONS);
    let job = Job::new(&kafka, TOPIC, workload);
    Ok((kafka, Arc::new(job)))
}

fn kill_at_a_third(kafka: &mut Kafka, job: &Arc<Job>, produce: Produce) -> Result<(), String> {
    let records = job.workload.records;
    // Some are left for the time after the kill, however late that comes.
    job.allow(records * 2 / 3);
    let running = Running::start(job, produce);
    running.reach(records / 3)?;
    kafka.kill();
    job.allow(records);
    job.note("Kafka is killed");
    kafka.restart()?;
    job.note("Kafka is back");
    compare(kafka, job, &running.finish()?)
}

/// Reads the topic of a job back, and compares it with the workload and with what the producer was told.
pub(crate) fn compare(kafka: &Kafka, job: &Job, told: &[Told]) -> Result<(), String> {
    let workload = &job.workload;
    let places = places(kafka.java(), workload.keys(), workload.partitions)?;
    let mut ledger = Ledger::new(workload, places, told);
    read_back(kafka, &job.topic, |line| ledger.read(line))?;
    ledger.close()
}
