//! Playing one tape to both clusters, and comparing what they answer.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::time::{Duration, Instant};

use ottla_sim::Model;
use uuid::Uuid;

use super::answer::{Answer, Names};
use super::ask::{Ask, Bindings};
use super::exceptions::EXCEPTIONS;
use super::tape::Tape;
use super::topics;
use super::world::{Modelled, Real, World};

const WEEK: i64 = 7 * 24 * 3_600_000;

/// What was compared.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// Answers that are the same at once.
    pub(crate) same: u64,
    pub(crate) exceptions: [u64; EXCEPTIONS.len()],
    /// Error codes that Kafka gave for batches, and how often.
    pub(crate) codes: BTreeMap<i16, u64>,
}

/// Plays a tape up to the first answer that differs, and tells of that.
pub(crate) fn play(
    number: usize,
    tape: &Tape,
    topics: Vec<(String, Uuid)>,
    kafka: &mut Real,
    counts: &mut Counts,
    epoch: (Instant, Duration),
) -> Result<Option<String>, String> {
    let mut modelled = modelled(number, tape, &topics, epoch);
    let ours = topics.iter().map(|(name, _)| {
        let id = modelled.model.topic_id(name);
        let id = id.expect("the model has the tape's topics");
        (name.clone(), Uuid::from_bytes(id))
    });
    let ours: Vec<(String, Uuid)> = ours.collect();
    let mut theirs = Side::new(number, topics, kafka, epoch.1);
    let mut ours = Side::new(number, ours, &mut modelled, epoch.1);
    for (place, ask) in tape.asks.iter().enumerate() {
        let correlation = place as i32;
        let mut kafka = theirs.ask(ask, correlation)?;
        let mut model = ours.ask(ask, correlation)?;
        counts.requests += 1;
        for code in kafka.batch_codes() {
            *counts.codes.entry(code).or_default() += 1;
        }
        if kafka == model {
            counts.same += 1;
            continue;
        }
        let mut ends = false;
        for (exception, count) in EXCEPTIONS.iter().zip(&mut counts.exceptions) {
            if kafka != model {
                let before = (kafka.clone(), model.clone());
                (exception.level)(ask, &mut kafka, &mut model);
                if before != (kafka.clone(), model.clone()) {
                    *count += 1;
                    ends |= exception.ends;
                }
            }
        }
        if kafka != model {
            let lines = differing_lines(&kafka, &model);
            return Ok(Some(format!(
                "tape {number}, request {place}: {ask:?}\n{lines}"
            )));
        }
        if ends {
            break;
        }
    }
    Ok(None)
}

/// A model that begins when the first tape does.
fn modelled(
    number: usize,
    tape: &Tape,
    names: &[(String, Uuid)],
    (start, wall_clock): (Instant, Duration),
) -> Modelled {
    let mut model = Model::new(1, number as u64);
    model.set_auto_create(false);
    model.set_wall_clock_at_start(wall_clock);
    topics::model(tape, names, &mut model);
    Modelled::new(model, start)
}

/// One cluster and what it calls things.
struct Side<'a> {
    world: &'a mut dyn World,
    bindings: Bindings,
    names: Names,
}

impl<'a> Side<'a> {
    fn new(
        number: usize,
        topics: Vec<(String, Uuid)>,
        world: &'a mut dyn World,
        now: Duration,
    ) -> Self {
        let now = now.as_millis() as i64;
        let ids = topics.iter().map(|&(_, id)| id).collect();
        Self {
            world,
            names: Names::new(topics::prefix(number), now..=now + WEEK, ids),
            bindings: Bindings {
                topics,
                producers: Vec::new(),
            },
        }
    }

    fn ask(&mut self, ask: &Ask, correlation: i32) -> Result<Answer, String> {
        let request = ask.bytes(correlation, &self.bindings);
        let heard = self.world.ask(ask.link, &request, ask.wants_silence());
        let answer = heard.and_then(|heard| Answer::read(ask, correlation, heard));
        let answer = answer.map_err(|why| format!("{ask:?}: {why}"))?;
        if ask.initialises() {
            self.bindings
                .producers
                .push(answer.producer_id().unwrap_or(-1));
        }
        Ok(answer.in_other_words(&mut self.names))
    }
}

/// The lines that only one of two values has, when both are printed field by field.
fn differing_lines(kafka: &impl Debug, model: &impl Debug) -> String {
    let (kafka, model) = (format!("{kafka:#?}"), format!("{model:#?}"));
    let (kafka, model): (Vec<&str>, Vec<&str>) = (kafka.lines().collect(), model.lines().collect());
    let mut text = String::new();
    if kafka.len() == model.len() {
        for (line, (theirs, ours)) in kafka.iter().zip(&model).enumerate() {
            if theirs != ours {
                let _ = writeln!(
                    text,
                    "  {line}: Kafka {}; the model {}",
                    theirs.trim(),
                    ours.trim()
                );
            }
        }
        return text;
    }
    let _ = write!(
        text,
        "  Kafka:\n{}\n  the model:\n{}",
        kafka.join("\n"),
        model.join("\n")
    );
    text
}
