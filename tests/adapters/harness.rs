//! What every scenario needs: an adapter under test, an executor that is none of theirs, and a limit of time.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use ottla::{Config, ConfigBuilder, Producer, Setup};
use ottla_sim::Cluster;

/// A runtime that runs in the background until it is dropped.
pub(crate) trait Adapter {
    fn new() -> Self;
    fn start(&self, setup: Setup) -> Producer;
}

#[cfg(feature = "tokio")]
pub(crate) struct Tokio(tokio::runtime::Runtime);

#[cfg(feature = "tokio")]
impl Adapter for Tokio {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(builder.worker_threads(1).enable_all().build().unwrap())
    }

    fn start(&self, setup: Setup) -> Producer {
        let _inside = self.0.enter();
        ottla::tokio::start(setup).unwrap()
    }
}

/// Runs a scenario, and fails if it hangs.
pub(crate) fn within_a_minute(scenario: fn()) {
    let (ended, end) = mpsc::channel();
    let runner = thread::spawn(move || {
        scenario();
        ended.send(()).unwrap();
    });
    match end.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the scenario hangs"),
        _ => runner
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// An executor that knows no runtime: it sleeps until the future's waker is called.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Polls once, for nobody.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Settings for a cluster.
pub(crate) fn settings(cluster: &Cluster) -> ConfigBuilder {
    let mut settings = Config::builder();
    settings.bootstrap_servers(&cluster.bootstrap_servers());
    settings
}

/// A setup whose driver's end can be waited for: then the receiver has nobody to receive from.
pub(crate) fn observed(config: Config) -> (Setup, mpsc::Receiver<()>) {
    let (alive, end) = mpsc::channel();
    let setup = Setup::new(config).on_warning(move |_| {
        let _ = &alive;
    });
    (setup, end)
}

/// The values of a partition's log, as text.
pub(crate) fn log(cluster: &Cluster, topic: &str, partition: i32) -> Vec<String> {
    cluster.with_model(|model| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let values = model.log(topic, partition).map(|record| record.value);
        values
            .map(|value| text(&value.unwrap_or_default()))
            .collect()
    })
}

/// A cluster of one broker with a topic `t` of some partitions.
pub(crate) fn cluster(partitions: i32) -> Cluster {
    let cluster = Cluster::start(1).unwrap();
    cluster.with_model(|model| model.create_topic("t", partitions));
    cluster
}
