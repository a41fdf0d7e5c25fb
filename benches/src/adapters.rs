//! The producer as applications use it, over loopback to a null broker on the other processor: a delivery for every
//! record, and every one of them looked at.

use std::collections::VecDeque;
use std::time::Duration;

use ottla::{Delivery, Producer, Record, Topic};

use crate::desk::config;
use crate::elsewhere::Elsewhere;
use crate::limit;
use crate::measure::{Cost, median};
use crate::payload::Payload;
use crate::table::Table;
use crate::{PARTITIONS, SETTINGS, SIZES, TRIES, records_of};

/// Deliveries that the application keeps before it looks at the oldest.
pub(crate) const KEPT: usize = 100_000;
/// Records that are sent before the clock runs, so that whatever is made once is there.
pub(crate) const WARM_UP: usize = 10_000;

/// Deliveries that the application has not looked at, the oldest first.
pub(crate) struct Kept {
    deliveries: VecDeque<Delivery>,
    most: usize,
}

impl Kept {
    /// With room for all that it will hold, so that none is made while the clock runs.
    pub(crate) fn at_most(most: usize) -> Self {
        Self {
            deliveries: VecDeque::with_capacity(most + 1),
            most,
        }
    }

    /// Keeps one more; gives the oldest if there are too many.
    fn add(&mut self, delivery: Delivery) -> Option<Delivery> {
        self.deliveries.push_back(delivery);
        if self.deliveries.len() > self.most {
            self.deliveries.pop_front()
        } else {
            None
        }
    }
}

/// Runs an application with some settings against the broker at a port, with values of a size.
type Run = fn(&[(&str, &str)], u16, usize) -> Cost;

const ADAPTERS: [(&str, Run); 4] = [
    ("tokio", |settings, port, size| {
        with_tokio(settings, port, size, 1)
    }),
    ("tokio, 100 a call", |settings, port, size| {
        with_tokio(settings, port, size, 100)
    }),
    ("smol", with_smol),
    ("blocking", with_threads),
];

pub(crate) fn run() -> Table {
    let mut table = Table::new(&[
        "adapters",
        "CPU per record, ns",
        "M records/s",
        "times the machine's limit",
    ]);
    for size in SIZES {
        for (name, settings) in SETTINGS {
            let broker = Elsewhere::start(PARTITIONS);
            let limit = limit::measure(settings, size, broker.port());
            for (adapter, run) in ADAPTERS {
                let one = || run(settings, broker.port(), size);
                let cost = median((0..TRIES).map(|_| one()).collect());
                table.row(
                    format!("{size} B, {name}, {adapter}"),
                    &[
                        cost.cpu_per_record(),
                        cost.rate() / 1e6,
                        cost.cpu_per_record() / limit.cpu_per_record(),
                    ],
                );
            }
        }
    }
    table
}

fn with_tokio(settings: &[(&str, &str)], port: u16, size: usize, at_once: usize) -> Cost {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let config = config(settings, port);
    let application = runtime.spawn(async move {
        let producer = ottla::tokio::start(config).expect("a producer");
        application(producer, size, at_once).await
    });
    runtime.block_on(application).expect("it does not panic")
}

fn with_smol(settings: &[(&str, &str)], port: u16, size: usize) -> Cost {
    let config = config(settings, port);
    smol::block_on(async move {
        let producer = ottla::smol::start(config).expect("a producer");
        application(producer, size, 1).await
    })
}

/// What an asynchronous application does, which hands in so many records at once.
async fn application(producer: Producer, size: usize, at_once: usize) -> Cost {
    let payload = Payload::new(size);
    let topic = producer.topic("letters").expect("a good name");
    let record = |n: usize| Record::to(topic).value(payload.value(n));
    let mut kept = Kept::at_most(KEPT);
    let look_at = async |oldest: Option<Delivery>| {
        if let Some(oldest) = oldest {
            oldest.await.expect("it is written");
        }
    };
    let mut send_all = async |records| {
        for n in (0..records).step_by(at_once) {
            if at_once == 1 {
                let delivery = producer.send(record(n)).await.expect("it is accepted");
                look_at(kept.add(delivery)).await;
                continue;
            }
            let sent = producer.send_all((n..n + at_once).map(record)).await;
            for delivery in sent.expect("they are accepted") {
                look_at(kept.add(delivery)).await;
            }
        }
        for delivery in kept.deliveries.drain(..) {
            delivery.await.expect("it is written");
        }
    };
    send_all(WARM_UP).await;
    let records = records_of(size);
    let start = Cost::begin();
    send_all(records).await;
    let cost = start.end(records);
    producer.close(Duration::from_secs(10)).await;
    cost
}

fn with_threads(settings: &[(&str, &str)], port: u16, size: usize) -> Cost {
    let payload = Payload::new(size);
    let producer = ottla::blocking::start(config(settings, port)).expect("a producer");
    let topic = producer.topic("letters").expect("a good name");
    let mut kept = Kept::at_most(KEPT);
    let mut send_all = |records| send_all(&producer, topic, &payload, records, &mut kept);
    send_all(WARM_UP);
    let records = records_of(size);
    let start = Cost::begin();
    send_all(records);
    let cost = start.end(records);
    producer
        .close_blocking(Duration::from_secs(10))
        .expect("it closes in time");
    cost
}

/// What a thread does: sends so many records, and looks at every outcome.
pub(crate) fn send_all(
    producer: &Producer,
    topic: Topic,
    payload: &Payload,
    records: usize,
    kept: &mut Kept,
) {
    for n in 0..records {
        let record = Record::to(topic).value(payload.value(n));
        let delivery = producer.send_blocking(record).expect("it is accepted");
        if let Some(oldest) = kept.add(delivery) {
            oldest.wait().expect("it is written");
        }
    }
    for delivery in kept.deliveries.drain(..) {
        delivery.wait().expect("it is written");
    }
}
