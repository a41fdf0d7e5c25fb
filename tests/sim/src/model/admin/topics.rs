//! CreateTopics, DeleteTopics and CreatePartitions. Every broker carries them out, as if it asked the controller.

use std::collections::BTreeMap;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Refused, settings};
use crate::code;
use crate::model::Model;
use crate::model::envelope::Caller;
use crate::model::topics::is_valid_name;

/// Partitions that a topic may be given by a client.
const MOST_OF_TOPIC: i32 = 10_000;
/// Partitions of all topics, beyond which a client gets no more.
const MOST: usize = 100_000;

/// A topic as it is to be.
struct Plan {
    partitions: i32,
    replication: usize,
    configs: BTreeMap<String, String>,
}

impl Model {
    pub(crate) fn create_topics(
        &mut self,
        caller: Caller,
        request: CreateTopicsRequest,
    ) -> CreateTopicsResponse {
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        for topic in &request.topics {
            *asked.entry(topic.name.to_string()).or_default() += 1;
        }
        let created = request.topics.into_iter().map(|topic| {
            let plan = match asked.get(topic.name.as_str()) {
                Some(1) => self.plan(&topic),
                _ => Err((code::INVALID_REQUEST, "Duplicate topic name.".to_owned())),
            };
            let answer = CreatableTopicResult::default().with_name(topic.name.clone());
            match plan {
                Ok(plan) => {
                    let answer = created(caller.version, answer, &plan);
                    if request.validate_only {
                        return answer;
                    }
                    self.carry_out_plan(&topic.name, plan);
                    let created = self.topic(&topic.name);
                    match caller.version {
                        7.. => answer.with_topic_id(created.id),
                        _ => answer,
                    }
                }
                Err((code, why)) => answer
                    .with_error_code(code)
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        let created = created.collect();
        CreateTopicsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_topics(created)
    }

    fn plan(&self, topic: &CreatableTopic) -> Result<Plan, Refused> {
        let name = topic.name.as_str();
        if !is_valid_name(name) {
            let why = "it is not 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'";
            let why = format!("Topic name {name:?} is invalid: {why}");
            return Err((code::INVALID_TOPIC_EXCEPTION, why));
        }
        if self.topics.get(name).is_some() {
            let why = format!("Topic '{name}' already exists.");
            return Err((code::TOPIC_ALREADY_EXISTS, why));
        }
        if !topic.assignments.is_empty() {
            let why = "The embedded cluster places replicas itself.".to_owned();
            return Err((code::INVALID_REPLICA_ASSIGNMENT, why));
        }
        let partitions = match topic.num_partitions {
            -1 => self.settings.partitions,
            given => given,
        };
        self.check_room(0, partitions)?;
        let brokers = self.brokers.len();
        let replication = match topic.replication_factor {
            -1 => self.settings.replication.min(brokers),
            given => usize::try_from(given).unwrap_or(0),
        };
        if replication == 0 || replication > brokers {
            let why = format!(
                "Unable to replicate the partition {} time(s): there are {brokers} broker(s).",
                topic.replication_factor
            );
            return Err((code::INVALID_REPLICATION_FACTOR, why));
        }
        let mut configs = BTreeMap::new();
        for config in &topic.configs {
            let value = config.value.as_deref();
            let value = settings::check(&config.name, value)?;
            configs.insert(config.name.to_string(), value.to_owned());
        }
        Ok(Plan {
            partitions,
            replication,
            configs,
        })
    }

    fn carry_out_plan(&mut self, name: &str, plan: Plan) {
        self.create_topic_with(name, plan.partitions, plan.replication);
        let topic = self.topic_mut(name);
        topic.configs = plan.configs;
        self.apply_configs(name);
    }

    /// Whether a topic may grow so far.
    fn check_room(&self, from: i32, to: i32) -> Result<(), Refused> {
        let refuse = |why: String| Err((code::INVALID_PARTITIONS, why));
        if to <= 0 {
            return refuse(format!("A topic can't have {to} partitions."));
        }
        if to > MOST_OF_TOPIC {
            return refuse(format!(
                "The embedded cluster gives a topic {MOST_OF_TOPIC} partitions at most."
            ));
        }
        let there: usize = self.topics.iter().map(|topic| topic.partitions.len()).sum();
        let more = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        if there.saturating_add(more) > MOST {
            return refuse(format!(
                "The embedded cluster has {MOST} partitions at most."
            ));
        }
        Ok(())
    }

    pub(crate) fn delete_topics(
        &mut self,
        caller: Caller,
        request: DeleteTopicsRequest,
    ) -> DeleteTopicsResponse {
        let by_name = request.topic_names.into_iter();
        let by_name = by_name.map(|name| DeleteTopicState::default().with_name(Some(name)));
        let deleted = by_name.chain(request.topics).map(|topic| {
            let (name, missing) = match &topic.name {
                Some(name) => (Some(name.to_string()), code::UNKNOWN_TOPIC_OR_PARTITION),
                None => {
                    let name = self.topics.name(topic.topic_id);
                    (name.map(|name| name.to_string()), code::UNKNOWN_TOPIC_ID)
                }
            };
            let found = name.as_deref().and_then(|name| self.topics.get(name));
            let Some((id, name)) = found.map(|found| (found.id, found.name.clone())) else {
                return DeletableTopicResult::default()
                    .with_name(topic.name)
                    .with_topic_id(topic.topic_id)
                    .with_error_code(missing);
            };
            self.delete_topic(&name);
            let answer = DeletableTopicResult::default()
                .with_name(Some(StrBytes::from_string(name.to_string()).into()));
            match caller.version {
                6.. => answer.with_topic_id(id),
                _ => answer,
            }
        });
        let deleted = deleted.collect();
        DeleteTopicsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_responses(deleted)
    }

    pub(crate) fn create_partitions(
        &mut self,
        caller: Caller,
        request: CreatePartitionsRequest,
    ) -> CreatePartitionsResponse {
        let grown = request.topics.into_iter().map(|topic| {
            let grown = self.grow(&topic, request.validate_only);
            let answer = CreatePartitionsTopicResult::default().with_name(topic.name);
            match grown {
                Ok(()) => answer.with_error_message(None),
                Err((code, why)) => answer
                    .with_error_code(code)
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        let grown = grown.collect();
        CreatePartitionsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_results(grown)
    }

    fn grow(&mut self, topic: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refused> {
        let name = topic.name.as_str();
        if self.topics.get(name).is_none() {
            let why = format!("There is no topic '{name}'.");
            return Err((code::UNKNOWN_TOPIC_OR_PARTITION, why));
        }
        let there = self.partitions(name);
        if topic.count <= there {
            let count = topic.count;
            let why = format!("The topic has {there} partition(s), and {count} are not more.");
            return Err((code::INVALID_PARTITIONS, why));
        }
        if topic.assignments.is_some() {
            let why = "The embedded cluster places replicas itself.".to_owned();
            return Err((code::INVALID_REPLICA_ASSIGNMENT, why));
        }
        self.check_room(there, topic.count)?;
        if !validate_only {
            self.add_partitions(name, topic.count - there);
        }
        Ok(())
    }
}

fn created(version: i16, answer: CreatableTopicResult, plan: &Plan) -> CreatableTopicResult {
    if version < 5 {
        return answer;
    }
    let configs = plan.configs.iter().map(|(name, value)| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_string(name.clone()))
            .with_value(Some(StrBytes::from_string(value.clone())))
            .with_config_source(settings::OF_TOPIC)
    });
    answer
        .with_num_partitions(plan.partitions)
        .with_replication_factor(i16::try_from(plan.replication).unwrap_or(i16::MAX))
        .with_configs(Some(configs.collect()))
}
