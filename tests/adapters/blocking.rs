//! The blocking forms of the calls.

use std::{sync::mpsc, thread, time::Duration};

use ottla::{Deadlock, DeliveryError, Fatal, Record, SendError, Undelivered, WaitError};
use ottla_sim::{Fault, On};

use super::harness::{AGES, Adapter, cluster, log, settings, to_t};

pub(crate) fn every_call_has_a_blocking_form<A: Adapter>() {
    let (cluster, adapter) = (cluster(3), A::new());
    let producer = adapter.start(settings(&cluster).build().unwrap().into());
    assert_eq!(producer.partitions_for_blocking("t").unwrap().len(), 3);
    let delivery = producer.send_blocking(to_t("one")).unwrap();
    assert_eq!(delivery.wait().unwrap().offset, Some(0));
    let (tell, told) = mpsc::channel();
    let callback = move |result| tell.send(result).unwrap();
    producer.send_with_blocking(to_t("two"), callback).unwrap();
    let deliveries = producer.send_all_blocking(&[to_t("three"), to_t("four")]);
    producer.flush_blocking().unwrap();
    assert_eq!(told.recv().unwrap().unwrap().offset, Some(1));
    let offsets = deliveries
        .unwrap()
        .into_iter()
        .map(|d| d.wait().unwrap().offset);
    assert_eq!(offsets.collect::<Vec<_>>(), [Some(2), Some(3)]);
    producer.close_blocking(AGES).unwrap();
    assert_eq!(log(&cluster, "t", 0), ["one", "two", "three", "four"]);
    assert_eq!(
        producer.send_blocking(to_t("late")).unwrap_err(),
        SendError::Closed
    );
}

pub(crate) fn h108_a_callback_that_would_wait_gets_an_error<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = adapter.start(
        settings(&cluster)
            .linger(Duration::ZERO)
            .build()
            .unwrap()
            .into(),
    );
    let (tell, told) = mpsc::channel();
    let inner = producer.clone();
    let callback = move |_| {
        let flushed = inner.flush_blocking();
        let delivery = inner.send_blocking(to_t("from within")).unwrap();
        let waited = delivery.wait();
        let unknown = inner.send_blocking(Record::to("unknown").value("v"));
        let partitions = inner.partitions_for_blocking("another");
        let closed = inner.close_blocking(AGES);
        let refused = unknown.map(drop).unwrap_err();
        tell.send((flushed, waited, refused, partitions.unwrap_err(), closed))
            .unwrap();
    };
    producer.send_with_blocking(to_t("v"), callback).unwrap();
    let (flushed, waited, unknown, partitions, closed) = told.recv().unwrap();
    assert_eq!(flushed, Err(Deadlock::InCallback));
    assert_eq!(waited, Err(WaitError::Deadlock(Deadlock::InCallback)));
    assert_eq!(unknown, SendError::Deadlock(Deadlock::InCallback));
    assert_eq!(partitions, SendError::Deadlock(Deadlock::InCallback));
    assert_eq!(closed, Err(Deadlock::InCallback));
    producer.close_blocking(AGES).unwrap();
    assert_eq!(
        log(&cluster, "t", 0),
        ["v", "from within"],
        "it was sent all the same"
    );
}

pub(crate) fn h162_who_blocks_is_woken_when_the_driver_goes<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    cluster.with_model(|model| model.inject(On::AnyProduce, Fault::Silence));
    let settings = &mut settings(&cluster);
    settings.request_timeout(AGES).delivery_timeout(2 * AGES);
    let producer = adapter.start(settings.build().unwrap().into());
    let delivery = producer.send_blocking(to_t("v")).unwrap();
    let (begins, began) = mpsc::channel();
    let waiting = thread::spawn(move || {
        begins.send(()).unwrap();
        delivery.wait()
    });
    began.recv().unwrap();
    drop(adapter);
    let gone = Undelivered::MaybeWritten(DeliveryError::Fatal(Fatal::DriverGone));
    assert_eq!(waiting.join().unwrap(), Err(WaitError::Undelivered(gone)));
    assert_eq!(
        producer.send_blocking(to_t("v")).unwrap_err(),
        SendError::Fatal(Fatal::DriverGone)
    );
}
