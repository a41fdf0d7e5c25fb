//! Compressed batches, which the broker keeps as they are, and which Kafka's own consumer and kcat have to open.

use std::fmt;
use std::io::{BufRead, Read};
use std::process::Command;
use std::time::Duration;

use ottla::{Compression, Config, Metrics, Producer, Record};

use crate::broker::Kafka;
use crate::java::Java;
use crate::parcels::{Kind, Parcels};
use crate::process::Process;
use crate::segments::{Batch, batches};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// As much as the largest record needs, and the batch around it.
const LARGEST: &str = "12000000";
/// What a batch has besides its records.
const BATCH_HEAD: u64 = 61;

/// Each codec at its lowest, its default and its highest level, and zstd at one below 0 that finds something; a place in
/// this list is a partition.
const CODECS: [Codec; 11] = [
    Codec::new("gzip", "1"),
    Codec::new("gzip", "-1"),
    Codec::new("gzip", "9"),
    Codec::new("snappy", ""),
    Codec::new("lz4", "1"),
    Codec::new("lz4", "9"),
    Codec::new("lz4", "17"),
    Codec::new("zstd", "-131072"),
    Codec::new("zstd", "-5"),
    Codec::new("zstd", "3"),
    Codec::new("zstd", "22"),
];

struct Codec {
    name: &'static str,
    level: &'static str,
}

/// Sends all parcels to a partition, waits for them, and gives the producer's metrics.
type Send = fn(Config, &Route, &Parcels) -> Result<Metrics, String>;

struct Route {
    topic: &'static str,
    partition: i32,
}

/// The adapters, which the codecs take in turn.
const RUNTIMES: &[Send] = &[
    #[cfg(feature = "tokio")]
    on_tokio,
    #[cfg(feature = "smol")]
    on_smol,
    #[cfg(feature = "blocking")]
    on_a_thread,
];

/// This build has an adapter and all codecs.
pub(crate) fn is_built_in() -> bool {
    let mut codecs = Compression::ALL.iter();
    cfg!(feature = "tokio") && codecs.all(|codec| codec.is_built_in())
}

/// Payloads of every kind and size pass through every codec and level.
pub(crate) fn is_read_by_others(java: &Java) -> Result<(), String> {
    const TOPIC: &str = "parcels";
    let kafka = Kafka::start(java, 1)?;
    let largest = format!("max.message.bytes={LARGEST}");
    let configs = ["compression.type=producer", &largest];
    kafka.create_topic(TOPIC, CODECS.len(), &configs)?;
    let parcels = Parcels::of_all_sizes();
    let sizes = ["16384", "262144", "1000000"];
    let metrics = send_all(&kafka, TOPIC, &sizes, &parcels)?;
    let logs = batches(&kafka, TOPIC, CODECS.len())?;
    for ((codec, metrics), log) in CODECS.iter().zip(metrics).zip(&logs) {
        codec.compressed(&parcels, log)?;
        codec.counted(&metrics, log)?;
    }
    read_with_java(&kafka, TOPIC, &parcels)?;
    read_with_kcat(&kafka, TOPIC, &parcels)
}

/// Batches that are too large for their topic although they are compressed are opened, cut, and compressed again.
pub(crate) fn is_cut_for_a_narrow_topic(java: &Java) -> Result<(), String> {
    const TOPIC: &str = "narrow";
    const MOST: u64 = 40_000;
    let kafka = Kafka::start(java, 1)?;
    let most = format!("max.message.bytes={MOST}");
    kafka.create_topic(TOPIC, CODECS.len(), &[&most])?;
    let parcels = Parcels::of_one_kind();
    let metrics = send_all(&kafka, TOPIC, &["1000000"], &parcels)?;
    let logs = batches(&kafka, TOPIC, CODECS.len())?;
    for ((codec, metrics), log) in CODECS.iter().zip(metrics).zip(&logs) {
        codec.compressed(&parcels, log)?;
        if metrics.batches_split == 0 || log.iter().any(|batch| batch.size > MOST) {
            return Err(format!("{codec}: not cut: {log:?}"));
        }
    }
    read_with_java(&kafka, TOPIC, &parcels)?;
    read_with_kcat(&kafka, TOPIC, &parcels)
}

/// Sends all parcels with each codec, which takes the adapters and the `batch.size`s in turn.
fn send_all(
    kafka: &Kafka,
    topic: &'static str,
    batch_sizes: &[&str],
    parcels: &Parcels,
) -> Result<Vec<Metrics>, String> {
    let servers = kafka.bootstrap_servers();
    let turns = batch_sizes.iter().cycle().zip(RUNTIMES.iter().cycle());
    let sent = CODECS.iter().zip(turns).zip(0..);
    let sent = sent.map(|((codec, (batch_size, send)), partition)| {
        let config = codec.config(&servers, batch_size);
        let route = Route { topic, partition };
        let metrics = config.and_then(|config| send(config, &route, parcels));
        metrics.map_err(|why| format!("{codec}: {why}"))
    });
    sent.collect()
}

impl Codec {
    const fn new(name: &'static str, level: &'static str) -> Self {
        Self { name, level }
    }

    fn config(&self, servers: &str, batch_size: &str) -> Result<Config, String> {
        let mut settings = vec![
            ("bootstrap.servers".to_owned(), servers),
            ("compression.type".to_owned(), self.name),
            ("batch.size".to_owned(), batch_size),
            ("max.request.size".to_owned(), LARGEST),
            ("buffer.memory".to_owned(), "100000000"),
        ];
        if !self.level.is_empty() {
            settings.push((format!("compression.{}.level", self.name), self.level));
        }
        Config::from_properties(settings).map_err(|e| e.to_string())
    }

    /// The batches in the log are compressed where that makes them shorter.
    fn compressed(&self, parcels: &Parcels, log: &[Batch]) -> Result<(), String> {
        for batch in log {
            let case = parcels.case_at(batch.first, batch.last);
            let case = case.ok_or_else(|| format!("{self}: {batch:?} is of several cases"))?;
            let bytes = case.size * (batch.last - batch.first + 1);
            let right = match self.most(case.kind, bytes as u64) {
                Some(most) => batch.codec == self.name && batch.size <= most,
                None => batch.codec == self.name || batch.codec == "none",
            };
            if !right {
                let kind = case.kind;
                return Err(format!(
                    "{self}: {bytes} bytes of {kind:?} became {batch:?}"
                ));
            }
        }
        Ok(())
    }

    /// How long a batch with so many bytes of payload may be; `None` where nothing is promised.
    fn most(&self, kind: Kind, bytes: u64) -> Option<u64> {
        let percent = match (kind, self.level) {
            (_, _) if bytes < 100 => return None,
            (Kind::Noise, _) => return None,
            // At the lowest level of all the search takes steps so long that it hardly finds anything.
            (_, "-131072") => return None,
            (Kind::Zeros, _) => 20,
            (Kind::Json, _) => 50,
            // A short one may be noise alone.
            (Kind::Mixed, _) if bytes < 1 << 20 => return None,
            (Kind::Mixed, _) => 90,
        };
        Some(bytes * percent / 100 + 100)
    }

    /// What the producer has counted is what lies in the log.
    fn counted(&self, metrics: &Metrics, log: &[Batch]) -> Result<(), String> {
        let totals = metrics.compression;
        let bytes: u64 = log.iter().map(|batch| batch.size - BATCH_HEAD).sum();
        let counted = (totals.batches, totals.bytes_after) == (log.len() as u64, bytes);
        match counted && totals.bytes_after < totals.bytes_before {
            true => Ok(()),
            false => Err(format!("{self}: {bytes} bytes in {log:?}, but {totals:?}")),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.level)
    }
}

#[cfg(feature = "tokio")]
fn on_tokio(config: Config, route: &Route, parcels: &Parcels) -> Result<Metrics, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let producer = ottla::tokio::start(config).map_err(|e| e.to_string())?;
        deliver(&producer, route, parcels).await
    })
}

#[cfg(feature = "smol")]
fn on_smol(config: Config, route: &Route, parcels: &Parcels) -> Result<Metrics, String> {
    smol::block_on(async {
        let producer = ottla::smol::start(config).map_err(|e| e.to_string())?;
        deliver(&producer, route, parcels).await
    })
}

#[cfg(feature = "blocking")]
fn on_a_thread(config: Config, route: &Route, parcels: &Parcels) -> Result<Metrics, String> {
    let producer = ottla::blocking::start(config).map_err(|e| e.to_string())?;
    for case in &parcels.cases {
        let sent = parcels.of(case).map(|value| {
            let sent = producer.send_blocking(route.record(value));
            sent.map_err(|e| e.to_string())
        });
        for delivery in sent.collect::<Result<Vec<_>, _>>()? {
            delivery.wait().map_err(|e| e.to_string())?;
        }
    }
    let metrics = producer.metrics();
    let closed = producer.close_blocking(CLOSE_LIMIT);
    closed.map_err(|e| e.to_string())?;
    Ok(metrics)
}

/// Sends case by case, so that no batch holds parcels of two.
async fn deliver(producer: &Producer, route: &Route, parcels: &Parcels) -> Result<Metrics, String> {
    for case in &parcels.cases {
        let mut deliveries = Vec::new();
        for value in parcels.of(case) {
            let sent = producer.send(route.record(value)).await;
            deliveries.push(sent.map_err(|e| e.to_string())?);
        }
        for delivery in deliveries {
            delivery.await.map_err(|e| e.to_string())?;
        }
    }
    let metrics = producer.metrics();
    producer.close(CLOSE_LIMIT).await;
    Ok(metrics)
}

impl Route {
    fn record<'a>(&self, value: &'a [u8]) -> Record<'a> {
        Record::to(self.topic)
            .partition(self.partition)
            .value(value)
    }
}

fn read_with_java(kafka: &Kafka, topic: &str, parcels: &Parcels) -> Result<(), String> {
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let mut command = kafka.java().worker(class);
    let records = CODECS.len() * parcels.len();
    command.args(["--bootstrap-server", &kafka.bootstrap_servers()]);
    command.args(["--topic", topic, "--from-beginning", "--timeout-ms"]);
    command.args(["120000", "--max-messages", &records.to_string()]);
    // Ten mebibytes of zeros are next to nothing in an answer, and fill the heap if many are opened at once.
    for setting in [
        ("max.partition.fetch.bytes", LARGEST),
        ("max.poll.records", "5"),
    ] {
        command.args([
            "--command-property",
            &format!("{}={}", setting.0, setting.1),
        ]);
    }
    for setting in [
        "print.partition=true",
        "print.offset=true",
        "key.separator=|",
    ] {
        command.args(["--formatter-property", setting]);
    }
    read(&mut command, parcels)
}

fn read_with_kcat(kafka: &Kafka, topic: &str, parcels: &Parcels) -> Result<(), String> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", &kafka.bootstrap_servers(), "-C", "-t", topic]);
    kcat.args(["-X", &format!("fetch.message.max.bytes={LARGEST}")]);
    kcat.args(["-o", "beginning", "-e", "-q", "-f"]);
    read(kcat.arg("Partition:%p|Offset:%o|%s\n"), parcels)
}

/// Expects all parcels in each partition, as `Partition:P|Offset:O|value`. A value may hold anything, so that its end is
/// known by its length alone.
fn read(command: &mut Command, parcels: &Parcels) -> Result<(), String> {
    let mut process = Process::spawn(command, LIMIT)?;
    let output = process.stdout();
    let mut next = [0; CODECS.len()];
    let mut value = Vec::new();
    while let Some(partition) = number(output, "Partition:")? {
        let offset = number(output, "Offset:")?;
        let expected = next.get_mut(partition).ok_or("a partition too many")?;
        let parcel = parcels.get(*expected);
        let parcel = parcel.filter(|_| offset == Some(*expected));
        let codec = &CODECS[partition];
        let wrong = |what: &str| Err(format!("{codec}: at {offset:?}, {what}\n{command:?}"));
        let Some(parcel) = parcel else {
            return wrong("another was expected");
        };
        value.resize(parcel.len() + 1, 0);
        output.read_exact(&mut value).map_err(|e| e.to_string())?;
        if value.split_last() != Some((&b'\n', parcel)) {
            return wrong("the value differs");
        }
        *expected += 1;
    }
    process.finish()?;
    match next == [parcels.len(); CODECS.len()] {
        true => Ok(()),
        false => Err(format!("read {next:?} of {}\n{command:?}", parcels.len())),
    }
}

/// The number in `NAME:N|`; `None` at the end of the input.
fn number(input: &mut impl BufRead, name: &str) -> Result<Option<usize>, String> {
    let mut field = Vec::new();
    let most = input.take(40).read_until(b'|', &mut field);
    if most.map_err(|e| e.to_string())? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&field);
    let number = text.strip_prefix(name).and_then(|t| t.strip_suffix('|'));
    let number = number.and_then(|number| number.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| format!("{name}N| was expected, not {text:?}"))
}
