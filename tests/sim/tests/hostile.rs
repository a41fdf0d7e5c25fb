//! Answers that decode and make no sense.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::*;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdRequest, InitProducerIdResponse,
    MetadataResponse, ProduceResponse,
};
use kafka_protocol::protocol::StrBytes;
use ottla_sim::{Answer, Api, Fault, Hostile, Model, On, code};

fn planned(hostile: Hostile) -> Model {
    let mut model = Model::new(3, 1);
    // An API of one version alone can't have them the wrong way round.
    model.set_serves_producers_alone(true);
    model.create_topic("t", 2);
    let on = On::any(hostile.api()).unwrap();
    model.inject(on, Fault::Hostile(hostile));
    model
}

fn spoilt_metadata(hostile: Hostile) -> MetadataResponse {
    metadata(&mut planned(hostile), 12, "t")
}

fn spoilt_produce(hostile: Hostile) -> (Model, ProduceResponse) {
    let mut model = planned(hostile);
    let batch = batch(stamp(9, 0, 0), &values(2, "a"));
    model.move_leader("t", 0, 2);
    let answer = ask(&mut model, 2, PRODUCE, 12, &produce(-1, &[("t", 0, batch)]));
    (model, answer)
}

fn codes(answer: &[PartitionProduceResponse]) -> Vec<(i32, i16, i64)> {
    let code = |p: &PartitionProduceResponse| (p.index, p.error_code, p.base_offset);
    answer.iter().map(code).collect()
}

#[test]
fn every_one_changes_its_answer_at_the_newest_version_and_decodes_at_all() {
    for hostile in Hostile::ALL {
        let (key, body): (i16, Box<dyn Fn(i16) -> bytes::Bytes>) = match hostile.api() {
            Api::Metadata => (
                METADATA,
                Box::new(|v| request(METADATA, v, 7, &metadata_request("t"))),
            ),
            Api::Produce => (
                PRODUCE,
                Box::new(|v| {
                    let batch = batch(UNSTAMPED, &values(2, "a"));
                    request(PRODUCE, v, 7, &produce(1, &[("t", 0, batch)]))
                }),
            ),
            Api::InitProducerId => (
                INIT_PRODUCER_ID,
                Box::new(|v| request(INIT_PRODUCER_ID, v, 7, &producer_id())),
            ),
            _ => (
                API_VERSIONS,
                Box::new(|v| request(API_VERSIONS, v, 7, &named())),
            ),
        };
        let versions = match key {
            METADATA => 0..=12,
            PRODUCE => 3..=12,
            INIT_PRODUCER_ID => 0..=5,
            _ => 0..=4,
        };
        let newest = *versions.end();
        for version in versions {
            let spoilt = frame(&mut planned(hostile), &body(version));
            let mut model = planned(hostile);
            model.clear_faults();
            let honest = frame(&mut model, &body(version));
            let is_changed = spoilt != honest;
            let what = format!("{} v{version}", hostile.name());
            assert!(is_changed || version < newest, "{what}: changes nothing");
            match key {
                METADATA => drop(response::<MetadataResponse>(spoilt, version, 7)),
                PRODUCE => drop(response::<ProduceResponse>(spoilt, version, 7)),
                INIT_PRODUCER_ID => drop(response::<InitProducerIdResponse>(spoilt, version, 7)),
                _ => drop(response::<ApiVersionsResponse>(spoilt, version, 7)),
            }
        }
    }
}

fn named() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1"))
}

fn producer_id() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None)
}

fn frame(model: &mut Model, request: &[u8]) -> bytes::Bytes {
    match model.handle(Duration::ZERO, 1, 1, request) {
        Answer::Reply(frame) => frame,
        other => panic!("expected an answer, got {other:?}"),
    }
}

#[test]
fn names_and_kinds_are_distinct() {
    let names: BTreeSet<&str> = Hostile::ALL.iter().map(|hostile| hostile.name()).collect();
    assert_eq!(names.len(), Hostile::ALL.len());
    let kinds: BTreeSet<Hostile> = Hostile::ALL.into();
    assert_eq!(kinds.len(), Hostile::ALL.len());
}

#[test]
fn what_has_struck_is_counted_by_name() {
    let mut model = planned(Hostile::NoPartitions);
    model.inject(On::Metadata, Fault::Refuse(code::LEADER_NOT_AVAILABLE));
    metadata(&mut model, 12, "t");
    metadata(&mut model, 12, "t");
    let struck: Vec<_> = model.faults_struck().collect();
    assert_eq!(struck, [("metadata: no partitions", 1), ("refuse", 1)]);
}

#[test]
fn metadata_can_be_wrong_about_partitions() {
    let topic = |hostile| spoilt_metadata(hostile).topics.remove(0);
    assert_eq!(topic(Hostile::NoPartitions).partitions, []);
    assert_eq!(topic(Hostile::NoPartitions).error_code, code::NONE, "H067");
    assert_eq!(topic(Hostile::RepeatedPartition).partitions.len(), 4);
    assert_eq!(
        topic(Hostile::NegativePartition).partitions[0].partition_index,
        -1
    );
    assert_eq!(
        topic(Hostile::HugePartition).partitions[0].partition_index,
        i32::MAX
    );
    assert_eq!(topic(Hostile::ManyPartitions).partitions.len(), 1_002);
    assert_eq!(topic(Hostile::NegativeEpoch).partitions[1].leader_epoch, -7);
    let answer = spoilt_metadata(Hostile::UnknownLeader);
    let leader = answer.topics[0].partitions[0].leader_id;
    assert!(answer.brokers.iter().all(|broker| broker.node_id != leader));
}

#[test]
fn metadata_can_be_wrong_about_brokers_and_topics() {
    assert_eq!(spoilt_metadata(Hostile::RepeatedBroker).brokers.len(), 6);
    assert_eq!(spoilt_metadata(Hostile::NoBrokers).brokers, []);
    assert_eq!(spoilt_metadata(Hostile::ManyBrokers).brokers.len(), 1_003);
    assert!(
        spoilt_metadata(Hostile::NegativeBrokers)
            .brokers
            .iter()
            .all(|b| b.node_id == -1)
    );
    assert!(
        spoilt_metadata(Hostile::EmptyHost)
            .brokers
            .iter()
            .all(|b| b.host.is_empty())
    );
    let ports = spoilt_metadata(Hostile::PortOutOfRange).brokers;
    assert_eq!(
        ports.iter().map(|b| b.port).collect::<Vec<_>>(),
        [70_000, -1, 70_000]
    );
    let truth = metadata(&mut cluster(), 12, "t").cluster_id;
    assert_ne!(spoilt_metadata(Hostile::OtherCluster).cluster_id, truth);
    assert_eq!(spoilt_metadata(Hostile::RepeatedTopic).topics.len(), 2);
    let topics = spoilt_metadata(Hostile::OtherTopics).topics;
    assert_ne!(topics[0].name, Some(name("t")));
}

#[test]
fn a_fault_of_one_topic_can_be_hostile_too() {
    let mut model = cluster();
    model.inject(
        On::MetadataOf { topic: "t".into() },
        Fault::Hostile(Hostile::NoPartitions),
    );
    assert_eq!(metadata(&mut model, 12, "t").topics[0].partitions, []);
}

#[test]
fn produce_can_be_wrong_about_partitions() {
    let (model, answer) = spoilt_produce(Hostile::MissingPartition);
    assert_eq!(codes(&answer.responses[0].partition_responses), []);
    assert_eq!(model.log_end("t", 0), 2, "it is written all the same");

    let (_, answer) = spoilt_produce(Hostile::RepeatedAnswer);
    let twice = [(0, code::NONE, 0), (0, code::NOT_LEADER_OR_FOLLOWER, -1)];
    assert_eq!(codes(&answer.responses[0].partition_responses), twice);

    let (_, answer) = spoilt_produce(Hostile::StrangerPartition);
    let both = [(1_000_000, code::NONE, 17), (0, code::NONE, 0)];
    assert_eq!(codes(&answer.responses[0].partition_responses), both);

    let (_, answer) = spoilt_produce(Hostile::StrangerTopic);
    assert_eq!(answer.responses.len(), 2);

    let (model, answer) = spoilt_produce(Hostile::NoOffset);
    assert_eq!(
        codes(&answer.responses[0].partition_responses),
        [(0, code::NONE, -1)]
    );
    assert_eq!(
        model.produce_journal().next().unwrap().fault,
        Some("produce: no offset")
    );
}

#[test]
fn produce_can_be_refused_with_nonsense() {
    for hostile in [
        Hostile::HintToStranger,
        Hostile::HintFromThePast,
        Hostile::HintFromTheFuture,
    ] {
        let (model, answer) = spoilt_produce(hostile);
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, code::NOT_LEADER_OR_FOLLOWER);
        let hint = &partition.current_leader;
        let is_odd = hint.leader_id == 4_711 || hint.leader_epoch != model.leader_epoch("t", 0);
        assert!(is_odd, "{hint:?}");
        assert_eq!(model.log_end("t", 0), 0);
    }
    let (model, answer) = spoilt_produce(Hostile::StrangeRecords);
    let partition = &answer.responses[0].partition_responses[0];
    let blamed: Vec<i32> = partition
        .record_errors
        .iter()
        .map(|e| e.batch_index)
        .collect();
    assert_eq!(
        (partition.error_code, blamed),
        (code::INVALID_RECORD, vec![-1, 2, i32::MAX])
    );
    assert_eq!(model.log_end("t", 0), 0);
}

#[test]
fn producer_ids_can_be_wrong() {
    let ask_id = |model: &mut Model| -> (i64, i16) {
        let answer: InitProducerIdResponse = ask(model, 1, INIT_PRODUCER_ID, 5, &producer_id());
        assert_eq!(answer.error_code, code::NONE);
        (answer.producer_id.0, answer.producer_epoch)
    };
    assert!(ask_id(&mut planned(Hostile::NegativeProducer)).0 < 0);
    assert!(ask_id(&mut planned(Hostile::NegativeProducerEpoch)).1 < 0);
    let mut model = cluster();
    let first = ask_id(&mut model);
    model.inject(On::InitProducerId, Fault::Hostile(Hostile::SameProducer));
    assert_eq!(ask_id(&mut model), first);
}

#[test]
fn versions_can_be_wrong() {
    let ranges = |hostile| -> Vec<(i16, i16)> {
        let answer: ApiVersionsResponse = ask(&mut planned(hostile), 1, API_VERSIONS, 4, &named());
        let range = answer
            .api_keys
            .iter()
            .map(|api| (api.min_version, api.max_version));
        range.collect()
    };
    let honest = ranges(Hostile::NoPartitions).len();
    assert_eq!(ranges(Hostile::NoApis), []);
    assert!(
        ranges(Hostile::MinAboveMax)
            .iter()
            .all(|(min, max)| min > max)
    );
    assert!(
        ranges(Hostile::AllVersions)
            .iter()
            .all(|&r| r == (i16::MIN, i16::MAX))
    );
    assert!(
        ranges(Hostile::NegativeVersions)
            .iter()
            .all(|&(_, max)| max < 0)
    );
    assert_eq!(ranges(Hostile::RepeatedApi).len(), 2 * honest);
}
