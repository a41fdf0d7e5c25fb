use std::vec;

use super::*;

const BROKERS: [(i32, &str); 2] = [(1, "one"), (2, "two")];

/// An answer about the topic `t` with these leaders and epochs.
fn answer(id: u8, leaders: &[(i32, i32)]) -> MetadataResponse<'static> {
    let partition = |(index, &(leader_id, leader_epoch)): (usize, &(i32, i32))| PartitionMetadata {
        error_code: ErrorCode::NONE,
        partition_index: index as i32,
        leader_id,
        leader_epoch,
    };
    let topic = TopicMetadata {
        error_code: ErrorCode::NONE,
        name: Some("t"),
        topic_id: [id; 16],
        is_internal: false,
        partitions: leaders.iter().enumerate().map(partition).collect(),
    };
    let broker = |&(node_id, host)| NodeEndpoint {
        node_id,
        host,
        port: 9092,
        rack: None,
    };
    MetadataResponse {
        throttle_time_ms: 0,
        brokers: BROKERS.iter().map(broker).collect(),
        cluster_id: None,
        controller_id: 1,
        topics: vec![topic],
        error_code: ErrorCode::NONE,
    }
}

fn known(id: u8, leaders: &[(i32, i32)]) -> (Cluster, Topic) {
    let mut cluster = Cluster::new(Duration::from_secs(300));
    let topic = cluster.topic("t").unwrap();
    apply(&mut cluster, &answer(id, leaders));
    (cluster, topic)
}

fn apply(cluster: &mut Cluster, answer: &MetadataResponse<'_>) -> Vec<Change> {
    let asked = cluster.ask(Instant::ORIGIN);
    cluster.apply(Instant::ORIGIN, &asked, answer)
}

fn leaders(cluster: &Cluster, topic: Topic) -> Vec<Option<i32>> {
    cluster
        .state(topic)
        .leaders
        .iter()
        .map(|l| l.broker)
        .collect()
}

#[test]
fn h060_an_older_epoch_counts_for_nothing_an_equal_or_absent_one_does() {
    let (mut cluster, topic) = known(1, &[(1, 5)]);
    apply(&mut cluster, &answer(1, &[(2, 4)]));
    assert_eq!(leaders(&cluster, topic), [Some(1)]);
    apply(&mut cluster, &answer(1, &[(2, 5)]));
    assert_eq!(leaders(&cluster, topic), [Some(2)]);
    apply(&mut cluster, &answer(1, &[(1, -1)]));
    assert_eq!(leaders(&cluster, topic), [Some(1)]);
}

#[test]
fn h065_a_topic_whose_leader_left_the_cluster_is_asked_about_again_and_again() {
    let (mut cluster, topic) = known(0, &[(1, 5)]);
    let mut without = answer(0, &[(2, 0)]);
    without.brokers.retain(|broker| broker.node_id == 2);
    cluster.want(topic);
    for _ in 0..3 {
        apply(&mut cluster, &without);
        assert_eq!(leaders(&cluster, topic), [Some(1)], "of a higher epoch");
        assert!(cluster.is_due(Instant::ORIGIN));
    }
}

#[test]
fn h061_another_topic_id_lets_a_lower_epoch_in() {
    let (mut cluster, topic) = known(1, &[(1, 5), (1, 5)]);
    let changes = apply(&mut cluster, &answer(2, &[(2, 0)]));
    assert_eq!(changes, [Change::Recreated(topic), Change::Topic(topic)]);
    assert_eq!(leaders(&cluster, topic), [Some(2)]);
}

#[test]
fn h061_without_ids_a_lower_epoch_counts_once_nobody_tells_the_higher_one_any_more() {
    let (mut cluster, topic) = known(0, &[(1, 5)]);
    for _ in 0..4 {
        assert_eq!(apply(&mut cluster, &answer(0, &[(2, 0)])), []);
    }
    apply(&mut cluster, &answer(0, &[(1, 5)]));
    for _ in 0..4 {
        assert_eq!(apply(&mut cluster, &answer(0, &[(2, 0)])), []);
    }
    let changes = apply(&mut cluster, &answer(0, &[(2, 0)]));
    assert_eq!(changes, [Change::Recreated(topic), Change::Topic(topic)]);
    assert_eq!(leaders(&cluster, topic), [Some(2)]);
}

#[test]
fn h064_partitions_that_were_known_without_an_id_and_stay_away_are_gone() {
    let (mut cluster, topic) = known(0, &[(1, 0), (1, 0)]);
    for _ in 0..4 {
        apply(&mut cluster, &answer(1, &[(2, 0)]));
        assert_eq!(leaders(&cluster, topic), [Some(2), Some(1)]);
    }
    apply(&mut cluster, &answer(1, &[(2, 0)]));
    assert_eq!(leaders(&cluster, topic), [Some(2)]);
    for _ in 0..9 {
        // With an id it is the same topic, of which a broker has not heard all.
        apply(&mut cluster, &answer(1, &[(2, 0), (1, 0)]));
        apply(&mut cluster, &answer(1, &[(2, 0)]));
    }
    assert_eq!(leaders(&cluster, topic), [Some(2), Some(1)]);
}

#[test]
fn h150_another_cluster_counts_its_epochs_anew() {
    let of = |cluster_id, leaders| MetadataResponse {
        cluster_id: Some(cluster_id),
        ..answer(0, leaders)
    };
    let mut cluster = Cluster::new(Duration::from_secs(300));
    let topic = cluster.topic("t").unwrap();
    apply(&mut cluster, &of("old", &[(1, 5)]));
    let changes = apply(&mut cluster, &of("new", &[(2, 0)]));
    assert_eq!(changes, [Change::AnotherCluster, Change::Topic(topic)]);
    assert_eq!(leaders(&cluster, topic), [Some(2)]);
}

#[test]
fn h059_a_hint_counts_if_its_epoch_is_newer_and_its_broker_known() {
    let (mut cluster, topic) = known(1, &[(1, 5)]);
    assert!(!cluster.hint(topic, 0, 2, 5));
    assert!(!cluster.hint(topic, 0, 3, 6), "a stranger");
    assert!(!cluster.hint(topic, 1, 2, 6), "no such partition");
    assert!(cluster.hint(topic, 0, 2, 6));
    apply(&mut cluster, &answer(1, &[(1, 5)]));
    assert_eq!(
        leaders(&cluster, topic),
        [Some(2)],
        "the refresh is older than the hint"
    );
}

#[test]
fn h066_h070_what_an_answer_leaves_out_stays() {
    let (mut cluster, topic) = known(1, &[(1, 0), (2, 0)]);
    apply(&mut cluster, &answer(1, &[(1, 0)]));
    assert_eq!(leaders(&cluster, topic), [Some(1), Some(2)]);
    let mut missing = answer(1, &[]);
    missing.topics[0].error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    apply(&mut cluster, &missing);
    assert_eq!(leaders(&cluster, topic), [Some(1), Some(2)]);
    assert!(
        cluster
            .next_timeout()
            .is_some_and(|at| at == Instant::ORIGIN),
        "and it is asked about again"
    );
}

#[test]
fn h067_no_partitions_without_an_error_is_not_known_yet() {
    let (cluster, topic) = known(1, &[]);
    assert!(leaders(&cluster, topic).is_empty());
    assert_eq!(cluster.next_timeout(), Some(Instant::ORIGIN));
}

#[test]
fn h067_no_partitions_under_a_new_id_leave_the_old_ones_without_it() {
    let (mut cluster, topic) = known(0, &[(1, 0), (2, 0)]);
    apply(&mut cluster, &answer(1, &[]));
    assert_eq!(leaders(&cluster, topic).len(), 2);
    assert_eq!(cluster.state(topic).id_of_leaders(), [0; 16]);
    for _ in 0..MOST_OLDER_ANSWERS {
        apply(&mut cluster, &answer(1, &[(1, 0)]));
    }
    assert_eq!(leaders(&cluster, topic), [Some(1)]);
    assert_eq!(cluster.state(topic).id_of_leaders(), [1; 16]);
}

#[test]
fn h064_partitions_that_only_an_answer_without_an_id_has_told_do_not_stay() {
    let (mut cluster, topic) = known(1, &[(1, 5)]);
    apply(&mut cluster, &answer(0, &[(1, 5), (2, 0)]));
    for _ in 1..MOST_OLDER_ANSWERS {
        apply(&mut cluster, &answer(1, &[(2, 4)]));
        assert_eq!(leaders(&cluster, topic), [Some(1), Some(2)]);
    }
    let changes = apply(&mut cluster, &answer(1, &[(2, 4)]));
    assert_eq!(changes, [Change::Topic(topic)]);
    assert_eq!(
        leaders(&cluster, topic),
        [Some(2)],
        "the older epoch is believed with it"
    );
}

#[test]
fn h167_an_epoch_that_was_too_high_once_is_given_up_where_topics_have_ids_too() {
    let (mut cluster, topic) = known(1, &[(1, 0), (1, 7)]);
    assert!(cluster.hint(topic, 0, 2, 50));
    for _ in 1..MOST_OLDER_ANSWERS {
        assert_eq!(apply(&mut cluster, &answer(1, &[(1, 0), (1, 7)])), []);
    }
    assert_eq!(leaders(&cluster, topic), [Some(2), Some(1)]);
    let changes = apply(&mut cluster, &answer(1, &[(1, 0), (1, 7)]));
    assert_eq!(changes, [Change::Topic(topic)], "it is the same topic");
    assert_eq!(leaders(&cluster, topic), [Some(1), Some(1)]);

    // From there on epochs count as ever.
    assert!(!cluster.hint(topic, 1, 2, 7));
    apply(&mut cluster, &answer(1, &[(2, 0), (2, 6)]));
    assert_eq!(leaders(&cluster, topic), [Some(2), Some(1)]);
}

#[test]
fn h167_older_answers_count_in_a_row_only() {
    let (mut cluster, topic) = known(1, &[(1, 5)]);
    for _ in 0..3 * MOST_OLDER_ANSWERS {
        apply(&mut cluster, &answer(1, &[(2, 4)]));
        apply(&mut cluster, &answer(1, &[(1, 5)]));
    }
    assert_eq!(leaders(&cluster, topic), [Some(1)]);
}

#[test]
fn h074_nonsense_takes_no_memory_and_leads_nowhere() {
    let mut nonsense = answer(1, &[(1, 0), (9, 0), (2, 0)]);
    nonsense.topics[0].partitions[2].partition_index = i32::MAX;
    let mut cluster = Cluster::new(Duration::from_secs(300));
    let topic = cluster.topic("t").unwrap();
    apply(&mut cluster, &nonsense);
    assert_eq!(
        leaders(&cluster, topic),
        [Some(1), None],
        "broker 9 is not in the cluster"
    );
    nonsense.topics[0].partitions[2].partition_index = -1;
    apply(&mut cluster, &nonsense);
    assert_eq!(leaders(&cluster, topic).len(), 2);
}

#[test]
fn h069_a_refused_topic_is_refused_until_it_is_granted() {
    let mut cluster = Cluster::new(Duration::from_secs(300));
    let topic = cluster.topic("t").unwrap();
    let mut refused = answer(1, &[]);
    refused.topics[0].error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let changes = apply(&mut cluster, &refused);
    assert!(changes.contains(&Change::Refused(
        topic,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
    )));
    let changes = apply(&mut cluster, &answer(1, &[(1, 0)]));
    assert_eq!(changes, [Change::Topic(topic)]);
}

#[test]
fn h072_one_request_is_on_the_way_and_fruitless_ones_are_counted() {
    let (mut cluster, topic) = known(1, &[(1, 0)]);
    cluster.want(topic);
    assert!(cluster.is_due(Instant::ORIGIN));
    let asked = cluster.ask(Instant::ORIGIN);
    cluster.want(topic);
    assert!(!cluster.is_due(Instant::ORIGIN), "while one is on the way");
    for fruitless in 1..4 {
        cluster.apply(Instant::ORIGIN, &asked, &answer(1, &[(1, 0)]));
        assert_eq!(cluster.fruitless, fruitless);
    }
}

#[test]
fn names_are_judged_as_kafka_does() {
    let mut cluster = Cluster::new(Duration::ZERO);
    for (name, error) in [
        ("", InvalidTopic::Empty),
        ("..", InvalidTopic::Dots),
        ("a b", InvalidTopic::Character(' ')),
        ("größe", InvalidTopic::Character('ö')),
        (&*"x".repeat(250), InvalidTopic::TooLong { len: 250 }),
    ] {
        assert_eq!(cluster.topic(name), Err(error), "{name:?}");
    }
    assert_eq!(cluster.topic("a.b_c-9"), cluster.topic("a.b_c-9"));
    assert!(cluster.topic(&"x".repeat(249)).is_ok());
}
