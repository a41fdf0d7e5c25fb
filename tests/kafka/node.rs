//! One node of a cluster: its process, its ports, and the part that it plays.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};

use ottla_sim::Port;

use crate::java::Java;
use crate::metadata;
use crate::process::{Scratch, tail};

/// A node that runs, sleeps or is dead; its data outlives it.
pub(crate) struct Node {
    pub(crate) id: usize,
    role: Role,
    /// The port for clients.
    broker: Port,
    controller: Port,
    process: Option<Child>,
    pause: Option<Pause>,
}

/// What a node does for its cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Broker,
    Controller,
    Both,
}

impl Node {
    pub(crate) fn new(id: usize, role: Role) -> Result<Self, String> {
        Ok(Self {
            id,
            role,
            broker: Port::new().map_err(|e| e.to_string())?,
            controller: Port::new().map_err(|e| e.to_string())?,
            process: None,
            pause: None,
        })
    }

    /// Starts the process if there is none.
    pub(crate) fn start(&mut self, java: &Java, scratch: &Scratch) -> Result<(), String> {
        if self.process.is_some() {
            return Ok(());
        }
        let mut command = java.source("Broker.java");
        command.arg(scratch.path(&self.file("properties")));
        let log = scratch.path(&self.file("log"));
        let log = File::options().append(true).create(true).open(log);
        let log = log.map_err(|e| e.to_string())?;
        command.stdout(log.try_clone().map_err(|e| e.to_string())?);
        command.stderr(log).stdin(Stdio::piped());
        self.process = Some(command.spawn().map_err(|e| format!("{command:?}: {e}"))?);
        Ok(())
    }

    /// Ends the process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            self.pause = None;
            let _ = process.wait();
        }
    }

    /// Stops the process with SIGSTOP.
    pub(crate) fn pause(&mut self) -> Result<(), String> {
        let process = self.process.as_ref().ok_or("a dead node can't sleep")?;
        self.pause = Some(Pause::start(process)?);
        Ok(())
    }

    /// Lets the process go on.
    pub(crate) fn resume(&mut self) {
        self.pause = None;
    }

    pub(crate) fn is_broker(&self) -> bool {
        self.role != Role::Controller
    }

    pub(crate) fn address(&self) -> String {
        self.broker.address().to_string()
    }

    /// How this node stands in `controller.quorum.voters`, if it votes.
    pub(crate) fn voter(&self) -> Option<String> {
        let votes = self.role != Role::Broker;
        votes.then(|| format!("{}@{}", self.id, self.controller.address()))
    }

    /// What the node knows, of one topic too if asked.
    pub(crate) fn ask(&self, topic: Option<&str>) -> std::io::Result<metadata::Metadata> {
        metadata::ask(self.broker.address(), topic)
    }

    /// Whether the node knows so many brokers; a controller serves nobody who could ask.
    pub(crate) fn is_ready(&self, brokers: usize) -> bool {
        let knows = |known: metadata::Metadata| known.brokers.len() >= brokers;
        !self.is_broker() || self.ask(None).is_ok_and(knows)
    }

    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.try_wait().ok()?
    }

    /// The end of its log.
    pub(crate) fn last_words(&self, scratch: &Scratch) -> String {
        let log = scratch.path(&self.file("log"));
        tail(&fs::read_to_string(log).unwrap_or_default())
    }

    /// The node's own lines of `server.properties`.
    pub(crate) fn properties(&self, scratch: &Scratch) -> String {
        let clients = format!("PLAINTEXT://{}", self.address());
        let controllers = format!("CONTROLLER://{}", self.controller.address());
        let (roles, listeners) = match self.role {
            Role::Broker => ("broker", clients.clone()),
            Role::Controller => ("controller", controllers),
            Role::Both => ("broker,controller", format!("{clients},{controllers}")),
        };
        let advertised = match self.is_broker() {
            true => format!("advertised.listeners={clients}\n"),
            false => String::new(),
        };
        format!(
            "process.roles={roles}\n\
             node.id={id}\n\
             listeners={listeners}\n\
             {advertised}\
             log.dirs={data}\n",
            id = self.id,
            data = scratch.path(&self.file("data")).display(),
        )
    }

    pub(crate) fn file(&self, what: &str) -> String {
        format!("node-{}.{what}", self.id)
    }
}

/// A process that sleeps until this is dropped.
///
/// A shell of its own stops the process and lets it go on at the end of its input, which comes however the tests end: a
/// process that is stopped could not notice that its leash is cut.
struct Pause(Child);

impl Pause {
    fn start(process: &Child) -> Result<Self, String> {
        let script = "trap : HUP INT TERM; kill -STOP $0 && echo && read _; kill -CONT $0";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, &process.id().to_string()]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut pause = Self(shell.spawn().map_err(|e| e.to_string())?);
        let stdout = pause.0.stdout.as_mut().expect("stdout is piped");
        let stopped = stdout.read_exact(&mut [0]);
        stopped.map_err(|e| format!("a node can't be stopped: {e}"))?;
        Ok(pause)
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
