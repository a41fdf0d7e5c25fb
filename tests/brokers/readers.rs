//! What ottla wrote with each codec, as other people's programs read it.

use libtest_mimic::Trial;
use ottla::Compression;
use ottla_sim::Cluster;

use crate::letter::Letter;
use crate::neighbours::{Fake, Neighbours, Reader};
use crate::remote::Remote;
use crate::stage::{outcome, read, start};
use crate::verdict::{Outcome, judge};

/// What each can open: kafkajs itself opens gzip only, and no plug-in of it for the others is kept up without C.
const READERS: [(Reader, &[Compression]); 4] = [
    (Reader::Franz, &Compression::ALL),
    (Reader::KafkaPython, &Compression::ALL),
    (Reader::Librdkafka, &Compression::ALL),
    (Reader::Kafkajs, &[Compression::None, Compression::Gzip]),
];

pub(crate) fn trials(neighbours: &Neighbours) -> Vec<Trial> {
    let trials = READERS.into_iter().flat_map(|(reader, codecs)| {
        let (here, there) = (neighbours.clone(), neighbours.clone());
        let name = |place| format!("{reader}_reads_what_ottla_wrote_to_{place}");
        [
            Trial::test(name("kfake"), move || {
                Ok(from_kfake(&here, reader, codecs)?)
            }),
            Trial::test(name("the_embedded_cluster"), move || {
                Ok(from_embedded(&there, reader, codecs)?)
            }),
        ]
    });
    trials.collect()
}

fn from_kfake(
    neighbours: &Neighbours,
    reader: Reader,
    codecs: &[Compression],
) -> Result<(), String> {
    let mut cluster = Remote::start(neighbours.cluster(Fake::Kfake, 1))?;
    for codec in codecs {
        cluster.tell(&format!("topic {} 3", topic(*codec)))?;
    }
    reads(neighbours, reader, codecs, &cluster.servers)
}

fn from_embedded(
    neighbours: &Neighbours,
    reader: Reader,
    codecs: &[Compression],
) -> Result<(), String> {
    let cluster = Cluster::start(1).map_err(|e| e.to_string())?;
    for codec in codecs {
        cluster.with_model(|model| model.create_topic(&topic(*codec), 3));
    }
    reads(neighbours, reader, codecs, &cluster.bootstrap_servers())
}

fn topic(codec: Compression) -> String {
    format!("letters-{}", codec.name())
}

/// Nulls, empty values, tombstones, headers and times come through every codec as they were sent.
fn reads(
    neighbours: &Neighbours,
    reader: Reader,
    codecs: &[Compression],
    servers: &str,
) -> Result<(), String> {
    let letters = Letter::of_all_kinds();
    for &codec in codecs {
        let topic = topic(codec);
        let verdict = write(servers, &topic, codec, &letters).and_then(|outcomes| {
            let log = read(neighbours, reader, servers, &topic)?;
            judge(&letters, &outcomes, &log)
        });
        verdict.map_err(|why| format!("{}: {why}", codec.name()))?;
    }
    Ok(())
}

/// Writes all letters, and gives what was told of them.
fn write(
    servers: &str,
    topic: &str,
    codec: Compression,
    letters: &[Letter],
) -> Result<Vec<Outcome>, String> {
    let producer = start(servers, &[("compression.type", codec.name())])?;
    let sent = letters.iter().map(|letter| {
        let sent = producer.send_blocking(letter.record(topic));
        sent.map_err(|e| e.to_string())
    });
    let sent: Vec<_> = sent.collect::<Result<_, _>>()?;
    let outcomes = sent
        .into_iter()
        .map(outcome)
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(Err(why)) = outcomes.iter().find(|outcome| outcome.is_err()) {
        return Err(why.to_string());
    }
    let compressed = producer.metrics().compression.batches > 0;
    match compressed || codec == Compression::None {
        true => Ok(outcomes),
        false => Err("nothing was compressed".to_owned()),
    }
}
