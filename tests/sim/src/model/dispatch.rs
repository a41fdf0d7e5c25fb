//! From the bytes of a request to what the broker does about it.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use super::envelope::{Caller, Malformed};
use super::faults::{Fate, On};
use super::versions::Api;
use super::{Answer, Fault, Model};

/// The longest request for which memory is taken that brings no records: far more than anybody's group or topics need.
const LONGEST: usize = 1 << 20;

impl Model {
    /// Does what a request says.
    pub(crate) fn carry_out(
        &mut self,
        now: Duration,
        broker: i32,
        connection: u64,
        request: Bytes,
    ) -> Answer {
        let caller = Caller::read(now, broker, connection, &request);
        if caller.is_err() {
            let bytes = request.len();
            self.journal
                .accuse(format!("malformed: {bytes} bytes for no API that there is"));
        }
        let answer = caller.and_then(|caller| self.dispatch(caller, request));
        match answer {
            Ok(Answer::Disconnect) | Err(Malformed) => {
                self.links.forget(broker, connection);
                Answer::Disconnect
            }
            Ok(answer) => answer,
        }
    }

    /// Notes a request that comes while the client was told to be silent.
    pub(crate) fn check_silence(&mut self, now: Duration, broker: i32, connection: u64) {
        let muted = self.links.muted(broker, connection);
        if let (Some(grace), Some((from, until))) = (self.settings.throttle_grace, muted)
            && (from.saturating_add(grace) < now && now < until)
        {
            self.journal.accuse(format!(
                "I13: a request to broker {broker} at {now:?}, throttled from {from:?} to {until:?}"
            ));
        }
    }

    fn dispatch(&mut self, mut caller: Caller, request: Bytes) -> Result<Answer, Malformed> {
        self.journal.count(caller.api);
        let versions = &self.broker(caller.broker).versions;
        if !self.is_served(caller.api) || !versions.serves(caller.api, caller.version) {
            let asks_for_versions =
                caller.api == Api::ApiVersions && versions.knows(Api::ApiVersions);
            return match asks_for_versions {
                true => {
                    let reply = self.api_versions_fallback(caller);
                    Ok(self.fulfil(caller, Fate::Answered, Some(reply)))
                }
                false => Err(Malformed),
            };
        }
        if !caller.api.is_for_producers() && request.len() > LONGEST {
            self.journal.accuse(format!(
                "malformed: {:?} with {} bytes",
                caller.api,
                request.len()
            ));
            return Err(Malformed);
        }
        let fault = On::any(caller.api).and_then(|on| self.faults.take(&on));
        let fate = fault.as_ref().map_or(Fate::Answered, Fault::fate);
        let code = fault.as_ref().and_then(Fault::code);
        let of_broker = self.broker(caller.broker).throttle;
        let planned = fault.as_ref().and_then(Fault::throttle);
        caller.throttle = planned.or(of_broker).unwrap_or(self.settings.throttle);
        if fault.as_ref().is_some_and(|fault| !fault.is_carried_out()) {
            return Ok(self.fulfil(caller, fate, None));
        }
        match caller.api {
            Api::Produce => {
                let request = self.decode(caller, request)?;
                Ok(self.produce(caller, request, fault))
            }
            Api::Fetch => {
                let request = self.decode(caller, request)?;
                let (reply, wait) = self.fetch(caller, &request, code);
                let fate = if fate == Fate::Answered && !wait.is_zero() {
                    Fate::Delayed(wait)
                } else {
                    fate
                };
                Ok(self.fulfil(caller, fate, Some(reply)))
            }
            Api::ListOffsets => {
                let request = self.decode(caller, request)?;
                let reply = self.list_offsets(caller, request, code);
                Ok(self.fulfil(caller, fate, Some(reply)))
            }
            Api::Metadata => {
                let request = self.decode(caller, request)?;
                let reply = self.metadata(caller, request, fault.as_ref());
                Ok(self.fulfil(caller, fate, Some(reply)))
            }
            Api::ApiVersions => {
                let request = self.decode(caller, request)?;
                let reply = self.api_versions(caller, &request, fault.as_ref());
                Ok(self.fulfil(caller, fate, Some(reply)))
            }
            Api::InitProducerId => {
                let request = self.decode(caller, request)?;
                let reply = self.init_producer_id(caller, &request, fault.as_ref());
                Ok(self.fulfil(caller, fate, Some(reply)))
            }
            Api::JoinGroup => {
                let request = self.decode(caller, request)?;
                Ok(self.join_group(caller, request))
            }
            Api::SyncGroup => {
                let request = self.decode(caller, request)?;
                Ok(self.sync_group(caller, request))
            }
            _ => self.dispatch_plain(caller, request),
        }
    }

    /// Requests that are answered at once, and for which no fault is planned.
    fn dispatch_plain(&mut self, caller: Caller, request: Bytes) -> Result<Answer, Malformed> {
        match caller.api {
            Api::FindCoordinator => self.plain(caller, request, Model::find_coordinator),
            Api::Heartbeat => self.plain(caller, request, Model::heartbeat),
            Api::LeaveGroup => self.plain(caller, request, Model::leave_group),
            Api::OffsetCommit => self.plain(caller, request, Model::offset_commit),
            Api::OffsetFetch => self.plain(caller, request, Model::offset_fetch),
            Api::ListGroups => self.plain(caller, request, Model::list_groups),
            Api::DescribeGroups => self.plain(caller, request, Model::describe_groups),
            Api::DeleteGroups => self.plain(caller, request, Model::delete_groups),
            Api::ConsumerGroupHeartbeat => {
                self.plain(caller, request, Model::consumer_group_heartbeat)
            }
            Api::CreateTopics => self.plain(caller, request, Model::create_topics),
            Api::DeleteTopics => self.plain(caller, request, Model::delete_topics),
            Api::CreatePartitions => self.plain(caller, request, Model::create_partitions),
            Api::DescribeConfigs => self.plain(caller, request, Model::describe_configs),
            Api::IncrementalAlterConfigs => self.plain(caller, request, Model::alter_configs),
            Api::DescribeCluster => self.plain(caller, request, Model::describe_cluster),
            Api::ListPartitionReassignments => {
                self.plain(caller, request, Model::list_reassignments)
            }
            Api::DescribeTopicPartitions => {
                self.plain(caller, request, Model::describe_topic_partitions)
            }
            // The others have faults, or may wait.
            _ => Err(Malformed),
        }
    }

    fn plain<Q, R>(
        &mut self,
        caller: Caller,
        request: Bytes,
        carry_out: fn(&mut Model, Caller, Q) -> R,
    ) -> Result<Answer, Malformed>
    where
        Q: Decodable + HeaderVersion,
        R: Encodable + HeaderVersion,
    {
        let request = self.decode(caller, request)?;
        let reply = caller.reply(&carry_out(self, caller, request));
        Ok(self.fulfil(caller, Fate::Answered, Some(reply)))
    }

    /// Decodes a request; bytes behind it are against the rules, though Kafka does not mind them.
    fn decode<R: Decodable + HeaderVersion>(
        &mut self,
        caller: Caller,
        request: Bytes,
    ) -> Result<R, Malformed> {
        let decoded = caller.decode(request);
        if decoded.is_err() {
            self.journal
                .accuse(format!("malformed: {:?} v{}", caller.api, caller.version));
        }
        let (decoded, left_over) = decoded?;
        if left_over > 0 {
            self.journal.accuse(format!(
                "format: {:?} v{} has {left_over} bytes too many",
                caller.api, caller.version
            ));
        }
        Ok(decoded)
    }

    /// Turns what becomes of a request into what the broker does.
    pub(crate) fn fulfil(&mut self, caller: Caller, fate: Fate, reply: Option<Bytes>) -> Answer {
        let delay = self.broker(caller.broker).delay;
        let (broker, connection) = (caller.broker, caller.connection);
        let later = |time: Duration, frame: Bytes| match time.is_zero() {
            true => Answer::Reply(frame),
            false => Answer::Later {
                due: caller.now.saturating_add(time),
                frame,
            },
        };
        let answer = match (fate, reply) {
            (Fate::Closed, _) => Answer::Disconnect,
            (Fate::Hung, _) => {
                self.links.hang(broker, connection);
                Answer::Silence
            }
            (Fate::Replaced(bytes), _) => later(delay, bytes.into()),
            (_, None) => Answer::Silence,
            (Fate::Delayed(time), Some(frame)) => later(delay.saturating_add(time), frame),
            (Fate::Answered, Some(frame)) => later(delay, frame),
        };
        let answer = self.links.in_order(caller.now, broker, connection, answer);
        let leaves = match &answer {
            Answer::Reply(_) => Some(caller.now),
            Answer::Later { due, .. } => Some(*due),
            _ => None,
        };
        if let Some(at) = leaves.filter(|_| caller.has_to_wait() && !caller.throttle.is_zero()) {
            self.links.mute(broker, connection, at, caller.throttle);
        }
        answer
    }
}
