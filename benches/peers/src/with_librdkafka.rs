//! librdkafka, by way of rdkafka's `ThreadedProducer`: a callback for each record, and no future.
//!
//! Settings: those of the job. `queue.buffering.max.messages` is 100,000 by default. `message.max.bytes` bounds a batch
//! too, so it is what a broker takes by default, a little more than 1 MiB. When the queue is full the application sleeps
//! for a millisecond, in which a small part of the queue is worked off: the producer never runs dry.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};

use crate::Failure;
use crate::job::{BUFFER, Job, Mode, TOPIC};
use crate::measure::{Cost, Report};
use crate::outcomes::Outcomes;
use crate::pace::send_at;
use crate::payload::Payload;

pub(crate) fn run(job: &Job) -> Result<Report, Failure> {
    let times = match job.mode {
        Mode::Throughput { .. } => 0,
        Mode::Latency { rate, seconds } => rate * seconds,
    };
    let outcomes = Arc::new(Outcomes::timed(times));
    let peer = Peer::start(job, &outcomes)?;
    peer.send_all(times, Job::WARM_UP)?;
    match job.mode {
        Mode::Throughput { records } => {
            let start = Cost::begin();
            peer.send_all(times, records)?;
            Ok(start.end(records).with(Vec::new()))
        }
        Mode::Latency { rate, .. } => send_at(rate, times, &outcomes, |n| peer.send(n)),
    }
}

struct Peer {
    producer: ThreadedProducer<Callbacks>,
    outcomes: Arc<Outcomes>,
    payload: Payload,
}

struct Callbacks(Arc<Outcomes>);

impl ClientContext for Callbacks {}

impl ProducerContext for Callbacks {
    /// The number of the record.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, n: usize) {
        self.0.end(n, result.is_ok());
    }
}

impl Peer {
    fn start(job: &Job, outcomes: &Arc<Outcomes>) -> Result<Self, Failure> {
        let mut config = ClientConfig::new();
        for (name, value) in job.properties() {
            config.set(name, value);
        }
        config.set("queue.buffering.max.kbytes", (BUFFER >> 10).to_string());
        config.set("message.max.bytes", "1048588");
        Ok(Self {
            producer: config.create_with_context(Callbacks(Arc::clone(outcomes)))?,
            outcomes: Arc::clone(outcomes),
            payload: job.payload()?,
        })
    }

    /// Sends records with these numbers, and waits until they have their outcomes.
    fn send_all(&self, first: usize, records: usize) -> Result<(), Failure> {
        for n in first..first + records {
            self.send(n)?;
        }
        // Not by its `flush`, which looks every 100 ms.
        self.outcomes.wait_for(records)
    }

    fn send(&self, n: usize) -> Result<(), Failure> {
        let value = self.payload.value(n);
        let mut record = BaseRecord::<(), [u8], usize>::with_opaque_to(TOPIC, n).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
}
