//! Moving the leaders of partitions, by an admin client of Kafka's own that lives as long as the test.

use std::io::{BufRead, Write};
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use crate::broker::Kafka;
use crate::process::Process;

/// The admin client's process.
pub(crate) struct Leaders {
    process: Process,
    input: ChildStdin,
}

impl Leaders {
    pub(crate) fn start(kafka: &Kafka, limit: Duration) -> Result<Self, String> {
        let mut command = kafka.java().source("Leaders.java");
        command.arg(kafka.bootstrap_servers()).stdin(Stdio::piped());
        let mut process = Process::spawn(&mut command, limit)?;
        let input = process.stdin();
        Ok(Self { process, input })
    }

    /// Puts a partition on these nodes and lets the first one lead. What the cluster has against it comes as `Ok(Err)`.
    pub(crate) fn move_to(
        &mut self,
        topic: &str,
        partition: usize,
        nodes: &[usize],
    ) -> Result<Result<(), String>, String> {
        let nodes: Vec<String> = nodes.iter().map(usize::to_string).collect();
        let order = format!("{topic} {partition} {}\n", nodes.join(" "));
        let mut answer = String::new();
        let asked = self.input.write_all(order.as_bytes());
        let answered = asked.and_then(|()| self.process.stdout().read_line(&mut answer));
        answered.map_err(|e| format!("the admin client: {e}"))?;
        Ok(match answer.trim_end() {
            "moved" => Ok(()),
            "" => return Err("the admin client has ended".to_owned()),
            why => Err(why.to_owned()),
        })
    }
}
