//! A Kafka broker that acknowledges everything and keeps nothing, so that a measurement shows the producer and not the
//! broker. It is a cluster of one, or of as many as it is told, in which every topic exists and has the same number of
//! partitions.
//!
//! It answers ApiVersions, Metadata, InitProducerId and Produce up to the version that Kafka 2.8 speaks, which all
//! clients know: newer ones add nothing to what is measured.

mod server;

use std::collections::HashMap;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataRequest,
    MetadataResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

pub use server::serve;

/// The broker, or all brokers of the cluster in one, as far as it has a state.
#[derive(Debug)]
pub struct NullBroker {
    host: StrBytes,
    port: u16,
    brokers: u16,
    partitions: i32,
    next_producer_id: i64,
    /// The next offset of each partition, as if its log were kept.
    ends: HashMap<(TopicName, i32), i64>,
    taken: Taken,
}

/// What a broker was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Records, as their batches count them.
    pub records: u64,
    /// Record batches; of what is in the requests beside them nothing is counted.
    pub batches: u64,
    /// Bytes of these batches, as they came: compressed, if they are.
    pub bytes: u64,
}

/// What is answered, and the newest version of it.
const APIS: [(ApiKey, i16); 4] = [
    (ApiKey::ApiVersions, 3),
    (ApiKey::Metadata, 9),
    (ApiKey::InitProducerId, 4),
    (ApiKey::Produce, 9),
];

/// What it says that it answers, and would not: librdkafka takes a broker without them for one that is older than record
/// batches and LZ4, though a producer asks for neither.
const CLAIMED: [(ApiKey, i16); 2] = [(ApiKey::Fetch, 11), (ApiKey::FindCoordinator, 2)];

/// Clients refuse brokers that know no version of Produce as old as this, or none as new.
const OLDEST_PRODUCE: i16 = 3;

/// Where a record batch says how many records it has.
const COUNT_AT: usize = 57;

const UNSUPPORTED_VERSION: i16 = 35;

impl NullBroker {
    /// A broker that is to be found at `host:port`, with so many partitions in each topic.
    #[must_use]
    pub fn new(host: &str, port: u16, partitions: i32) -> Self {
        Self {
            host: StrBytes::from_string(host.to_owned()),
            port,
            brokers: 1,
            partitions,
            next_producer_id: 1_000,
            ends: HashMap::new(),
            taken: Taken::default(),
        }
    }

    /// As so many brokers, at this port and those after it, which lead a topic's partitions in turn. This one answers for
    /// all of them.
    #[must_use]
    pub fn with_brokers(self, brokers: u16) -> Self {
        Self { brokers, ..self }
    }

    /// What it was sent up to now.
    #[must_use]
    pub fn taken(&self) -> Taken {
        self.taken
    }

    /// Answers a request, both without the length in front for the request and with it for the answer. `None` is no
    /// answer, as to Produce with acks=0.
    ///
    /// # Errors
    ///
    /// If the bytes are no request that this broker knows.
    pub fn answer(&mut self, mut request: Bytes) -> io::Result<Option<Bytes>> {
        let (api, version) = (peek(&request, 0)?, peek(&request, 2)?);
        let api = ApiKey::try_from(api).map_err(|()| invalid("an unknown request"))?;
        let newest = APIS.iter().find(|(known, _)| *known == api);
        let is_known = newest.is_some_and(|(_, newest)| version <= *newest);
        let spoken = if is_known { version } else { 0 };
        let header = RequestHeader::decode(&mut request, api.request_header_version(version))
            .map_err(invalid)?;
        let answer = Answer {
            correlation_id: header.correlation_id,
            api,
            version: spoken,
        };
        match api {
            ApiKey::ApiVersions => answer.with(&versions(is_known)).map(Some),
            _ if !is_known => Err(invalid(format!("{api:?} of version {version}"))),
            ApiKey::Metadata => {
                let request = MetadataRequest::decode(&mut request, version).map_err(invalid)?;
                answer.with(&self.metadata(request)).map(Some)
            }
            ApiKey::InitProducerId => {
                self.next_producer_id += 1;
                let response = InitProducerIdResponse::default()
                    .with_producer_id(self.next_producer_id.into())
                    .with_producer_epoch(0);
                answer.with(&response).map(Some)
            }
            _ => {
                let request = ProduceRequest::decode(&mut request, version).map_err(invalid)?;
                let is_answered = request.acks != 0;
                let response = self.produce(request);
                is_answered.then(|| answer.with(&response)).transpose()
            }
        }
    }

    fn metadata(&self, request: MetadataRequest) -> MetadataResponse {
        let broker = |nth: u16| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(1 + i32::from(nth)))
                .with_host(self.host.clone())
                .with_port((self.port + nth).into())
        };
        let partition = |index| {
            let leader = BrokerId(1 + index % i32::from(self.brokers));
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(leader)
                .with_leader_epoch(0)
                .with_replica_nodes(vec![leader])
                .with_isr_nodes(vec![leader])
        };
        let topic = |name| {
            MetadataResponseTopic::default()
                .with_name(name)
                .with_partitions((0..self.partitions).map(partition).collect())
        };
        let asked = request.topics.unwrap_or_default().into_iter();
        MetadataResponse::default()
            .with_cluster_id(Some(StrBytes::from_static_str("null-broker")))
            .with_controller_id(BrokerId(1))
            .with_brokers((0..self.brokers).map(broker).collect())
            .with_topics(asked.map(|asked| topic(asked.name)).collect())
    }

    fn produce(&mut self, request: ProduceRequest) -> ProduceResponse {
        let topics = request.topic_data.into_iter().map(|topic| {
            let name = topic.name;
            let partitions = topic.partition_data.into_iter().map(|data| {
                let batch = data.records.as_deref().unwrap_or_default();
                let count = batch.get(COUNT_AT..).and_then(|rest| rest.first_chunk());
                let count = count.map_or(0, |count| i32::from_be_bytes(*count));
                let end = self.ends.entry((name.clone(), data.index)).or_default();
                let base = *end;
                *end += i64::from(count);
                self.taken.records += u64::from(count.unsigned_abs());
                self.taken.batches += 1;
                self.taken.bytes += batch.len() as u64;
                PartitionProduceResponse::default()
                    .with_index(data.index)
                    .with_base_offset(base)
                    .with_log_append_time_ms(-1)
                    .with_log_start_offset(0)
            });
            let partition_responses = partitions.collect();
            TopicProduceResponse::default()
                .with_name(name)
                .with_partition_responses(partition_responses)
        });
        ProduceResponse::default().with_responses(topics.collect())
    }
}

/// Whose answer it is, and in what form.
struct Answer {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
}

impl Answer {
    fn with(&self, response: &impl Encodable) -> io::Result<Bytes> {
        let mut bytes = BytesMut::with_capacity(256);
        bytes.put_i32(0);
        ResponseHeader::default()
            .with_correlation_id(self.correlation_id)
            .encode(&mut bytes, self.api.response_header_version(self.version))
            .map_err(invalid)?;
        response.encode(&mut bytes, self.version).map_err(invalid)?;
        let length = bytes.len() as u32 - 4;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        Ok(bytes.freeze())
    }
}

fn versions(is_known: bool) -> ApiVersionsResponse {
    let version = |(api, newest): (ApiKey, i16)| {
        let oldest = if api == ApiKey::Produce {
            OLDEST_PRODUCE
        } else {
            0
        };
        ApiVersion::default()
            .with_api_key(api as i16)
            .with_min_version(oldest)
            .with_max_version(newest)
    };
    ApiVersionsResponse::default()
        .with_error_code(if is_known { 0 } else { UNSUPPORTED_VERSION })
        .with_api_keys(APIS.into_iter().chain(CLAIMED).map(version).collect())
}

fn peek(request: &Bytes, at: usize) -> io::Result<i16> {
    let mut bytes = request
        .get(at..at + 2)
        .ok_or_else(|| invalid("a request too short"))?;
    Ok(bytes.get_i16())
}

fn invalid(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}
