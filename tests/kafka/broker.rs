//! A real Kafka cluster: one process a node.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::java::Java;
use crate::metadata::Partition;
use crate::node::{Node, Role};
use crate::process::{Process, Scratch, run};

/// What takes longer hangs, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(100);
const CLUSTER_ID: &str = "b3R0bGEtdGVzdHMta2Fma2E";

/// A cluster on 127.0.0.1 that ends, data and all, when it is dropped.
pub(crate) struct Kafka {
    java: Java,
    nodes: Vec<Node>,
    scratch: Scratch,
}

impl Kafka {
    /// Starts so many nodes, broker and controller in each, and waits until each of them knows all.
    pub(crate) fn start(java: &Java, nodes: usize) -> Result<Self, String> {
        Self::with_roles(java, &vec![Role::Both; nodes])
    }

    /// The same with so many brokers, and a controller of its own that lives when they die.
    pub(crate) fn start_apart(java: &Java, brokers: usize) -> Result<Self, String> {
        let mut roles = vec![Role::Broker; brokers];
        roles.push(Role::Controller);
        Self::with_roles(java, &roles)
    }

    fn with_roles(java: &Java, roles: &[Role]) -> Result<Self, String> {
        let scratch = Scratch::new("cluster").map_err(|e| e.to_string())?;
        let nodes = (1..).zip(roles).map(|(id, &role)| Node::new(id, role));
        let nodes = nodes.collect::<Result<_, _>>()?;
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
        self.spawn()?;
        let deadline = Instant::now() + LIMIT;
        (0..self.nodes.len()).try_for_each(|index| self.wait_until_ready(index, deadline))
    }

    /// The same without waiting for them.
    pub(crate) fn spawn(&mut self) -> Result<(), String> {
        let mut nodes = self.nodes.iter_mut();
        nodes.try_for_each(|node| node.start(&self.java, &self.scratch))
    }

    /// Whether each of the brokers knows all.
    pub(crate) fn is_ready(&self) -> bool {
        let brokers = self.brokers().count();
        self.nodes.iter().all(|node| node.is_ready(brokers))
    }

    /// What the nodes complained of last.
    pub(crate) fn last_words(&self) -> String {
        let words = self.nodes.iter().map(|node| node.last_words(&self.scratch));
        words.collect::<Vec<_>>().join("\n")
    }

    /// A node by its id.
    pub(crate) fn node(&mut self, id: usize) -> Result<&mut Node, String> {
        let node = self.nodes.iter_mut().find(|node| node.id == id);
        node.ok_or_else(|| format!("there is no node {id}"))
    }

    /// Waits until every partition of a topic has a leader, and a second node in sync if there is one.
    pub(crate) fn settle(&self, topic: &str) -> Result<(), String> {
        let deadline = Instant::now() + LIMIT;
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
        self.node(leader)?.kill();
        Ok(leader)
    }

    /// The id of the node that leads a partition, if any does.
    pub(crate) fn leader(&self, topic: &str, partition: usize) -> Option<usize> {
        let known = |node: &Node| node.ask(Some(topic)).ok();
        let known = self.brokers().find_map(known)?;
        usize::try_from(known.partitions.get(partition)?.leader).ok()
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
        run(&mut command, LIMIT).map(drop)
    }

    pub(crate) fn delete_topic(&self, name: &str) -> Result<(), String> {
        run(self.topics(name).arg("--delete"), LIMIT).map(drop)
    }

    /// The first segment of a partition's log on the first node.
    pub(crate) fn log(&self, topic: &str, partition: usize) -> PathBuf {
        let data = self.scratch.path(&self.nodes[0].file("data"));
        let folder = data.join(format!("{topic}-{partition}"));
        folder.join("00000000000000000000.log")
    }

    pub(crate) fn java(&self) -> &Java {
        &self.java
    }

    pub(crate) fn bootstrap_servers(&self) -> String {
        let addresses = self.brokers().map(Node::address);
        addresses.collect::<Vec<_>>().join(",")
    }

    fn brokers(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_broker())
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
            Process::spawn(command.arg(&properties), LIMIT)
        });
        let tools: Vec<Process> = tools.collect::<Result<_, _>>()?;
        tools.into_iter().try_for_each(Process::finish)
    }

    fn properties(&self, index: usize) -> String {
        let voters: Vec<String> = self.nodes.iter().filter_map(Node::voter).collect();
        let (replicas, insync) = (self.replicas(), self.insync());
        format!(
            "{own}\
             controller.quorum.voters={voters}\n\
             controller.listener.names=CONTROLLER\n\
             auto.create.topics.enable=false\n\
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
            own = self.nodes[index].properties(&self.scratch),
            voters = voters.join(","),
        )
    }

    fn wait_until_ready(&mut self, index: usize, deadline: Instant) -> Result<(), String> {
        let brokers = self.brokers().count();
        let node = &mut self.nodes[index];
        let why = loop {
            match node.exited() {
                Some(status) => break format!("ended with {status}"),
                None if node.is_ready(brokers) => return Ok(()),
                None if Instant::now() > deadline => break "does not answer".to_owned(),
                None => std::thread::sleep(PAUSE),
            }
        };
        let words = node.last_words(&self.scratch);
        Err(format!("Kafka node {} {why}\n{words}", node.id))
    }

    /// Whether all nodes agree that every partition has a leader, and as many in sync as a record needs.
    fn is_settled(&self, topic: &str) -> bool {
        let insync = self.insync();
        let settled = |node: &Node| {
            let known = node.ask(Some(topic)).ok()?;
            let well = |p: &Partition| p.leader >= 0 && p.in_sync.len() >= insync;
            Some(!known.partitions.is_empty() && known.partitions.iter().all(well))
        };
        self.brokers().all(|node| settled(node) == Some(true))
    }

    /// What each node says of a topic's partitions: `partition: leader of [in sync]`.
    fn describe(&self, topic: &str) -> String {
        let said = |node: &Node| match node.ask(Some(topic)) {
            Ok(known) => known.partitions.iter().map(|p| format!("{p}; ")).collect(),
            Err(error) => error.to_string(),
        };
        let lines = self
            .brokers()
            .map(|node| format!("node {}: {}", node.id, said(node)));
        lines.collect::<Vec<String>>().join("\n")
    }

    fn replicas(&self) -> usize {
        self.brokers().count().min(3)
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
