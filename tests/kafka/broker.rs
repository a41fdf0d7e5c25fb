//! A real Kafka cluster: one process a node, controller and broker in each.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::java::Java;
use crate::metadata::{self, Partition};
use crate::process::{Process, Scratch, run, tail};

const START_LIMIT: Duration = Duration::from_secs(60);
const TOOL_LIMIT: Duration = Duration::from_secs(60);
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
const CLUSTER_ID: &str = "b3R0bGEtdGVzdHMta2Fma2E";

/// A cluster on 127.0.0.1 that ends, data and all, when it is dropped.
pub(crate) struct Kafka {
    java: Java,
    nodes: Vec<Node>,
    scratch: Scratch,
}

struct Node {
    id: usize,
    broker: u16,
    controller: u16,
    process: Option<Child>,
}

impl Kafka {
    /// Formats the storage of `nodes` nodes, starts them, and waits until each of them knows all.
    pub(crate) fn start(java: &Java, nodes: usize) -> Result<Self, String> {
        let scratch = Scratch::new("cluster").map_err(|e| e.to_string())?;
        let nodes = (1..=nodes).map(Node::new).collect::<Result<_, _>>()?;
        let java = java.clone();
        let mut kafka = Self {
            java,
            nodes,
            scratch,
        };
        kafka.format()?;
        kafka.restart()?;
        Ok(kafka)
    }

    /// Kills every node with SIGKILL.
    pub(crate) fn kill(&mut self) {
        for node in &mut self.nodes {
            node.kill();
        }
    }

    /// Starts the nodes that do not run, on their old data and ports.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        for index in 0..self.nodes.len() {
            if self.nodes[index].process.is_none() {
                self.spawn(index)?;
            }
        }
        let deadline = Instant::now() + START_LIMIT;
        (0..self.nodes.len()).try_for_each(|index| self.wait_until_ready(index, deadline))
    }

    /// Waits until every partition of a topic has a leader, and a second node in sync if there is one.
    pub(crate) fn settle(&self, topic: &str) -> Result<(), String> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        while !self.is_settled(topic) {
            if Instant::now() > deadline {
                return Err(format!("{topic} does not settle\n{}", self.describe(topic)));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Kills the leader of a partition with SIGKILL once the topic is settled, so that nothing acknowledged goes with
    /// it; gives the node's id.
    pub(crate) fn kill_leader(&mut self, topic: &str, partition: usize) -> Result<usize, String> {
        self.settle(topic)?;
        let leader = self.leader(topic, partition);
        let leader = leader.ok_or_else(|| format!("{topic}-{partition} has no leader"))?;
        let node = self.nodes.iter_mut().find(|node| node.id == leader);
        node.ok_or("an unknown node leads")?.kill();
        Ok(leader)
    }

    pub(crate) fn create_topic(
        &self,
        name: &str,
        partitions: usize,
        configs: &[&str],
    ) -> Result<(), String> {
        let mut command = self.topics(name);
        command.args(["--create", "--partitions", &partitions.to_string()]);
        for config in configs {
            command.args(["--config", config]);
        }
        run(&mut command, TOOL_LIMIT).map(drop)
    }

    pub(crate) fn delete_topic(&self, name: &str) -> Result<(), String> {
        run(self.topics(name).arg("--delete"), TOOL_LIMIT).map(drop)
    }

    pub(crate) fn java(&self) -> &Java {
        &self.java
    }

    pub(crate) fn bootstrap_servers(&self) -> String {
        let addresses = self.nodes.iter().map(|n| format!("127.0.0.1:{}", n.broker));
        addresses.collect::<Vec<_>>().join(",")
    }

    fn topics(&self, name: &str) -> Command {
        let mut command = self.java.tool("org.apache.kafka.tools.TopicCommand");
        command.args(["--bootstrap-server", &self.bootstrap_servers()]);
        command.args(["--topic", name]);
        command
    }

    /// Formats the storage of all nodes at the same time.
    fn format(&self) -> Result<(), String> {
        let tools = (0..self.nodes.len()).map(|index| {
            let properties = self.scratch.path(&self.nodes[index].file("properties"));
            fs::write(&properties, self.properties(index)).map_err(|e| e.to_string())?;
            let mut command = self.java.tool("kafka.tools.StorageTool");
            command.args(["format", "--cluster-id", CLUSTER_ID, "--config"]);
            Process::spawn(command.arg(&properties), TOOL_LIMIT)
        });
        let tools: Vec<Process> = tools.collect::<Result<_, _>>()?;
        tools.into_iter().try_for_each(Process::finish)
    }

    fn properties(&self, index: usize) -> String {
        let node = &self.nodes[index];
        let voter = |n: &Node| format!("{}@127.0.0.1:{}", n.id, n.controller);
        let voters: Vec<String> = self.nodes.iter().map(voter).collect();
        let (replicas, insync) = (self.replicas(), self.insync());
        format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             controller.quorum.voters={voters}\n\
             listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{broker}\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={data}\n\
             broker.session.timeout.ms=2000\n\
             broker.heartbeat.interval.ms=500\n\
             leader.imbalance.check.interval.seconds=2\n\
             log.segment.delete.delay.ms=1000\n\
             default.replication.factor={replicas}\n\
             min.insync.replicas={insync}\n\
             offsets.topic.num.partitions=1\n\
             offsets.topic.replication.factor={replicas}\n\
             transaction.state.log.num.partitions=1\n\
             transaction.state.log.replication.factor={replicas}\n\
             transaction.state.log.min.isr={insync}\n\
             group.initial.rebalance.delay.ms=0\n",
            id = node.id,
            voters = voters.join(","),
            broker = node.broker,
            controller = node.controller,
            data = self.scratch.path(&node.file("data")).display(),
        )
    }

    fn spawn(&mut self, index: usize) -> Result<(), String> {
        let node = &mut self.nodes[index];
        let mut command = self.java.source("Broker.java");
        command.arg(self.scratch.path(&node.file("properties")));
        let log = self.scratch.path(&node.file("log"));
        let log = File::options().append(true).create(true).open(log);
        let log = log.map_err(|e| e.to_string())?;
        command.stdout(log.try_clone().map_err(|e| e.to_string())?);
        command.stderr(log).stdin(Stdio::piped());
        node.process = Some(command.spawn().map_err(|e| format!("{command:?}: {e}"))?);
        Ok(())
    }

    fn wait_until_ready(&mut self, index: usize, deadline: Instant) -> Result<(), String> {
        let all = self.nodes.len();
        loop {
            let node = &mut self.nodes[index];
            let why = match node.exited() {
                Some(status) => format!("ended with {status}"),
                None if node.known_brokers() >= all => return Ok(()),
                None if Instant::now() > deadline => "does not answer".to_owned(),
                None => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            let log = self.scratch.path(&node.file("log"));
            let log = fs::read_to_string(log).unwrap_or_default();
            return Err(format!("Kafka node {} {why}\n{}", node.id, tail(&log)));
        }
    }

    /// Whether all nodes agree that every partition has a leader, and as many in sync as a record needs.
    fn is_settled(&self, topic: &str) -> bool {
        let insync = self.insync();
        let settled = |node: &Node| {
            let known = metadata::ask(node.broker, Some(topic)).ok()?;
            let well = |p: &Partition| p.leader >= 0 && p.in_sync.len() >= insync;
            Some(!known.partitions.is_empty() && known.partitions.iter().all(well))
        };
        self.nodes.iter().all(|node| settled(node) == Some(true))
    }

    /// The id of the node that leads a partition, if any does.
    fn leader(&self, topic: &str, partition: usize) -> Option<usize> {
        let known = |node: &Node| metadata::ask(node.broker, Some(topic)).ok();
        let known = self.nodes.iter().find_map(known)?;
        usize::try_from(known.partitions.get(partition)?.leader).ok()
    }

    /// What each node says of a topic's partitions: `partition: leader of [in sync]`.
    fn describe(&self, topic: &str) -> String {
        let said = |node: &Node| match metadata::ask(node.broker, Some(topic)) {
            Ok(known) => known.partitions.iter().map(|p| format!("{p}; ")).collect(),
            Err(error) => error.to_string(),
        };
        let lines = self
            .nodes
            .iter()
            .map(|node| format!("node {}: {}", node.id, said(node)));
        lines.collect::<Vec<String>>().join("\n")
    }

    fn replicas(&self) -> usize {
        self.nodes.len().min(3)
    }

    fn insync(&self) -> usize {
        self.replicas().min(2)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Node {
    fn new(id: usize) -> Result<Self, String> {
        Ok(Self {
            id,
            broker: free_port()?,
            controller: free_port()?,
            process: None,
        })
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn known_brokers(&self) -> usize {
        metadata::ask(self.broker, None).map_or(0, |known| known.brokers.len())
    }

    fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.process.as_mut()?.try_wait().ok()?
    }

    fn file(&self, what: &str) -> String {
        format!("node-{}.{what}", self.id)
    }
}

/// A port below the range that the system gives to outgoing connections: while a broker is down, a client that dials an
/// address in that range over and over can be connected to itself, and the broker then finds its port taken.
fn free_port() -> Result<u16, String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id();
    (0..12_000)
        .map(|_| u32::from(NEXT.fetch_add(1, Ordering::Relaxed)))
        .map(|next| 20_000 + ((start + next) % 12_000) as u16)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .ok_or_else(|| "no free port".to_owned())
}
