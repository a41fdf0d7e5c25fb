//! Whether a log holds what the producer was told, and nothing else.

use std::collections::BTreeMap;

use ottla::{RecordMetadata, Undelivered};

use crate::letter::{Letter, Logged};

/// What a producer was told of a record.
pub(crate) type Outcome = Result<RecordMetadata, Undelivered>;

/// Expects each written record at the offset told and once, none that is not written, and the order of sending in each
/// partition. The letters differ from one another, and were sent in this order.
pub(crate) fn judge(
    letters: &[Letter],
    outcomes: &[Outcome],
    log: &[Logged],
) -> Result<(), String> {
    let mut places: BTreeMap<(i32, i64), usize> = BTreeMap::new();
    for logged in log {
        let number = letters.iter().position(|letter| *letter == logged.letter);
        let number = number.ok_or_else(|| format!("this was never sent: {logged:?}"))?;
        let place = (logged.letter.partition, logged.offset);
        if places.insert(place, number).is_some() {
            return Err(format!("two records are at {place:?}"));
        }
    }
    let mut found = vec![None; letters.len()];
    let mut last = None;
    for (&place, &number) in &places {
        if let Some(other) = found[number].replace(place) {
            return Err(format!("{number} is at {other:?} and at {place:?}"));
        }
        match last.replace((place.0, number)) {
            Some((partition, before)) if partition == place.0 && before > number => {
                return Err(format!("{number} comes after {before}"));
            }
            _ => {}
        }
    }
    let mut told = found.iter().zip(outcomes).enumerate();
    told.try_for_each(|(number, (&found, outcome))| {
        agree(found, outcome).map_err(|why| format!("{number} {why}: {outcome:?}"))
    })
}

fn agree(found: Option<(i32, i64)>, outcome: &Outcome) -> Result<(), String> {
    match (outcome, found) {
        (Ok(_), None) => Err("is lost".to_owned()),
        (Ok(told), Some((partition, offset))) => {
            let elsewhere = told.offset.is_some_and(|told| told != offset);
            match told.partition != partition || elsewhere {
                true => Err(format!("is at {partition}, {offset}")),
                false => Ok(()),
            }
        }
        (Err(Undelivered::NotWritten(_)), Some(_)) => Err("is in the log".to_owned()),
        (Err(_), _) => Ok(()),
    }
}

/// Shows the judge logs with one fault each.
pub(crate) fn notices_every_fault() -> Result<(), String> {
    let letters: Vec<Letter> = (0..9).map(Letter::numbered).collect();
    let logged = |number: usize, offset| Logged {
        offset,
        letter: letters[number].clone(),
    };
    let log: Vec<Logged> = (0..9).map(|n| logged(n, (n / 3) as i64)).collect();
    let not_written = || Err(Undelivered::NotWritten(ottla::DeliveryError::Purged));
    let maybe_written = || Err(Undelivered::MaybeWritten(ottla::DeliveryError::Purged));
    let untold: Vec<Outcome> = letters.iter().map(|_| maybe_written()).collect();
    judge(&letters, &untold, &log)?;
    judge(&letters, &untold, &[])?;

    let mut twice = log.clone();
    twice.push(logged(0, 3));
    noticed(judge(&letters, &untold, &twice), "and at")?;
    let mut swapped = log.clone();
    (swapped[0].offset, swapped[3].offset) = (1, 0);
    noticed(judge(&letters, &untold, &swapped), "comes after")?;
    let mut strange = log.clone();
    strange[4].letter.value = None;
    noticed(judge(&letters, &untold, &strange), "never sent")?;
    let refused: Vec<Outcome> = letters.iter().map(|_| not_written()).collect();
    noticed(judge(&letters, &refused, &log), "is in the log")
}

fn noticed(verdict: Result<(), String>, why: &str) -> Result<(), String> {
    match verdict {
        Err(found) if found.contains(why) => Ok(()),
        other => Err(format!("expected \"{why}\", got {other:?}")),
    }
}
