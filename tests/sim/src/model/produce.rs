//! Produce: every batch is checked, judged and appended, or refused as Kafka refuses it.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::batch::{self, Head, Refusal, Rules};
use super::envelope::Caller;
use super::faults::{Fate, On};
use super::journal::Produced;
use super::producers::Verdict;
use super::{Answer, Fault, Model};
use crate::code;

/// One partition's part of a request, on its way through the broker.
struct Part {
    /// Nothing if the request names the topic by an id that no topic has.
    topic: Option<Arc<str>>,
    partition: i32,
    raw: Bytes,
    head: Result<Head, Refusal>,
    /// The checksum holds.
    intact: bool,
    acks: i16,
    fault: Option<Fault>,
}

/// What a partition answers.
struct Outcome {
    code: i16,
    base_offset: i64,
    append_time: i64,
    log_start: i64,
    appended: bool,
    message: Option<String>,
    records: Vec<(i32, Option<String>)>,
}

impl Model {
    pub(crate) fn produce(
        &mut self,
        caller: Caller,
        request: ProduceRequest,
        whole: Option<Fault>,
    ) -> Answer {
        let acks = request.acks;
        let topics: Vec<(TopicProduceResponse, Vec<Part>)> = request
            .topic_data
            .into_iter()
            .map(|topic| self.open(caller, acks, topic, whole.as_ref()))
            .collect();
        let faults = topics
            .iter()
            .flat_map(|(_, parts)| parts)
            .filter_map(|part| part.fault.as_ref());
        let (mut fate, mut carried_out) =
            (whole.as_ref().map_or(Fate::Answered, Fault::fate), true);
        for fault in faults {
            carried_out &= fault.is_carried_out();
            if fate == Fate::Answered {
                fate = fault.fate();
            }
        }

        let mut response = ProduceResponse::default().with_throttle_time_ms(self.throttle_ms());
        let mut refused = false;
        for (mut topic, parts) in topics {
            for part in parts {
                let outcome = self.settle(caller, &part, carried_out);
                refused |= outcome.code != code::NONE;
                let answer = self.answer(caller, &part, outcome, &mut response.node_endpoints);
                topic.partition_responses.push(answer);
            }
            response.responses.push(topic);
        }
        self.enforce_retention();
        match acks {
            // Nobody waits for an answer; a closed connection is how Kafka tells of an error.
            0 if fate == Fate::Answered && refused => Answer::Disconnect,
            0 => self.fulfil(caller, fate, None),
            _ => {
                let reply = caller.reply(&response);
                self.fulfil(caller, fate, Some(reply))
            }
        }
    }

    /// Looks up one topic of a request, prepares its answer, and takes the faults planned for its partitions.
    fn open(
        &mut self,
        caller: Caller,
        acks: i16,
        topic: TopicProduceData,
        whole: Option<&Fault>,
    ) -> (TopicProduceResponse, Vec<Part>) {
        let (answer, name) = if caller.version >= 13 {
            (
                TopicProduceResponse::default().with_topic_id(topic.topic_id),
                self.topics.name(topic.topic_id),
            )
        } else {
            let name = self.topics.get(&topic.name).map(|topic| topic.name.clone());
            let name = name.unwrap_or_else(|| Arc::from(topic.name.as_str()));
            (
                TopicProduceResponse::default().with_name(topic.name),
                Some(name),
            )
        };
        let open = |data: PartitionProduceData| {
            let raw = data.records.unwrap_or_default();
            let head = batch::read(&raw, caller.version);
            Part {
                fault: self
                    .take_fault(name.as_deref(), data.index)
                    .or_else(|| whole.cloned()),
                topic: name.clone(),
                partition: data.index,
                intact: head.as_ref().is_ok_and(|head| head.is_intact(&raw)),
                head,
                raw,
                acks,
            }
        };
        let parts = topic.partition_data.into_iter().map(open).collect();
        (answer, parts)
    }

    fn take_fault(&mut self, topic: Option<&str>, partition: i32) -> Option<Fault> {
        if self.faults.is_empty() {
            return None;
        }
        self.faults.take(&On::produce(topic?, partition))
    }

    /// Judges one batch, appends it if nothing speaks against it, and notes it in the journal.
    fn settle(&mut self, caller: Caller, part: &Part, carried_out: bool) -> Outcome {
        self.check_stamp(part);
        let outcome = match &part.fault {
            _ if !carried_out => Outcome::refused(code::UNKNOWN_SERVER_ERROR),
            Some(Fault::Refuse(code)) => Outcome::refused(*code),
            Some(Fault::RefuseRecords {
                code,
                records,
                message,
            }) => Outcome {
                records: records.clone(),
                message: message.clone(),
                ..Outcome::refused(*code)
            },
            // Leadership is lost after an append only where the leader waits for followers.
            Some(Fault::AppendThen(code)) if part.acks != -1 && is_lost_leadership(*code) => {
                Outcome::refused(*code)
            }
            Some(Fault::AppendThen(code)) => {
                let outcome = self.append(caller, part);
                if outcome.code == code::NONE {
                    Outcome {
                        code: *code,
                        ..outcome
                    }
                } else {
                    outcome
                }
            }
            _ => self.append(caller, part),
        };
        if matches!(
            outcome.code,
            code::MESSAGE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE
        ) {
            self.release_stamp(part);
        }
        self.note(caller, part, &outcome);
        outcome
    }

    fn append(&mut self, caller: Caller, part: &Part) -> Outcome {
        let Some(name) = &part.topic else {
            return Outcome::refused(code::UNKNOWN_TOPIC_ID);
        };
        let known = self
            .topics
            .get(name)
            .and_then(|topic| topic.partition(part.partition));
        if known.is_none() {
            return Outcome::refused(code::UNKNOWN_TOPIC_OR_PARTITION);
        }
        let (refusal, log_start) = match &part.head {
            Err(refusal) => (refusal.clone(), -1),
            Ok(head) => match self
                .admit(caller, part, name, head)
                .and_then(|()| self.store(caller, part, name, *head))
            {
                Ok(outcome) => return outcome,
                Err(refusal) => {
                    let log_start = self.log_start_beside(refusal.code, name, part.partition);
                    (refusal, log_start)
                }
            },
        };
        if refusal.stricter_than_kafka {
            let reason = refusal.message.as_deref().unwrap_or_default();
            self.journal
                .accuse(format!("{name}-{}: {reason}", part.partition));
        }
        Outcome {
            log_start,
            message: refusal.message.filter(|_| !refusal.records.is_empty()),
            records: refusal
                .records
                .into_iter()
                .map(|(index, why)| (index, Some(why)))
                .collect(),
            ..Outcome::refused(refusal.code)
        }
    }

    /// Everything that can be said against a batch before its sequence is looked at.
    fn admit(&self, caller: Caller, part: &Part, name: &str, head: &Head) -> Result<(), Refusal> {
        let topic = self.topic(name);
        let partition = self.partition(name, part.partition);
        if !matches!(part.acks, -1..=1) {
            return Err(Refusal::of(code::INVALID_REQUIRED_ACKS));
        }
        if partition.leader != Some(caller.broker) {
            return Err(Refusal::of(code::NOT_LEADER_OR_FOLLOWER));
        }
        let in_sync = partition
            .replicas
            .iter()
            .filter(|&&id| self.is_up(id))
            .count();
        if part.acks == -1 && in_sync < self.settings.min_insync_replicas {
            return Err(Refusal::of(code::NOT_ENOUGH_REPLICAS));
        }
        let rules = Rules {
            max_bytes: topic.max_message_bytes,
            compacted: topic.compacted,
        };
        batch::check(head, &part.raw, part.intact, rules)
    }

    /// Judges the sequence of a batch and appends it, unless it is there already.
    fn store(
        &mut self,
        caller: Caller,
        part: &Part,
        name: &Arc<str>,
        head: Head,
    ) -> Result<Outcome, Refusal> {
        let now = self.wall_clock_ms(caller.now);
        let topic = self
            .topics
            .get_mut(name)
            .expect("the caller found the topic");
        let append_time = topic.log_append_time.then_some(now);
        let partition = topic
            .partition_mut(part.partition)
            .expect("the caller found the partition");
        let verdict = match head.is_idempotent() {
            true => partition
                .producers
                .judge(&head, self.settings.names_old_duplicates),
            false => Verdict::Append,
        };
        match verdict {
            Verdict::Append => {}
            Verdict::Refuse(code) => return Err(Refusal::of(code)),
            Verdict::Duplicate(seen) => {
                return Ok(Outcome {
                    base_offset: seen.base_offset,
                    // Kafka gives the duplicate's timestamp here, whatever the topic's kind of time.
                    append_time: seen.timestamp,
                    log_start: partition.log.start(),
                    ..Outcome::refused(code::NONE)
                });
            }
        }
        let (head, raw) = match append_time {
            Some(now) => batch::with_append_time(&part.raw, now),
            None => (head, part.raw.clone()),
        };
        let serial = self.retention.admit(name, part.partition, raw.len() as u64);
        let base_offset = partition
            .log
            .append(head, raw, partition.leader_epoch, serial);
        if head.is_idempotent() {
            partition.producers.appended(&head, base_offset);
        }
        Ok(Outcome {
            base_offset,
            append_time: append_time.unwrap_or(-1),
            log_start: partition.log.start(),
            appended: true,
            ..Outcome::refused(code::NONE)
        })
    }

    /// Whatever becomes of the request: its stamp has been on the wire, and must not come again on other bytes.
    fn check_stamp(&mut self, part: &Part) {
        let Some((topic, head)) = self.stamped(part) else {
            return;
        };
        if self
            .stamps
            .is_reused(topic, part.partition, &head, part.raw.len())
        {
            let name = part.topic.as_deref().unwrap_or_default();
            self.journal.accuse(format!(
                "{name}-{}: one stamp on different bytes ({head:?})",
                part.partition
            ));
        }
    }

    /// A batch that is too large may come again in pieces, the first of which has its stamp.
    fn release_stamp(&mut self, part: &Part) {
        if let Some((topic, head)) = self.stamped(part) {
            self.stamps.release(topic, part.partition, &head);
        }
    }

    /// Topic and head of a batch that has a stamp and arrived whole.
    fn stamped(&self, part: &Part) -> Option<(Uuid, Head)> {
        let head = part
            .head
            .as_ref()
            .ok()
            .filter(|head| part.intact && head.is_idempotent())?;
        let topic = self.topics.get(part.topic.as_deref()?)?;
        Some((topic.id, *head))
    }

    fn note(&mut self, caller: Caller, part: &Part, outcome: &Outcome) {
        let head = part.head.as_ref().ok();
        self.journal.note(Produced {
            now: caller.now,
            broker: caller.broker,
            connection: caller.connection,
            topic: part.topic.clone().unwrap_or_else(|| Arc::from("")),
            partition: part.partition,
            acks: part.acks,
            producer_id: head.map_or(-1, |head| head.producer_id),
            epoch: head.map_or(-1, |head| head.producer_epoch),
            base_sequence: head.map_or(-1, |head| head.base_sequence),
            count: head.map_or(0, |head| head.count),
            code: outcome.code,
            base_offset: outcome.base_offset,
            appended: outcome.appended,
        });
    }

    /// The log's start, which Kafka adds to some refusals only.
    fn log_start_beside(&self, refused: i16, topic: &str, partition: i32) -> i64 {
        match refused {
            code::INVALID_REQUIRED_ACKS
            | code::NOT_LEADER_OR_FOLLOWER
            | code::MESSAGE_TOO_LARGE
            | code::CORRUPT_MESSAGE => -1,
            _ => self.partition(topic, partition).log.start(),
        }
    }

    /// Encodes an outcome, with a hint where the leader is (KIP-951).
    fn answer(
        &self,
        caller: Caller,
        part: &Part,
        outcome: Outcome,
        endpoints: &mut Vec<NodeEndpoint>,
    ) -> PartitionProduceResponse {
        let mut answer = PartitionProduceResponse::default()
            .with_index(part.partition)
            .with_error_code(outcome.code)
            .with_base_offset(outcome.base_offset)
            .with_log_append_time_ms(outcome.append_time)
            .with_log_start_offset(outcome.log_start)
            .with_error_message(outcome.message.map(StrBytes::from_string))
            .with_record_errors(outcome.records.into_iter().map(record_error).collect());
        let hint = self.settings.leader_hints
            && caller.version >= 10
            && outcome.code == code::NOT_LEADER_OR_FOLLOWER;
        let known = part
            .topic
            .as_ref()
            .and_then(|topic| self.topics.get(topic)?.partition(part.partition));
        if let Some(partition) = known.filter(|_| hint) {
            let leader = partition.leader.unwrap_or(-1);
            answer.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(leader.into())
                .with_leader_epoch(partition.leader_epoch);
            if let Some(broker) = self.brokers.get(&leader)
                && endpoints.iter().all(|endpoint| endpoint.node_id != leader)
            {
                let endpoint = NodeEndpoint::default()
                    .with_node_id(leader.into())
                    .with_host(StrBytes::from_string(broker.host.clone()))
                    .with_port(i32::from(broker.port));
                endpoints.push(endpoint);
            }
        }
        answer
    }
}

impl Outcome {
    /// An answer with this code and nothing else.
    fn refused(code: i16) -> Outcome {
        Outcome {
            code,
            base_offset: -1,
            append_time: -1,
            log_start: -1,
            appended: false,
            message: None,
            records: Vec::new(),
        }
    }
}

fn is_lost_leadership(code: i16) -> bool {
    matches!(
        code,
        code::NOT_LEADER_OR_FOLLOWER | code::UNKNOWN_TOPIC_OR_PARTITION
    )
}

fn record_error((index, message): (i32, Option<String>)) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage::default()
        .with_batch_index(index)
        .with_batch_index_error_message(message.map(StrBytes::from_string))
}
