//! The core's `send` alone: what it takes to put a record into its batch.

use ottla_core::Record;

use crate::desk::{Desk, HEADERS, record};
use crate::measure::{Cost, median};
use crate::payload::Payload;
use crate::table::Table;
use crate::{PARTITIONS, SIZES, TRIES};

/// Bytes that are appended in one go, as between two turns of a driver, and sent off while nobody looks at the clock.
const AT_ONCE: usize = 256 << 10;
/// Records of one try.
const RECORDS: usize = 2_000_000;

pub(crate) fn run() -> Table {
    let mut table = Table::new(&["append", "CPU per record, ns"]);
    for size in SIZES {
        for (what, has_key, has_headers) in [
            ("value", false, false),
            ("key and value", true, false),
            ("key, value and two headers", true, true),
        ] {
            let cost = median(
                (0..TRIES)
                    .map(|_| one(size, has_key, has_headers))
                    .collect(),
            );
            table.row(format!("{size} B, {what}"), &[cost.cpu_per_record()]);
        }
    }
    table
}

fn one(size: usize, has_key: bool, has_headers: bool) -> Cost {
    let payload = Payload::new(size);
    let (mut desk, topic) = Desk::new(&[], PARTITIONS);
    let keys: Vec<[u8; 16]> = (0..64_u128)
        .map(|n| ((n * n) << 64).to_be_bytes())
        .collect();
    let mut cost = Cost::NONE;
    while cost.records < RECORDS {
        cost.add(Cost::of(AT_ONCE / (size + 128), || {
            for n in 0..AT_ONCE / (size + 128) {
                let record = Record {
                    key: has_key.then(|| &keys[n % keys.len()][..]),
                    headers: if has_headers { &HEADERS } else { &[] },
                    ..record(topic, payload.value(n))
                };
                desk.core.send(desk.now(), &record).expect("there is room");
            }
        }));
        desk.drain();
    }
    cost
}
