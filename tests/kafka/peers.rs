//! Other producers against any cluster, read back with kcat: kcat itself, and Kafka's `ProducerPerformance`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::java::Java;
use crate::process::{Scratch, run};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);
const RECORDS: usize = 20_000;

pub(crate) fn kcat_is_at_home(servers: &str) -> Result<(), String> {
    let scratch = Scratch::new("kcat").map_err(|e| e.to_string())?;
    let file = scratch.path("lines");
    let lines: Vec<String> = (0..RECORDS).map(|n| format!("{n}\n")).collect();
    fs::write(&file, lines.concat()).map_err(|e| e.to_string())?;
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", servers, "-P", "-t", "from-kcat", "-l"]);
    run(kcat.arg(file), LIMIT)?;
    read_back(servers, "from-kcat")
}

pub(crate) fn java_is_at_home(java: &Java, servers: &str) -> Result<(), String> {
    let mut command = java.worker("org.apache.kafka.tools.ProducerPerformance");
    command.args(["--bootstrap-server", servers, "--topic", "from-java"]);
    command.args(["--num-records", &RECORDS.to_string(), "--throughput", "-1"]);
    run(command.arg("--payload-monotonic"), LIMIT)?;
    read_back(servers, "from-java")
}

/// Expects the numbers up to `RECORDS`, each once, and ascending in each partition.
fn read_back(servers: &str, topic: &str) -> Result<(), String> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", servers, "-C", "-t", topic, "-o", "beginning"]);
    kcat.args(["-e", "-q", "-f", "%p %s\n"]);
    let printed = String::from_utf8_lossy(&run(&mut kcat, LIMIT)?).into_owned();
    let mut partitions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for line in printed.lines() {
        let (partition, number) = line.split_once(' ').ok_or(line)?;
        let number = number.parse().map_err(|_| line)?;
        partitions.entry(partition).or_default().push(number);
    }
    if !partitions.values().all(|numbers| numbers.is_sorted()) {
        return Err(format!("{topic}: the order was not kept"));
    }
    let mut all = partitions.into_values().flatten().collect::<Vec<_>>();
    all.sort_unstable();
    match all.iter().copied().eq(0..RECORDS) {
        true => Ok(()),
        false => Err(format!(
            "{topic}: {} records, some lost or twice",
            all.len()
        )),
    }
}
