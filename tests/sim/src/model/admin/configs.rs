//! DescribeConfigs and IncrementalAlterConfigs.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::settings::{
    BOOLEAN, CLEANUP_POLICY, COMPRESSION_TYPE, DEFAULT, INT, LIST, MAX_MESSAGE_BYTES, OF_SERVER,
    OF_TOPIC, STRING, TIMESTAMP_TYPE,
};
use super::{Refused, settings};
use crate::code;
use crate::model::Model;
use crate::model::envelope::Caller;

/// The kinds of what has settings.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// What a client does to a setting.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// A setting's name, value, source and kind.
struct Setting {
    name: String,
    value: String,
    source: i8,
    kind: i8,
}

impl Setting {
    fn new(name: &str, value: impl ToString, source: i8, kind: i8) -> Setting {
        Setting {
            name: name.to_owned(),
            value: value.to_string(),
            source,
            kind,
        }
    }
}

impl Model {
    pub(crate) fn describe_configs(
        &mut self,
        caller: Caller,
        request: DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let results = request.resources.into_iter().map(|resource| {
            let found = self.configs(&resource);
            let answer = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            let keys = resource.configuration_keys;
            match found {
                Ok(settings) => {
                    let is_wanted = |setting: &Setting| {
                        let keys = keys.as_ref();
                        keys.is_none_or(|keys| keys.iter().any(|key| **key == *setting.name))
                    };
                    let settings = settings.into_iter().filter(is_wanted);
                    let settings = settings.map(|setting| describe(caller, setting));
                    answer.with_configs(settings.collect())
                }
                Err((code, why)) => answer
                    .with_error_code(code)
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        let results = results.collect();
        DescribeConfigsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_results(results)
    }

    fn configs(&self, resource: &DescribeConfigsResource) -> Result<Vec<Setting>, Refused> {
        let name = resource.resource_name.as_str();
        match resource.resource_type {
            TOPIC => match self.topics.get(name) {
                Some(_) => Ok(self.topic_configs(name)),
                None => Err(no_topic(name)),
            },
            // Without a name the defaults of all brokers are meant.
            BROKER if name.is_empty() => Ok(Vec::new()),
            BROKER => match name.parse().ok().filter(|id| self.brokers.contains_key(id)) {
                Some(_) => Ok(self.broker_configs()),
                None => Err((
                    code::INVALID_REQUEST,
                    format!("There is no broker {name:?}."),
                )),
            },
            kind => Err(no_such_kind(kind)),
        }
    }

    fn topic_configs(&self, name: &str) -> Vec<Setting> {
        let topic = self.topic(name);
        let (policy, time) = (topic.compacted, topic.log_append_time);
        let policy = if policy { "compact" } else { "delete" };
        let time = if time { "LogAppendTime" } else { "CreateTime" };
        let bytes = topic.max_message_bytes;
        let mut all = vec![
            Setting::new(CLEANUP_POLICY, policy, DEFAULT, LIST),
            Setting::new(COMPRESSION_TYPE, "producer", DEFAULT, STRING),
            Setting::new(MAX_MESSAGE_BYTES, bytes, DEFAULT, INT),
            Setting::new(TIMESTAMP_TYPE, time, DEFAULT, STRING),
        ];
        for (name, value) in &topic.configs {
            let kind = all.iter().find(|setting| setting.name == *name);
            let kind = kind.map_or(STRING, |setting| setting.kind);
            all.retain(|setting| setting.name != *name);
            all.push(Setting::new(name, value, OF_TOPIC, kind));
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn broker_configs(&self) -> Vec<Setting> {
        let settings = &self.settings;
        let replicas = settings.replication.min(self.brokers.len());
        let (auto_create, in_sync) = (settings.auto_create, settings.min_insync_replicas);
        vec![
            Setting::new("auto.create.topics.enable", auto_create, OF_SERVER, BOOLEAN),
            Setting::new("default.replication.factor", replicas, OF_SERVER, INT),
            Setting::new(
                "message.max.bytes",
                settings.max_message_bytes,
                OF_SERVER,
                INT,
            ),
            Setting::new("min.insync.replicas", in_sync, OF_SERVER, INT),
            Setting::new("num.partitions", settings.partitions, OF_SERVER, INT),
        ]
    }

    pub(crate) fn alter_configs(
        &mut self,
        caller: Caller,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let responses = request.resources.into_iter().map(|resource| {
            let altered = self.alter(&resource, request.validate_only);
            let answer = AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            match altered {
                Ok(()) => answer.with_error_message(None),
                Err((code, why)) => answer
                    .with_error_code(code)
                    .with_error_message(Some(StrBytes::from_string(why))),
            }
        });
        let responses = responses.collect();
        IncrementalAlterConfigsResponse::default()
            .with_throttle_time_ms(caller.throttle_ms())
            .with_responses(responses)
    }

    /// All changes to a resource, or none.
    fn alter(&mut self, resource: &AlterConfigsResource, only: bool) -> Result<(), Refused> {
        let name = resource.resource_name.as_str();
        match resource.resource_type {
            TOPIC => {}
            BROKER => {
                let why = "The embedded cluster's brokers keep their settings.".to_owned();
                return Err((code::INVALID_REQUEST, why));
            }
            kind => return Err(no_such_kind(kind)),
        }
        let topic = self.topics.get(name).ok_or_else(|| no_topic(name))?;
        let mut configs = topic.configs.clone();
        for config in &resource.configs {
            match config.config_operation {
                SET => {
                    let value = settings::check(&config.name, config.value.as_deref())?;
                    configs.insert(config.name.to_string(), value.to_owned());
                }
                DELETE => drop(configs.remove(config.name.as_str())),
                _ => {
                    let why = "The embedded cluster adds to no list and takes nothing off one.";
                    return Err((code::INVALID_CONFIG, why.to_owned()));
                }
            }
        }
        if !only {
            self.topic_mut(name).configs = configs;
            self.apply_configs(name);
        }
        Ok(())
    }
}

fn describe(caller: Caller, setting: Setting) -> DescribeConfigsResourceResult {
    let described = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(setting.name))
        .with_value(Some(StrBytes::from_string(setting.value)))
        .with_read_only(setting.source == OF_SERVER)
        .with_config_source(setting.source);
    match caller.version {
        3.. => described
            .with_config_type(setting.kind)
            .with_documentation(None),
        _ => described,
    }
}

fn no_topic(name: &str) -> Refused {
    let why = format!("There is no topic '{name}'.");
    (code::UNKNOWN_TOPIC_OR_PARTITION, why)
}

fn no_such_kind(kind: i8) -> Refused {
    let why =
        format!("The embedded cluster has settings of topics and brokers, not of kind {kind}.");
    (code::INVALID_REQUEST, why)
}
