//! Produce: a request is taken apart, each partition's batch meets its fault or the log, and the journal notes it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::TopicProduceResponse;
use uuid::Uuid;

use super::append::{Fact, Outcome};
use super::batch::{self, Head, Refusal};
use super::envelope::Caller;
use super::faults::{Fate, On};
use super::journal::Produced;
use super::waiting::Deferred;
use super::{Answer, Fault, Model};
use crate::code;

/// One partition's part of a request, on its way through the broker.
#[derive(Debug)]
pub(crate) struct Part {
    /// Empty if the request names the topic by an id that no topic has.
    pub(crate) name: Arc<str>,
    /// Nil if there is no such topic and the request does not name it by its id.
    pub(crate) topic_id: Uuid,
    /// Whether there is such a topic.
    pub(crate) is_known: bool,
    pub(crate) partition: i32,
    pub(crate) raw: Bytes,
    pub(crate) head: Result<Head, Refusal>,
    /// What speaks against the request as a whole.
    pub(crate) forbidden: Option<Refusal>,
    /// The checksum holds.
    pub(crate) intact: bool,
    pub(crate) acks: i16,
    pub(crate) fault: Option<Fault>,
}

/// A part with its outcome, which may still wait for followers.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) part: Part,
    pub(crate) outcome: Outcome,
    /// Its number in the journal.
    pub(crate) entry: u64,
}

/// A request that is carried out and not answered yet.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) caller: Caller,
    pub(crate) fate: Fate,
    /// When the client no longer wants to wait for the followers.
    pub(crate) deadline: Duration,
    pub(crate) topics: Vec<(TopicProduceResponse, Vec<Settled>)>,
}

impl Model {
    pub(crate) fn produce(
        &mut self,
        mut caller: Caller,
        request: ProduceRequest,
        whole: Option<Fault>,
    ) -> Answer {
        let acks = request.acks;
        let patience = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let mut opened: Vec<(TopicProduceResponse, Vec<Part>)> = request
            .topic_data
            .into_iter()
            .map(|topic| self.open(caller, acks, topic, whole.as_ref()))
            .collect();
        forbid(caller.version, &mut opened);
        let faults = opened
            .iter()
            .flat_map(|(_, parts)| parts)
            .filter_map(|part| part.fault.as_ref());
        let (mut fate, mut carried_out) =
            (whole.as_ref().map_or(Fate::Answered, Fault::fate), true);
        for fault in faults {
            carried_out &= fault.is_carried_out();
            caller.throttle = fault.throttle().unwrap_or(caller.throttle);
            if fate == Fate::Answered {
                fate = fault.fate();
            }
        }

        let mut topics = Vec::with_capacity(opened.len());
        for (topic, parts) in opened {
            let settle = |part| self.settle(caller, part, carried_out);
            topics.push((topic, parts.into_iter().map(settle).collect()));
        }
        self.enforce_retention();
        let mut held = Held {
            caller,
            fate,
            deadline: caller.now.saturating_add(patience),
            topics,
        };
        let may_wait = matches!(held.fate, Fate::Answered | Fate::Delayed(_));
        if acks == 0 {
            // Nobody waits for an answer; a closed connection is how Kafka tells of an error.
            return match held.fate == Fate::Answered && held.is_refused() {
                true => Answer::Disconnect,
                false if self.settings.answers_unacknowledged => self.finish(held),
                false => self.fulfil(caller, held.fate, None),
            };
        }
        if may_wait && !self.is_done(caller.now, &mut held) {
            let held = Deferred::Produce(held);
            self.waiting.hold(caller.broker, caller.connection, held);
            return Answer::Waits;
        }
        self.finish(held)
    }

    /// Notes what a broker lets pass and no producer may ask for.
    fn check_request(&mut self, parts: &[Part]) {
        let mut seen = BTreeSet::new();
        for part in parts {
            let is_stamped = part.head.as_ref().is_ok_and(Head::is_idempotent);
            if is_stamped && part.acks != -1 {
                self.journal.accuse(format!(
                    "request: {}-{}: a stamp with acks={}",
                    part.name, part.partition, part.acks
                ));
            }
            if !seen.insert(part.partition) {
                self.journal.accuse(format!(
                    "request: {}-{} stands there twice",
                    part.name, part.partition
                ));
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
        let (answer, found) = if caller.version >= 13 {
            self.check_topic_id(topic.topic_id);
            let name = self.topics.name(topic.topic_id);
            (
                TopicProduceResponse::default().with_topic_id(topic.topic_id),
                name.map(|name| (name, topic.topic_id)),
            )
        } else {
            let found = self.topics.get(&topic.name);
            let found = found.map(|topic| (topic.name.clone(), topic.id));
            (
                TopicProduceResponse::default().with_name(topic.name.clone()),
                found,
            )
        };
        let is_known = found.is_some();
        let asked = || (Arc::from(topic.name.as_str()), topic.topic_id);
        let (name, topic_id) = found.unwrap_or_else(asked);
        let open = |data: PartitionProduceData| {
            let raw = data.records.unwrap_or_default();
            let head = batch::read(&raw, caller.version);
            Part {
                fault: self
                    .take_fault(&name, data.index)
                    .or_else(|| whole.cloned()),
                name: name.clone(),
                topic_id,
                is_known,
                forbidden: None,
                partition: data.index,
                intact: head.as_ref().is_ok_and(|head| head.is_intact(&raw)),
                head,
                raw,
                acks,
            }
        };
        let parts: Vec<Part> = topic.partition_data.into_iter().map(open).collect();
        self.check_request(&parts);
        (answer, parts)
    }

    fn take_fault(&mut self, topic: &str, partition: i32) -> Option<Fault> {
        if self.faults.is_empty() {
            return None;
        }
        self.faults.take(&On::produce(topic, partition))
    }

    /// Judges one batch, appends it if nothing speaks against it, and notes it in the journal.
    fn settle(&mut self, caller: Caller, part: Part, carried_out: bool) -> Settled {
        self.check_stamp(&part);
        let refuses = part.fault.as_ref().and_then(Fault::hostile);
        let refuses = refuses.and_then(|hostile| hostile.refuses());
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
            Some(Fault::AppendThen(code)) => match self.append(caller, &part) {
                outcome if outcome.code == code::NONE => Outcome {
                    code: *code,
                    awaits: None,
                    ..outcome
                },
                refused => refused,
            },
            _ => match refuses {
                Some(code) => Outcome::refused(code),
                None => self.append(caller, &part),
            },
        };
        if matches!(
            outcome.code,
            code::MESSAGE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE
        ) {
            self.release_stamp(&part);
        }
        Settled {
            entry: self.note(caller, &part, &outcome),
            part,
            outcome,
        }
    }

    fn note(&mut self, caller: Caller, part: &Part, outcome: &Outcome) -> u64 {
        let head = part.head.as_ref().ok();
        self.journal.note(Produced {
            now: caller.now,
            broker: caller.broker,
            connection: caller.connection,
            version: caller.version,
            topic: part.name.clone(),
            topic_id: part.topic_id.into_bytes(),
            partition: part.partition,
            acks: part.acks,
            producer_id: head.map_or(-1, |head| head.producer_id),
            epoch: head.map_or(-1, |head| head.producer_epoch),
            base_sequence: head.map_or(-1, |head| head.base_sequence),
            count: head.map_or(0, |head| head.count),
            bytes: part.raw.len(),
            codec: head.map_or(0, |head| head.codec()),
            code: outcome.code,
            base_offset: outcome.base_offset,
            appended: matches!(outcome.fact, Fact::Appended { .. }),
            pushed_out: usize::from(outcome.fact == Fact::Appended { pushed_out: true }),
            duplicate: outcome.fact == Fact::Duplicate,
            old_duplicate: outcome.fact == Fact::OldDuplicate,
            waits: outcome.awaits.is_some(),
            fault: part.fault.as_ref().map(Fault::name),
        })
    }
}

impl Held {
    fn is_refused(&self) -> bool {
        let mut parts = self.topics.iter().flat_map(|(_, parts)| parts);
        parts.any(|settled| settled.outcome.code != code::NONE)
    }
}

fn is_lost_leadership(code: i16) -> bool {
    matches!(
        code,
        code::NOT_LEADER_OR_FOLLOWER | code::UNKNOWN_TOPIC_OR_PARTITION
    )
}

/// Notes what Kafka has against a request as a whole: a batch of which it can't tell whether it belongs to a transaction, or
/// which does, and a codec that it can't name in a version that asks for that.
fn forbid(version: i16, opened: &mut [(TopicProduceResponse, Vec<Part>)]) {
    let parts = || opened.iter().flat_map(|(_, parts)| parts);
    let refusal = parts()
        .find_map(|part| batch::first_look(&part.raw).err())
        .or_else(|| parts().find_map(|part| part.unknown_codec(version)));
    for (_, parts) in opened {
        for part in parts {
            part.forbidden.clone_from(&refusal);
        }
    }
}

impl Part {
    fn unknown_codec(&self, version: i16) -> Option<Refusal> {
        let head = self.head.as_ref().ok().filter(|_| self.is_known)?;
        let unknown = version < 7 && head.codec() > 4;
        unknown.then(|| Refusal::of(code::UNKNOWN_SERVER_ERROR))
    }
}
