//! The whole core with an instant broker in memory: records in, outcomes out, no sockets and no locks.

use ottla_core::Record;

use crate::desk::Desk;
use crate::measure::{Cost, median};
use crate::payload::{Payload, SIZES};
use crate::table::Table;
use crate::{SETTINGS, records_of};

const TRIES: usize = 5;
const PARTITIONS: i32 = 6;

pub(crate) fn run() -> Table {
    let mut table = Table::new(&["drive", "CPU per record, ns"]);
    for size in SIZES {
        for (name, settings) in SETTINGS {
            let cost = median((0..TRIES).map(|_| one(size, settings)).collect());
            table.row(format!("{size} B, {name}"), &[cost.cpu_per_record()]);
        }
    }
    table
}

fn one(size: usize, settings: &[(&str, &str)]) -> Cost {
    let payload = Payload::new(size);
    let (mut desk, topic) = Desk::new(settings, PARTITIONS);
    let records = records_of(size);
    let cost = Cost::of(records, || {
        for n in 0..records {
            let record = Record {
                topic,
                partition: None,
                timestamp: 1_767_225_600_000,
                key: None,
                value: Some(payload.value(n)),
                headers: &[],
            };
            desk.send(&record);
            // As often as a driver would have its turn.
            if n % 1_000 == 0 {
                desk.turn();
            }
        }
        desk.drain();
    });
    assert_eq!(desk.written, records, "every record has its outcome");
    cost
}
