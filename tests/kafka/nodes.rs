//! Three nodes, of which now and then the leader of a partition is killed, and comes back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ottla::Compression;

use crate::broker::Kafka;
use crate::delivery::{PARTITIONS, compare};
use crate::java::Java;
use crate::job::{Job, Produce, Running};
use crate::ledger::Told;
use crate::workload::Workload;

const NODES: usize = 3;
const RECORDS: u64 = 100_000;
const KILLS: u64 = 4;
/// What is sent from one kill to the next.
const SHARE: u64 = RECORDS / (KILLS + 1);

/// Three nodes for several trials, from the first one on until the last one is over.
#[derive(Clone, Default)]
pub(crate) struct Nodes(Arc<Mutex<Option<Kafka>>>);

impl Nodes {
    /// Produces to a topic of its own while one leader after another is killed, and reads all records back; compresses
    /// them if this build has the codec.
    pub(crate) fn survive_kills(
        &self,
        java: &Java,
        topic: &str,
        codec: Compression,
        produce: Produce,
    ) -> Result<(), String> {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kafka = match &mut *nodes {
            Some(kafka) => kafka,
            none => none.insert(Kafka::start(java, NODES)?),
        };
        // A trial that failed may have left one dead.
        kafka.restart()?;
        kafka.create_topic(topic, PARTITIONS, &[])?;
        let workload = Workload::new(RECORDS, PARTITIONS);
        let mut job = Job::paced(kafka, topic, workload);
        if codec.is_built_in() {
            job.settings
                .push(("compression.type", codec.name().to_owned()));
        }
        let job = Arc::new(job);
        let told = produce_and_kill(kafka, &job, produce);
        let compared = told.and_then(|told| compare(kafka, &job, &told));
        compared.map_err(|why| job.explain(&why))?;
        // A node that comes back reads all it has.
        kafka.delete_topic(topic)
    }
}

/// Kills a leader at the beginning of each share but the last, and allows no other before the cluster has recovered. The
/// last quarter of a share is kept for the time after the kill, however late that comes.
fn produce_and_kill(
    kafka: &mut Kafka,
    job: &Arc<Job>,
    produce: Produce,
) -> Result<Vec<Told>, String> {
    let running = Running::start(job, produce);
    let mut victims = BTreeSet::new();
    for kill in 0..KILLS {
        let end = (kill + 1) * SHARE;
        job.allow(end - SHARE / 4);
        running.reach(end - SHARE * 7 / 8)?;
        let partition = kill as usize % PARTITIONS;
        let victim = kafka.kill_leader(&job.topic, partition)?;
        job.allow(end);
        victims.insert(victim);
        job.note(format!("node {victim}, leader of {partition}, is killed"));
        kafka.restart()?;
        job.note(format!("node {victim} is back"));
        kafka.settle(&job.topic)?;
        job.note("two or more are in sync");
    }
    if victims.len() < 2 {
        return Err("it was the same node each time".to_owned());
    }
    job.allow(RECORDS);
    let told = running.finish();
    job.note("the producer has ended");
    told
}
