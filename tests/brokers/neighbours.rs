//! Other people's Kafka programs, and how each is started.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::java::Java;

/// What `set_up_neighbours` of `tests/lib.sh` has installed, and Java if Kafka's jars are there too.
#[derive(Clone)]
pub(crate) struct Neighbours {
    home: PathBuf,
    pub(crate) java: Option<Java>,
}

/// A cluster that is not Kafka and takes commands: see [`Remote`](crate::remote::Remote).
#[derive(Clone, Copy)]
pub(crate) enum Fake {
    /// franz-go's.
    Kfake,
    /// librdkafka's.
    Mock,
}

/// A program that prints what a topic holds.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    Franz,
    KafkaPython,
    Librdkafka,
    Kafkajs,
}

/// A program that writes records.
#[derive(Clone, Copy)]
pub(crate) enum Writer {
    Franz,
    KafkaPython,
    Librdkafka,
    Java,
}

impl Neighbours {
    /// `None` unless `OTTLA_NEIGHBOURS` names the folder that they were installed to.
    pub(crate) fn from_env() -> Option<Self> {
        let home = PathBuf::from(std::env::var_os("OTTLA_NEIGHBOURS")?);
        let java = Java::from_env();
        Some(Self { home, java })
    }

    pub(crate) fn cluster(&self, fake: Fake, brokers: usize) -> Command {
        let mut command = match fake {
            Fake::Kfake => Command::new(self.home.join("bin/kfake")),
            Fake::Mock => self.python("mock.py"),
        };
        command.arg(brokers.to_string());
        command
    }

    pub(crate) fn reader(&self, reader: Reader, servers: &str, topic: &str) -> Command {
        let mut command = match reader {
            Reader::Franz => self.franz("read"),
            Reader::KafkaPython => self.client("kafka-python", "read"),
            Reader::Librdkafka => self.client("librdkafka", "read"),
            Reader::Kafkajs => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", self.home.join("node/node_modules"));
                node.arg(beside("node/read.js"));
                node
            }
        };
        command.args([servers, topic]);
        command
    }

    /// The writers that are here.
    pub(crate) fn writers(&self) -> impl Iterator<Item = Writer> {
        let java = self.java.as_ref().map(|_| Writer::Java);
        [Writer::Franz, Writer::KafkaPython, Writer::Librdkafka]
            .into_iter()
            .chain(java)
    }

    /// `None` for Java where there is none.
    pub(crate) fn writer(
        &self,
        writer: Writer,
        servers: &str,
        topic: &str,
        codec: &str,
    ) -> Option<Command> {
        let mut command = match writer {
            Writer::Franz => self.franz("write"),
            Writer::KafkaPython => self.client("kafka-python", "write"),
            Writer::Librdkafka => self.client("librdkafka", "write"),
            Writer::Java => self.java.as_ref()?.source("../brokers/Letters.java"),
        };
        command.args([servers, topic, codec]);
        Some(command)
    }

    fn franz(&self, verb: &str) -> Command {
        let mut command = Command::new(self.home.join("bin/franz"));
        command.arg(verb);
        command
    }

    fn client(&self, client: &str, verb: &str) -> Command {
        let mut command = self.python("client.py");
        command.args([client, verb]);
        command
    }

    fn python(&self, file: &str) -> Command {
        let mut command = Command::new(self.home.join("venv/bin/python"));
        // Nothing is to be written beside the sources.
        command.arg("-B").arg(beside("python").join(file));
        command
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Franz => "franz_go",
            Self::KafkaPython => "kafka_python",
            Self::Librdkafka => "librdkafka",
            Self::Kafkajs => "kafkajs",
        })
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Franz => "franz_go",
            Self::KafkaPython => "kafka_python",
            Self::Librdkafka => "librdkafka",
            Self::Java => "java",
        })
    }
}

fn beside(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/brokers").join(file)
}
