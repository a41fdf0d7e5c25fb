//! Topics with a codec of their own (`compression.type`): the broker opens what comes with another one, and compresses it
//! again.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ottla::{Config, Record};

use crate::broker::Kafka;
use crate::java::Java;
use crate::process::run;
use crate::segments::batches;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
const RECORDS: i64 = 5_000;

/// Of the producer, of the topic, and how the log names the latter; and whose times the topic has.
const CASES: [(&str, &str, &str, Times); 3] = [
    ("lz4", "zstd", "zstd", Times::Records),
    ("zstd", "gzip", "gzip", Times::Brokers),
    ("gzip", "uncompressed", "none", Times::Records),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Records,
    Brokers,
}

/// Each record is in the log once, where and when the producer was told, and compressed as the topic wants it.
#[cfg(feature = "tokio")]
pub(crate) fn keeps_every_record(java: &Java) -> Result<(), String> {
    let kafka = Kafka::start(java, 1)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
    for (ours, theirs, named, times) in CASES {
        let topic = format!("{ours}-to-{theirs}");
        let codec = format!("compression.type={theirs}");
        let times_are = match times {
            Times::Records => "message.timestamp.type=CreateTime",
            Times::Brokers => "message.timestamp.type=LogAppendTime",
        };
        kafka.create_topic(&topic, 1, &[&codec, times_are])?;
        let expected = runtime.block_on(send(&kafka, ours, &topic, times))?;
        if read(&kafka, &topic)? != expected {
            return Err(format!("{topic}: others were read than sent"));
        }
        let log = batches(&kafka, &topic, 1)?;
        if log[0].iter().any(|batch| batch.codec != named) {
            return Err(format!("{topic}: {log:?}"));
        }
    }
    Ok(())
}

/// Sends records whose times go forth and back, and gives the line that [`read`] should find for each.
#[cfg(feature = "tokio")]
async fn send(
    kafka: &Kafka,
    codec: &str,
    topic: &str,
    times: Times,
) -> Result<Vec<String>, String> {
    let servers = kafka.bootstrap_servers();
    let config = Config::from_properties([
        ("bootstrap.servers", servers.as_str()),
        ("compression.type", codec),
        ("batch.size", "2048"),
    ]);
    let producer = ottla::tokio::start(config.map_err(|e| e.to_string())?);
    let producer = producer.map_err(|e| e.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|e| e.to_string())?.as_millis() as i64;
    let time = |n| now - n * 7_919 % 10_000;
    let mut deliveries = Vec::new();
    for n in 0..RECORDS {
        let (value, time) = (value(n), time(n));
        let record = Record::to(topic).value(&value).timestamp(time);
        let sent = producer.send(record).await;
        deliveries.push(sent.map_err(|e| e.to_string())?);
    }
    let mut lines = Vec::new();
    for (n, delivery) in (0..).zip(deliveries) {
        let told = delivery.await.map_err(|e| e.to_string())?;
        let is_right = match times {
            Times::Records => told.timestamp == time(n),
            Times::Brokers => told.timestamp >= now,
        };
        if told.offset != Some(n) || !is_right {
            return Err(format!("{topic}: of record {n} it was told {told:?}"));
        }
        lines.push(format!("{n} {} {}", told.timestamp, value(n)));
    }
    let totals = producer.metrics().compression;
    producer.close(CLOSE_LIMIT).await;
    match totals.batches > 1 && totals.bytes_after * 2 < totals.bytes_before {
        true => Ok(lines),
        false => Err(format!("{topic}: sent as {totals:?}")),
    }
}

fn value(n: i64) -> String {
    let (user, took) = (n * 31 % 977, n * n % 2_003);
    format!("{{\"user\":\"user-{user}\",\"path\":\"/checkout\",\"status\":200,\"took_ms\":{took}}}")
}

/// The offset, the time and the value of each record.
fn read(kafka: &Kafka, topic: &str) -> Result<Vec<String>, String> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", &kafka.bootstrap_servers(), "-C", "-t", topic]);
    kcat.args(["-X", "check.crcs=true", "-o", "beginning", "-e", "-q"]);
    let printed = run(kcat.args(["-f", "%o %T %s\n"]), LIMIT)?;
    let printed = String::from_utf8_lossy(&printed);
    Ok(printed.lines().map(str::to_owned).collect())
}
