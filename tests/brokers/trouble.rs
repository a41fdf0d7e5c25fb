//! Trouble that each of the fake clusters can make, and that must end well: every record is written once and in order.

use ottla::ErrorCode;

use crate::neighbours::{Fake, Neighbours};
use crate::stage::{Stage, TOPIC};

type Story = fn(Stage) -> Result<(), String>;
/// A producer's settings, by Kafka's names.
type Settings = &'static [(&'static str, &'static str)];

/// Each story with its name and the settings of its producer.
const STORIES: [(&str, Settings, Story); 8] = [
    ("acks_all", &[("acks", "all")], everything_arrives),
    (
        "acks_1",
        &[("acks", "1"), ("enable.idempotence", "false")],
        everything_arrives,
    ),
    (
        "acks_0",
        &[("acks", "0"), ("enable.idempotence", "false")],
        everything_arrives_unheard,
    ),
    ("refusals_are_retried", &[], refusals_are_retried),
    ("a_refused_batch_is_split", &[("linger.ms", "500")], split),
    ("a_producer_id_is_asked_for_again", &[], producer_id_is_late),
    ("connections_are_cut", &[], connections_are_cut),
    ("metadata_is_late", &[], metadata_is_late),
];

/// Refusals that say: try again.
const RETRIABLE: [ErrorCode; 6] = [
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::UNKNOWN_LEADER_EPOCH,
];

/// Each story's name, and what runs it against a cluster.
pub(crate) fn stories(
    neighbours: &Neighbours,
    fake: Fake,
) -> impl Iterator<Item = (&'static str, impl FnOnce() -> Result<(), String> + use<>)> {
    let neighbours = neighbours.clone();
    STORIES.into_iter().map(move |(name, settings, story)| {
        let neighbours = neighbours.clone();
        let run = move || story(Stage::new(&neighbours, fake, settings)?);
        (name, run)
    })
}

fn everything_arrives(mut stage: Stage) -> Result<(), String> {
    stage.send(300).map_err(|e| e.to_string())?;
    stage.all_written()
}

/// Without acknowledgement nothing but the way of the bytes is known.
fn everything_arrives_unheard(mut stage: Stage) -> Result<(), String> {
    stage.send(300).map_err(|e| e.to_string())?;
    let outcomes = stage.judged()?;
    let unheard = |outcome: &crate::verdict::Outcome| {
        outcome
            .as_ref()
            .is_ok_and(|written| written.offset.is_none())
    };
    match outcomes.iter().find(|outcome| !unheard(outcome)) {
        None => Ok(()),
        Some(outcome) => Err(format!("{outcome:?}")),
    }
}

fn refusals_are_retried(mut stage: Stage) -> Result<(), String> {
    for code in RETRIABLE {
        stage.tell(&format!("fail Produce {} 2", code.0))?;
        stage.send(6).map_err(|e| e.to_string())?;
        stage.flush()?;
        let healed = stage.heal("Produce", 2);
        healed.map_err(|why| format!("{code}: {why}"))?;
    }
    stage.all_written()
}

/// A broker that finds a batch too large gets it in parts.
fn split(mut stage: Stage) -> Result<(), String> {
    let code = ErrorCode::MESSAGE_TOO_LARGE;
    stage.tell(&format!("fail Produce {} 1", code.0))?;
    stage.send(300).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("Produce", 1)?;
    match stage.producer.metrics().batches_split {
        0 => Err("no batch was split".to_owned()),
        _ => stage.all_written(),
    }
}

fn producer_id_is_late(mut stage: Stage) -> Result<(), String> {
    let codes = [
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_COORDINATOR,
    ];
    for code in codes {
        stage.tell(&format!("fail InitProducerId {} 1", code.0))?;
    }
    stage.send(30).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("InitProducerId", 3)?;
    stage.all_written()
}

fn connections_are_cut(mut stage: Stage) -> Result<(), String> {
    for apis in [
        &["Metadata", "InitProducerId"][..],
        &["Produce"],
        &["Produce"],
    ] {
        for api in apis {
            stage.tell(&format!("cut {api} 1"))?;
        }
        stage.send(30).map_err(|e| e.to_string())?;
        stage.flush()?;
        for api in apis {
            let healed = stage.heal(api, 1);
            healed.map_err(|why| format!("{api}: {why}"))?;
        }
    }
    stage.all_written()
}

fn metadata_is_late(mut stage: Stage) -> Result<(), String> {
    let code = ErrorCode::LEADER_NOT_AVAILABLE;
    stage.tell(&format!("fail Metadata {} 3", code.0))?;
    stage.send(30).map_err(|e| e.to_string())?;
    stage.heal("Metadata", 3)?;
    stage.all_written()
}

/// Each partition's leader moves many times while records are in flight.
pub(crate) fn leaders_move(mut stage: Stage) -> Result<(), String> {
    for round in 0..30 {
        stage.send(20).map_err(|e| e.to_string())?;
        let (partition, leader) = (round % 3, 1 + round % 2);
        stage.tell(&format!("move {TOPIC} {partition} {leader}"))?;
    }
    stage.all_written()
}
