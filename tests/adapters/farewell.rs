//! The end of a connection that carried records under acks=0: a broker that has not read all of it loses nothing.

use std::{pin::pin, task::Poll};

use ottla_sim::Cluster;

use super::harness::{AGES, Adapter, block_on, log, poll_once, settings, to_t};

pub(crate) fn h169_what_was_written_without_acks_is_not_lost_at_close<A: Adapter>() {
    let (cluster, adapter) = (Cluster::start(1).unwrap(), A::new());
    // As Tansu's broker does. Responses that nobody reads any more would reset the connection.
    cluster.with_model(|model| model.set_answers_unacknowledged(true));
    let mut config = settings(&cluster);
    for (name, value) in [("acks", "0"), ("linger.ms", "0"), ("batch.size", "0")] {
        config.set(name, value).unwrap();
    }
    let producer = adapter.start(config.build().unwrap().into());
    let values: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    block_on(producer.partitions_for("t")).unwrap();

    let mut close = pin!(producer.close(AGES));
    // Meanwhile the broker reads nothing more than it can do without the model.
    cluster.with_model(|_| {
        for value in &values {
            let delivery = block_on(producer.send(to_t(value))).unwrap();
            block_on(delivery).unwrap();
        }
        assert_eq!(poll_once(close.as_mut()), Poll::Pending);
    });
    block_on(close);
    assert_eq!(
        log(&cluster, "t", 0),
        values,
        "what the broker has read by then"
    );
}
