//! The codecs, as the core has them work: how short batches become, how fast, and what all the rest costs beside that.

use std::time::Duration;

use crate::desk::{Desk, record};
use crate::measure::Cost;
use crate::memory::allocations;
use crate::payload::{KINDS, Kind, Payload};
use crate::table::Table;
use crate::{PARTITIONS, SETTINGS};

const SIZE: usize = 1_024;
/// Bytes of one try, of which the best of a few counts.
const BYTES: usize = 16 << 20;
const TRIES: usize = 3;

/// Codecs at their levels, each with the setting for it.
const CODECS: [(&str, &str, &str); 13] = [
    ("none", "", ""),
    ("gzip", "compression.gzip.level", "1"),
    ("gzip", "compression.gzip.level", "-1"),
    ("gzip", "compression.gzip.level", "9"),
    ("snappy", "", ""),
    ("lz4", "compression.lz4.level", "1"),
    ("lz4", "compression.lz4.level", "9"),
    ("lz4", "compression.lz4.level", "17"),
    ("zstd", "compression.zstd.level", "-5"),
    ("zstd", "compression.zstd.level", "1"),
    ("zstd", "compression.zstd.level", "3"),
    ("zstd", "compression.zstd.level", "9"),
    ("zstd", "compression.zstd.level", "19"),
];

/// What no codec makes shorter.
const NOISE: Kind = ("noise", Payload::noise);

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "compression",
        "bytes after, % of before",
        "codec, MB/s",
        "all the core's time by the codec's",
        "allocations per batch",
    ]);
    for (what, settings) in SETTINGS {
        for (kind, payload) in KINDS.into_iter().chain([NOISE]) {
            let payload = payload(SIZE);
            for (codec, name, level) in CODECS {
                let mut settings = settings.to_vec();
                settings.push(("compression.type", codec));
                settings.extend((!name.is_empty()).then_some((name, level)));
                table.row(
                    format!("{what}, {kind}, {codec} {level}"),
                    &measure(&settings, &payload),
                );
            }
        }
    }
    table
}

/// The numbers of one row.
fn measure(settings: &[(&str, &str)], payload: &Payload) -> [f64; 4] {
    let (mut desk, topic) = Desk::new(settings, PARTITIONS);
    let records = BYTES / SIZE;
    let send = |desk: &mut Desk| desk.send_each(records, |n| record(topic, payload.value(n)));
    // The estimate of the ratio settles, and what is kept is there.
    (0..3).for_each(|_| send(&mut desk));
    let before = desk.core.metrics();
    let first = allocations();
    let mut best: Option<(f64, f64)> = None;
    for _ in 0..TRIES {
        desk.worked = Duration::ZERO;
        let all = Cost::of(records, || send(&mut desk)).wall.as_secs_f64();
        let codec = desk.worked.as_secs_f64();
        if best.is_none_or(|(least, _)| codec < least) {
            best = Some((codec, all));
        }
    }
    let taken = allocations() - first;
    let (codec, all) = best.expect("there was a try");
    let after = desk.core.metrics();
    let batches = after.batches_sent - before.batches_sent;
    let raw = after.compression.bytes_before - before.compression.bytes_before;
    let short = after.compression.bytes_after - before.compression.bytes_after;
    [
        100.0 * short as f64 / raw as f64,
        raw as f64 / TRIES as f64 / codec / 1e6,
        all / codec,
        taken as f64 / batches as f64,
    ]
}
