//! The same work over more partitions, more topics and more brokers: what a record costs must stay flat.

use ottla_core::{Record, Topic};

use crate::desk::{Desk, record};
use crate::measure::{Cost, median};
use crate::memory::held_by;
use crate::payload::Payload;
use crate::table::Table;

const SIZE: usize = 100;
const RECORDS: usize = 1_000_000;
const TRIES: usize = 3;

/// Partitions of a topic, topics, and brokers, which lead the partitions in turn.
const SHAPES: [(i32, usize, u16); 11] = [
    (1, 1, 1),
    (10, 1, 1),
    (100, 1, 1),
    (1_000, 1, 1),
    (10_000, 1, 1),
    (6, 10, 1),
    (6, 100, 1),
    (6, 1_000, 1),
    (600, 1, 1),
    (600, 1, 10),
    (600, 1, 100),
];

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "scale: topics × partitions on brokers",
        "CPU per record, ns",
        "spread, ns",
        "core's memory then, MB",
    ]);
    for (partitions, topics, brokers) in SHAPES {
        let one = |spread| {
            let tries = (0..TRIES).map(|_| one(partitions, topics, brokers, spread));
            let (costs, held): (Vec<_>, Vec<_>) = tries.unzip();
            (median(costs).cpu_per_record(), held[0] as f64 / 1e6)
        };
        let ((together, _), (spread, held)) = (one(false), one(true));
        table.row(
            format!("{topics} × {partitions} on {brokers}"),
            &[together, spread, held],
        );
    }
    table
}

/// What the records cost, and the bytes that the core holds after the last. They go to one topic after the other;
/// `spread`: to one partition after the other too, so that batches stay small.
fn one(partitions: i32, topics: usize, brokers: u16, spread: bool) -> (Cost, usize) {
    let payload = Payload::new(SIZE);
    let (mut desk, first) = Desk::with_brokers(&[], partitions, brokers);
    let names = (1..topics).map(|n| format!("letters-{n}"));
    let mut topics: Vec<Topic> = names.map(|name| desk.topic(&name)).collect();
    topics.push(first);
    let connections = desk.core.metrics().connections_made;
    assert_eq!(connections, brokers.into(), "every broker has one");
    let before = desk.written;
    let cost = Cost::of(RECORDS, || {
        desk.send_each(RECORDS, |n| Record {
            partition: spread.then_some((n / topics.len()) as i32 % partitions),
            ..record(topics[n % topics.len()], payload.value(n))
        });
    });
    assert_eq!(
        desk.written - before,
        RECORDS,
        "every record has its outcome"
    );
    (cost, held_by(desk.core))
}
