//! What is tokio's alone.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use ottla::{Config, Fatal, Record, SendError, Setup, TimeSource};
use ottla_sim::Port;

use super::hand::Hand;
use super::harness::{AGES, block_on, cluster, poll_once, settings, to_t, within_a_minute};

/// A runtime that makes progress only while this thread waits for it.
fn on_this_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let config = Config::builder()
        .bootstrap_servers("localhost:9092")
        .build()
        .unwrap();
    assert_eq!(
        ottla::tokio::start(config).unwrap_err(),
        ottla::StartError::NoRuntime
    );
}

#[test]
fn one_thread_is_enough() {
    within_a_minute(|| {
        let cluster = cluster(1);
        let runtime = on_this_thread();
        let producer = runtime.block_on(async {
            let config = settings(&cluster).buffer_memory(64 << 10).build().unwrap();
            let producer = ottla::tokio::start(config).unwrap();
            let values: Vec<String> = (0..2_000).map(|i| format!("{i:0>100}")).collect();
            let deliveries = producer
                .send_all(values.iter().map(|value| to_t(value)))
                .await;
            for (offset, delivery) in (0..).zip(deliveries.unwrap()) {
                assert_eq!(delivery.await.unwrap().offset, Some(offset));
            }
            producer
        });
        drop(runtime);
        assert!(matches!(
            producer.try_send(to_t("v")),
            Err(SendError::Fatal(_))
        ));
    });
}

#[test]
fn a_sender_that_never_waits_lets_the_driver_have_its_turn() {
    within_a_minute(|| {
        let cluster = cluster(1);
        let runtime = on_this_thread();
        runtime.block_on(async {
            let config = settings(&cluster).build().unwrap();
            let producer = ottla::tokio::start(config).unwrap();
            let value = "v".repeat(1_000);
            producer.send(to_t(&value)).await.unwrap().await.unwrap();
            let before = producer.metrics().batches_sent;
            let mut deliveries = Vec::new();
            // Far less than `buffer.memory`: nothing makes it wait.
            for _ in 0..1_000 {
                deliveries.push(producer.send(to_t(&value)).await.unwrap());
            }
            assert!(producer.metrics().batches_sent > before);
            for delivery in deliveries {
                delivery.await.unwrap();
            }
        });
    });
}

/// What comes free by the answers of the driver's own turn is not the sender's to fill before it gives way again.
#[test]
fn a_sender_gives_way_as_often_after_a_turn_as_before() {
    let mut hand = Hand::warm(&[]);
    let value = "v".repeat(1_000);
    let sent_before_giving_way = |hand: &Hand| {
        let sends = (0..)
            .find(|_| poll_once(pin!(hand.producer.send(to_t(&value)))).is_pending())
            .unwrap();
        sends + 1
    };
    let first = sent_before_giving_way(&hand);
    hand.written(first);
    hand.settle();
    assert_eq!(sent_before_giving_way(&hand), first);
    assert_eq!(hand.finish().len(), 2 * first);
}

#[test]
fn h162_a_driver_that_panics_leaves_nobody_waiting() {
    within_a_minute(|| {
        // A runtime without I/O, which is what the driver panics about.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_time()
            .build()
            .unwrap();
        let port = Port::new().unwrap();
        let config = Config::builder()
            .bootstrap_servers(&port.address().to_string())
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let producer = ottla::tokio::start(config).unwrap();
        let gone = SendError::Fatal(Fatal::DriverGone);
        assert_eq!(block_on(producer.send(Record::to("t"))).unwrap_err(), gone);
        block_on(producer.close(Duration::MAX));
    });
}

/// Nothing wakes the driver during the pause: the first look it takes at its clock is when the answer has come.
#[test]
fn h137_what_arrived_during_a_pause_counts() {
    within_a_minute(|| {
        let cluster = cluster(1);
        let (clock, timeout) = (Stopped::new(), Duration::from_secs(1));
        let settings = &mut settings(&cluster);
        settings.linger(Duration::ZERO).request_timeout(timeout);
        settings.delivery_timeout(timeout);
        let setup = Setup::new(settings.build().unwrap()).time(clock.clone());
        let runtime = on_this_thread();
        let producer = runtime.block_on(async {
            let producer = ottla::tokio::start(setup).unwrap();
            let first = producer.send(to_t("brings the link up")).await.unwrap();
            assert_eq!(first.await.unwrap().offset, Some(0));
            producer
        });
        // Nothing is answered while the model is held.
        let delivery = cluster.with_model(|_| {
            let delivery = producer.try_send(to_t("v")).unwrap();
            runtime.block_on(async {
                while producer.metrics().batches_sent < 2 {
                    tokio::task::yield_now().await;
                }
            });
            delivery
        });
        clock.go_on_after(100 * timeout);
        assert_eq!(runtime.block_on(delivery).unwrap().offset, Some(1));
    });
}

/// A clock that stands still, an hour ahead of the system's: no timer that is set by it runs out in a test.
#[derive(Clone)]
struct Stopped(Arc<Mutex<Instant>>);

impl Stopped {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + AGES)))
    }

    fn go_on_after(&self, pause: Duration) {
        *self.0.lock().unwrap() += pause;
    }
}

impl TimeSource for Stopped {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}
