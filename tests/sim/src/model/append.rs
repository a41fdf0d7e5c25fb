//! Appending: every batch is checked and judged, and stored or refused as Kafka does.

use super::Model;
use super::batch::{self, Head, Refusal, Rules};
use super::envelope::Caller;
use super::log::Stored;
use super::produce::Part;
use super::producers::Verdict;
use super::topics::Partition;
use crate::code;

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
    pub(crate) awaits: Option<Awaits>,
    pub(crate) fact: Fact,
}

/// What the log made of a batch, beside the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Nothing,
    /// It is in the log now, and the producer's oldest remembered batch may have had to go for it.
    Appended {
        pushed_out: bool,
    },
    /// It was there, and is remembered.
    Duplicate,
    /// It lies before the remembered ones.
    OldDuplicate,
}

/// A batch that is in the log and has yet to reach the followers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaits {
    /// The offset behind it.
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

impl Model {
    /// Judges a batch and appends it if nothing speaks against it.
    pub(crate) fn append(&mut self, caller: Caller, part: &Part) -> Outcome {
        let name = &part.name;
        if let Some(refusal) = &part.forbidden {
            return Outcome {
                message: refusal.message.clone(),
                ..Outcome::refused(refusal.code)
            };
        }
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
                .and_then(|()| self.store(caller, part, *head))
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
            topic: name,
            partition: part.partition,
            max_bytes: topic.max_message_bytes,
            compacted: topic.compacted,
            log_append_time: topic.log_append_time,
            now: self.wall_clock_ms(caller.now),
            lead: self.settings.timestamp_lead,
        };
        batch::check(head, &part.raw, part.intact, rules)
    }

    /// Judges the sequence of a batch and appends it, unless it is there already.
    fn store(&mut self, caller: Caller, part: &Part, head: Head) -> Result<Outcome, Refusal> {
        let rules = self.settings.producer_rules;
        let partition = self.partition_mut(&part.name, part.partition);
        let log_start = partition.log.start();
        let verdict = match head.is_idempotent() {
            true => partition.producers.judge(&head, rules, log_start),
            false => Verdict::Append,
        };
        match verdict {
            Verdict::Append => Ok(self.write(caller, part, head)),
            // That code came with version 5.
            Verdict::Refuse(code::UNKNOWN_PRODUCER_ID) if caller.version < 5 => {
                Err(Refusal::of(code::OUT_OF_ORDER_SEQUENCE_NUMBER))
            }
            Verdict::Refuse(code) => Err(Refusal::of(code)),
            Verdict::OldDuplicate(code) => Ok(Outcome {
                log_start,
                fact: Fact::OldDuplicate,
                ..Outcome::refused(code)
            }),
            Verdict::Duplicate(seen) => Ok(Outcome {
                base_offset: seen.base_offset,
                // Kafka gives the duplicate's timestamp here, whatever the topic's kind of time.
                append_time: seen.timestamp,
                log_start,
                awaits: Awaits::needed(partition, part, &head, seen.base_offset),
                fact: Fact::Duplicate,
                ..Outcome::refused(code::NONE)
            }),
        }
    }

    fn write(&mut self, caller: Caller, part: &Part, head: Head) -> Outcome {
        let append_time = self.topic(&part.name).log_append_time;
        let append_time = append_time.then(|| self.wall_clock_ms(caller.now));
        let (head, raw) = match append_time {
            Some(time) => batch::with_append_time(&part.raw, time),
            None => (head, part.raw.clone()),
        };
        let bytes = raw.len() as u64;
        let serial = self.retention.admit(&part.name, part.partition, bytes);
        let partition = self.partition_mut(&part.name, part.partition);
        let base_offset = partition.log.append(Stored {
            base_offset: -1,
            leader_epoch: partition.leader_epoch,
            appended: caller.now,
            serial,
            head,
            raw,
        });
        partition.is_settled = false;
        partition.replicate(caller.now);
        let pushed_out = head.is_idempotent() && partition.producers.appended(&head, base_offset);
        Outcome {
            base_offset,
            append_time: append_time.unwrap_or(-1),
            log_start: partition.log.start(),
            awaits: Awaits::needed(partition, part, &head, base_offset),
            fact: Fact::Appended { pushed_out },
            ..Outcome::refused(code::NONE)
        }
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

impl Outcome {
    /// An answer with this code and nothing else.
    pub(crate) fn refused(code: i16) -> Outcome {
        Outcome {
            code,
            base_offset: -1,
            append_time: -1,
            log_start: -1,
            message: None,
            records: Vec::new(),
            awaits: None,
            fact: Fact::Nothing,
        }
    }
}

impl Awaits {
    /// What an answer waits for whose batch lies at `base_offset`, if it has to wait.
    fn needed(partition: &Partition, part: &Part, head: &Head, base_offset: i64) -> Option<Awaits> {
        let offset = base_offset + i64::from(head.count);
        let has_to_wait = part.acks == -1 && partition.high_watermark() < offset;
        has_to_wait.then_some(Awaits {
            offset,
            leader_epoch: partition.leader_epoch,
        })
    }
}
