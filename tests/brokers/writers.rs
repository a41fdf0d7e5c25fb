//! What other people's programs write with each codec, as the embedded cluster and as Kafka take it.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use ottla_sim::Cluster;

use crate::broker::Kafka;
use crate::java::Java;
use crate::letter::{Letter, Logged};
use crate::neighbours::{Neighbours, Reader, Writer};
use crate::stage::{read, write};

/// By their numbers in a batch.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PARTITIONS: i32 = 3;

pub(crate) fn trials(neighbours: &Neighbours) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    for writer in neighbours.writers() {
        let neighbours = neighbours.clone();
        let name = format!("{writer}_writes_to_the_embedded_cluster");
        trials.push(Trial::test(name, move || {
            Ok(embedded(&neighbours, writer)?)
        }));
    }
    if let Some(java) = neighbours.java.clone() {
        let neighbours = neighbours.clone();
        let kafka = move || Ok(kafka(&neighbours, &java)?);
        trials.push(Trial::test(
            "kafka_takes_what_the_embedded_cluster_took",
            kafka,
        ));
    }
    trials
}

fn embedded(neighbours: &Neighbours, writer: Writer) -> Result<(), String> {
    let cluster = Cluster::start(1).map_err(|e| e.to_string())?;
    let topic = writer.to_string();
    cluster.with_model(|model| model.create_topic(&topic, PARTITIONS));
    write_and_read(neighbours, writer, &cluster.bootstrap_servers())?;
    let codecs: BTreeSet<i16> = cluster.with_model(|model| {
        let logs = (0..PARTITIONS).flat_map(|partition| model.log(&topic, partition));
        logs.map(|record| record.codec).collect()
    });
    match codecs.iter().copied().eq(0..CODECS.len() as i16) {
        true => Ok(()),
        false => Err(format!("{writer} wrote the codecs {codecs:?}")),
    }
}

/// The same work for Kafka itself: what is expected of the embedded cluster is right.
fn kafka(neighbours: &Neighbours, java: &Java) -> Result<(), String> {
    let kafka = Kafka::start(java, 1)?;
    for writer in neighbours.writers() {
        // Letters from 2023 are past the time that a topic keeps records by default.
        let configs = ["retention.ms=-1"];
        kafka.create_topic(&writer.to_string(), PARTITIONS as usize, &configs)?;
        let written = write_and_read(neighbours, writer, &kafka.bootstrap_servers());
        written.map_err(|why| format!("{writer}: {why}\n{}", kafka.last_words()))?;
    }
    Ok(())
}

/// Has a program write all letters once with each codec, to the topic of its name, and expects them there, and nothing else.
fn write_and_read(neighbours: &Neighbours, writer: Writer, servers: &str) -> Result<(), String> {
    let topic = &writer.to_string();
    let mut expected: Vec<Vec<Letter>> = vec![Vec::new(); PARTITIONS as usize];
    for (round, codec) in CODECS.iter().enumerate() {
        let letters = letters(writer, round);
        let written = write(neighbours, writer, (servers, topic, codec), &letters);
        written.map_err(|why| format!("{codec}: {why}"))?;
        for letter in letters {
            expected[letter.partition as usize].push(letter);
        }
    }
    let mut log = read(neighbours, Reader::Franz, servers, topic)?;
    log.sort_by_key(|logged| (logged.letter.partition, logged.offset));
    let expected = expected.into_iter().flat_map(|letters| {
        let numbered = (0..).zip(letters);
        numbered.map(|(offset, letter)| Logged { offset, letter })
    });
    let expected: Vec<Logged> = expected.collect();
    match log.iter().zip(&expected).find(|(read, sent)| read != sent) {
        Some((read, sent)) => Err(format!("expected {sent:?}, read {read:?}")),
        None if log.len() != expected.len() => {
            Err(format!("{} of {} records", log.len(), expected.len()))
        }
        None => Ok(()),
    }
}

/// The letters of a round, which no other round has, as far as the program can write them.
fn letters(writer: Writer, round: usize) -> Vec<Letter> {
    let mut letters = Letter::of_all_kinds();
    if matches!(writer, Writer::KafkaPython) {
        // It refuses headers without a value, and records without a key and a value.
        letters.retain(|letter| letter.key.is_some() || letter.value.is_some());
        letters.retain(|letter| letter.headers.iter().all(|(_, value)| value.is_some()));
    }
    for letter in &mut letters {
        letter.timestamp += 1_000 * round as i64;
    }
    letters
}
