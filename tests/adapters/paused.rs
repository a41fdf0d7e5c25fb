//! H170: tokio's clock is the producer's, and a paused one moves for the test and not for the producer.

use std::{
    future::Future,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use ottla::{Producer, Record, SendError, WaitedFor};
use ottla_sim::{Cluster, Fault, On};
use tokio::{
    runtime::Builder,
    sync::oneshot,
    time::{self, Instant},
};

use super::harness::{cluster, settings, to_t, within_a_minute};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Runs a test whose clock is paused from the start.
fn paused<F: Future<Output = ()> + 'static>(test: fn() -> F) {
    run(true, test);
}

/// A minute is far less than the hours that pass here.
fn run<F: Future<Output = ()> + 'static>(starts_paused: bool, test: fn() -> F) {
    within_a_minute(move || {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(starts_paused).build();
        runtime.unwrap().block_on(test());
    });
}

fn start(cluster: &Cluster, linger: Duration) -> Producer {
    let settings = &mut settings(cluster);
    settings.linger(linger).delivery_timeout(2 * HOUR);
    ottla::tokio::start(settings.build().unwrap()).unwrap()
}

async fn send(producer: &Producer) {
    let delivery = producer.send(to_t("v")).await.unwrap();
    delivery.await.unwrap();
}

/// The world goes on for a while: a producer that knows nothing of this clock sends and is answered many times.
async fn the_world_goes_on() {
    let (end, ended) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        let cluster = cluster(1);
        runtime.block_on(async {
            let producer = start(&cluster, Duration::ZERO);
            for _ in 0..300 {
                send(&producer).await;
            }
        });
        end.send(()).unwrap();
    });
    ended.await.unwrap();
}

#[test]
fn h170_an_idle_producer_takes_no_turn_and_moves_no_clock() {
    for starts_paused in [true, false] {
        let parks = Arc::new(AtomicU32::new(0));
        let mut builder = Builder::new_current_thread();
        let counted = Arc::clone(&parks);
        builder.on_thread_park(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let runtime = builder.enable_all().start_paused(starts_paused).build();
        runtime.unwrap().block_on(async {
            let cluster = cluster(1);
            let producer = start(&cluster, Duration::ZERO);
            send(&producer).await;
            if !starts_paused {
                time::pause();
            }
            // What the last answer left to do.
            tokio::task::yield_now().await;
            let (before, parks_before) = (Instant::now(), parks.load(Ordering::Relaxed));
            the_world_goes_on().await;
            assert_eq!(before.elapsed(), Duration::ZERO);
            let parks = parks.load(Ordering::Relaxed) - parks_before;
            assert!(parks < 10, "{parks} turns of the runtime");
        });
    }
}

#[test]
fn h170_linger_passes_in_the_tests_time() {
    paused(|| async {
        let cluster = cluster(1);
        let producer = start(&cluster, HOUR);
        producer.partitions_for("t").await.unwrap();
        let before = Instant::now();
        send(&producer).await;
        producer.close(HOUR).await;
        let took = before.elapsed();
        assert!((HOUR..HOUR + SECOND).contains(&took), "{took:?}");
    });
}

#[test]
fn h170_a_pause_counts_whenever_it_begins() {
    run(false, || async {
        let cluster = cluster(1);
        let producer = start(&cluster, HOUR);
        producer.partitions_for("t").await.unwrap();
        let delivery = producer.send(to_t("v")).await.unwrap();
        let before = Instant::now();
        time::pause();
        delivery.await.unwrap();
        let took = before.elapsed();
        assert!((HOUR - MINUTE..HOUR + SECOND).contains(&took), "{took:?}");
    });
}

#[test]
fn h170_time_outs_and_back_offs_pass_in_the_tests_time() {
    paused(|| async {
        let cluster = cluster(1);
        let producer = start(&cluster, Duration::ZERO);
        send(&producer).await;
        cluster.with_model(|model| model.inject(On::AnyProduce, Fault::Silence));
        let before = Instant::now();
        send(&producer).await;
        let took = before.elapsed();
        // request.timeout.ms, and back-offs
        assert!((30 * SECOND..40 * SECOND).contains(&took), "{took:?}");
    });
}

#[test]
fn h170_max_block_passes_in_the_tests_time() {
    paused(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = listener.local_addr().unwrap().to_string();
        drop(listener);
        let settings = &mut ottla::Config::builder();
        settings.bootstrap_servers(&nobody).max_block(HOUR);
        let producer = ottla::tokio::start(settings.build().unwrap()).unwrap();
        let before = Instant::now();
        let refused = producer.send(Record::to("t")).await.unwrap_err();
        let took = before.elapsed();
        assert!((HOUR..HOUR + SECOND).contains(&took), "{took:?}");
        let waited_for = WaitedFor::Metadata;
        assert!(
            matches!(refused, SendError::TimedOut { waited_for: w, .. } if w == waited_for),
            "{refused}"
        );
    });
}

/// What a thread outside of the runtime sends has the runtime's time, or it would have expired long ago.
#[test]
fn h170_every_thread_sees_the_same_clock() {
    paused(|| async {
        let cluster = cluster(1);
        let producer = start(&cluster, Duration::ZERO);
        send(&producer).await;
        time::advance(3 * HOUR).await;
        let before = Instant::now();
        let elsewhere = producer.clone();
        let sent = thread::spawn(move || elsewhere.try_send(to_t("v")).unwrap());
        sent.join().unwrap().await.unwrap();
        let other = Builder::new_current_thread().build().unwrap();
        let elsewhere = producer.clone();
        let sent = thread::spawn(move || {
            let _inside = other.enter();
            elsewhere.try_send(to_t("v")).unwrap()
        });
        sent.join().unwrap().await.unwrap();
        let elsewhere = producer.clone();
        let sent = tokio::task::spawn_blocking(move || elsewhere.try_send(to_t("v")).unwrap());
        sent.await.unwrap().await.unwrap();
        assert!(before.elapsed() < SECOND);
    });
}

/// Its links and its metadata grew old meanwhile.
#[test]
fn h170_a_producer_that_was_idle_for_long_is_as_good_as_new() {
    paused(|| async {
        let cluster = cluster(1);
        let producer = start(&cluster, Duration::from_millis(5));
        for time in [SECOND, HOUR, 24 * HOUR] {
            send(&producer).await;
            time::sleep(time).await;
            let before = Instant::now();
            send(&producer).await;
            producer.flush().await;
            assert!(before.elapsed() < SECOND);
        }
        let closed = Instant::now();
        producer.close(HOUR).await;
        assert!(closed.elapsed() < SECOND);
    });
}

/// A task's own sleep does not carry the clock past an answer that is on its way.
#[test]
fn h170_the_clock_does_not_leap_over_an_answer() {
    paused(|| async {
        let cluster = cluster(1);
        let producer = start(&cluster, Duration::ZERO);
        send(&producer).await;
        for _ in 0..50 {
            let delivery = producer.send(to_t("v")).await.unwrap();
            tokio::select! {
                biased;
                written = delivery => drop(written.unwrap()),
                () = time::sleep(HOUR) => panic!("an hour has passed before the answer came"),
            }
        }
    });
}

/// Nor past a broker that still reads what was written without acks (H169).
#[test]
fn h169_h170_the_clock_does_not_leap_over_the_end_of_a_connection() {
    paused(|| async {
        let cluster = cluster(1);
        cluster.with_model(|model| model.set_answers_unacknowledged(true));
        let mut settings = settings(&cluster);
        for (name, value) in [("acks", "0"), ("linger.ms", "0"), ("batch.size", "0")] {
            settings.set(name, value).unwrap();
        }
        let producer = ottla::tokio::start(settings.build().unwrap()).unwrap();
        for _ in 0..20 {
            send(&producer).await;
        }
        producer.close(HOUR).await;
        let written = cluster.with_model(|model| model.log_end("t", 0));
        assert_eq!(written, 20);
    });
}
