//! Flush, close, and a runtime that is gone.

use std::{net::TcpListener, pin::pin, sync::mpsc, task::Poll, thread, time::Duration};

use ottla::{
    Cause, Config, Delivery, DeliveryError, Fatal, Producer, Purge, Record, SendError, Undelivered,
};

use super::harness::{
    AGES, Adapter, block_on, cluster, fill, lingering, log, observed, offset_of, poll_once, small,
    to_t, unanswered,
};

pub(crate) fn a_silent_broker_does_not_hold_up_the_end<A: Adapter>() {
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
    block_on(producer.close(AGES));
    assert_eq!(block_on(send).unwrap_err(), SendError::Closed);
    end.recv().unwrap_err();
}

pub(crate) fn a_flush_ends_the_linger_of_what_came_before<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = adapter.start(lingering(&cluster).build().unwrap().into());
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

pub(crate) fn close_waits_for_what_was_accepted<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (setup, end) = observed(lingering(&cluster).build().unwrap());
    let producer = adapter.start(setup);
    let mut delivery = block_on(producer.send(to_t("v"))).unwrap();
    block_on(producer.close(AGES));
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

pub(crate) fn h109_close_gives_up_in_time<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (producer, first) = unanswered(&adapter, &cluster);
    let filled = fill(&producer, "fills") as u64;
    let mut send = pin!(producer.send(to_t("waits")));
    assert!(poll_once(send.as_mut()).is_pending());
    block_on(producer.close(Duration::from_millis(100)));
    assert_eq!(block_on(send).unwrap_err(), SendError::Closed);
    assert_eq!(
        block_on(first).unwrap_err(),
        Undelivered::MaybeWritten(DeliveryError::Closed { cause: Cause::Busy })
    );
    let metrics = producer.metrics();
    assert_eq!(
        (metrics.records_maybe_written, metrics.records_not_written),
        (1, filled)
    );
}

pub(crate) fn h161_what_is_on_the_way_is_purged_as_maybe_written<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (producer, on_the_way) = unanswered(&adapter, &cluster);
    let queued = producer.try_send(to_t("queued")).unwrap();
    producer.purge(Purge::All);
    let purged = DeliveryError::Purged;
    assert_eq!(
        block_on(on_the_way).unwrap_err(),
        Undelivered::MaybeWritten(purged.clone())
    );
    assert_eq!(
        block_on(queued).unwrap_err(),
        Undelivered::NotWritten(purged)
    );
    block_on(producer.close(Duration::ZERO));
    producer.purge(Purge::All);
}

pub(crate) fn h113_close_may_be_called_by_many<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let delivery = block_on(producer.send(to_t("v"))).unwrap();
    let _ = poll_once(pin!(producer.close(AGES)));
    thread::scope(|scope| {
        for _ in 0..3 {
            let producer = producer.clone();
            scope.spawn(move || block_on(producer.close(AGES)));
        }
    });
    block_on(producer.close(Duration::ZERO));
    block_on(producer.flush());
    assert_eq!(offset_of(delivery), 0);
}

pub(crate) fn h110_a_send_that_races_close_is_refused_or_has_its_outcome<A: Adapter>() {
    for early in 0..20 {
        let (cluster, adapter) = (cluster(1), A::new());
        let producer = small(&adapter, &cluster);
        let mut deliveries = thread::scope(|scope| {
            let senders = [false, true, true].map(|waits| {
                let producer = &producer;
                scope.spawn(move || send_until_closed(producer, waits))
            });
            // It comes amid the first records, or later.
            while producer.metrics().records_accepted < 25 * early {
                thread::yield_now();
            }
            block_on(producer.close(AGES));
            senders
                .into_iter()
                .flat_map(|sender| sender.join().unwrap())
                .collect::<Vec<_>>()
        });
        for delivery in &mut deliveries {
            assert!(matches!(poll_once(pin!(delivery)), Poll::Ready(Ok(_))));
        }
        assert_eq!(log(&cluster, "t", 0).len(), deliveries.len());
        let metrics = producer.metrics();
        assert_eq!(metrics.records_accepted, deliveries.len() as u64);
        assert_eq!(metrics.buffer_available_bytes, metrics.buffer_total_bytes);
    }
}

/// Sends without a pause until the producer is closed.
fn send_until_closed(producer: &Producer, waits: bool) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    loop {
        let sent = if waits {
            block_on(producer.send(to_t("v")))
        } else {
            producer.try_send(to_t("v"))
        };
        match sent {
            Ok(delivery) => deliveries.push(delivery),
            Err(SendError::Full) => thread::yield_now(),
            Err(error) => {
                assert_eq!(error, SendError::Closed);
                return deliveries;
            }
        }
    }
}

pub(crate) fn h162_a_runtime_that_is_shut_down_leaves_nobody_waiting<A: Adapter>() {
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
    let mut close = pin!(producer.close(AGES));

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
