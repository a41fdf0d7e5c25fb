//! None lost, none twice, in order, and where Java puts them.

use std::sync::mpsc::{Receiver, channel};

use crate::broker::Kafka;
use crate::consumer::{places, read_back};
use crate::java::Java;
use crate::ledger::{Ledger, Seat};
use crate::workload::Workload;

const PARTITIONS: usize = 6;
const TOPIC: &str = "letters";

/// Sends a whole workload, says after each answer how many records are acknowledged, and returns the seats it was told.
pub(crate) type Produce =
    fn(&Java, &str, &str, &Workload, &mut dyn FnMut(u64)) -> Result<Vec<Option<Seat>>, String>;

/// Produces `records` records to a Kafka that stays up, and reads all of them back.
pub(crate) fn arrive(java: &Java, records: u64, produce: Produce) -> Result<(), String> {
    let kafka = Kafka::start(java, 1)?;
    kafka.create_topic(TOPIC, PARTITIONS, &[])?;
    let workload = Workload::new(records, PARTITIONS);
    let servers = kafka.bootstrap_servers();
    let told = produce(java, &servers, TOPIC, &workload, &mut |_| ())?;
    compare(&kafka, &workload, &told)
}

/// The same, but Kafka is killed when a third was acknowledged, and comes back on the same data.
pub(crate) fn survive_a_kill(java: &Java, records: u64, produce: Produce) -> Result<(), String> {
    let mut kafka = Kafka::start(java, 1)?;
    kafka.create_topic(TOPIC, PARTITIONS, &[])?;
    let workload = Workload::new(records, PARTITIONS);
    let servers = kafka.bootstrap_servers();
    let (progress, acknowledged) = channel();
    let (told, killed_at) = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_after(&mut kafka, records / 3, acknowledged));
        let told = produce(java, &servers, TOPIC, &workload, &mut |n| {
            let _ = progress.send(n);
        });
        drop(progress);
        (told, killer.join().expect("the killer does not panic"))
    });
    let killed_at = killed_at?;
    if killed_at >= records {
        return Err("Kafka was killed too late to prove anything".to_owned());
    }
    compare(&kafka, &workload, &told?)
}

/// Kills and restarts Kafka, and returns how many records were acknowledged by then.
fn kill_after(kafka: &mut Kafka, mark: u64, acknowledged: Receiver<u64>) -> Result<u64, String> {
    acknowledged
        .iter()
        .find(|&n| n >= mark)
        .ok_or("the producer ended early")?;
    kafka.kill();
    let killed_at = acknowledged.try_iter().last().unwrap_or(mark);
    kafka.restart()?;
    Ok(killed_at)
}

fn compare(kafka: &Kafka, workload: &Workload, told: &[Option<Seat>]) -> Result<(), String> {
    let places = places(kafka.java(), workload.keys(), workload.partitions)?;
    let mut ledger = Ledger::new(workload, places, told);
    read_back(kafka, TOPIC, |line| ledger.read(line))?;
    ledger.close()
}
