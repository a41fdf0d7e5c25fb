//! Everything that these tests ask of ottla itself.

use std::time::Duration;

use ottla::{Config, Delivery, Producer, Record};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::java::Java;
use crate::ledger::Seat;
use crate::workload::{self, Place, Workload};

const LIMIT: Duration = Duration::from_secs(240);

/// Sends the workload with ottla's defaults.
pub(crate) fn produce(
    _: &Java,
    servers: &str,
    topic: &str,
    workload: &Workload,
    acknowledged: &mut dyn FnMut(u64),
) -> Result<Vec<Option<Seat>>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let config = Config::builder().bootstrap_servers(servers).build();
        let config = config.map_err(|e| e.to_string())?;
        let producer = ottla::tokio::start(config).map_err(|e| e.to_string())?;
        let (deliveries, delivered) = unbounded_channel();
        let work = async {
            let sent = send(&producer, topic, workload, deliveries);
            let (sent, seats) = tokio::join!(sent, seats(delivered, acknowledged));
            sent.and(seats)
        };
        let seats = tokio::time::timeout(LIMIT, work).await;
        producer.close(Duration::from_secs(5)).await;
        seats.map_err(|_| "ottla ran out of time")?
    })
}

async fn send(
    producer: &Producer,
    topic: &str,
    workload: &Workload,
    deliveries: UnboundedSender<Delivery>,
) -> Result<(), String> {
    for number in 0..workload.records {
        let what = workload.record(number);
        let sent = producer.send(record(topic, &what)).await;
        let delivery = sent.map_err(|e| format!("record {number}: {e}"))?;
        let _ = deliveries.send(delivery);
    }
    Ok(())
}

fn record<'a>(topic: &'a str, what: &'a workload::Record<'a>) -> Record<'a> {
    let mut record = Record::to(topic);
    if let Some(key) = what.key {
        record = record.key(key);
    }
    if let Some(value) = &what.value {
        record = record.value(value);
    }
    if let Place::Asked(partition) = what.place {
        record = record.partition(partition as i32);
    }
    for (name, value) in &what.headers {
        record = record.header(name, value.as_deref());
    }
    record
}

/// Waits for every outcome, in the order of sending.
async fn seats(
    mut delivered: UnboundedReceiver<Delivery>,
    acknowledged: &mut dyn FnMut(u64),
) -> Result<Vec<Option<Seat>>, String> {
    let mut seats = Vec::new();
    while let Some(delivery) = delivered.recv().await {
        let written = delivery.await;
        let written = written.map_err(|e| format!("record {}: {e}", seats.len()))?;
        let offset = written.offset.map(|offset| offset as u64);
        seats.push(offset.map(|offset| (written.partition as usize, offset)));
        acknowledged(seats.len() as u64);
    }
    Ok(seats)
}
