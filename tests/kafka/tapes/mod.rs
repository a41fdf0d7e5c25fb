//! The model held against the real thing: both hear the same tapes of requests, and must answer the same.

mod answer;
mod ask;
mod batch;
mod exceptions;
mod player;
mod stamps;
mod tape;
mod topics;
mod world;

pub(crate) use world::{Heard, Real, World};

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ottla_sim::code;

use crate::broker::Kafka;
use crate::java::Java;
use exceptions::EXCEPTIONS;
use player::{Counts, play};
use tape::Tape;

const TAPES: u64 = 300;
/// What Kafka must have answered to some batch, or the tapes are too tame.
const CODES: [i16; 13] = [
    code::NONE,
    code::UNKNOWN_SERVER_ERROR,
    code::CORRUPT_MESSAGE,
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::MESSAGE_TOO_LARGE,
    code::INVALID_REQUIRED_ACKS,
    code::INVALID_TIMESTAMP,
    code::OUT_OF_ORDER_SEQUENCE_NUMBER,
    code::INVALID_PRODUCER_EPOCH,
    code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    code::UNSUPPORTED_COMPRESSION_TYPE,
    code::INVALID_RECORD,
    code::UNKNOWN_TOPIC_ID,
];
/// Differences that are told in full.
const TOLD: usize = 5;

/// Plays every tape to a real node and to the model, and compares each answer.
pub(crate) fn agree(java: &Java) -> Result<(), String> {
    let kafka = Kafka::start(java, 1)?;
    compare(&kafka).map_err(|why| format!("{why}\n{}", kafka.last_words()))
}

fn compare(kafka: &Kafka) -> Result<(), String> {
    let address = kafka.bootstrap_servers().parse();
    let mut real = Real::new(address.map_err(|_| "one node has one address")?);
    let start = Instant::now();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|e| e.to_string())?;
    let tapes: Vec<Tape> = (0..TAPES)
        .map(|number| Tape::draw(number, now.as_millis() as i64))
        .collect();
    let topics = topics::create(&mut real, &tapes)?;
    let ready = start.elapsed();

    let mut counts = Counts::default();
    let mut differences = Vec::new();
    for (number, (tape, topics)) in tapes.iter().zip(topics).enumerate() {
        let played = play(number, tape, topics, &mut real, &mut counts, (start, now));
        differences.extend(played?);
    }
    println!(
        "{TAPES} tapes, {} requests, {} answers the same; {ready:.1?} to begin, {:.1?} in all",
        counts.requests,
        counts.same,
        start.elapsed()
    );
    println!("Kafka's codes for batches: {:?}", counts.codes);
    for (exception, count) in EXCEPTIONS.iter().zip(counts.exceptions) {
        println!("{count:6} times: {}", exception.what);
    }
    if let Some(code) = CODES.iter().find(|code| !counts.codes.contains_key(code)) {
        return Err(format!(
            "no batch was answered with {code}: the tapes prove less than they should"
        ));
    }
    let all = differences.len();
    differences.truncate(TOLD);
    match all {
        0 => Ok(()),
        _ => Err(format!(
            "{all} tapes are answered differently\n{}",
            differences.join("\n")
        )),
    }
}
