//! What every scenario needs: an adapter under test, an executor that is none of theirs, and a limit of time.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use ottla::{Config, ConfigBuilder, Delivery, Producer, Record, SendError, Setup};
use ottla_sim::{Api, Cluster, Fault, On};

/// Longer than any scenario may take: what lasts so long ends by an event, or the scenario hangs.
pub(crate) const AGES: Duration = Duration::from_secs(3_600);

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

/// An executor of its own on a thread.
#[cfg(feature = "smol")]
pub(crate) struct Smol {
    executor: Arc<smol::Executor<'static>>,
    stop: smol::channel::Sender<()>,
    thread: Option<thread::JoinHandle<()>>,
}

#[cfg(feature = "smol")]
impl Adapter for Smol {
    fn new() -> Self {
        let executor = Arc::new(smol::Executor::new());
        let (stop, stopped) = smol::channel::bounded(1);
        let run = Arc::clone(&executor);
        let thread = thread::spawn(move || {
            let _ = smol::block_on(run.run(stopped.recv()));
        });
        Self {
            executor,
            stop,
            thread: Some(thread),
        }
    }

    fn start(&self, setup: Setup) -> Producer {
        let (producer, driver) = ottla::smol::driver(setup).unwrap();
        self.executor.spawn(driver).detach();
        producer
    }
}

#[cfg(feature = "smol")]
impl Drop for Smol {
    fn drop(&mut self) {
        self.stop.close();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A thread for each producer, which drives it turn by turn.
#[cfg(feature = "blocking")]
#[derive(Default)]
pub(crate) struct Blocking {
    stop: Arc<std::sync::atomic::AtomicBool>,
    threads: std::sync::Mutex<Vec<thread::JoinHandle<()>>>,
}

#[cfg(feature = "blocking")]
impl Adapter for Blocking {
    fn new() -> Self {
        Self::default()
    }

    fn start(&self, setup: Setup) -> Producer {
        let (producer, mut driver) = ottla::blocking::driver(setup).unwrap();
        let stop = Arc::clone(&self.stop);
        let stopped = move || stop.load(std::sync::atomic::Ordering::Relaxed);
        let drive = move || while driver.turn(Duration::from_millis(20)) && !stopped() {};
        self.threads.lock().unwrap().push(thread::spawn(drive));
        producer
    }
}

#[cfg(feature = "blocking")]
impl Drop for Blocking {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for thread in self.threads.get_mut().unwrap().drain(..) {
            thread.join().unwrap();
        }
    }
}

/// Runs a scenario, and fails if it hangs.
pub(crate) fn within_a_minute(scenario: impl FnOnce() + Send + 'static) {
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

/// Settings for a cluster, under which records linger until something else sends them.
pub(crate) fn lingering(cluster: &Cluster) -> ConfigBuilder {
    let mut settings = settings(cluster);
    settings.linger(AGES).delivery_timeout(2 * AGES);
    settings
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

/// Sends a value to partition 0 of `t`.
pub(crate) fn to_t(value: &str) -> Record<'_> {
    Record::to("t").partition(0).value(value)
}

pub(crate) fn offset_of(delivery: Delivery) -> i64 {
    block_on(delivery).unwrap().offset.unwrap()
}

/// Sends to partition 0 of `t` until the buffer is full; says how many went in.
pub(crate) fn fill(producer: &Producer, value: &str) -> usize {
    let mut sent = 0;
    loop {
        match producer.try_send(to_t(value)) {
            Ok(delivery) => drop(delivery),
            Err(SendError::Full) => return sent,
            Err(error) => panic!("{error}"),
        }
        sent += 1;
    }
}

/// A producer with a buffer of 64 KiB that knows `t`.
pub(crate) fn small<A: Adapter>(adapter: &A, cluster: &Cluster) -> Producer {
    let config = settings(cluster).buffer_memory(64 << 10).build().unwrap();
    let producer = adapter.start(config.into());
    block_on(producer.partitions_for("t")).unwrap();
    producer
}

/// A producer like [`small`], one record of which is at the broker, which is silent about it.
pub(crate) fn unanswered<A: Adapter>(adapter: &A, cluster: &Cluster) -> (Producer, Delivery) {
    cluster.with_model(|model| model.inject(On::AnyProduce, Fault::Silence));
    let settings = &mut settings(cluster);
    // One request in flight: the answer to another would show that one is missing.
    settings
        .buffer_memory(64 << 10)
        .max_in_flight_requests_per_connection(1)
        .request_timeout(AGES)
        .delivery_timeout(2 * AGES);
    let producer = adapter.start(settings.build().unwrap().into());
    let delivery = block_on(producer.send(to_t("v"))).unwrap();
    while cluster.with_model(|model| model.requests(Api::Produce)) == 0 {
        thread::yield_now();
    }
    (producer, delivery)
}
