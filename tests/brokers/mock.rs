//! ottla against librdkafka's mock cluster, as it is: many test suites use it.
//!
//! Its responses to Metadata 9 to 12 have a byte too many at their end, and it knows no sequences: what is sent twice, it
//! has twice.

use libtest_mimic::Trial;
use ottla::{Compression, ErrorCode, SendError};

use crate::neighbours::{Fake, Neighbours};
use crate::stage::{Stage, TOPIC};
use crate::trouble;

type Story = fn(&Neighbours) -> Result<(), String>;

const STORIES: [(&str, Story); 7] = [
    ("every_codec", every_codec),
    ("leaders_move_under_load", leaders_move),
    ("responses_take_long", responses_take_long),
    ("a_broker_comes_back", a_broker_comes_back),
    ("a_broker_is_replaced", a_broker_is_replaced),
    ("a_topic_is_refused", a_topic_is_refused),
    ("metadata_of_another_epoch", metadata_of_another_epoch),
];

pub(crate) fn trials(neighbours: &Neighbours) -> Vec<Trial> {
    let shared = trouble::stories(neighbours, Fake::Mock)
        .map(|(name, story)| Trial::test(format!("mock_{name}"), || Ok(story()?)));
    let own = STORIES.into_iter().map(|(name, story)| {
        let neighbours = neighbours.clone();
        Trial::test(format!("mock_{name}"), move || Ok(story(&neighbours)?))
    });
    shared.chain(own).collect()
}

fn stage(neighbours: &Neighbours, settings: &[(&str, &str)]) -> Result<Stage, String> {
    Stage::new(neighbours, Fake::Mock, settings)
}

fn every_codec(neighbours: &Neighbours) -> Result<(), String> {
    for codec in Compression::ALL {
        let mut stage = stage(neighbours, &[("compression.type", codec.name())])?;
        stage.send(100).map_err(|e| e.to_string())?;
        let written = stage.all_written();
        written.map_err(|why| format!("{}: {why}", codec.name()))?;
    }
    Ok(())
}

/// A new leader that checks no sequences takes what is in flight to it before what the old one refuses, so that only one
/// request in flight keeps the order.
fn leaders_move(neighbours: &Neighbours) -> Result<(), String> {
    let settings = [
        ("linger.ms", "0"),
        ("max.in.flight.requests.per.connection", "1"),
    ];
    trouble::leaders_move(stage(neighbours, &settings)?)
}

fn responses_take_long(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[("linger.ms", "0")])?;
    for broker in 1..=3 {
        stage.tell(&format!("rtt {broker} 200"))?;
    }
    for _ in 0..5 {
        stage.send(60).map_err(|e| e.to_string())?;
    }
    stage.all_written()
}

/// Its partitions have no other leader meanwhile.
fn a_broker_comes_back(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    stage.send(30).map_err(|e| e.to_string())?;
    stage.flush()?;
    for broker in 1..=3 {
        stage.tell(&format!("down {broker}"))?;
        stage.send(30).map_err(|e| e.to_string())?;
        stage.tell(&format!("up {broker}"))?;
        stage.flush()?;
    }
    stage.all_written()
}

/// The broker stays away, and its partitions find other leaders.
fn a_broker_is_replaced(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    stage.send(30).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.tell("down 1")?;
    stage.send(30).map_err(|e| e.to_string())?;
    for partition in 0..3 {
        stage.tell(&format!("move {TOPIC} {partition} {}", 2 + partition % 2))?;
    }
    stage.flush()?;
    stage.tell("up 1")?;
    stage.all_written()
}

fn a_topic_is_refused(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    stage.tell(&format!("refuse {TOPIC} {}", code.0))?;
    let refused = stage.send(3);
    if !matches!(&refused, Err(SendError::Topic { code: told, .. }) if *told == code) {
        return Err(format!("{refused:?}"));
    }
    stage.tell(&format!("refuse {TOPIC} 0"))?;
    stage.send(3).map_err(|e| e.to_string())?;
    stage.all_written()
}

/// Metadata names the wrong leader once, with an epoch that is far too high.
fn metadata_of_another_epoch(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    stage.tell(&format!("move {TOPIC} 0 2"))?;
    stage.tell(&format!("rumour {TOPIC} 0 1 50"))?;
    stage.send(30).map_err(|e| e.to_string())?;
    stage.all_written()
}
