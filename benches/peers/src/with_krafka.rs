//! krafka. Settings: those of the job; it has the same ones, and its own maximum of a request is large enough.
//!
//! It takes values as shared `Bytes`: the values are made once, so that nothing is copied for it.

use bytes::Bytes;
use krafka::producer::{Acks, DeliveryHandle, Producer};
use krafka::{Kafka, Record};
use ottla::Compression;

use crate::Failure;
use crate::asynchronous::{self, Peer};
use crate::job::{BUFFER, Job, TOPIC};
use crate::measure::Report;

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
        let compression = match job.compression {
            Compression::None => krafka::Compression::None,
            Compression::Gzip => krafka::Compression::Gzip,
            Compression::Snappy => krafka::Compression::Snappy,
            Compression::Lz4 => krafka::Compression::Lz4,
            Compression::Zstd => krafka::Compression::Zstd,
        };
        let producer = kafka
            .producer()
            .acks(Acks::All)
            .idempotent(true)
            .compression(compression)
            .linger(job.linger())
            .batch_size(job.batch_size())
            .buffer_memory(BUFFER)
            .build()
            .await?;
        let payload = job.payload()?;
        let value = |n| Bytes::copy_from_slice(payload.value(n));
        Ok(Self {
            producer,
            values: (0..payload.values()).map(value).collect(),
        })
    }

    async fn send(&mut self, n: usize) -> Result<DeliveryHandle, Failure> {
        let value = self.values[n % self.values.len()].clone();
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
