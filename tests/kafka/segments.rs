//! What lies in a topic's logs, as Kafka's `DumpLogSegments` tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::Kafka;
use crate::process::run;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// A batch as it lies in the log.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The offset of its first record.
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) size: u64,
    /// Kafka's name of it.
    pub(crate) codec: String,
}

/// The batches of each partition, as the log on the first node has them.
pub(crate) fn batches(
    kafka: &Kafka,
    topic: &str,
    partitions: usize,
) -> Result<Vec<Vec<Batch>>, String> {
    let log = |partition| kafka.log(topic, partition).display().to_string();
    let logs: Vec<String> = (0..partitions).map(log).collect();
    let mut command = kafka.java().tool("org.apache.kafka.tools.DumpLogSegments");
    command.args(["--files", &logs.join(",")]);
    let printed = String::from_utf8_lossy(&run(&mut command, LIMIT)?).into_owned();
    let mut logs: Vec<Vec<Batch>> = Vec::new();
    for line in printed.lines() {
        if line.starts_with("Dumping ") {
            logs.push(Vec::new());
        } else if let (Some(batch), Some(last)) = (Batch::parse(line), logs.last_mut()) {
            last.push(batch);
        }
    }
    match logs.len() == partitions && !logs.iter().any(Vec::is_empty) {
        true => Ok(logs),
        false => Err(format!("DumpLogSegments printed {printed}")),
    }
}

impl Batch {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let fields = words.windows(2).map(|pair| (pair[0], pair[1]));
        let fields: BTreeMap<&str, &str> = fields.collect();
        Some(Self {
            first: fields.get("baseOffset:")?.parse().ok()?,
            last: fields.get("lastOffset:")?.parse().ok()?,
            size: fields.get("size:")?.parse().ok()?,
            codec: (*fields.get("compresscodec:")?).to_owned(),
        })
    }
}
