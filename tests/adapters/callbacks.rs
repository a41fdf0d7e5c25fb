//! Users' functions in the driver.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Wake, Waker},
};

use ottla::{Producer, Record, Undelivered};

use super::harness::{AGES, Adapter, block_on, cluster, log, offset_of, poll_once, small, to_t};

pub(crate) fn h155_a_callback_that_panics_harms_nobody<A: Adapter>() {
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
    block_on(producer.close(AGES));
    let metrics = producer.metrics();
    assert_eq!(metrics.buffer_available_bytes, metrics.buffer_total_bytes);
}

/// Every place where code of the user's runs: if the lock were held there, it would wait for itself.
pub(crate) fn h164_users_code_runs_with_no_lock_held<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let (tell, told) = mpsc::channel();
    let reenters = |place: &'static str| Reenters {
        producer: producer.clone(),
        place,
        tell: tell.clone(),
    };

    // Wakers: called, and dropped when another one takes their place.
    let mut flush = pin!(producer.flush());
    // Nothing is answered while the model is held.
    let delivery = cluster.with_model(|_| {
        let mut delivery = Box::pin(producer.try_send(to_t("v")).unwrap());
        for place in ["a replaced waker", "a waker's end"] {
            let waker = Waker::from(Arc::new(reenters(place)));
            let cx = &mut Context::from_waker(&waker);
            assert!(delivery.as_mut().poll(cx).is_pending());
            assert!(flush.as_mut().poll(cx).is_pending());
        }
        delivery
    });
    block_on(producer.flush());
    assert!(poll_once(pin!(delivery)).is_ready() && poll_once(flush).is_ready());

    // A callback, its end, and its end without a call.
    let inside = reenters("a callback's end");
    let callback = move |_| inside.enter("a callback");
    block_on(producer.send_with(to_t("v"), callback)).unwrap();
    block_on(producer.flush());
    let refused = reenters("a refused callback's end");
    let callback = move |_| refused.enter("never");
    let refusal = producer.try_send_with(Record::to("t").partition(-1), callback);
    assert!(refusal.is_err());
    let waited = reenters("a waiting callback's end");
    let callback = move |_| waited.enter("never");
    // Found meanwhile, the topic would have the record sent all the same.
    cluster.with_model(|_| {
        let mut waits = Box::pin(producer.send_with(Record::to("new"), callback));
        assert!(poll_once(waits.as_mut()).is_pending());
    });

    // The iterator of many records.
    let iterates = reenters("an iterator's end");
    let records = (0..3).map(|_| {
        iterates.enter("an iterator");
        to_t("v")
    });
    block_on(producer.send_all(records)).unwrap();
    drop(iterates);
    drop(tell);

    let places: BTreeSet<_> = told.iter().collect();
    let expected = [
        "a callback",
        "a callback's end",
        "a refused callback's end",
        "a replaced waker",
        "a waiting callback's end",
        "a waker",
        "a waker's end",
        "an iterator",
        "an iterator's end",
    ];
    assert_eq!(places, expected.into());
    block_on(producer.close(AGES));
}

/// Uses the producer wherever it is called, woken or dropped.
struct Reenters {
    producer: Producer,
    place: &'static str,
    tell: mpsc::Sender<&'static str>,
}

impl Reenters {
    fn enter(&self, place: &'static str) {
        let accepted = self.producer.metrics().records_accepted;
        assert!(accepted > 0);
        let _ = self.producer.topic("another");
        let _ = poll_once(pin!(self.producer.flush()));
        // The one who listens may be gone.
        let _ = self.tell.send(place);
    }
}

impl Wake for Reenters {
    fn wake(self: Arc<Self>) {
        self.enter("a waker");
    }
}

impl Drop for Reenters {
    fn drop(&mut self) {
        self.enter(self.place);
    }
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
        assert!(poll_once(pin!(inside.close(AGES))).is_pending());
        tell.send(delivery).unwrap();
    };
    producer.try_send_with(to_t("v"), callback).unwrap();
    assert_eq!(offset_of(told.recv().unwrap()), 1);
    block_on(producer.close(AGES));
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
