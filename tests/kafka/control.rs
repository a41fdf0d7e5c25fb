//! The Java producer doing ottla's work: when both fail, it is the proof that is wrong.

use std::io::{BufRead, BufWriter, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use crate::job::Job;
use crate::ledger::Told;
use crate::process::Process;
use crate::workload::Place;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// Sends the workload with `KafkaProducer`; it reports no seats.
pub(crate) fn produce(job: &Arc<Job>) -> Result<Vec<Told>, String> {
    let mut command = job.java.source("Control.java");
    command.args([&job.servers, &job.topic]);
    command.stdin(Stdio::piped());
    let mut process = Process::spawn(&mut command, LIMIT)?;
    let input = process.stdin();
    std::thread::scope(|scope| {
        let feeding = scope.spawn(move || feed(BufWriter::new(input), job));
        for line in process.stdout().lines() {
            let line = line.map_err(|e| e.to_string())?;
            job.acknowledge(line.parse().map_err(|_| line)?);
        }
        process.finish()?;
        let fed = feeding.join().expect("feeding does not panic");
        fed.map_err(|e| e.to_string())
    })?;
    Ok(vec![Told::Written(None); job.workload.records as usize])
}

fn feed(mut input: impl Write, job: &Job) -> std::io::Result<()> {
    let mut line = Vec::new();
    for number in 0..job.workload.records {
        if !job.admit_blocking(number) {
            break;
        }
        let record = job.workload.record(number);
        line.clear();
        if let Place::Asked(partition) = record.place {
            line.extend_from_slice(partition.to_string().as_bytes());
        }
        line.push(b'|');
        record.line(&mut line);
        line.push(b'\n');
        input.write_all(&line)?;
    }
    input.flush()
}
