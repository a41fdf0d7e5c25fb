//! Reading a topic back with Kafka's own console consumer, and asking Java where keys belong.

use std::fs::{self, File};
use std::io::BufRead;
use std::time::Duration;

use crate::broker::Kafka;
use crate::java::Java;
use crate::process::{Process, Scratch, run};
use crate::workload::NULL;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// Gives every record of a topic, as the line `CreateTime:T|Partition:P|Offset:O|headers|key|value`, and their number.
pub(crate) fn read_back(
    kafka: &Kafka,
    topic: &str,
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<u64, String> {
    let records = count(kafka, topic)?;
    if records == 0 {
        return Ok(0);
    }
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let mut command = kafka.java().worker(class);
    command.args(["--bootstrap-server", &kafka.bootstrap_servers()]);
    command.args(["--topic", topic, "--from-beginning", "--timeout-ms"]);
    command.args(["120000", "--max-messages", &records.to_string()]);
    for what in ["timestamp", "partition", "offset", "headers", "key"] {
        command.args(["--formatter-property", &format!("print.{what}=true")]);
    }
    command.args(["--formatter-property", "key.separator=|"]);
    command.args(["--formatter-property", "headers.separator=;"]);
    command.args(["--formatter-property", &format!("null.literal={NULL}")]);
    let mut process = Process::spawn(&mut command, LIMIT)?;
    let read = lines(process.stdout(), &mut each)?;
    process.finish()?;
    match read == records {
        true => Ok(read),
        false => Err(format!("read {read} of {records} records")),
    }
}

/// The partition, out of `partitions`, where the Java producer puts each key.
pub(crate) fn places(
    java: &Java,
    keys: &[Vec<u8>],
    partitions: usize,
) -> Result<Vec<usize>, String> {
    let scratch = Scratch::new("keys").map_err(|e| e.to_string())?;
    let file = scratch.path("keys");
    let lines = keys.iter().flat_map(|key| [key.as_slice(), b"\n"]);
    fs::write(&file, lines.collect::<Vec<_>>().concat()).map_err(|e| e.to_string())?;
    let mut command = java.source("Placement.java");
    command.arg(partitions.to_string());
    command.stdin(File::open(file).map_err(|e| e.to_string())?);
    let printed = String::from_utf8_lossy(&run(&mut command, LIMIT)?).into_owned();
    let places = printed.lines().map(|line| line.parse().ok());
    let places: Option<Vec<usize>> = places.collect();
    places
        .filter(|places| places.len() == keys.len())
        .ok_or_else(|| format!("Placement printed {printed}"))
}

/// How many records the logs of a topic hold.
pub(crate) fn count(kafka: &Kafka, topic: &str) -> Result<u64, String> {
    let mut command = kafka.java().tool("org.apache.kafka.tools.GetOffsetShell");
    command.args(["--bootstrap-server", &kafka.bootstrap_servers()]);
    command.args(["--topic", topic]);
    let printed = String::from_utf8_lossy(&run(&mut command, LIMIT)?).into_owned();
    let ends = printed
        .lines()
        .map(|line| line.rsplit(':').next()?.parse::<u64>().ok());
    let total: Option<u64> = ends.sum();
    total.ok_or_else(|| format!("GetOffsetShell printed {printed}"))
}

fn lines(
    input: &mut impl BufRead,
    each: &mut impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<u64, String> {
    let mut line = Vec::new();
    for read in 0.. {
        line.clear();
        input
            .read_until(b'\n', &mut line)
            .map_err(|e| e.to_string())?;
        match line.split_last() {
            Some((b'\n', line)) => each(line)?,
            Some(_) => return Err("the last line is cut".to_owned()),
            None => return Ok(read),
        }
    }
    unreachable!("the input ends first")
}
