//! What a record takes from the allocator once everything that is kept is there: nothing, with its delivery.
//!
//! The peak is that of the process: it tells something only if this bench runs first.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ottla::{Delivery, Producer, Record, Topic};

use crate::PARTITIONS;
use crate::desk::config;
use crate::elsewhere::Elsewhere;
use crate::measure::peak_memory;
use crate::payload::Payload;
use crate::table::Table;

/// The system's allocator, which counts what is asked of it.
pub(crate) struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are allocated now.
static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is the system's allocator's own doing; counting touches no memory of its.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        HELD.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What was asked of the allocator so far.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// The bytes that are given back when something is dropped: those that it held.
pub(crate) fn held_by<T>(thing: T) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    drop(thing);
    before - HELD.load(Ordering::Relaxed)
}

const SIZE: usize = 100;
/// Records that are sent in one go, and then waited for.
const ROUND: usize = 50_000;
const ROUNDS: usize = 20;

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "memory",
        "allocations per record",
        "allocations per batch",
        "peak RSS, MB",
    ]);
    for (name, send) in [
        (
            "deliveries",
            with_deliveries as fn(&Producer, Topic, &Payload),
        ),
        ("callbacks that capture", with_callbacks),
    ] {
        let broker = Elsewhere::start(PARTITIONS);
        let producer = ottla::blocking::start(config(&[], broker.port())).expect("a producer");
        let topic = producer.topic("letters").expect("a good name");
        let payload = Payload::new(SIZE);
        for _ in 0..3 {
            send(&producer, topic, &payload);
        }
        let before = (allocations(), producer.metrics());
        for _ in 0..ROUNDS {
            send(&producer, topic, &payload);
        }
        let allocations = allocations() - before.0;
        let batches = producer.metrics().batches_sent - before.1.batches_sent;
        table.row(
            format!("{SIZE} B, {name}"),
            &[
                allocations as f64 / (ROUND * ROUNDS) as f64,
                allocations as f64 / batches as f64,
                peak_memory() / 1e6,
            ],
        );
        producer
            .close_blocking(Duration::from_secs(10))
            .expect("it closes in time");
    }
    table
}

fn with_deliveries(producer: &Producer, topic: Topic, payload: &Payload) {
    // An application that keeps them has one allocation for all.
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(ROUND);
    for n in 0..ROUND {
        let record = Record::to(topic).value(payload.value(n));
        deliveries.push(producer.send_blocking(record).expect("it is accepted"));
    }
    for delivery in deliveries {
        delivery.wait().expect("it is written");
    }
}

fn with_callbacks(producer: &Producer, topic: Topic, payload: &Payload) {
    for n in 0..ROUND {
        let record = Record::to(topic).value(payload.value(n));
        let callback = move |outcome: Result<_, _>| assert!(outcome.is_ok(), "record {n}");
        producer
            .send_with_blocking(record, callback)
            .expect("it is accepted");
    }
    producer.flush_blocking().expect("no callback calls this");
}
