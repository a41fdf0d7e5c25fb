//! Instructions of the core for 10,000 records: `send` alone, and all of a record's way with an instant broker in memory.

#[allow(dead_code)]
#[path = "../../src/desk.rs"]
mod desk;
#[allow(dead_code)]
#[path = "../../src/payload.rs"]
mod payload;

use gungraun::prelude::*;
use ottla_core::{Header, Record, Topic};

use desk::{Desk, HEADERS, record};
use payload::Payload;

const RECORDS: usize = 10_000;
const PARTITIONS: i32 = 6;

/// A producer at work, and values of a size.
fn desk(size: usize) -> (Desk, Topic, Payload) {
    let (mut desk, topic) = Desk::new(&[], PARTITIONS);
    let payload = Payload::new(size);
    // What is made once is there afterwards, memory for so many records too.
    send(&mut desk, topic, &payload, Some(b"customer-7"), &HEADERS);
    desk.drain();
    (desk, topic, payload)
}

fn send(
    desk: &mut Desk,
    topic: Topic,
    payload: &Payload,
    key: Option<&[u8]>,
    headers: &[Header<'_>],
) {
    for n in 0..RECORDS {
        desk.send(&Record {
            key,
            headers,
            ..record(topic, payload.value(n))
        });
    }
}

#[library_benchmark(setup = desk)]
#[bench::of_100_bytes(100)]
#[bench::of_1_kib(1024)]
fn values((mut desk, topic, payload): (Desk, Topic, Payload)) -> Desk {
    send(&mut desk, topic, &payload, None, &[]);
    desk
}

#[library_benchmark(setup = desk)]
#[bench::of_100_bytes(100)]
fn keys_and_headers((mut desk, topic, payload): (Desk, Topic, Payload)) -> Desk {
    send(&mut desk, topic, &payload, Some(b"customer-7"), &HEADERS);
    desk
}

#[library_benchmark(setup = desk)]
#[bench::of_100_bytes(100)]
#[bench::of_1_kib(1024)]
fn whole_way((mut desk, topic, payload): (Desk, Topic, Payload)) -> Desk {
    desk.send_all(topic, &payload, RECORDS);
    desk
}

library_benchmark_group!(
    name = core,
    benchmarks = [values, keys_and_headers, whole_way]
);
main!(library_benchmark_groups = core);
