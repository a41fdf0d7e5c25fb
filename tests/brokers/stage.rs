//! A producer, a cluster that makes trouble for it, and a reader who tells what came of it.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use ottla::{Config, Delivery, Producer, SendError, WaitError};

use crate::letter::{Letter, Logged};
use crate::neighbours::{Fake, Neighbours, Reader, Writer};
use crate::process::{Scratch, run};
use crate::remote::Remote;
use crate::verdict::{Outcome, judge};

/// The topic of all stories, with three partitions.
pub(crate) const TOPIC: &str = "letters";
const LIMIT: Duration = Duration::from_secs(60);
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// What a story needs. Its cluster has three brokers.
pub(crate) struct Stage {
    neighbours: Neighbours,
    fake: Fake,
    cluster: Remote,
    pub(crate) producer: Producer,
    letters: Vec<Letter>,
    deliveries: Vec<Delivery>,
}

impl Stage {
    /// A cluster with the topic, and a producer with these settings.
    pub(crate) fn new(
        neighbours: &Neighbours,
        fake: Fake,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        Self::with_topic(neighbours, fake, "", settings)
    }

    /// The same where the topic has settings of its own, `NAME=VALUE`.
    pub(crate) fn with_topic(
        neighbours: &Neighbours,
        fake: Fake,
        configs: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        let mut cluster = Remote::start(neighbours.cluster(fake, 3))?;
        cluster.tell(&format!("topic {TOPIC} 3 {configs}"))?;
        Ok(Self {
            producer: start(&cluster.servers, settings)?,
            neighbours: neighbours.clone(),
            fake,
            cluster,
            letters: Vec::new(),
            deliveries: Vec::new(),
        })
    }

    /// Has a command done by the cluster, and gives its answer.
    pub(crate) fn tell(&mut self, command: &str) -> Result<String, String> {
        self.cluster.tell(command)
    }

    /// Ends what was planned for the requests of an API, and expects that so many of them were struck, or more.
    pub(crate) fn heal(&mut self, api: &str, expected: usize) -> Result<(), String> {
        let struck = self.tell(&format!("heal {api}"))?;
        match struck.parse::<usize>() {
            Ok(struck) if struck >= expected => Ok(()),
            _ => Err(format!("struck {struck} requests, not {expected}")),
        }
    }

    /// Sends so many letters, as long as they are accepted.
    pub(crate) fn send(&mut self, count: usize) -> Result<(), SendError> {
        let sent = self.letters.len();
        let letters = (sent..sent + count).map(Letter::numbered).collect();
        self.send_letters(letters)
    }

    pub(crate) fn send_letters(&mut self, letters: Vec<Letter>) -> Result<(), SendError> {
        for letter in letters {
            let delivery = self.producer.send_blocking(letter.record(TOPIC))?;
            self.deliveries.push(delivery);
            self.letters.push(letter);
        }
        Ok(())
    }

    /// Waits until all that was sent has its outcome.
    pub(crate) fn flush(&self) -> Result<(), String> {
        self.producer.flush_blocking().map_err(|e| e.to_string())
    }

    /// Waits for all outcomes, compares them with the log, and gives them.
    pub(crate) fn judged(self) -> Result<Vec<Outcome>, String> {
        let outcomes = self.deliveries.into_iter().map(outcome);
        let outcomes: Vec<Outcome> = outcomes.collect::<Result<_, _>>()?;
        let closed = self.producer.close_blocking(CLOSE_LIMIT);
        closed.map_err(|e| e.to_string())?;
        // franz-go does not take the mock's responses.
        let reader = match self.fake {
            Fake::Kfake => Reader::Franz,
            Fake::Mock => Reader::Librdkafka,
        };
        let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let deadline = Instant::now() + LIMIT / 3;
        // What nobody acknowledged may not have been taken up yet.
        let log = loop {
            let log = read(&self.neighbours, reader, &self.cluster.servers, TOPIC)?;
            if log.len() >= written || Instant::now() > deadline {
                break log;
            }
        };
        judge(&self.letters, &outcomes, &log)?;
        Ok(outcomes)
    }

    /// The same, and expects that every record is written.
    pub(crate) fn all_written(self) -> Result<(), String> {
        let outcomes = self.judged()?;
        match outcomes.iter().find(|outcome| outcome.is_err()) {
            None => Ok(()),
            Some(outcome) => Err(format!("{outcome:?}")),
        }
    }
}

/// A producer that gives up before its test does.
pub(crate) fn start(servers: &str, settings: &[(&str, &str)]) -> Result<Producer, String> {
    let common = [
        ("bootstrap.servers", servers),
        ("delivery.timeout.ms", "30000"),
        ("request.timeout.ms", "10000"),
        ("max.block.ms", "15000"),
    ];
    // The last one of a name counts.
    let config = Config::from_properties(common.iter().chain(settings).copied());
    let config = config.map_err(|e| e.to_string())?;
    ottla::blocking::start(config).map_err(|e| e.to_string())
}

pub(crate) fn outcome(delivery: Delivery) -> Result<Outcome, String> {
    match delivery.wait() {
        Ok(written) => Ok(Ok(written)),
        Err(WaitError::Undelivered(why)) => Ok(Err(why)),
        Err(WaitError::Deadlock(why)) => Err(why.to_string()),
    }
}

/// What a topic holds.
pub(crate) fn read(
    neighbours: &Neighbours,
    reader: Reader,
    servers: &str,
    topic: &str,
) -> Result<Vec<Logged>, String> {
    let printed = run(&mut neighbours.reader(reader, servers, topic), LIMIT)?;
    let printed = String::from_utf8_lossy(&printed);
    printed.lines().map(Logged::parse).collect()
}

/// Has another program write letters.
pub(crate) fn write(
    neighbours: &Neighbours,
    writer: Writer,
    (servers, topic, codec): (&str, &str, &str),
    letters: &[Letter],
) -> Result<(), String> {
    let scratch = Scratch::new("letters").map_err(|e| e.to_string())?;
    let file = scratch.path("lines");
    let lines: String = letters.iter().map(|letter| format!("{letter}\n")).collect();
    fs::write(&file, lines).map_err(|e| e.to_string())?;
    let command = neighbours.writer(writer, servers, topic, codec);
    let mut command = command.ok_or("there is no Java")?;
    command.stdin(File::open(file).map_err(|e| e.to_string())?);
    run(&mut command, LIMIT).map(drop)
}
