//! Metadata: brokers, topics, partitions and leaders, with topics created on demand.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::described::Described;
use super::envelope::{Caller, Reply};
use super::faults::On;
use super::hostile::Hostile;
use super::topics::is_valid_name;
use super::{Fault, Model, views};
use crate::code;

/// What a client may do where nobody asks who it is: a bit for each operation of Kafka's `AclOperation`.
pub(crate) const CLUSTER_RIGHTS: i32 = 0b1_1111_1010_0000;
pub(crate) const TOPIC_RIGHTS: i32 = 0b1101_1111_1000;

/// How a client asks for a topic.
#[derive(PartialEq, Eq)]
enum Asked {
    Name(String),
    Id(Uuid),
}

impl Model {
    pub(crate) fn metadata(
        &mut self,
        caller: Caller,
        request: MetadataRequest,
        fault: Option<&Fault>,
    ) -> Reply {
        if caller.version < 12 && request.topics.iter().flatten().any(is_by_id) {
            return caller.reply(&refusal(caller.version, request, code::INVALID_REQUEST));
        }
        // Kafka stumbles over a topic with neither name nor id, unless another id makes it look at ids alone.
        let by_id = |topic: &MetadataRequestTopic| !topic.topic_id.is_nil();
        let asked = || request.topics.iter().flatten();
        if asked().any(is_by_id) && !asked().any(by_id) {
            return caller.reply(&refusal(
                caller.version,
                request,
                code::UNKNOWN_SERVER_ERROR,
            ));
        }
        let refused = fault.and_then(Fault::code);
        let may_create = caller.version < 4 || request.allow_auto_topic_creation;
        let mut response = MetadataResponse::default().with_throttle_time_ms(caller.throttle_ms());
        if caller.version >= 13 {
            response.error_code = refused.unwrap_or(code::NONE);
        }
        let mut hostile: Vec<Hostile> = fault.and_then(Fault::hostile).into_iter().collect();
        if request.include_cluster_authorized_operations {
            response.cluster_authorized_operations = CLUSTER_RIGHTS;
        }
        let rights = request.include_topic_authorized_operations;
        for asked in self.asked_topics(caller, request.topics) {
            let (mut topic, planned) = self.describe(caller.broker, asked, may_create, refused);
            if rights && topic.name.is_some() {
                topic.topic_authorized_operations = TOPIC_RIGHTS;
            }
            response.topics.push(topic);
            hostile.extend(planned.and_then(|planned| planned.hostile()));
        }
        let (cluster, controller, brokers) = match &self.broker(caller.broker).view {
            Some(view) => (&view.cluster, view.controller, view.brokers.clone()),
            None => (&self.ids.cluster, self.controller(), self.live_brokers()),
        };
        response.cluster_id = Some(StrBytes::from_string(cluster.clone()));
        response.controller_id = controller.into();
        response.brokers = brokers;
        self.tell_host(caller, &mut response.brokers);
        for hostile in hostile {
            hostile.spoil_metadata(&mut response);
        }
        for described in &response.topics {
            let name = described.name.as_ref();
            let topic = name.and_then(|name| self.topics.get_mut(name));
            if let Some(topic) = topic.filter(|topic| topic.id == described.topic_id) {
                topic.told.get_or_insert(self.now);
            }
        }
        self.journal.described = Some(Described::new(caller, &response));
        caller.reply(&response)
    }

    /// The topics asked for, each once; without a list (in version 0: with an empty one) all there are. Beside ids, names
    /// do not count.
    fn asked_topics(
        &self,
        caller: Caller,
        topics: Option<Vec<MetadataRequestTopic>>,
    ) -> Vec<Asked> {
        match topics.filter(|topics| caller.version > 0 || !topics.is_empty()) {
            Some(topics) => {
                let by_id = topics.iter().any(|topic| !topic.topic_id.is_nil());
                let topics = topics
                    .into_iter()
                    .filter(|topic| topic.topic_id.is_nil() != by_id);
                let mut asked: Vec<Asked> = Vec::new();
                for topic in topics.map(Asked::from) {
                    if !asked.contains(&topic) {
                        asked.push(topic);
                    }
                }
                asked
            }
            None => match &self.broker(caller.broker).view {
                Some(view) => view.topics.keys().cloned().map(Asked::Name).collect(),
                None => {
                    let seen = self.topics.iter().filter(|topic| !topic.hidden);
                    seen.map(|topic| Asked::Name(topic.name.to_string()))
                        .collect()
                }
            },
        }
    }

    /// One topic's part of the answer, and the fault that was planned for it.
    fn describe(
        &mut self,
        broker: i32,
        asked: Asked,
        may_create: bool,
        refused: Option<i16>,
    ) -> (MetadataResponseTopic, Option<Fault>) {
        let (name, id) = match asked {
            Asked::Name(name) => (Some(name), None),
            Asked::Id(id) => (self.seen_name(broker, id), Some(id)),
        };
        let planned = name.as_ref().and_then(|topic| {
            self.faults.take(&On::MetadataOf {
                topic: topic.clone(),
            })
        });
        let refused = refused.or(planned.as_ref().and_then(Fault::code));
        let found = match refused {
            Some(code) => Err(code),
            None => self.find_or_create(broker, name.as_deref(), may_create && id.is_none()),
        };
        let topic = match (found, id) {
            (Ok(topic), _) => topic,
            // A topic asked for by its id stays without a name where the broker can't or won't tell it.
            (Err(code), Some(id)) => {
                let code = if code == code::UNKNOWN_TOPIC_OR_PARTITION {
                    code::UNKNOWN_TOPIC_ID
                } else {
                    code
                };
                MetadataResponseTopic::default()
                    .with_error_code(code)
                    .with_topic_id(id)
                    .with_name(None)
            }
            (Err(code), None) => {
                let name = name.map(|name| StrBytes::from_string(name).into());
                MetadataResponseTopic::default()
                    .with_error_code(code)
                    .with_name(name)
            }
        };
        (topic, planned)
    }

    /// The topic, which is created if the client and the cluster's settings allow it.
    fn find_or_create(
        &mut self,
        broker: i32,
        name: Option<&str>,
        may_create: bool,
    ) -> Result<MetadataResponseTopic, i16> {
        let name = name.ok_or(code::UNKNOWN_TOPIC_ID)?;
        if !is_valid_name(name) {
            return Err(code::INVALID_TOPIC_EXCEPTION);
        }
        if self.topics.get(name).is_none() && may_create && self.settings.auto_create {
            self.create_topic(name, self.settings.partitions);
        }
        let seen = match &self.broker(broker).view {
            Some(view) => view.topics.get(name).cloned(),
            None => {
                let seen = self.topics.get(name).filter(|topic| !topic.hidden);
                seen.map(views::describe)
            }
        };
        seen.ok_or(code::UNKNOWN_TOPIC_OR_PARTITION)
    }

    /// The name that a topic id has in the eyes of a broker.
    fn seen_name(&self, broker: i32, id: Uuid) -> Option<String> {
        match &self.broker(broker).view {
            Some(view) => {
                let mut topics = view.topics.iter();
                topics
                    .find(|(_, topic)| topic.topic_id == id)
                    .map(|(name, _)| name.clone())
            }
            None => self.topics.name(id).map(|name| name.to_string()),
        }
    }
}

/// Topic ids came into the request before brokers could look them up.
fn is_by_id(topic: &MetadataRequestTopic) -> bool {
    topic.name.is_none() || !topic.topic_id.is_nil()
}

/// How Kafka answers a request that it does not carry out.
fn refusal(version: i16, request: MetadataRequest, code: i16) -> MetadataResponse {
    let topics = request.topics.into_iter().flatten().map(|topic| {
        MetadataResponseTopic::default()
            .with_error_code(code)
            .with_name(Some(topic.name.unwrap_or_default()))
            .with_topic_id(topic.topic_id)
    });
    let whole = if version >= 13 { code } else { code::NONE };
    MetadataResponse::default()
        .with_error_code(whole)
        .with_cluster_id(None)
        .with_topics(topics.collect())
}

impl From<MetadataRequestTopic> for Asked {
    fn from(topic: MetadataRequestTopic) -> Asked {
        match topic.name {
            Some(name) => Asked::Name(name.0.to_string()),
            None => Asked::Id(topic.topic_id),
        }
    }
}
