//! H166: blocking calls where they would hold up the driver that they wait for.

use std::{sync::mpsc, thread, time::Duration};

use ottla::{Deadlock, Delivery, Producer, Record, SendError, WaitError};
use ottla_sim::Cluster;

use super::{
    hand::Hand,
    harness::{cluster, log, settings, to_t, within_a_minute},
};

/// One blocking call that has to wait, and must give up with the given error.
type Call = fn(&mut Attempt, Deadlock);

struct Attempt {
    producer: Producer,
    /// Of a record whose outcome is open.
    delivery: Delivery,
    time_to_close: Duration,
}

const CALLS: [Call; 7] = [
    |attempt, why| {
        let waited = attempt.delivery.wait();
        assert_eq!(waited, Err(WaitError::Deadlock(why)));
    },
    |attempt, why| {
        let sent = attempt.producer.send_blocking(Record::to("new"));
        assert_eq!(sent.unwrap_err(), SendError::Deadlock(why));
    },
    |attempt, why| {
        let (called, calls) = mpsc::channel();
        let callback = move |_| called.send(()).unwrap();
        let record = Record::to("new");
        let sent = attempt.producer.send_with_blocking(record, callback);
        assert_eq!(sent, Err(SendError::Deadlock(why)));
        assert!(calls.recv().is_err(), "the callback is gone, not called");
    },
    |attempt, why| {
        let records = [to_t("one of many"), Record::to("new"), to_t("never")];
        let ended = attempt.producer.send_all_blocking(&records).unwrap_err();
        assert_eq!(ended.error, SendError::Deadlock(why));
        assert_eq!(ended.deliveries.len(), 1);
    },
    |attempt, why| assert_eq!(attempt.producer.flush_blocking(), Err(why)),
    |attempt, why| {
        let partitions = attempt.producer.partitions_for_blocking("newer");
        assert_eq!(partitions, Err(SendError::Deadlock(why)));
    },
    |attempt, why| {
        let closed = attempt.producer.close_blocking(attempt.time_to_close);
        assert_eq!(closed, Err(why));
    },
];

const HOUR: Duration = Duration::from_secs(3_600);

/// A producer with a record that lingers.
async fn attempt(cluster: &Cluster, start: impl FnOnce(ottla::Setup) -> Producer) -> Attempt {
    let settings = &mut settings(cluster);
    settings.linger(HOUR).delivery_timeout(2 * HOUR);
    let producer = start(settings.build().unwrap().into());
    Attempt {
        delivery: producer.send(to_t("lingers")).await.unwrap(),
        producer,
        time_to_close: HOUR,
    }
}

/// What was accepted has its outcome, and what was refused has left nothing behind.
async fn nothing_is_lost(attempt: Attempt) {
    attempt.producer.close(HOUR).await;
    assert_eq!(attempt.delivery.await.unwrap().offset, Some(0));
    let metrics = attempt.producer.metrics();
    assert_eq!(metrics.records_written, metrics.records_accepted);
    assert_eq!(metrics.buffer_available_bytes, metrics.buffer_total_bytes);
}

/// Every blocking call where it may be made.
fn all_is_well(attempt: Attempt) {
    let Attempt {
        producer, delivery, ..
    } = attempt;
    producer.flush_blocking().unwrap();
    assert_eq!(delivery.wait().unwrap().offset, Some(0));
    assert_eq!(producer.partitions_for_blocking("newer").unwrap().len(), 1);
    let sent = producer.send_blocking(Record::to("new")).unwrap();
    producer
        .send_with_blocking(Record::to("new-too"), |_| ())
        .unwrap();
    let records = [to_t("one of many"), Record::to("yet-another")];
    let deliveries = producer.send_all_blocking(&records).unwrap();
    producer.close_blocking(HOUR).unwrap();
    assert_eq!(sent.wait().unwrap().offset, Some(0));
    let offsets = deliveries.into_iter().map(|d| d.wait().unwrap().offset);
    assert_eq!(offsets.collect::<Vec<_>>(), [Some(1), Some(0)]);
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn workers(number: usize) -> Runtime {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(number).enable_all().build().unwrap()
    }

    fn this_thread() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    async fn begin(cluster: &Cluster) -> Attempt {
        attempt(cluster, |setup| ottla::tokio::start(setup).unwrap()).await
    }

    async fn is_refused_at_once() {
        let cluster = cluster(1);
        let mut attempt = begin(&cluster).await;
        for call in CALLS {
            call(&mut attempt, Deadlock::OnRuntimeThread);
        }
        nothing_is_lost(attempt).await;
        assert_eq!(log(&cluster, "t", 0), ["lingers", "one of many"]);
    }

    #[test]
    fn h166_a_task_may_not_block() {
        within_a_minute(|| {
            for runtime in [workers(1), workers(4), this_thread()] {
                let task = runtime.spawn(is_refused_at_once());
                runtime.block_on(task).unwrap();
            }
        });
    }

    #[test]
    fn h166_what_a_thread_runs_its_runtime_for_may_not_block() {
        within_a_minute(|| this_thread().block_on(is_refused_at_once()));
    }

    #[test]
    fn h166_a_thread_for_blocking_work_may() {
        within_a_minute(|| {
            for runtime in [workers(1), this_thread()] {
                let cluster = cluster(1);
                runtime.block_on(async {
                    let attempt = begin(&cluster).await;
                    let task = tokio::task::spawn_blocking(|| all_is_well(attempt));
                    task.await.unwrap();
                });
            }
        });
    }

    #[test]
    fn h166_a_task_that_gave_its_worker_away_may() {
        within_a_minute(|| {
            let runtime = workers(1);
            let task = runtime.spawn(async {
                let cluster = cluster(1);
                let attempt = begin(&cluster).await;
                tokio::task::block_in_place(|| all_is_well(attempt));
            });
            runtime.block_on(task).unwrap();
        });
    }

    #[test]
    fn h166_a_thread_beside_the_workers_may() {
        within_a_minute(|| {
            workers(1).block_on(async {
                let cluster = cluster(1);
                all_is_well(begin(&cluster).await);
            });
        });
    }

    #[test]
    fn h166_a_task_of_another_runtime_may() {
        within_a_minute(|| {
            let (runtime, cluster) = (workers(1), cluster(1));
            let attempt = runtime.block_on(begin(&cluster));
            this_thread().block_on(async { all_is_well(attempt) });
        });
    }
}

#[cfg(feature = "smol")]
#[test]
fn h166_a_task_of_the_only_thread_hears_it_after_a_while() {
    within_a_minute(|| {
        let calls = CALLS.map(|call| {
            thread::spawn(move || {
                let executor = smol::LocalExecutor::new();
                smol::block_on(executor.run(async {
                    let cluster = cluster(1);
                    let start = |setup| {
                        let (producer, driver) = ottla::smol::driver(setup).unwrap();
                        executor.spawn(driver).detach();
                        producer
                    };
                    let mut attempt = attempt(&cluster, start).await;
                    call(&mut attempt, Deadlock::DriverHeldUp);
                    nothing_is_lost(attempt).await;
                }));
            })
        });
        for call in calls {
            call.join().unwrap();
        }
    });
}

#[cfg(feature = "smol")]
#[test]
fn h166_a_task_beside_a_free_thread_may_block() {
    within_a_minute(|| {
        let executor: &'static smol::Executor<'static> = Box::leak(Box::new(smol::Executor::new()));
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        let runner =
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())).unwrap_err());
        let task = executor.spawn(async move {
            let cluster = cluster(1);
            let start = |setup| {
                let (producer, driver) = ottla::smol::driver(setup).unwrap();
                executor.spawn(driver).detach();
                producer
            };
            all_is_well(attempt(&cluster, start).await);
        });
        smol::block_on(executor.run(task));
        stop.close();
        runner.join().unwrap();
    });
}

/// Nobody drives the producer, and this thread can't know.
#[test]
fn h166_elsewhere_the_callers_clock_counts() {
    within_a_minute(|| {
        let calls = CALLS.map(|call| {
            thread::spawn(move || {
                let mut hand = Hand::warm(&[
                    ("max.block.ms", "50"),
                    ("linger.ms", "20"),
                    ("request.timeout.ms", "20"),
                    ("delivery.timeout.ms", "50"),
                ]);
                let producer = hand.producer.clone();
                let mut attempt = Attempt {
                    delivery: producer.try_send(to_t("lingers")).unwrap(),
                    producer,
                    time_to_close: Duration::from_millis(50),
                };
                let given_up = thread::spawn(move || {
                    call(&mut attempt, Deadlock::DriverHeldUp);
                    attempt
                });
                let attempt = given_up.join().unwrap();
                hand.finish_call(nothing_is_lost(attempt));
            })
        });
        for call in calls {
            call.join().unwrap();
        }
    });
}
