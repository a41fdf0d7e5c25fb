//! ottla, with two of its adapters. Settings: exactly those of the job.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ottla::{Config, Delivery, Producer, Record, Topic};

use crate::Failure;
use crate::asynchronous::{self, Peer};
use crate::job::{BUFFER, Job, Mode, TOPIC};
use crate::measure::{Cost, Report};
use crate::outcomes::Outcomes;
use crate::pace::send_at;
use crate::payload::Payload;

const CLOSE: Duration = Duration::from_secs(10);

pub(crate) fn tokio(job: &Job) -> Result<Report, Failure> {
    asynchronous::run::<Ottla>(job)
}

pub(crate) fn blocking(job: &Job) -> Result<Report, Failure> {
    let ottla = Ottla::new(ottla::blocking::start(config(job)?)?, job)?;
    let producer = &ottla.producer;
    ottla.send_all(Job::WARM_UP, job.outstanding())?;
    let report = match job.mode {
        Mode::Throughput { records } => {
            let start = Cost::begin();
            ottla.send_all(records, job.outstanding())?;
            start.end(records).with(Vec::new())
        }
        Mode::Latency { rate, seconds } => {
            let records = rate * seconds;
            let outcomes = Arc::new(Outcomes::timed(records));
            send_at(rate, records, &outcomes, |n| {
                let outcomes = Arc::clone(&outcomes);
                let end = move |outcome: Result<_, _>| outcomes.end(n, outcome.is_ok());
                Ok(producer.send_with_blocking(ottla.record(n), end)?)
            })?
        }
    };
    producer.close_blocking(CLOSE)?;
    Ok(report)
}

struct Ottla {
    producer: Producer,
    topic: Topic,
    payload: Payload,
}

impl Ottla {
    fn new(producer: Producer, job: &Job) -> Result<Self, Failure> {
        Ok(Self {
            topic: producer.topic(TOPIC)?,
            producer,
            payload: job.payload()?,
        })
    }

    fn record(&self, n: usize) -> Record<'_> {
        Record::to(self.topic).value(self.payload.value(n))
    }

    fn send_all(&self, records: usize, most: usize) -> Result<(), Failure> {
        let mut kept = VecDeque::with_capacity(most + 1);
        for n in 0..records {
            kept.push_back(self.producer.send_blocking(self.record(n))?);
            if kept.len() > most
                && let Some(oldest) = kept.pop_front()
            {
                oldest.wait()?;
            }
        }
        for delivery in kept {
            delivery.wait()?;
        }
        Ok(())
    }
}

impl Peer for Ottla {
    type Delivery = Delivery;

    async fn start(job: &Job) -> Result<Self, Failure> {
        Self::new(ottla::tokio::start(config(job)?)?, job)
    }

    async fn send(&mut self, n: usize) -> Result<Delivery, Failure> {
        Ok(self.producer.send(self.record(n)).await?)
    }

    async fn written(delivery: Delivery) -> Result<(), Failure> {
        delivery.await?;
        Ok(())
    }

    async fn send_noted(&mut self, n: usize, outcomes: &Arc<Outcomes>) -> Result<(), Failure> {
        let outcomes = Arc::clone(outcomes);
        let end = move |outcome: Result<_, _>| outcomes.end(n, outcome.is_ok());
        Ok(self.producer.send_with(self.record(n), end).await?)
    }

    async fn close(self) {
        self.producer.close(CLOSE).await;
    }
}

fn config(job: &Job) -> Result<Config, Failure> {
    let mut builder = Config::builder();
    for (name, value) in job.properties() {
        builder.set(name, &value)?;
    }
    builder.set("buffer.memory", &BUFFER.to_string())?;
    Ok(builder.build()?)
}
