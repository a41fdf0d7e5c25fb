//! The whole core with an instant broker in memory: records in, outcomes out, no sockets and no locks.

use crate::desk::Desk;
use crate::measure::{Cost, median};
use crate::payload::Payload;
use crate::table::Table;
use crate::{PARTITIONS, SETTINGS, SIZES, TRIES, records_of};

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
    let cost = Cost::of(records, || desk.send_all(topic, &payload, records));
    assert_eq!(desk.written, records, "every record has its outcome");
    cost
}
