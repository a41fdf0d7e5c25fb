//! What is asked for on the command line.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ottla::Compression;

use crate::Failure;
use crate::payload::Payload;

/// The one topic that is written to.
pub(crate) const TOPIC: &str = "letters";
/// Bytes that a producer may hold, where it has such a limit.
pub(crate) const BUFFER: usize = 32 << 20;
/// Records without an outcome that the application allows, if they are small.
const OUTSTANDING: usize = 100_000;

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) peer: String,
    pub(crate) mode: Mode,
    pub(crate) size: usize,
    pub(crate) settings: Settings,
    /// At the peer's own default level.
    pub(crate) compression: Compression,
    pub(crate) values: PathBuf,
    pub(crate) broker: String,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// As many records as fast as they go.
    Throughput { records: usize },
    /// So many records a second, without linger.
    Latency { rate: usize, seconds: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settings {
    Default,
    Tuned,
}

impl Job {
    /// `PEER MODE --size N --values FILE --settings default|tuned --broker HOST:PORT [--compression TYPE] [--records N]
    /// [--rate N] [--seconds N]`
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let peer = words.next().ok_or("which peer?")?;
        let mode = words.next().ok_or("which mode?")?;
        let mut options = HashMap::new();
        while let Some(name) = words.next() {
            let value = words.next().ok_or(format!("{name} takes a value"))?;
            options.insert(name, value);
        }
        let number = |name: &str, usual: usize| {
            let given = options.get(name).map(|value| value.parse());
            given
                .unwrap_or(Ok(usual))
                .map_err(|_| format!("{name} takes a number"))
        };
        let size = number("--size", 100)?;
        let mode = match mode.as_str() {
            "throughput" => Mode::Throughput {
                records: number("--records", if size < 500 { 3_000_000 } else { 600_000 })?,
            },
            "latency" => Mode::Latency {
                rate: number("--rate", 5_000)?,
                seconds: number("--seconds", 10)?,
            },
            other => return Err(format!("there is no mode {other}").into()),
        };
        let settings = match options.get("--settings").map(String::as_str) {
            None | Some("default") => Settings::Default,
            Some("tuned") => Settings::Tuned,
            Some(other) => return Err(format!("there are no settings {other}").into()),
        };
        let compression = options.get("--compression").map_or("none", String::as_str);
        let mut codecs = Compression::ALL.into_iter();
        let compression = codecs.find(|codec| codec.name() == compression);
        let compression = compression.ok_or("there is no such --compression")?;
        let values = options.remove("--values");
        let values = values.ok_or("--values FILE is missing")?.into();
        let broker = options
            .remove("--broker")
            .ok_or("--broker HOST:PORT is missing")?;
        Ok(Self {
            peer,
            mode,
            size,
            settings,
            compression,
            values,
            broker,
        })
    }

    /// Records that are sent before the clock runs, so that everybody knows the topic and is connected.
    pub(crate) const WARM_UP: usize = 1_000;

    /// What is sent.
    pub(crate) fn payload(&self) -> Result<Payload, Failure> {
        let text = fs::read(&self.values)?;
        if self.size == 0 || text.len() < self.size {
            return Err("there is no whole value in the file".into());
        }
        Ok(Payload::of(text, self.size))
    }

    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(match (self.mode, self.settings) {
            (Mode::Latency { .. }, _) => 0,
            (_, Settings::Default) => 5,
            (_, Settings::Tuned) => 10,
        })
    }

    pub(crate) fn batch_size(&self) -> usize {
        match self.settings {
            Settings::Default => 16 << 10,
            Settings::Tuned => 1 << 20,
        }
    }

    /// Records without an outcome that the application allows, for producers that have no limit of their own.
    pub(crate) fn outstanding(&self) -> usize {
        OUTSTANDING.min(BUFFER / self.size)
    }

    /// The settings of the peers that have Kafka's names for them.
    pub(crate) fn properties(&self) -> [(&'static str, String); 6] {
        [
            ("bootstrap.servers", self.broker.clone()),
            ("acks", "all".to_owned()),
            ("enable.idempotence", "true".to_owned()),
            ("linger.ms", self.linger().as_millis().to_string()),
            ("batch.size", self.batch_size().to_string()),
            ("compression.type", self.compression.name().to_owned()),
        ]
    }
}
