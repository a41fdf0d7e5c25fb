//! What waits, what is refused, and in which order.

use std::{pin::pin, sync::mpsc, time::Duration};

use ottla::{Cause, Config, Disconnect, Producer, Record, SendError, Setup, WaitedFor};
use ottla_sim::{Cluster, Port};

use super::harness::{
    Adapter, block_on, cluster, fill, log, offset_of, poll_once, settings, small, to_t,
};

pub(crate) fn h098_the_order_is_that_of_the_first_polls<A: Adapter>() {
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

pub(crate) fn a_full_buffer_refuses_or_makes_wait<A: Adapter>() {
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

pub(crate) fn many_records_are_taken_as_far_as_there_is_room<A: Adapter>() {
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
            topic: "t".into(),
            partition: -1,
            partitions: 1
        }
    );
}

pub(crate) fn an_unknown_topic_is_refused_or_waited_for<A: Adapter>() {
    let (cluster, adapter) = (
        Cluster::builder().brokers(3).partitions(2).start().unwrap(),
        A::new(),
    );
    let producer = adapter.start(settings(&cluster).build().unwrap().into());
    let refused = producer.try_send(Record::to("new").value("v"));
    assert!(matches!(refused, Err(SendError::TopicNotReady)));
    let partitions = block_on(producer.partitions_for("new")).unwrap();
    assert_eq!(partitions.len(), 2);
    assert!(partitions.iter().all(|p| p.leader.is_some()));
    block_on(producer.try_send(Record::to("new").value("v")).unwrap()).unwrap();

    cluster.with_model(|model| model.set_auto_create(false));
    let settings = &mut settings(&cluster);
    settings.max_block(Duration::from_millis(100));
    let impatient = adapter.start(settings.build().unwrap().into());
    let error = block_on(impatient.partitions_for("nowhere")).unwrap_err();
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
    let error = block_on(impatient.send(Record::to("nowhere"))).unwrap_err();
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
    // Its wait may end before the brokers have answered anything; then it asks again.
    while block_on(impatient.partitions_for("new")).is_err() {}
    let error = block_on(impatient.send(Record::to("new").partition(7))).unwrap_err();
    assert_eq!(
        error,
        SendError::InvalidPartition {
            topic: "new".into(),
            partition: 7,
            partitions: 2
        }
    );
}

pub(crate) fn what_can_never_be_sent_is_refused<A: Adapter>() {
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
        SendError::InvalidTopic(_)
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

pub(crate) fn a_broker_that_refuses_is_named<A: Adapter>() {
    let adapter = A::new();
    let port = Port::new().unwrap();
    let address = port.address().to_string();
    let mut settings = Config::builder();
    settings
        .bootstrap_servers(&address)
        .max_block(Duration::from_millis(100));
    let (warn, warnings) = mpsc::channel();
    let setup = Setup::new(settings.build().unwrap()).on_warning(move |warning| {
        warn.send(warning.to_string()).unwrap();
        panic!("harms nobody");
    });
    let producer = adapter.start(setup);
    // Nobody waits for the topic yet: the warning is there before a wait could end.
    let asked = producer.try_send(Record::to("t"));
    assert!(matches!(asked, Err(SendError::TopicNotReady)));
    let warning = warnings.recv().unwrap();
    assert_eq!(warning, format!("{address}: connection refused"));
    let error = block_on(producer.send(Record::to("t"))).unwrap_err();
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
}
