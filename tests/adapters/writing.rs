//! What is written, and how it comes back.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, SystemTime},
};

use ottla::{Acks, Config, Header, Record, Setup, Undelivered};
use ottla_sim::{Fault, On, code};

use super::harness::{AGES, Adapter, block_on, cluster, log, offset_of, settings, small, to_t};

pub(crate) fn records_are_written_as_they_were_given<A: Adapter>() {
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
            .timestamp(0),
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
            (written.topic, written.partition, written.offset),
            ("t", 2, Some(offset))
        );
    }
    assert_eq!(
        [1_234, 77, 0],
        [0, 1, 2].map(|i: usize| written[i].timestamp)
    );
    let millis = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.as_millis() as i64
    };
    let while_sent = millis(before) - 1..=millis(SystemTime::now()) + 1;
    let timestamp = written[3].timestamp;
    assert!(
        while_sent.contains(&timestamp),
        "{timestamp}, {while_sent:?}"
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

pub(crate) fn the_brokers_time_counts_where_the_topic_says_so<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    cluster.with_model(|model| model.set_log_append_time("t", true));
    let producer = adapter.start(settings(&cluster).build().unwrap().into());
    let delivery = block_on(producer.send(to_t("v").timestamp(5))).unwrap();
    assert!(block_on(delivery).unwrap().timestamp > 1_000_000);
}

pub(crate) fn without_acks_the_offset_is_unknown<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = adapter.start(settings(&cluster).acks(Acks::None).build().unwrap().into());
    let delivery = block_on(producer.send(to_t("v").timestamp(5))).unwrap();
    let written = block_on(delivery).unwrap();
    assert_eq!((written.offset, written.timestamp), (None, 5));
    block_on(producer.close(AGES));
}

pub(crate) fn a_name_with_several_addresses_is_tried_through<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let port = cluster.addresses()[0].port();
    let config = Config::builder()
        .bootstrap_servers(&format!("localhost:{port}"))
        .build()
        .unwrap();
    let producer = adapter.start(config.into());
    assert_eq!(offset_of(block_on(producer.send(to_t("v"))).unwrap()), 0);
}

pub(crate) fn many_records_come_back_in_order<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    let producer = small(&adapter, &cluster);
    let values: Vec<String> = (0..5_000).map(|i| format!("{i:0>100}")).collect();
    let deliveries = block_on(producer.send_all(values.iter().map(|value| to_t(value)))).unwrap();
    let offsets: Vec<_> = deliveries.into_iter().map(offset_of).collect();
    assert_eq!(offsets, (0..5_000).collect::<Vec<_>>());
    assert_eq!(log(&cluster, "t", 0), values);
}

pub(crate) fn what_is_too_large_together_comes_back_piece_by_piece<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    cluster.with_model(|model| model.set_topic_max_message_bytes("t", 1_000));
    let producer = small(&adapter, &cluster);
    let large = "x".repeat(2_000);
    let values: Vec<String> = (0..300).map(|i| format!("{i:0>100}")).collect();
    let (tell, told) = mpsc::channel();
    let mut deliveries = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let value = if i == 150 { &large } else { value };
        if i % 2 == 0 {
            let tell = tell.clone();
            let call = move |outcome| tell.send((i, outcome)).unwrap();
            block_on(producer.send_with(to_t(value), call)).unwrap();
        } else {
            deliveries.push((i, block_on(producer.send(to_t(value))).unwrap()));
        }
    }
    drop(tell);
    let mut outcomes: Vec<_> = deliveries
        .into_iter()
        .map(|(i, delivery)| (i, block_on(delivery)))
        .chain(told)
        .collect();
    outcomes.sort_by_key(|(i, _)| *i);
    assert_eq!(outcomes.len(), 300);
    for (i, outcome) in outcomes {
        match outcome {
            Ok(written) => assert_eq!(written.offset, Some(i as i64 - i64::from(i > 150))),
            Err(Undelivered::NotWritten(_)) => assert_eq!(i, 150),
            Err(other) => panic!("{i}: {other}"),
        }
    }
    assert!(producer.metrics().batches_split > 0);
}

pub(crate) fn threads_share_a_producer<A: Adapter>() {
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

pub(crate) fn a_broker_restarts_in_the_middle<A: Adapter>() {
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

pub(crate) fn a_lost_answer_is_no_duplicate<A: Adapter>() {
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

/// The broker takes the batch and is never heard of again on that connection; the time-out is what tells.
pub(crate) fn a_link_that_is_half_open_is_left<A: Adapter>() {
    let (cluster, adapter) = (cluster(1), A::new());
    cluster.with_model(|model| model.inject(On::AnyProduce, Fault::AppendThenSilence));
    let timeout = Duration::from_secs(1);
    let config = settings(&cluster).request_timeout(timeout).build().unwrap();
    let (warn, warned) = mpsc::channel();
    let setup = Setup::new(config).on_warning(move |warning| drop(warn.send(warning.to_string())));
    let producer = adapter.start(setup);
    let delivery = block_on(producer.send(to_t("once"))).unwrap();
    assert_eq!(block_on(delivery).unwrap().offset, Some(0));
    let mut warnings = warned.iter();
    assert!(warnings.any(|warning| warning.contains("no answer within 1s")));
    assert_eq!(log(&cluster, "t", 0), ["once"]);
}
