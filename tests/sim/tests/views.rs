//! Brokers that tell old news, topics that come and go, brokers that change who and where they are.

mod common;

use std::time::Duration;

use common::*;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use ottla_sim::{Answer, Model, code};

/// Topic `t` as a broker shows it.
fn seen(model: &mut Model, broker: i32) -> MetadataResponse {
    let request = metadata_request("t").with_allow_auto_topic_creation(false);
    ask(model, broker, METADATA, 12, &request)
}

fn values_of(model: &Model, id: [u8; 16]) -> usize {
    (0..model.partitions_of(id))
        .map(|p| model.log_of(id, p).count())
        .sum()
}

fn send_one(model: &mut Model) {
    let batch = batch(UNSTAMPED, &values(1, "a"));
    assert_eq!(send(model, "t", 0, &batch).error_code, code::NONE);
}

#[test]
fn a_lagging_broker_shows_the_past_until_it_catches_up() {
    let mut model = cluster();
    let id = model.topic_id("t");
    model.lag_metadata(2);
    model.move_leader("t", 0, 3);
    model.add_partitions("t", 2);
    model.set_address(3, "elsewhere", 1);
    assert!(model.lags(2) && !model.lags(1));

    let stale = seen(&mut model, 2);
    let partitions = &stale.topics[0].partitions;
    assert_eq!((partitions.len(), partitions[0].leader_epoch), (1, 0));
    assert_eq!(partitions[0].leader_id, 1);
    assert_eq!(&*stale.brokers[2].host, "broker-3");
    assert_eq!(seen(&mut model, 1).topics[0].partitions[0].leader_id, 3);

    model.recreate_topic("t", 1, 0);
    assert_eq!(
        seen(&mut model, 2).topics[0].topic_id.into_bytes(),
        id.unwrap()
    );
    model.delete_topic("t");
    assert_eq!(seen(&mut model, 2).topics[0].error_code, code::NONE);
    assert_eq!(
        seen(&mut model, 1).topics[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );

    model.catch_up_metadata(2);
    assert_eq!(
        seen(&mut model, 2).topics[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
}

#[test]
fn a_lagging_broker_does_not_know_new_topics_by_name_by_id_or_among_all() {
    let mut model = cluster();
    model.lag_metadata(2);
    model.create_topic("new", 1);
    let all = MetadataRequest::default().with_topics(None);
    let answer: MetadataResponse = ask(&mut model, 2, METADATA, 12, &all);
    assert_eq!(answer.topics.len(), 1);
    let answer: MetadataResponse = ask(&mut model, 2, METADATA, 12, &metadata_request("new"));
    assert_eq!(
        answer.topics[0].error_code,
        code::UNKNOWN_TOPIC_OR_PARTITION
    );
    let mut by_id = metadata_request("new");
    let topic = &mut by_id.topics.as_mut().unwrap()[0];
    topic.name = None;
    topic.topic_id = uuid::Uuid::from_bytes(model.topic_id("new").unwrap());
    let answer: MetadataResponse = ask(&mut model, 2, METADATA, 12, &by_id);
    assert_eq!(answer.topics[0].error_code, code::UNKNOWN_TOPIC_ID);
}

#[test]
fn deleted_topics_stay_readable_by_their_ids() {
    let mut model = cluster();
    send_one(&mut model);
    model.move_leader("t", 0, 2);
    model.recreate_topic("t", 3, 1);
    assert_eq!((model.partitions("t"), model.leader_epoch("t", 0)), (3, 0));
    assert_eq!(
        model.leader("t", 0),
        Some(2),
        "the leaders are shifted by one"
    );
    send_one(&mut model);
    send_one(&mut model);
    model.recreate_topic("t", 1, 0);

    let ids: Vec<[u8; 16]> = model.incarnations("t").collect();
    assert_eq!(
        ids.iter()
            .map(|&id| values_of(&model, id))
            .collect::<Vec<_>>(),
        [1, 2, 0]
    );
    assert_eq!(
        ids.iter()
            .map(|&id| model.partitions_of(id))
            .collect::<Vec<_>>(),
        [1, 3, 1]
    );
    assert_eq!(Some(ids[2]), model.topic_id("t"));
    assert_eq!(
        (values_of(&model, [7; 16]), model.partitions_of([7; 16])),
        (0, 0)
    );
}

#[test]
fn deleted_topics_are_kept_up_to_a_bound() {
    let mut model = cluster();
    for _ in 0..2_000 {
        model.recreate_topic("t", 1, 0);
    }
    assert_eq!(model.incarnations("t").count(), 1_025);
}

#[test]
fn another_cluster_has_the_topics_and_nothing_in_them() {
    let mut model = cluster();
    send_one(&mut model);
    let (old, before) = (model.topic_id("t").unwrap(), seen(&mut model, 1));
    model.pause_broker(1);
    let waits = model.handle(
        Duration::ZERO,
        1,
        1,
        &[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff][..],
    );
    assert_eq!(waits, Answer::Waits);

    model.replace_cluster(99);
    model.resume_broker(1);
    assert_eq!(
        model.next_answer(),
        None,
        "the old cluster's requests are gone"
    );
    let after = seen(&mut model, 1);
    assert_ne!(after.cluster_id, before.cluster_id);
    assert_eq!(after.brokers, before.brokers);
    assert_ne!(model.topic_id("t"), Some(old));
    assert_eq!((model.log_end("t", 0), values_of(&model, old)), (0, 1));
}

#[test]
fn a_renumbered_broker_leads_on_at_the_same_address() {
    let mut model = cluster();
    send_one(&mut model);
    let address = model.address(1);
    let address = (address.0.to_owned(), address.1);
    model.renumber_broker(1, 11);
    assert_eq!(model.address(11), (&*address.0, address.1));
    assert_eq!(model.brokers().collect::<Vec<_>>(), [2, 3, 11]);
    assert_eq!(
        (model.leader("t", 0), model.leader_epoch("t", 0)),
        (Some(11), 1)
    );
    assert!(!model.is_up(1));
    send_one(&mut model);
    assert_eq!(model.log_end("t", 0), 2);
    assert_eq!(model.losses().len(), 0);
}

#[test]
fn addresses_are_swapped() {
    let mut model = cluster();
    model.swap_addresses(1, 2);
    assert_eq!(
        (model.address(1).0, model.address(2).0),
        ("broker-2", "broker-1")
    );
}

#[test]
fn a_removed_broker_leaves_its_records_to_the_others() {
    let mut model = Model::new(3, 1);
    model.set_replication(1);
    model.create_topic("t", 1);
    send_one(&mut model);
    model.remove_broker(1);
    assert_eq!(model.brokers().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(model.replicas("t", 0).collect::<Vec<_>>(), [2]);
    assert_eq!((model.leader("t", 0), model.log_end("t", 0)), (Some(2), 1));
    send_one(&mut model);

    model.add_broker(4, "broker-4", 9092);
    model.move_leader("t", 0, 4);
    assert_eq!(
        model.replica_end("t", 0, 4),
        Some(2),
        "it gets a full copy first"
    );
    assert_eq!(model.losses().len(), 0);
}

#[test]
fn a_slow_broker_answers_later() {
    let mut model = cluster();
    model.set_broker_delay(1, Duration::from_millis(80));
    let ask = |model: &mut Model, now: u64| {
        let request = [0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
        model.handle(Duration::from_millis(now), 1, 1, &request[..])
    };
    let due = |answer| match answer {
        Answer::Later { due, .. } => due.as_millis(),
        other => panic!("{other:?}"),
    };
    assert_eq!(due(ask(&mut model, 5)), 85);
    assert_eq!(due(ask(&mut model, 7)), 87);
    model.set_broker_delay(1, Duration::ZERO);
    assert_eq!(due(ask(&mut model, 8)), 87, "answers keep their order");
    assert!(matches!(ask(&mut model, 90), Answer::Reply(_)));
}

#[test]
fn versions_change_and_come_back() {
    let mut model = cluster();
    let ask = |model: &mut Model| {
        model.handle(
            Duration::ZERO,
            1,
            1,
            &request(METADATA, 12, 1, &metadata_request("t"))[..],
        )
    };
    model.set_versions(1, ottla_sim::Api::Metadata, Some((0, 9)));
    assert_eq!(ask(&mut model), Answer::Disconnect);
    model.reset_versions(1);
    assert!(matches!(ask(&mut model), Answer::Reply(_)));
}
