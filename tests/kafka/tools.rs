//! Kafka's own tools against the embedded cluster, without tricks: `kafka-topics`, the console consumer, and
//! `kafka-consumer-groups`.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::java::Java;
use crate::process::{Scratch, run};

const LIMIT: Duration = Duration::from_secs(60);
const TOPIC: &str = "letters";
const GROUP: &str = "readers";
const RECORDS: usize = 5_000;

/// A topic is made, read by a group in two turns, and deleted.
pub(crate) fn are_at_home(java: &Java, servers: &str) -> Result<(), String> {
    let tools = Tools { java, servers };
    let create = ["--create", "--partitions", "4", "--replication-factor", "2"];
    tools.topics(&[&create[..], &["--config", "max.message.bytes=2000000"]].concat())?;
    let described = tools.topics(&["--describe"])?;
    for expected in [
        "PartitionCount: 4",
        "ReplicationFactor: 2",
        "max.message.bytes=2000000",
        "Partition: 3",
    ] {
        if !described.contains(expected) {
            return Err(format!("no {expected:?} in {described}"));
        }
    }
    tools.topics(&["--alter", "--partitions", "6"])?;
    let expect = |what: &str, is_so: bool| match is_so {
        true => Ok(()),
        false => Err(what.to_owned()),
    };
    let listed = tools.topics(&["--list"])?;
    expect(
        "the topic is not listed",
        listed.lines().any(|line| line == TOPIC),
    )?;

    tools.produce(0..RECORDS)?;
    tools.consume(0..RECORDS)?;
    // The group goes on where it was.
    tools.produce(RECORDS..RECORDS + 10)?;
    tools.consume(RECORDS..RECORDS + 10)?;
    tools.new_protocol_is_refused()?;

    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let mut groups = java.tool(class);
    groups.args([
        "--bootstrap-server",
        servers,
        "--describe",
        "--group",
        GROUP,
    ]);
    let groups = String::from_utf8_lossy(&run(&mut groups, LIMIT)?).into_owned();
    let lines = groups.lines().filter(|line| line.starts_with(GROUP));
    let columns = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lines: Vec<Vec<String>> = lines.map(columns).collect();
    let committed = |line: &Vec<String>| line.get(3)?.parse::<usize>().ok();
    let committed: Option<Vec<usize>> = lines.iter().map(committed).collect();
    let total = committed
        .ok_or_else(|| groups.clone())?
        .iter()
        .sum::<usize>();
    expect(&groups, lines.len() == 6 && total == RECORDS + 10)?;

    tools.topics(&["--delete"])?;
    let listed = tools.topics(&["--list"])?;
    expect(
        "the topic is still there",
        !listed.lines().any(|line| line == TOPIC),
    )
}

struct Tools<'a> {
    java: &'a Java,
    servers: &'a str,
}

impl Tools<'_> {
    fn topics(&self, words: &[&str]) -> Result<String, String> {
        let mut command = self.java.tool("org.apache.kafka.tools.TopicCommand");
        command
            .args(["--bootstrap-server", self.servers])
            .args(words);
        if words != ["--list"] {
            command.args(["--topic", TOPIC]);
        }
        let printed = run(&mut command, LIMIT)?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    fn produce(&self, numbers: std::ops::Range<usize>) -> Result<(), String> {
        let scratch = Scratch::new("tools").map_err(|e| e.to_string())?;
        let file = scratch.path("lines");
        let lines: Vec<String> = numbers.map(|n| format!("{n}\n")).collect();
        fs::write(&file, lines.concat()).map_err(|e| e.to_string())?;
        let mut kcat = Command::new("kcat");
        kcat.args(["-b", self.servers, "-P", "-t", TOPIC, "-z", "snappy", "-l"]);
        run(kcat.arg(file), LIMIT).map(drop)
    }

    fn consumer(&self, group: &str) -> Command {
        let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let mut command = self.java.worker(class);
        command.args(["--bootstrap-server", self.servers, "--topic", TOPIC]);
        command.args([
            "--group",
            group,
            "--from-beginning",
            "--timeout-ms",
            "30000",
        ]);
        command
    }

    /// Reads as many records with the group as there are numbers, and expects these.
    fn consume(&self, numbers: std::ops::Range<usize>) -> Result<(), String> {
        let mut command = self.consumer(GROUP);
        command.args(["--max-messages", &numbers.len().to_string()]);
        let printed = String::from_utf8_lossy(&run(&mut command, LIMIT)?).into_owned();
        let read: Result<BTreeSet<usize>, _> = printed.lines().map(str::parse).collect();
        match read.is_ok_and(|read| read.into_iter().eq(numbers.clone())) {
            true => Ok(()),
            false => Err(format!("{numbers:?} was expected, not {printed:.500}")),
        }
    }

    /// The consumer complains, and ends, at the latest, with its own time-out.
    fn new_protocol_is_refused(&self) -> Result<(), String> {
        let mut command = self.consumer("newcomers");
        command.args(["--command-property", "group.protocol=consumer"]);
        let output = command.output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        match said.contains("UnsupportedVersionException") {
            true => Ok(()),
            false => Err(format!(
                "the newer protocol of groups was not refused: {said}"
            )),
        }
    }
}
