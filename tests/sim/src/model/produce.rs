//! Produce: every batch is checked, judged and appended, or refused as Kafka refuses it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::TopicProduceResponse;
use uuid::Uuid;

use super::batch::{self, Head, Refusal, Rules};
use super::envelope::Caller;
use super::faults::{Fate, On};
use super::journal::Produced;
use super::log::Stored;
use super::producers::Verdict;
use super::topics::Partition;
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
    /// The checksum holds.
    pub(crate) intact: bool,
    acks: i16,
    pub(crate) fault: Option<Fault>,
}

/// What a partition answers.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i16,
    pub(crate) base_offset: i64,
    pub(crate) append_time: i64,
    pub(crate) log_start: i64,
    pub(crate) message: Option<String>,
    pub(crate) records: Vec<(i32, Option<String>)>,
    /// What the answer waits for.
    awaits: Option<Awaits>,
    fact: Fact,
}

/// What the log made of a batch, beside the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fact {
    appended: bool,
    pushed_out: bool,
    duplicate: bool,
    old_duplicate: bool,
}

/// A batch that is in the log and has yet to reach the followers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaits {
    /// The offset behind it.
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

/// A part with its outcome, which may still wait for followers.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) part: Part,
    pub(crate) outcome: Outcome,
    pub(crate) awaits: Option<Awaits>,
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
        let opened: Vec<(TopicProduceResponse, Vec<Part>)> = request
            .topic_data
            .into_iter()
            .map(|topic| self.open(caller, acks, topic, whole.as_ref()))
            .collect();
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
                false => self.fulfil(caller, held.fate, None),
            };
        }
        if may_wait && !self.is_done(caller.now, &mut held) {
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
            awaits: outcome.awaits,
            part,
            outcome,
        }
    }

    fn append(&mut self, caller: Caller, part: &Part) -> Outcome {
        let name = &part.name;
        if !part.is_known && caller.version >= 13 {
            return Outcome::refused(code::UNKNOWN_TOPIC_ID);
        }
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
                .accuse(format!("format: {name}-{}: {reason}", part.partition));
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
        if part.acks == -1 && partition.in_sync().count() < self.settings.min_insync_replicas {
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
        let rules = self.settings.producer_rules;
        let topic = self
            .topics
            .get_mut(name)
            .expect("the caller found the topic");
        let append_time = topic.log_append_time.then_some(now);
        let partition = topic
            .partition_mut(part.partition)
            .expect("the caller found the partition");
        let awaits = |partition: &Partition, base_offset: i64| {
            let offset = base_offset + i64::from(head.count);
            let is_pending = part.acks == -1 && partition.high_watermark() < offset;
            is_pending.then_some(Awaits {
                offset,
                leader_epoch: partition.leader_epoch,
            })
        };
        let verdict = match head.is_idempotent() {
            true => {
                let log_start = partition.log.start();
                partition.producers.judge(&head, rules, log_start)
            }
            false => Verdict::Append,
        };
        match verdict {
            Verdict::Append => {}
            Verdict::Refuse(code) => return Err(Refusal::of(code)),
            Verdict::OldDuplicate(code) => {
                return Ok(Outcome {
                    log_start: partition.log.start(),
                    fact: Fact {
                        old_duplicate: true,
                        ..Fact::default()
                    },
                    ..Outcome::refused(code)
                });
            }
            Verdict::Duplicate(seen) => {
                return Ok(Outcome {
                    base_offset: seen.base_offset,
                    // Kafka gives the duplicate's timestamp here, whatever the topic's kind of time.
                    append_time: seen.timestamp,
                    log_start: partition.log.start(),
                    awaits: awaits(partition, seen.base_offset),
                    fact: Fact {
                        duplicate: true,
                        ..Fact::default()
                    },
                    ..Outcome::refused(code::NONE)
                });
            }
        }
        let (head, raw) = match append_time {
            Some(now) => batch::with_append_time(&part.raw, now),
            None => (head, part.raw.clone()),
        };
        let base_offset = partition.log.append(Stored {
            base_offset: -1,
            leader_epoch: partition.leader_epoch,
            appended: caller.now,
            serial: self.retention.admit(name, part.partition, raw.len() as u64),
            head,
            raw,
        });
        partition.is_settled = false;
        partition.replicate(caller.now);
        let pushed_out = head.is_idempotent() && partition.producers.appended(&head, base_offset);
        Ok(Outcome {
            base_offset,
            append_time: append_time.unwrap_or(-1),
            log_start: partition.log.start(),
            awaits: awaits(partition, base_offset),
            fact: Fact {
                appended: true,
                pushed_out,
                ..Fact::default()
            },
            ..Outcome::refused(code::NONE)
        })
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
            code: outcome.code,
            base_offset: outcome.base_offset,
            appended: outcome.fact.appended,
            pushed_out: usize::from(outcome.fact.pushed_out),
            duplicate: outcome.fact.duplicate,
            old_duplicate: outcome.fact.old_duplicate,
            waits: outcome.awaits.is_some(),
            fault: part.fault.as_ref().map(Fault::name),
        })
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
}

impl Held {
    fn is_refused(&self) -> bool {
        let mut parts = self.topics.iter().flat_map(|(_, parts)| parts);
        parts.any(|settled| settled.outcome.code != code::NONE)
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
            message: None,
            records: Vec::new(),
            awaits: None,
            fact: Fact::default(),
        }
    }
}
