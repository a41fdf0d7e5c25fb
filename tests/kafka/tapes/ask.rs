//! One request of a tape, and its bytes in a cluster.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest,
    RequestHeader,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Message, StrBytes};
use uuid::Uuid;

use super::batch::{Batch, Writer};

/// A request, its ids still to be filled in.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// On which of the tape's connections.
    pub(crate) link: usize,
    pub(crate) version: i16,
    pub(crate) what: What,
    /// What becomes of the body's bytes.
    pub(crate) damage: Damage,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Produce(Produce),
    InitProducerId(InitProducerId),
    Metadata(Metadata),
    ApiVersions(ApiVersions),
}

#[derive(Clone, Debug)]
pub(crate) struct Produce {
    pub(crate) acks: i16,
    pub(crate) transactional_id: Option<&'static str>,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(crate) struct InitProducerId {
    pub(crate) transactional_id: Option<&'static str>,
    /// Whose id the request brings.
    pub(crate) writer: Writer,
    /// -1 for none.
    pub(crate) epoch: i16,
}

#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    /// All of them if there is no list.
    pub(crate) topics: Option<Vec<Topic>>,
    pub(crate) may_create: bool,
    /// Says too what the client may do with the cluster.
    pub(crate) cluster_rights: bool,
    /// Says too what the client may do with the topics.
    pub(crate) topic_rights: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct ApiVersions {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// One partition's part of a Produce request.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) content: Content,
}

/// Never null: Kafka 4.3.1 fails over that once, and over writing it to its log once more, and then never answers.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Empty,
    Batch(Batch),
}

/// A topic, by name where the version has names, else by id; in Metadata also by id on purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The tape's own, by number.
    Own(usize),
    OwnById(usize),
    /// None with this name; the id that stands for it is unknown too.
    Named(&'static str),
    /// None with this id.
    Unknown(u128),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    None,
    Cut(usize),
    Trailing(usize),
}

/// What a cluster has for the symbols of a tape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    /// Names and ids of the tape's topics.
    pub(crate) topics: Vec<(String, Uuid)>,
    /// Ids that InitProducerId gave, in the order of asking; -1 where it gave none.
    pub(crate) producers: Vec<i64>,
}

impl Bindings {
    pub(crate) fn producer(&self, writer: Writer) -> i64 {
        match writer {
            Writer::Nobody => -1,
            Writer::Initialised(number) => self.producers.get(number).copied().unwrap_or(-1),
            Writer::Stranger(id) => id,
        }
    }

    pub(crate) fn name(&self, topic: &Topic) -> String {
        match topic {
            Topic::Own(number) | Topic::OwnById(number) => self.topics[*number].0.clone(),
            Topic::Named(name) => (*name).to_owned(),
            Topic::Unknown(_) => String::new(),
        }
    }

    fn id(&self, topic: &Topic) -> Uuid {
        match topic {
            Topic::Own(number) | Topic::OwnById(number) => self.topics[*number].1,
            Topic::Named(_) => Uuid::from_u128(0xdead),
            Topic::Unknown(id) => Uuid::from_u128(*id),
        }
    }
}

impl Ask {
    /// Whether a cluster that understands it and has nothing against it stays silent.
    pub(crate) fn wants_silence(&self) -> bool {
        matches!(&self.what, What::Produce(Produce { acks: 0, .. }))
    }

    /// Whether the answer may bring a producer id.
    pub(crate) fn initialises(&self) -> bool {
        matches!(self.what, What::InitProducerId(_))
    }

    /// The request without the length in front.
    pub(crate) fn bytes(&self, correlation: i32, known: &Bindings) -> Vec<u8> {
        let mut bytes = match &self.what {
            What::Produce(ask) => {
                self.frame(correlation, ApiKey::Produce, |v| ask.request(v, known))
            }
            What::InitProducerId(ask) => self.frame(correlation, ApiKey::InitProducerId, |v| {
                ask.request(v, known)
            }),
            What::Metadata(ask) => {
                self.frame(correlation, ApiKey::Metadata, |v| ask.request(v, known))
            }
            What::ApiVersions(ask) => {
                self.frame(correlation, ApiKey::ApiVersions, |v| ask.request(v))
            }
        };
        match self.damage {
            Damage::None => {}
            Damage::Cut(size) => bytes.truncate(bytes.len().saturating_sub(size).max(8)),
            Damage::Trailing(zeros) => bytes.resize(bytes.len() + zeros, 0),
        }
        bytes
    }

    /// Encodes a request in its version, or in the nearest one that exists if it claims to be of another.
    fn frame<R: Encodable + HeaderVersion + Message>(
        &self,
        correlation: i32,
        api: ApiKey,
        request: impl Fn(i16) -> R,
    ) -> Vec<u8> {
        let range = R::VERSIONS;
        let version = self.version.clamp(range.min, range.max);
        let header = RequestHeader::default()
            .with_request_api_key(api as i16)
            .with_request_api_version(self.version)
            .with_correlation_id(correlation)
            .with_client_id(Some(StrBytes::from_static_str("tape")));
        let mut out = BytesMut::new();
        header
            .encode(&mut out, R::header_version(version))
            .and_then(|()| request(version).encode(&mut out, version))
            .expect("a tape draws only what a version has");
        out.to_vec()
    }
}

impl Part {
    pub(crate) fn place(&self) -> (Topic, i32) {
        (self.topic.clone(), self.partition)
    }
}

impl Produce {
    fn request(&self, version: i16, known: &Bindings) -> ProduceRequest {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        for part in &self.parts {
            let fresh = match version >= 13 {
                true => TopicProduceData::default().with_topic_id(known.id(&part.topic)),
                false => TopicProduceData::default().with_name(name(&known.name(&part.topic))),
            };
            let same = |t: &TopicProduceData| t.name == fresh.name && t.topic_id == fresh.topic_id;
            let place = topics.iter().position(same).unwrap_or_else(|| {
                topics.push(fresh);
                topics.len() - 1
            });
            let records = match &part.content {
                Content::Empty => Bytes::new(),
                Content::Batch(batch) => batch.bytes(known.producer(batch.stamp.writer)).into(),
            };
            let data = PartitionProduceData::default()
                .with_index(part.partition)
                .with_records(Some(records));
            topics[place].partition_data.push(data);
        }
        ProduceRequest::default()
            .with_transactional_id(transactional(self.transactional_id))
            .with_acks(self.acks)
            .with_timeout_ms(5_000)
            .with_topic_data(topics)
    }
}

impl InitProducerId {
    fn request(&self, version: i16, known: &Bindings) -> InitProducerIdRequest {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(transactional(self.transactional_id))
            .with_transaction_timeout_ms(60_000);
        match version >= 3 {
            true => request
                .with_producer_id(known.producer(self.writer).into())
                .with_producer_epoch(self.epoch),
            false => request,
        }
    }
}

impl Metadata {
    fn request(&self, version: i16, known: &Bindings) -> MetadataRequest {
        let topic = |topic: &Topic| {
            let by_id = matches!(topic, Topic::OwnById(_) | Topic::Unknown(_)) && version >= 10;
            match by_id {
                true => MetadataRequestTopic::default()
                    .with_topic_id(known.id(topic))
                    .with_name(None),
                false => MetadataRequestTopic::default().with_name(Some(name(&known.name(topic)))),
            }
        };
        let topics = self
            .topics
            .as_ref()
            .map(|topics| topics.iter().map(topic).collect());
        let topics = match version {
            0 => Some(topics.unwrap_or_default()),
            _ => topics,
        };
        MetadataRequest::default()
            .with_topics(topics)
            .with_allow_auto_topic_creation(version < 4 || self.may_create)
            .with_include_cluster_authorized_operations(
                (8..=10).contains(&version) && self.cluster_rights,
            )
            .with_include_topic_authorized_operations(version >= 8 && self.topic_rights)
    }
}

impl ApiVersions {
    fn request(&self, version: i16) -> ApiVersionsRequest {
        match version >= 3 {
            true => ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str(self.name))
                .with_client_software_version(StrBytes::from_static_str(self.version)),
            false => ApiVersionsRequest::default(),
        }
    }
}

/// An ApiVersions request that every broker answers, to see whether it is still there.
pub(crate) fn probe(correlation: i32) -> Vec<u8> {
    let mut probe = BytesMut::new();
    probe.put_slice(&[0, 18, 0, 0]);
    probe.put_i32(correlation);
    probe.put_i16(-1);
    probe.to_vec()
}

fn transactional(id: Option<&'static str>) -> Option<kafka_protocol::messages::TransactionalId> {
    id.map(|id| StrBytes::from_static_str(id).into())
}

fn name(name: &str) -> kafka_protocol::messages::TopicName {
    StrBytes::from_string(name.to_owned()).into()
}
