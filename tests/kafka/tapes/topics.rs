//! The topics of the tapes, in Kafka before the first tape begins, and in the model of each tape.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, CreateTopicsResponse, InitProducerIdRequest,
    InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, RequestHeader, ResponseHeader,
    TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use ottla_sim::Model;
use uuid::Uuid;

use super::tape::{Kind, OwnTopic, SMALL, Tape};
use super::world::{Heard, Real, World};

/// Topics created by one request.
const AT_ONCE: usize = 100;
const LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(50);

/// What the topics of a tape begin with.
pub(crate) fn prefix(tape: usize) -> String {
    format!("tape-{tape}-")
}

/// Creates the topics of all tapes, waits until records may come, and gives names and ids tape by tape.
pub(crate) fn create(kafka: &mut Real, tapes: &[Tape]) -> Result<Vec<Vec<(String, Uuid)>>, String> {
    let mut named: Vec<Vec<(String, Uuid)>> = Vec::new();
    let mut wanted = Vec::new();
    for (number, tape) in tapes.iter().enumerate() {
        let names = (0..tape.topics.len()).map(|topic| format!("{}{topic}", prefix(number)));
        named.push(names.map(|name| (name, Uuid::nil())).collect());
        let topics = named[number].iter().zip(&tape.topics);
        wanted.extend(topics.map(|((name, _), topic)| creatable(name, topic)));
    }
    let mut ids = Vec::new();
    for some in wanted.chunks(AT_ONCE) {
        let request = CreateTopicsRequest::default()
            .with_topics(some.to_vec())
            .with_timeout_ms(LIMIT.as_millis() as i32);
        let answer: CreateTopicsResponse = call(kafka, ApiKey::CreateTopics, 7, &request)?;
        for topic in answer.topics {
            if topic.error_code != 0 {
                return Err(format!("a topic can't be created: {topic:?}"));
            }
            ids.push((topic.name.to_string(), topic.topic_id));
        }
    }
    for (name, id) in named.iter_mut().flatten() {
        let created = ids.iter().find(|(created, _)| created == name);
        *id = created.ok_or_else(|| format!("{name} was not created"))?.1;
    }
    for some in wanted.chunks(AT_ONCE) {
        until(|| are_led(kafka, some))?;
    }
    until(|| gives_ids(kafka))?;
    Ok(named)
}

/// A model with the topics of one tape, and their ids.
pub(crate) fn model(tape: &Tape, names: &[(String, Uuid)], model: &mut Model) {
    for (topic, (name, _)) in tape.topics.iter().zip(names) {
        model.create_topic(name, topic.partitions);
        match topic.kind {
            Kind::Plain => {}
            Kind::Small => model.set_topic_max_message_bytes(name, SMALL),
            Kind::AppendTime => model.set_log_append_time(name, true),
            Kind::Compacted => model.set_compacted(name, true),
        }
    }
}

fn creatable(name: &str, topic: &OwnTopic) -> CreatableTopic {
    let setting = match topic.kind {
        Kind::Plain => None,
        Kind::Small => Some(("max.message.bytes", SMALL.to_string())),
        Kind::AppendTime => Some(("message.timestamp.type", "LogAppendTime".to_owned())),
        Kind::Compacted => Some(("cleanup.policy", "compact".to_owned())),
    };
    let config = |(name, value): (&'static str, String)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value)))
    };
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(topic.partitions)
        .with_replication_factor(1)
        .with_configs(setting.map(config).into_iter().collect())
}

/// Whether the broker leads every partition of these topics, and not only knows that it should.
fn are_led(kafka: &mut Real, topics: &[CreatableTopic]) -> Result<bool, String> {
    let topic = |topic: &CreatableTopic| {
        let partition = |index| {
            ListOffsetsPartition::default()
                .with_partition_index(index)
                .with_timestamp(-1)
        };
        ListOffsetsTopic::default()
            .with_name(topic.name.clone())
            .with_partitions((0..topic.num_partitions).map(partition).collect())
    };
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_topics(topics.iter().map(topic).collect());
    let answer: ListOffsetsResponse = call(kafka, ApiKey::ListOffsets, 5, &request)?;
    let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    Ok(partitions.all(|partition| partition.error_code == 0))
}

/// Whether the broker has producer ids to give away.
fn gives_ids(kafka: &mut Real) -> Result<bool, String> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000);
    let answer: InitProducerIdResponse = call(kafka, ApiKey::InitProducerId, 4, &request)?;
    Ok(answer.error_code == 0)
}

fn until(mut done: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let deadline = Instant::now() + LIMIT;
    while !done()? {
        if Instant::now() > deadline {
            return Err("the topics of the tapes are not ready".to_owned());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn call<Q: Encodable + HeaderVersion, A: Decodable + HeaderVersion>(
    kafka: &mut Real,
    api: ApiKey,
    version: i16,
    request: &Q,
) -> Result<A, String> {
    let header = RequestHeader::default()
        .with_request_api_key(api as i16)
        .with_request_api_version(version);
    let mut out = BytesMut::new();
    header
        .encode(&mut out, Q::header_version(version))
        .and_then(|()| request.encode(&mut out, version))
        .map_err(|e| e.to_string())?;
    let Heard::Frame(frame) = kafka.ask(0, &out, false)? else {
        return Err(format!("Kafka does not answer {api:?}"));
    };
    let mut frame = Bytes::from(frame);
    ResponseHeader::decode(&mut frame, A::header_version(version))
        .and_then(|_| A::decode(&mut frame, version))
        .map_err(|e| e.to_string())
}

fn topic_name(name: &str) -> TopicName {
    StrBytes::from_string(name.to_owned()).into()
}
