//! rskafka: not idempotent, with no bound on requests in flight and none on memory but the application's on records.
//!
//! Settings: linger and batch size of the job. It has a batching producer for each partition and does not choose one:
//! the application stays with a partition for a batch, as the other peers' partitioners do. Its linger of 0 is a tokio
//! timer and so takes about a millisecond.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chrono::Utc;
use ottla::Compression;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{self, UnknownTopicHandling};
use rskafka::client::producer::aggregator::RecordAggregator;
use rskafka::client::producer::{BatchProducer, BatchProducerBuilder};
use rskafka::record::Record;

use crate::Failure;
use crate::asynchronous::{self, Peer};
use crate::job::{Job, TOPIC};
use crate::measure::Report;
use crate::payload::Payload;

const PARTITIONS: i32 = 6;

pub(crate) fn run(job: &Job) -> Result<Report, Failure> {
    asynchronous::run::<Rskafka>(job)
}

struct Rskafka {
    partitions: Vec<Arc<BatchProducer<RecordAggregator>>>,
    payload: Payload,
    /// Records in a batch.
    records: usize,
}

impl Peer for Rskafka {
    type Delivery = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

    async fn start(job: &Job) -> Result<Self, Failure> {
        let client = ClientBuilder::new(vec![job.broker.clone()]).build().await?;
        let compression = match job.compression {
            Compression::None => partition::Compression::NoCompression,
            Compression::Gzip => partition::Compression::Gzip,
            Compression::Snappy => partition::Compression::Snappy,
            Compression::Lz4 => partition::Compression::Lz4,
            Compression::Zstd => partition::Compression::Zstd,
        };
        let mut partitions = Vec::new();
        for partition in 0..PARTITIONS {
            let unknown = UnknownTopicHandling::Error;
            let client = client.partition_client(TOPIC, partition, unknown).await?;
            let producer = BatchProducerBuilder::new(Arc::new(client))
                .with_linger(job.linger())
                .with_compression(compression)
                .build(RecordAggregator::new(job.batch_size()));
            partitions.push(Arc::new(producer));
        }
        Ok(Self {
            partitions,
            payload: job.payload()?,
            records: job.batch_size() / job.size,
        })
    }

    /// Its future adds the record to a batch when it is polled first, and ends with the record's outcome.
    async fn send(&mut self, n: usize) -> Result<Self::Delivery, Failure> {
        let record = Record {
            key: None,
            value: Some(self.payload.value(n).to_vec()),
            headers: BTreeMap::new(),
            timestamp: Utc::now(),
        };
        let producer = Arc::clone(&self.partitions[n / self.records % self.partitions.len()]);
        let mut delivery: Self::Delivery = Box::pin(async move {
            producer.produce(record).await?;
            Ok(())
        });
        match delivery
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) => Ok(Box::pin(async { Ok(()) })),
            Poll::Pending => Ok(delivery),
        }
    }

    async fn written(delivery: Self::Delivery) -> Result<(), Failure> {
        delivery.await
    }

    async fn close(self) {}
}
