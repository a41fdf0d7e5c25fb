//! The two jobs for producers whose records have futures, on tokio.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::job::{Job, Mode};
use crate::measure::{Cost, Report};
use crate::outcomes::Outcomes;
use crate::pace::Pace;

/// A producer as an application sees it.
pub(crate) trait Peer: Sized + Send + 'static {
    /// A record that was taken, and has no outcome yet.
    type Delivery: Send + 'static;

    fn start(job: &Job) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Sends the `n`-th record, waiting for room only.
    fn send(&mut self, n: usize) -> impl Future<Output = Result<Self::Delivery, Failure>> + Send;

    /// Waits until the record is written.
    fn written(delivery: Self::Delivery) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Sends the `n`-th record and has its outcome noted: by a task of its own, where the producer has no callbacks.
    fn send_noted(
        &mut self,
        n: usize,
        outcomes: &Arc<Outcomes>,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        let outcomes = Arc::clone(outcomes);
        async move {
            let delivery = self.send(n).await?;
            tokio::spawn(async move {
                let written = Self::written(delivery).await;
                outcomes.end(n, written.is_ok());
            });
            Ok(())
        }
    }

    fn close(self) -> impl Future<Output = ()> + Send;
}

pub(crate) fn run<P: Peer>(job: &Job) -> Result<Report, Failure> {
    // As many workers as processors, as `#[tokio::main]` has them.
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    match job.mode {
        Mode::Throughput { records } => {
            let job = job.clone();
            let application = runtime.spawn(async move { throughput::<P>(&job, records).await });
            runtime.block_on(application)?
        }
        Mode::Latency { rate, seconds } => latency::<P>(&runtime, job, rate, rate * seconds),
    }
}

async fn throughput<P: Peer>(job: &Job, records: usize) -> Result<Report, Failure> {
    let mut peer = P::start(job).await?;
    let most = job.outstanding();
    let mut kept = VecDeque::with_capacity(most + 1);
    send_all(&mut peer, Job::WARM_UP, &mut kept, most).await?;
    let start = Cost::begin();
    send_all(&mut peer, records, &mut kept, most).await?;
    let report = start.end(records).with(Vec::new());
    peer.close().await;
    Ok(report)
}

/// Sends so many records, and looks at the outcome of each.
async fn send_all<P: Peer>(
    peer: &mut P,
    records: usize,
    kept: &mut VecDeque<P::Delivery>,
    most: usize,
) -> Result<(), Failure> {
    for n in 0..records {
        let delivery = peer.send(n).await?;
        kept.push_back(delivery);
        if kept.len() > most
            && let Some(oldest) = kept.pop_front()
        {
            P::written(oldest).await?;
        }
    }
    while let Some(delivery) = kept.pop_front() {
        P::written(delivery).await?;
    }
    Ok(())
}

/// The sender has a thread of its own, this one, since tokio's timers count in milliseconds.
fn latency<P: Peer>(
    runtime: &Runtime,
    job: &Job,
    rate: usize,
    records: usize,
) -> Result<Report, Failure> {
    runtime.block_on(async {
        let mut peer = P::start(job).await?;
        let mut kept = VecDeque::new();
        send_all(&mut peer, Job::WARM_UP, &mut kept, Job::WARM_UP).await?;
        let outcomes = Arc::new(Outcomes::timed(records));
        let start = Cost::begin();
        let mut pace = Pace::new(rate, records);
        while let Some(due) = pace.due() {
            for n in due {
                outcomes.begin(n);
                peer.send_noted(n, &outcomes).await?;
            }
        }
        outcomes.wait_for(records)?;
        let report = start.end(records).with(outcomes.latencies());
        peer.close().await;
        Ok(report)
    })
}
