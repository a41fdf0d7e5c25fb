//! confluent-kafka, Java's client translated to Rust. Settings: those of the job, which have Java's names.
//!
//! `KafkaProducer<Vec<u8>, Vec<u8>>::send` borrows the value and copies it into its batch.

use std::collections::HashMap;
use std::sync::Arc;

use confluent_kafka::common::serialization::ByteArraySerializer;
use confluent_kafka::common::{Error, KafkaFuture};
use confluent_kafka::producer::{
    KafkaProducer, Producer, ProducerConfig, ProducerRecord, RecordMetadata,
};

use crate::Failure;
use crate::asynchronous::{self, Peer};
use crate::job::{BUFFER, Job, TOPIC};
use crate::measure::Report;
use crate::outcomes::Outcomes;
use crate::payload::Payload;

pub(crate) fn run(job: &Job) -> Result<Report, Failure> {
    asynchronous::run::<Confluent>(job)
}

struct Confluent {
    producer: KafkaProducer<Vec<u8>, Vec<u8>>,
    payload: Payload,
}

impl Peer for Confluent {
    type Delivery = KafkaFuture<RecordMetadata>;

    async fn start(job: &Job) -> Result<Self, Failure> {
        let mut properties = HashMap::from([("buffer.memory".to_owned(), BUFFER.to_string())]);
        for (name, value) in job.properties() {
            properties.insert(name.to_owned(), value);
        }
        let config = ProducerConfig::new(&properties)?;
        let (keys, values) = (ByteArraySerializer::new(), ByteArraySerializer::new());
        Ok(Self {
            producer: KafkaProducer::new(config, keys, values)?,
            payload: job.payload()?,
        })
    }

    async fn send(&mut self, n: usize) -> Result<Self::Delivery, Failure> {
        Ok(self.producer.send(self.record(n), None).await?)
    }

    async fn written(delivery: Self::Delivery) -> Result<(), Failure> {
        delivery.get().await?;
        Ok(())
    }

    async fn send_noted(&mut self, n: usize, outcomes: &Arc<Outcomes>) -> Result<(), Failure> {
        let outcomes = Arc::clone(outcomes);
        let end = move |_: Option<&RecordMetadata>, error: Option<&Error>| {
            outcomes.end(n, error.is_none());
        };
        self.producer
            .send(self.record(n), Some(Box::new(end)))
            .await?;
        Ok(())
    }

    async fn close(self) {
        let _ = self.producer.close().await;
    }
}

impl Confluent {
    fn record(&self, n: usize) -> ProducerRecord<&[u8], &[u8]> {
        ProducerRecord::new(TOPIC.to_owned(), Some(self.payload.value(n)))
    }
}
