//! Every adapter against a cluster over loopback: the same scenarios, written once.

#[path = "adapters/drip.rs"]
mod drip;
#[path = "adapters/harness.rs"]
mod harness;

use std::{
    collections::BTreeSet,
    future::Future,
    net::TcpListener,
    pin::pin,
    sync::mpsc,
    task::Poll,
    thread,
    time::{Duration, Instant, SystemTime},
};

use harness::{Adapter, block_on, cluster, log, observed, poll_once, settings, within_a_minute};
use ottla::{
    Acks, Cause, Config, Delivery, DeliveryError, Disconnect, Fatal, Header, Producer, Record,
    SendError, Setup, Undelivered, WaitedFor,
};
use ottla_sim::{Api, Cluster, Fault, On, code};

macro_rules! scenarios {
    ($($name:ident)*) => {
        #[cfg(feature = "tokio")]
        mod on_tokio {
            use super::{harness::Tokio, within_a_minute};
            $(#[test] fn $name() { within_a_minute(super::$name::<Tokio>); })*
        }

        #[cfg(feature = "smol")]
        mod on_smol {
            use super::{harness::Smol, within_a_minute};
            $(#[test] fn $name() { within_a_minute(super::$name::<Smol>); })*
        }

        #[cfg(feature = "blocking")]
        mod on_a_thread {
            use super::{harness::Blocking, within_a_minute};
            $(#[test] fn $name() { within_a_minute(super::$name::<Blocking>); })*
        }

        mod on_a_loop_of_ones_own {
            use super::{drip::Drip, within_a_minute};
            $(#[test] fn $name() { within_a_minute(super::$name::<Drip>); })*
        }
    };
}

scenarios! {
    records_are_written_as_they_were_given
    the_brokers_time_counts_where_the_topic_says_so
    without_acks_the_offset_is_unknown
    a_name_with_several_addresses_is_tried_through
    the_order_is_that_of_the_first_polls
    a_full_buffer_refuses_or_makes_wait
    many_records_come_back_in_order
    many_records_are_taken_as_far_as_there_is_room
    threads_share_a_producer
    an_unknown_topic_is_refused_or_waited_for
    what_can_never_be_sent_is_refused
    a_broker_that_refuses_is_named
    a_silent_broker_does_not_hold_up_the_end
    a_flush_ends_the_linger_of_what_came_before
    close_waits_for_what_was_accepted
    close_gives_up_in_time
    close_may_be_called_by_many
    a_dropped_send_is_not_sent
    a_record_whose_turn_came_is_sent_though_its_future_is_dropped
    dropped_deliveries_and_producers_lose_nothing
    a_callback_that_panics_harms_nobody
    a_callback_may_use_the_producer
    callbacks_come_in_the_order_of_the_records
    a_broker_restarts_in_the_middle
    a_lost_answer_is_no_duplicate
    a_runtime_that_is_shut_down_leaves_nobody_waiting
}

/// Sends a value to partition 0 of `t`.
fn to_t(value: &str) -> Record<'_> {
    Record::to("t").partition(0).value(value)
}

fn offset_of(delivery: Delivery) -> i64 {
    block_on(delivery).unwrap().offset.unwrap()
}

/// Sends to partition 0 of `t` until the buffer is full; says how many went in.
fn fill(producer: &Producer, value: &str) -> usize {
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
fn small<A: Adapter>(adapter: &A, cluster: &Cluster) -> Producer {
    let config = settings(cluster).buffer_memory(64 << 10).build().unwrap();
    let producer = adapter.start(config.into());
    block_on(producer.partitions_for("t")).unwrap();
    producer
}

/// A producer like [`small`], one record of which is at the broker, which is silent about it.
fn unanswered<A: Adapter>(adapter: &A, cluster: &Cluster) -> (Producer, Delivery) {
    cluster.with_model(|model| model.inject(On::AnyProduce, Fault::Silence));
    let settings = &mut settings(cluster);
    // One request in flight: the answer to another would show that one is missing.
    settings
        .buffer_memory(64 << 10)
        .max_in_flight_requests_per_connection(1);
    let producer = adapter.start(settings.build().unwrap().into());
    let delivery = block_on(producer.send(to_t("v"))).unwrap();
    while cluster.with_model(|model| model.requests(Api::Produce)) == 0 {
        thread::yield_now();
    }
    (producer, delivery)
}

fn records_are_written_as_they_were_given<A: Adapter>() {
    let (cluster, adapter) = (cluster(3), A::new());
    let producer = adapter.start(settings(&cluster).build().unwrap().into());
    let headers = [
        Header {
            name: "a",
            value: Some(b"1"),
        },
        Header {
            name: "a",
            value: None,
        },
    ];
    let given = [
        Record::to("t")
            .partition(2)
            .key("k")
            .value("v")
            .timestamp(1_234),
        Record::to("t")
            .partition(2)
            .timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(77)),
        Record::to("t")
            .partition(2)
            .key("")
            .value("")
            .headers(&headers)
            .timestamp(-5),
        Record::to("t")
            .partition(2)
            .header("b", Some("2"))
            .header::<str>("c", None),
    ];
    let before = SystemTime::now();
    let deliveries = given
        .clone()
        .map(|record| block_on(producer.send(record)).unwrap());
    let written = deliveries.map(|delivery| block_on(delivery).unwrap());
    for (offset, written) in (0..).zip(&written) {
        assert_eq!(
            (&*written.topic, written.partition, written.offset),
            ("t", 2, Some(offset))
        );
    }
    assert_eq!(
        [1_234, 77, -5],
        [0, 1, 2].map(|i: usize| written[i].timestamp)
    );
    let before = before
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    assert!(
        (before - 1..before + 60_000).contains(&written[3].timestamp),
        "{}",
        written[3].timestamp
    );

    let log: Vec<_> = cluster.with_model(|model| model.log("t", 2).collect());
    let keys: Vec<_> = log.iter().map(|r| r.key.as_deref()).collect();
    let values: Vec<_> = log.iter().map(|r| r.value.as_deref()).collect();
    let times: Vec<_> = log.iter().map(|r| r.timestamp).collect();
    assert_eq!(keys, [Some(&b"k"[..]), None, Some(b""), None]);
    assert_eq!(values, [Some(&b"v"[..]), None, Some(b""), None]);
    assert_eq!(times, written.each_ref().map(|w| w.timestamp));
    let headers = |i: usize| -> Vec<_> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        log[i]
            .headers
            .iter()
            .map(|(name, value)| (text(name), value.as_deref().map(text)))
            .collect()
    };
    assert_eq!(
        headers(2),
        [("a".into(), Some("1".into())), ("a".into(), None)]
    );
    assert_eq!(
        headers(3),
        [("b".into(), Some("2".into())), ("c".into(), None)]
    );
    assert_eq!(
        cluster.with_model(|model| model.violations().to_vec()),
        [""; 0]
    );
    assert_eq!(producer.metrics().records_written, 4);
    assert!(producer.config().client_id().starts_with("producer-"));
}

fn the_brokers_time_counts_where_the_topic_says_so<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    cluster.with_model(|model| model.set_log_append_time("t", true));
    let producer = adapter.start(settings(&cluster).build().unwrap().into());
    let delivery = block_on(producer.send(to_t("v").timestamp(5))).unwrap();
    assert!(block_on(delivery).unwrap().timestamp > 1_000_000);
}

fn without_acks_the_offset_is_unknown<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = adapter.start(settings(&cluster).acks(Acks::None).build().unwrap().into());
    let delivery = block_on(producer.send(to_t("v").timestamp(5))).unwrap();
    let written = block_on(delivery).unwrap();
    assert_eq!((written.offset, written.timestamp), (None, 5));
    block_on(producer.close(Duration::from_secs(10)));
}

fn a_name_with_several_addresses_is_tried_through<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let port = cluster.addresses()[0].port();
    let config = Config::builder()
        .bootstrap_servers(&format!("localhost:{port}"))
        .build()
        .unwrap();
    let producer = adapter.start(config.into());
    assert_eq!(offset_of(block_on(producer.send(to_t("v"))).unwrap()), 0);
}

fn the_order_is_that_of_the_first_polls<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let names: Vec<String> = (0..200).map(|i| format!("waits {i}")).collect();
    let mut sends: Vec<_> = names
        .iter()
        .map(|name| Box::pin(producer.send(to_t(name))))
        .collect();
    // Nobody is answered while the model is held.
    let filled = cluster.with_model(|_| {
        let filled = fill(&producer, "fills");
        for send in &mut sends {
            assert!(poll_once(send.as_mut()).is_pending());
        }
        filled
    });
    let mut offsets: Vec<i64> = sends
        .into_iter()
        .rev()
        .map(|send| offset_of(block_on(send).unwrap()))
        .collect();
    offsets.reverse();
    assert_eq!(
        offsets,
        (filled as i64..filled as i64 + 200).collect::<Vec<_>>()
    );
    assert_eq!(log(&cluster, "t", 0)[filled..], names);
}

fn a_full_buffer_refuses_or_makes_wait<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let value = "x".repeat(1_000);
    let mut waiting = pin!(producer.send(to_t(&value)));
    let filled = cluster.with_model(|_| {
        let filled = fill(&producer, &value);
        assert!((30..65).contains(&filled), "{filled}");
        assert!(poll_once(waiting.as_mut()).is_pending());
        assert!(
            matches!(producer.try_send(to_t("")), Err(SendError::Full)),
            "others wait already"
        );
        filled
    });
    assert_eq!(offset_of(block_on(waiting).unwrap()), filled as i64);
}

fn many_records_come_back_in_order<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let values: Vec<String> = (0..5_000).map(|i| format!("{i:0>100}")).collect();
    let deliveries = block_on(producer.send_all(values.iter().map(|value| to_t(value)))).unwrap();
    let offsets: Vec<_> = deliveries.into_iter().map(offset_of).collect();
    assert_eq!(offsets, (0..5_000).collect::<Vec<_>>());
    assert_eq!(log(&cluster, "t", 0), values);
}

fn many_records_are_taken_as_far_as_there_is_room<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let values: Vec<String> = (0..5_000).map(|i| format!("{i:0>100}")).collect();
    let records: Vec<_> = values.iter().map(|value| to_t(value)).collect();
    let ended = cluster
        .with_model(|_| producer.try_send_all(&records))
        .unwrap_err();
    assert_eq!(ended.error, SendError::Full);
    let taken = ended.deliveries.len();
    assert!((300..650).contains(&taken), "{taken}");
    for delivery in ended.deliveries {
        block_on(delivery).unwrap();
    }
    assert_eq!(log(&cluster, "t", 0), values[..taken]);

    let mixed = [to_t("a"), Record::to("t").partition(-1), to_t("b")];
    let ended = block_on(producer.send_all(mixed)).unwrap_err();
    assert_eq!(ended.deliveries.len(), 1);
    assert_eq!(
        ended.error,
        SendError::InvalidPartition {
            partition: -1,
            partitions: 1
        }
    );
}

fn threads_share_a_producer<A: Adapter>() {
    let (cluster, adapter) = (cluster(4), A::new());
    let producer = small(&adapter, &cluster);
    thread::scope(|scope| {
        for partition in 0..4 {
            let producer = producer.clone();
            scope.spawn(move || {
                let deliveries: Vec<_> = (0..1_000)
                    .map(|i| {
                        let value = i.to_string();
                        let record = Record::to("t").partition(partition).value(&value);
                        block_on(producer.send(record)).unwrap()
                    })
                    .collect();
                for (offset, delivery) in (0..).zip(deliveries) {
                    assert_eq!(offset_of(delivery), offset);
                }
            });
        }
    });
    let expected: Vec<_> = (0..1_000).map(|i| i.to_string()).collect();
    for partition in 0..4 {
        assert_eq!(log(&cluster, "t", partition), expected);
    }
}

fn an_unknown_topic_is_refused_or_waited_for<A: Adapter>() {
    let (cluster, adapter) = (
        Cluster::builder().brokers(3).partitions(2).start().unwrap(),
        A::new(),
    );
    let max_block = Duration::from_millis(300);
    let producer = adapter.start(
        settings(&cluster)
            .max_block(max_block)
            .build()
            .unwrap()
            .into(),
    );
    let refused = producer.try_send(Record::to("new").value("v"));
    assert!(matches!(refused, Err(SendError::TopicNotReady)));
    let partitions = block_on(producer.partitions_for("new")).unwrap();
    assert_eq!(partitions.len(), 2);
    assert!(partitions.iter().all(|p| p.leader.is_some()));
    block_on(producer.try_send(Record::to("new").value("v")).unwrap()).unwrap();

    cluster.with_model(|model| model.set_auto_create(false));
    let error = block_on(producer.partitions_for("nowhere")).unwrap_err();
    assert!(
        matches!(
            error,
            SendError::TimedOut {
                waited_for: WaitedFor::Metadata,
                ..
            }
        ),
        "{error}"
    );
    let error = block_on(producer.send(Record::to("nowhere"))).unwrap_err();
    assert!(
        matches!(
            error,
            SendError::TimedOut {
                waited_for: WaitedFor::Metadata,
                ..
            }
        ),
        "{error}"
    );
    let error = block_on(producer.send(Record::to("new").partition(7))).unwrap_err();
    assert_eq!(
        error,
        SendError::InvalidPartition {
            partition: 7,
            partitions: 2
        }
    );
}

fn what_can_never_be_sent_is_refused<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let other = small(&adapter, &cluster);
    let handle = producer.topic("t").unwrap();
    assert_eq!(producer.topic("t"), Ok(handle));
    assert_eq!(
        offset_of(block_on(producer.send(Record::to(handle))).unwrap()),
        0
    );
    let error = |producer: &Producer, record| block_on(producer.send(record)).unwrap_err();
    assert_eq!(error(&other, Record::to(handle)), SendError::UnknownTopic);
    assert!(matches!(
        error(&other, Record::to("no topic")),
        SendError::Topic(_)
    ));
    assert!(producer.topic("").is_err());
    let large = "x".repeat(70 << 10);
    let refused = error(&producer, to_t(&large));
    assert!(
        matches!(
            refused,
            SendError::TooLarge {
                setting: "buffer.memory",
                ..
            }
        ),
        "{refused}"
    );
}

fn a_broker_that_refuses_is_named<A: Adapter>() {
    let adapter = A::new();
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut settings = Config::builder();
    settings
        .bootstrap_servers(&address.to_string())
        .max_block(Duration::from_millis(1_500));
    let (warn, warnings) = mpsc::channel();
    let setup = Setup::new(settings.build().unwrap()).on_warning(move |warning| {
        warn.send(warning.to_string()).unwrap();
        panic!("harms nobody");
    });
    let producer = adapter.start(setup);
    let started = Instant::now();
    let mut send = pin!(producer.send(Record::to("t")));
    assert!(poll_once(send.as_mut()).is_pending());
    let warning = warnings.recv().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(warning, format!("{address}: connection refused"));
    let error = block_on(send).unwrap_err();
    let SendError::TimedOut {
        waited_for: WaitedFor::Metadata,
        cause: Some(cause),
    } = &error
    else {
        panic!("{error}")
    };
    assert!(
        matches!(
            cause,
            Cause::Unreachable {
                why: Disconnect::Refused,
                ..
            }
        ),
        "{error}"
    );
    assert!(started.elapsed() >= Duration::from_millis(1_500));
    assert!(started.elapsed() < Duration::from_secs(10));
}

fn a_silent_broker_does_not_hold_up_the_end<A: Adapter>() {
    let adapter = A::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = Config::builder()
        .bootstrap_servers(&silent.local_addr().unwrap().to_string())
        .build()
        .unwrap();
    let (setup, end) = observed(config);
    let producer = adapter.start(setup);
    let mut send = pin!(producer.send(Record::to("t")));
    assert!(poll_once(send.as_mut()).is_pending());
    let _link = silent.accept().unwrap();
    block_on(producer.close(Duration::from_secs(3_600)));
    assert_eq!(block_on(send).unwrap_err(), SendError::Closed);
    end.recv().unwrap_err();
}

fn a_flush_ends_the_linger_of_what_came_before<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let settings = &mut settings(&cluster);
    settings
        .linger(Duration::from_secs(3_600))
        .delivery_timeout(Duration::from_secs(7_200));
    let producer = adapter.start(settings.build().unwrap().into());
    block_on(producer.flush());
    let mut first = block_on(producer.send(to_t("first"))).unwrap();
    assert!(poll_once(pin!(&mut first)).is_pending());
    // A flush that nobody waits for any more does its work, and no harm.
    let _ = poll_once(pin!(producer.flush()));
    block_on(producer.flush());
    assert!(matches!(poll_once(pin!(first)), Poll::Ready(Ok(_))));
    let mut second = block_on(producer.send(to_t("second"))).unwrap();
    assert!(poll_once(pin!(&mut second)).is_pending());
    block_on(producer.flush());
    assert_eq!(offset_of(second), 1);
}

fn close_waits_for_what_was_accepted<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let settings = &mut settings(&cluster);
    settings
        .linger(Duration::from_secs(3_600))
        .delivery_timeout(Duration::from_secs(7_200));
    let (setup, end) = observed(settings.build().unwrap());
    let producer = adapter.start(setup);
    let mut delivery = block_on(producer.send(to_t("v"))).unwrap();
    block_on(producer.close(Duration::from_secs(30)));
    assert!(matches!(poll_once(pin!(&mut delivery)), Poll::Ready(Ok(_))));
    end.recv().unwrap_err();
    assert!(matches!(
        producer.try_send(to_t("late")),
        Err(SendError::Closed)
    ));
    assert_eq!(
        block_on(producer.send(to_t("late"))).unwrap_err(),
        SendError::Closed
    );
    assert_eq!(
        block_on(producer.partitions_for("t")).unwrap_err(),
        SendError::Closed
    );
    assert_eq!(log(&cluster, "t", 0), ["v"]);
}

fn close_gives_up_in_time<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (producer, first) = unanswered(&adapter, &cluster);
    let filled = fill(&producer, "fills") as u64;
    let mut send = pin!(producer.send(to_t("waits")));
    assert!(poll_once(send.as_mut()).is_pending());
    let started = Instant::now();
    block_on(producer.close(Duration::from_millis(100)));
    assert!((100..10_000).contains(&started.elapsed().as_millis()));
    assert_eq!(block_on(send).unwrap_err(), SendError::Closed);
    assert_eq!(
        block_on(first).unwrap_err(),
        Undelivered::MaybeWritten(DeliveryError::Closed)
    );
    let metrics = producer.metrics();
    assert_eq!(
        (metrics.records_maybe_written, metrics.records_not_written),
        (1, filled)
    );
}

fn close_may_be_called_by_many<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let delivery = block_on(producer.send(to_t("v"))).unwrap();
    let _ = poll_once(pin!(producer.close(Duration::from_secs(30))));
    thread::scope(|scope| {
        for _ in 0..3 {
            let producer = producer.clone();
            scope.spawn(move || block_on(producer.close(Duration::from_secs(30))));
        }
    });
    block_on(producer.close(Duration::ZERO));
    block_on(producer.flush());
    assert_eq!(offset_of(delivery), 0);
}

fn a_dropped_send_is_not_sent<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    drop(producer.send(to_t("never polled")));
    let names: Vec<String> = (0..20).map(|i| i.to_string()).collect();
    let (filled, kept) = cluster.with_model(|_| {
        let filled = fill(&producer, "fills");
        let waiting = names.iter().map(|name| {
            let mut send = Box::pin(producer.send(to_t(name)));
            assert!(poll_once(send.as_mut()).is_pending());
            send
        });
        let all: Vec<_> = waiting.collect();
        let kept: Vec<_> = all
            .into_iter()
            .enumerate()
            .filter(|(i, _)| i % 3 == 0)
            .map(|(_, send)| send)
            .collect();
        (filled, kept)
    });
    for send in kept {
        block_on(block_on(send).unwrap()).unwrap();
    }
    let expected: Vec<_> = names.iter().step_by(3).cloned().collect();
    assert_eq!(log(&cluster, "t", 0)[filled..], expected);
}

fn a_record_whose_turn_came_is_sent_though_its_future_is_dropped<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let mut sends: Vec<_> = (0..2)
        .map(|_| Box::pin(producer.send(to_t("waits"))))
        .collect();
    let filled = cluster.with_model(|_| {
        let filled = fill(&producer, "fills");
        for send in &mut sends {
            assert!(poll_once(send.as_mut()).is_pending());
        }
        filled
    });
    // The second one's turn comes after the first one's.
    block_on(block_on(sends.pop().unwrap()).unwrap()).unwrap();
    drop(sends);
    block_on(producer.flush());
    assert_eq!(log(&cluster, "t", 0)[filled..], ["waits", "waits"]);
}

fn dropped_deliveries_and_producers_lose_nothing<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (setup, end) = observed(
        settings(&cluster)
            .linger(Duration::from_secs(60))
            .build()
            .unwrap(),
    );
    let producer = adapter.start(setup);
    for i in 0..10 {
        let mut delivery = block_on(producer.send(to_t(&i.to_string()))).unwrap();
        if i % 2 == 0 {
            assert!(poll_once(pin!(&mut delivery)).is_pending());
        }
    }
    let last = block_on(producer.send(to_t("last"))).unwrap();
    let clone = producer.clone();
    drop(producer);
    drop(clone);
    end.recv().unwrap_err();
    assert_eq!(offset_of(last), 10);
}

fn a_callback_that_panics_harms_nobody<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let (tell, told) = mpsc::channel();
    for i in 0..4 {
        let tell = tell.clone();
        let callback = move |result: Result<ottla::RecordMetadata, Undelivered>| {
            tell.send(result.unwrap().offset.unwrap()).unwrap();
            assert_ne!(i, 1, "a user's mistake");
        };
        block_on(producer.send_with(to_t("v"), callback)).unwrap();
    }
    let delivery = block_on(producer.send(to_t("v"))).unwrap();
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(offset_of(delivery), 4);
}

fn a_callback_may_use_the_producer<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let (tell, told) = mpsc::channel();
    let inside = producer.clone();
    let callback = move |_| {
        let delivery = inside.try_send(to_t("from inside")).unwrap();
        inside
            .try_send_with(to_t("with a callback"), |_| ())
            .unwrap();
        assert!(poll_once(pin!(inside.flush())).is_pending());
        let mut send = pin!(inside.send(to_t("and waiting")));
        assert!(poll_once(send.as_mut()).is_ready());
        assert!(inside.metrics().records_accepted > 0);
        assert!(poll_once(pin!(inside.close(Duration::from_secs(30)))).is_pending());
        tell.send(delivery).unwrap();
    };
    producer.try_send_with(to_t("v"), callback).unwrap();
    assert_eq!(offset_of(told.recv().unwrap()), 1);
    block_on(producer.close(Duration::from_secs(30)));
    assert_eq!(
        log(&cluster, "t", 0),
        ["v", "from inside", "with a callback", "and waiting"]
    );
}

fn callbacks_come_in_the_order_of_the_records<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let (tell, told) = mpsc::channel();
    let value = "x".repeat(100);
    for i in 0..3_000 {
        let tell = tell.clone();
        block_on(producer.send_with(to_t(&value), move |_| tell.send(i).unwrap())).unwrap();
    }
    drop(tell);
    block_on(producer.flush());
    assert_eq!(
        told.try_iter().collect::<Vec<_>>(),
        (0..3_000).collect::<Vec<_>>(),
        "all, before the flush ends"
    );
}

fn a_broker_restarts_in_the_middle<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let values: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    let mut deliveries = Vec::new();
    for (i, value) in values.iter().enumerate() {
        match i {
            500 => cluster.stop_broker(1),
            700 => cluster.start_broker(1).unwrap(),
            _ => (),
        }
        deliveries.push(block_on(producer.send(to_t(value))).unwrap());
    }
    for delivery in deliveries {
        block_on(delivery).unwrap();
    }
    assert_eq!(log(&cluster, "t", 0), values);
    assert_eq!(
        cluster.with_model(|model| model.violations().to_vec()),
        [""; 0]
    );
}

fn a_lost_answer_is_no_duplicate<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    cluster.with_model(|model| {
        model.inject(On::AnyProduce, Fault::AppendThenDisconnect);
        model.inject(On::AnyProduce, Fault::Refuse(code::NOT_LEADER_OR_FOLLOWER));
        model.inject(On::AnyProduce, Fault::Disconnect);
    });
    let producer = small(&adapter, &cluster);
    let values: Vec<String> = (0..1_000).map(|i| format!("{i:0>50}")).collect();
    let deliveries = block_on(producer.send_all(values.iter().map(|value| to_t(value)))).unwrap();
    for delivery in deliveries {
        block_on(delivery).unwrap();
    }
    assert_eq!(log(&cluster, "t", 0), values);
    assert_eq!(cluster.with_model(|model| model.planned_faults()), 0);
}

fn a_runtime_that_is_shut_down_leaves_nobody_waiting<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (producer, delivery) = unanswered(&adapter, &cluster);
    let (tell, told) = mpsc::channel();
    let tell_wait = tell.clone();
    producer
        .try_send_with(to_t("v"), move |result| tell.send(result).unwrap())
        .unwrap();
    fill(&producer, "fills");
    let mut send = pin!(producer.send(to_t("waits")));
    assert!(poll_once(send.as_mut()).is_pending());
    let mut send_with =
        pin!(producer.send_with(to_t("waits"), move |result| tell_wait.send(result).unwrap()));
    assert!(poll_once(send_with.as_mut()).is_pending());
    let mut dropped_later = Box::pin(producer.send(to_t("waits")));
    assert!(poll_once(dropped_later.as_mut()).is_pending());
    let mut flush = pin!(producer.flush());
    assert!(poll_once(flush.as_mut()).is_pending());
    let mut close = pin!(producer.close(Duration::from_secs(3_600)));

    drop(adapter);
    let gone = || Undelivered::MaybeWritten(DeliveryError::Fatal(Fatal::DriverGone));
    assert_eq!(block_on(delivery).unwrap_err(), gone());
    assert_eq!(
        told.iter().collect::<Vec<_>>(),
        [Err(gone())],
        "who was refused is not called"
    );
    assert_eq!(
        block_on(send).unwrap_err(),
        SendError::Fatal(Fatal::DriverGone)
    );
    assert_eq!(
        block_on(send_with).unwrap_err(),
        SendError::Fatal(Fatal::DriverGone)
    );
    drop(dropped_later);
    block_on(flush);
    assert!(poll_once(close.as_mut()).is_ready());
    assert!(matches!(
        producer.try_send(to_t("v")),
        Err(SendError::Fatal(Fatal::DriverGone))
    ));
    assert_eq!(
        block_on(producer.send(to_t("v"))).unwrap_err(),
        SendError::Fatal(Fatal::DriverGone)
    );
    assert_eq!(
        block_on(producer.partitions_for("t")).unwrap_err(),
        SendError::Fatal(Fatal::DriverGone)
    );
    block_on(producer.close(Duration::ZERO));
}

#[test]
fn handles_and_futures_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send>(_: T) {}
    fn futures(producer: &Producer) {
        sent(producer.send(Record::to("t")));
        sent(producer.send_with(Record::to("t"), |_| ()));
        sent(producer.send_all([Record::to("t")]));
        sent(producer.flush());
        sent(producer.partitions_for("t"));
        sent(producer.close(Duration::ZERO));
    }
    fn delivery<T: Send + Sync + Future + Unpin + 'static>() {}
    anywhere::<Producer>();
    delivery::<Delivery>();
    let _ = futures;
}

#[cfg(feature = "tokio")]
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
fn a_clients_name_counts_up() {
    let names: BTreeSet<String> = (0..3)
        .map(|_| {
            let config = Config::builder()
                .bootstrap_servers("localhost:9092")
                .build()
                .unwrap();
            let (producer, _driver) = ottla::driver::Driver::new(config, drip::Sockets).unwrap();
            producer.config().client_id().to_owned()
        })
        .collect();
    assert_eq!(names.len(), 3);
}
