//! Futures, handles and deliveries that are dropped at any point.

use std::pin::pin;

use super::harness::{
    Adapter, block_on, cluster, fill, lingering, log, observed, offset_of, poll_once, small, to_t,
};

pub(crate) fn h160_a_dropped_send_is_not_sent<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    drop(producer.send(to_t("never polled")));
    // Longer than what fills: it must not fit into the last bit of room.
    let names: Vec<String> = (0..20).map(|i| format!("letter {i}")).collect();
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

pub(crate) fn h160_a_record_whose_turn_came_is_sent_though_its_future_is_dropped<A: Adapter>() {
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

pub(crate) fn h113_h159_dropped_deliveries_and_producers_lose_nothing<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let (setup, end) = observed(lingering(&cluster).build().unwrap());
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
