//! ottla against franz-go's kfake.

use libtest_mimic::Trial;
use ottla::{Cause, DeliveryError, ErrorCode, SendError, Undelivered};

use crate::letter::Letter;
use crate::neighbours::{Fake, Neighbours};
use crate::stage::{Stage, TOPIC};
use crate::trouble;
use crate::verdict::Outcome;

type Story = fn(&Neighbours) -> Result<(), String>;

const STORIES: [(&str, Story); 10] = [
    ("refusals_after_the_append", refusals_after_the_append),
    ("leaders_move_under_load", leaders_move),
    ("a_refusal_for_good", a_refusal_for_good),
    ("too_few_replicas_until_the_deadline", too_few_replicas),
    ("batches_that_are_too_large_are_split", too_large),
    ("slow_responses_are_not_written_twice", slow_responses),
    ("a_topic_that_is_not_there", no_topic),
    ("no_right_to_a_producer_id", no_right_to_a_producer_id),
    ("a_leader_epoch_that_goes_back", epoch_goes_back),
    ("a_throttled_start", throttled),
];

pub(crate) fn trials(neighbours: &Neighbours) -> Vec<Trial> {
    let shared = trouble::stories(neighbours, Fake::Kfake)
        .map(|(name, story)| Trial::test(format!("kfake_{name}"), || Ok(story()?)));
    let own = STORIES.into_iter().map(|(name, story)| {
        let neighbours = neighbours.clone();
        Trial::test(format!("kfake_{name}"), move || Ok(story(&neighbours)?))
    });
    shared.chain(own).collect()
}

fn stage(neighbours: &Neighbours, settings: &[(&str, &str)]) -> Result<Stage, String> {
    Stage::new(neighbours, Fake::Kfake, settings)
}

/// The records were appended before the refusal, so that each retry is a duplicate, which the sequence tells.
fn refusals_after_the_append(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    for code in [
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ] {
        stage.tell(&format!("fail Produce {} 3", code.0))?;
        stage.send(30).map_err(|e| e.to_string())?;
        stage.flush()?;
        stage.heal("Produce", 3)?;
    }
    stage.all_written()
}

fn leaders_move(neighbours: &Neighbours) -> Result<(), String> {
    trouble::leaders_move(stage(neighbours, &[("linger.ms", "0")])?)
}

fn a_refusal_for_good(neighbours: &Neighbours) -> Result<(), String> {
    for code in [
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::INVALID_RECORD,
        ErrorCode::MESSAGE_TOO_LARGE,
    ] {
        let mut stage = stage(neighbours, &[])?;
        stage.tell(&format!("fail Produce {} 1", code.0))?;
        // One alone, that there is nothing to split.
        stage.send(1).map_err(|e| e.to_string())?;
        stage.flush()?;
        stage.heal("Produce", 1)?;
        stage.send(5).map_err(|e| e.to_string())?;
        let outcomes = stage.judged()?;
        if !is_refused(&outcomes[0], code) || outcomes[1..].iter().any(Result::is_err) {
            return Err(format!("{code}: {outcomes:?}"));
        }
    }
    Ok(())
}

fn too_few_replicas(neighbours: &Neighbours) -> Result<(), String> {
    let settings = [
        ("delivery.timeout.ms", "1500"),
        ("request.timeout.ms", "1000"),
        ("linger.ms", "0"),
    ];
    let mut stage = stage(neighbours, &settings)?;
    let code = ErrorCode::NOT_ENOUGH_REPLICAS;
    stage.tell(&format!("fail Produce {} -1", code.0))?;
    stage.send(3).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("Produce", 2)?;
    stage.send(3).map_err(|e| e.to_string())?;
    let outcomes = stage.judged()?;
    let expired = |outcome: &Outcome| match outcome {
        Err(Undelivered::NotWritten(DeliveryError::Expired { cause })) => {
            matches!(cause, Cause::Broker { code: told, .. } if *told == code)
        }
        _ => false,
    };
    match outcomes[..3].iter().all(expired) && outcomes[3..].iter().all(Result::is_ok) {
        true => Ok(()),
        false => Err(format!("{outcomes:?}")),
    }
}

/// Fifty kilobytes of records for each partition at once, of which a batch may have ten.
fn too_large(neighbours: &Neighbours) -> Result<(), String> {
    let settings = [("batch.size", "100000"), ("linger.ms", "1000")];
    let configs = "max.message.bytes=10000";
    let mut stage = Stage::with_topic(neighbours, Fake::Kfake, configs, &settings)?;
    let letters = (0..150).map(|number| Letter {
        value: Some(vec![b'x'; 1000]),
        ..Letter::numbered(number)
    });
    stage
        .send_letters(letters.collect())
        .map_err(|e| e.to_string())?;
    stage.flush()?;
    if stage.producer.metrics().batches_split == 0 {
        return Err("no batch was split".to_owned());
    }
    stage.all_written()
}

/// What is answered too late was done all the same, after the retry on another connection was.
fn slow_responses(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[("request.timeout.ms", "500")])?;
    stage.tell("stall Produce 2000 3")?;
    stage.send(30).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("Produce", 3)?;
    stage.all_written()
}

fn no_topic(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[("max.block.ms", "1500")])?;
    let missing = ottla::Record::to("mistyped").value("v");
    let refused = stage.producer.send_blocking(missing).map(drop);
    let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let expected = |error: &SendError| match error {
        SendError::TimedOut {
            cause: Some(Cause::Metadata { code: told, .. }),
            ..
        } => *told == code,
        _ => false,
    };
    if !refused.as_ref().is_err_and(expected) {
        return Err(format!("{refused:?}"));
    }
    stage.send(3).map_err(|e| e.to_string())?;
    stage.all_written()
}

/// What waits ends with the reason, and what comes after the right was granted is written.
fn no_right_to_a_producer_id(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    stage.tell(&format!("fail InitProducerId {} -1", code.0))?;
    stage.send(3).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("InitProducerId", 1)?;
    stage.send(3).map_err(|e| e.to_string())?;
    let outcomes = stage.judged()?;
    let error = DeliveryError::NoProducerId(code);
    let refused = |outcome: &Outcome| *outcome == Err(Undelivered::NotWritten(error.clone()));
    match outcomes[..3].iter().all(refused) && outcomes[3..].iter().all(Result::is_ok) {
        true => Ok(()),
        false => Err(format!("{outcomes:?}")),
    }
}

/// A refusal names a leader and an epoch that all metadata contradicts.
fn epoch_goes_back(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    stage.send(3).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.tell(&format!("move {TOPIC} 0 2"))?;
    stage.tell("hint 1 50 1")?;
    stage.send(3).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("Produce", 1)?;
    stage.send(3).map_err(|e| e.to_string())?;
    stage.all_written()
}

/// The broker that gave the producer id asks for a second of silence.
fn throttled(neighbours: &Neighbours) -> Result<(), String> {
    let mut stage = stage(neighbours, &[])?;
    stage.tell("throttle 1000")?;
    stage.send(30).map_err(|e| e.to_string())?;
    stage.flush()?;
    stage.heal("InitProducerId", 1)?;
    stage.all_written()
}

/// Whether a record is not written, for the broker gave this code.
fn is_refused(outcome: &Outcome, code: ErrorCode) -> bool {
    match outcome {
        Err(Undelivered::NotWritten(DeliveryError::Broker { code: told, .. })) => *told == code,
        _ => false,
    }
}
