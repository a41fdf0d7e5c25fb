//! Threads that share one producer: what a record costs with more of them, on one processor and on two.

use std::thread;
use std::time::Duration;

use crate::adapters::{KEPT, Kept, WARM_UP, send_all};
use crate::desk::config;
use crate::elsewhere::{Elsewhere, HERE, THERE};
use crate::measure::{Cost, median, pin};
use crate::payload::Payload;
use crate::table::Table;
use crate::{PARTITIONS, TRIES, records_of};

const THREADS: [usize; 5] = [1, 2, 4, 8, 16];
const SIZE: usize = 100;

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "contention",
        "CPU per record, ns",
        "M records/s",
        "times one thread's CPU",
    ]);
    let places: [(&str, &[usize]); 2] = [("one", &[HERE]), ("two", &[HERE, THERE])];
    for (name, processors) in places {
        let mut alone = None;
        for threads in THREADS {
            let broker = Elsewhere::start(PARTITIONS);
            pin(processors);
            let costs = (0..TRIES).map(|_| one(broker.port(), threads)).collect();
            pin(&[HERE]);
            let cost = median(costs);
            let alone = *alone.get_or_insert(cost.cpu_per_record());
            table.row(
                format!("{threads} on {name}"),
                &[
                    cost.cpu_per_record(),
                    cost.rate() / 1e6,
                    cost.cpu_per_record() / alone,
                ],
            );
        }
    }
    table
}

fn one(port: u16, threads: usize) -> Cost {
    let producer = ottla::blocking::start(config(&[], port)).expect("a producer");
    let topic = producer.topic("letters").expect("a good name");
    let records = records_of(SIZE) / threads;
    // Together they keep as many deliveries as one does.
    let send = |records, most| {
        let (payload, mut kept) = (Payload::new(SIZE), Kept::at_most(most));
        send_all(&producer, topic, &payload, records, &mut kept);
    };
    send(WARM_UP, KEPT);
    let start = Cost::begin();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| send(records, KEPT / threads));
        }
    });
    let cost = start.end(records * threads);
    producer
        .close_blocking(Duration::from_secs(10))
        .expect("it closes in time");
    cost
}
