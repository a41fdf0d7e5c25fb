//! Everything that these tests ask of ottla itself.

use std::sync::Arc;
use std::time::Duration;

use ottla::{Config, Delivery, Producer, Record, RecordMetadata, Setup, Undelivered};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::job::Job;
use crate::ledger::Told;
use crate::workload::{self, Place};

const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Sends the workload with the job's settings, and ottla's defaults besides, on tokio.
#[cfg(feature = "tokio")]
pub(crate) fn on_tokio(job: &Arc<Job>) -> Result<Vec<Told>, String> {
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
pub(crate) fn on_smol(job: &Arc<Job>) -> Result<Vec<Told>, String> {
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
pub(crate) fn on_a_thread(job: &Arc<Job>) -> Result<Vec<Told>, String> {
    let producer = ottla::blocking::start(setup(job)?).map_err(|e| e.to_string())?;
    let (deliveries, delivered) = std::sync::mpsc::channel();
    let told = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send_blocking(&producer, job, deliveries));
        let mut told = Vec::new();
        for delivery in delivered {
            let outcome = match delivery.wait() {
                Ok(written) => Ok(written),
                Err(ottla::WaitError::Undelivered(why)) => Err(why),
                Err(ottla::WaitError::Deadlock(why)) => return Err(why.to_string()),
            };
            take(job, &mut told, outcome)?;
        }
        sending.join().expect("sending does not panic")?;
        Ok(told)
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
        if !job.admit_blocking(number) {
            break;
        }
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
    let servers = ("bootstrap.servers", job.servers.clone());
    let settings = job.settings.iter().cloned().chain([servers]);
    let config = Config::from_properties(settings).map_err(|e| e.to_string())?;
    let job = Arc::clone(job);
    Ok(Setup::new(config).on_warning(move |warning| job.note(warning)))
}

/// Sends the workload and waits for its outcomes, both at the same time; needs no particular executor.
async fn deliver(
    producer: &Producer,
    job: &Job,
    pause: impl AsyncFn(Duration),
) -> Result<Vec<Told>, String> {
    let (deliveries, delivered) = unbounded_channel();
    let sending = send(producer, job, deliveries, pause);
    let told = tokio::try_join!(sending, outcomes(job, delivered));
    producer.close(CLOSE_LIMIT).await;
    told.map(|((), told)| told)
}

async fn send(
    producer: &Producer,
    job: &Job,
    deliveries: UnboundedSender<Delivery>,
    pause: impl AsyncFn(Duration),
) -> Result<(), String> {
    for number in 0..job.workload.records {
        if !job.admit(number, &pause).await {
            break;
        }
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
async fn outcomes(
    job: &Job,
    mut delivered: UnboundedReceiver<Delivery>,
) -> Result<Vec<Told>, String> {
    let mut told = Vec::new();
    while let Some(delivery) = delivered.recv().await {
        take(job, &mut told, delivery.await)?;
    }
    Ok(told)
}

/// Writes down what became of the next record; one that is not written ends the job, unless that endures it.
fn take(
    job: &Job,
    told: &mut Vec<Told>,
    outcome: Result<RecordMetadata, Undelivered>,
) -> Result<(), String> {
    if let Err(why) = &outcome {
        let why = format!("record {}: {why}", told.len());
        if !job.endures {
            job.stop();
            return Err(why);
        }
        job.note(why);
    }
    told.push(match outcome {
        Ok(written) => {
            let seat = |offset| (written.partition as usize, offset as u64);
            Told::Written(written.offset.map(seat))
        }
        Err(Undelivered::NotWritten(_)) => Told::NotWritten,
        Err(Undelivered::MaybeWritten(_)) => Told::MaybeWritten,
    });
    job.acknowledge(told.len() as u64);
    Ok(())
}
