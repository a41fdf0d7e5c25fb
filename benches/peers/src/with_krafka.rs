//! krafka. Settings: those of the job; it has the same ones, and its own maximum of a request is large enough.
//!
//! It takes values as shared `Bytes`: the 256 values are made once, so that nothing is copied for it.

use bytes::Bytes;
use krafka::producer::{Acks, DeliveryHandle, Producer};
use krafka::{Compression, Kafka, Record};

use crate::Failure;
use crate::asynchronous::{self, Peer};
use crate::job::{BUFFER, Job, TOPIC};
use crate::measure::Report;
use crate::payload::{Payload, VALUES};

pub(crate) fn run(job: &Job) -> Result<Report, Failure> {
    asynchronous::run::<Krafka>(job)
}

struct Krafka {
    producer: Producer,
    values: Vec<Bytes>,
}

impl Peer for Krafka {
    type Delivery = DeliveryHandle;

    async fn start(job: &Job) -> Result<Self, Failure> {
        let kafka = Kafka::builder(&job.broker).connect().await?;
        let producer = kafka
            .producer()
            .acks(Acks::All)
            .idempotent(true)
            .compression(Compression::None)
            .linger(job.linger())
            .batch_size(job.batch_size())
            .buffer_memory(BUFFER)
            .build()
            .await?;
        let payload = Payload::new(job.size);
        let value = |n| Bytes::copy_from_slice(payload.value(n));
        Ok(Self {
            producer,
            values: (0..VALUES).map(value).collect(),
        })
    }

    async fn send(&mut self, n: usize) -> Result<DeliveryHandle, Failure> {
        let value = self.values[n % VALUES].clone();
        Ok(self.producer.enqueue(Record::new(TOPIC, value)).await?)
    }

    async fn written(delivery: DeliveryHandle) -> Result<(), Failure> {
        let _written_at = delivery.await?;
        Ok(())
    }

    async fn close(self) {
        let _ = self.producer.close().await;
    }
}
