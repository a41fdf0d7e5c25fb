//! Users' functions in the driver.

use std::{pin::pin, sync::mpsc, time::Duration};

use ottla::Undelivered;

use super::harness::{Adapter, block_on, cluster, log, offset_of, poll_once, small, to_t};

pub(crate) fn a_callback_that_panics_harms_nobody<A: Adapter>() {
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

pub(crate) fn a_callback_may_use_the_producer<A: Adapter>() {
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

pub(crate) fn callbacks_come_in_the_order_of_the_records<A: Adapter>() {
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
