//! Everything that these tests ask of ottla itself.

use std::sync::Arc;
use std::time::Duration;

use ottla::{Config, Delivery, Producer, Record, RecordMetadata, Setup};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::job::{Job, Seats};
use crate::workload::{self, Place};

const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Sends the workload with ottla's defaults, on tokio.
#[cfg(feature = "tokio")]
pub(crate) fn on_tokio(job: &Arc<Job>) -> Result<Seats, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let producer = ottla::tokio::start(setup(job)?).map_err(|e| e.to_string())?;
        deliver(&producer, job, tokio::time::sleep).await
    })
}

/// The same on smol.
#[cfg(feature = "smol")]
pub(crate) fn on_smol(job: &Arc<Job>) -> Result<Seats, String> {
    smol::block_on(async {
        let producer = ottla::smol::start(setup(job)?).map_err(|e| e.to_string())?;
        let pause = async |time| {
            smol::Timer::after(time).await;
        };
        deliver(&producer, job, pause).await
    })
}

/// The same without an async runtime, by the blocking form of each call.
#[cfg(feature = "blocking")]
pub(crate) fn on_a_thread(job: &Arc<Job>) -> Result<Seats, String> {
    let producer = ottla::blocking::start(setup(job)?).map_err(|e| e.to_string())?;
    let (deliveries, delivered) = std::sync::mpsc::channel();
    let told = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send_blocking(&producer, job, deliveries));
        let mut seats = Seats::new();
        for delivery in delivered {
            take(job, &mut seats, delivery.wait())?;
        }
        sending.join().expect("sending does not panic")?;
        Ok(seats)
    });
    let closed = producer.close_blocking(CLOSE_LIMIT);
    closed.map_err(|e| e.to_string())?;
    told
}

/// Sends the workload for as long as somebody waits for its outcomes.
#[cfg(feature = "blocking")]
fn send_blocking(
    producer: &Producer,
    job: &Job,
    deliveries: std::sync::mpsc::Sender<Delivery>,
) -> Result<(), String> {
    for number in 0..job.workload.records {
        job.admit_blocking(number);
        let what = job.workload.record(number);
        let sent = producer.send_blocking(record(&job.topic, &what));
        let delivery = sent.map_err(|e| format!("record {number}: {e}"))?;
        if deliveries.send(delivery).is_err() {
            break;
        }
    }
    Ok(())
}

fn setup(job: &Arc<Job>) -> Result<Setup, String> {
    let config = Config::builder().bootstrap_servers(&job.servers).build();
    let config = config.map_err(|e| e.to_string())?;
    let job = Arc::clone(job);
    Ok(Setup::new(config).on_warning(move |warning| job.note(warning)))
}

/// Sends the workload and waits for its outcomes, both at the same time; needs no particular executor.
async fn deliver(
    producer: &Producer,
    job: &Job,
    pause: impl AsyncFn(Duration),
) -> Result<Seats, String> {
    let (deliveries, delivered) = unbounded_channel();
    let sending = send(producer, job, deliveries, pause);
    let told = tokio::try_join!(sending, seats(job, delivered));
    producer.close(CLOSE_LIMIT).await;
    told.map(|((), seats)| seats)
}

async fn send(
    producer: &Producer,
    job: &Job,
    deliveries: UnboundedSender<Delivery>,
    pause: impl AsyncFn(Duration),
) -> Result<(), String> {
    for number in 0..job.workload.records {
        job.admit(number, &pause).await;
        let what = job.workload.record(number);
        let sent = producer.send(record(&job.topic, &what)).await;
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
async fn seats(job: &Job, mut delivered: UnboundedReceiver<Delivery>) -> Result<Seats, String> {
    let mut seats = Seats::new();
    while let Some(delivery) = delivered.recv().await {
        take(job, &mut seats, delivery.await)?;
    }
    Ok(seats)
}

/// Writes the seat of the next record down; one without a seat ends the job.
fn take<E: std::fmt::Display>(
    job: &Job,
    seats: &mut Seats,
    outcome: Result<RecordMetadata, E>,
) -> Result<(), String> {
    let written = outcome.map_err(|error| {
        job.give_up();
        format!("record {}: {error}", seats.len())
    })?;
    let offset = written.offset.map(|offset| offset as u64);
    seats.push(offset.map(|offset| (written.partition as usize, offset)));
    job.acknowledge(seats.len() as u64);
    Ok(())
}
