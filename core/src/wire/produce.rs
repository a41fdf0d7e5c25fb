//! Produce (0), versions 3 to 13: records to partitions, and what became of them.

use super::{ApiKey, DecodeError, ErrorCode, NodeEndpoint, Reader, Writer};
use alloc::vec::Vec;

/// Writes a request piece by piece, since the records themselves are not copied.
///
/// The order is that of the wire: [`head`](Self::head); for each topic [`topic`](Self::topic), its
/// partitions and [`topic_end`](Self::topic_end); [`end`](Self::end). Each partition is
/// [`partition`](Self::partition), the records' bytes, sent by the caller from where they lie, and
/// [`partition_end`](Self::partition_end). Below version 9 the ends are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceRequest<'a> {
    /// The request's version.
    pub version: i16,
    /// `transactional.id`, if the records are part of a transaction.
    pub transactional_id: Option<&'a str>,
    /// `acks`: -1 for all, 1 for the leader, 0 for a request that is not answered.
    pub acks: i16,
    /// How long the leader waits for its followers.
    pub timeout_ms: i32,
}

impl ProduceRequest<'_> {
    /// Appends what stands before `topics` topics.
    #[inline]
    pub fn head(&self, out: &mut Vec<u8>, topics: usize) {
        debug_assert!(API.versions().contains(&self.version));
        let mut w = self.writer(out);
        w.nullable_string(self.transactional_id);
        w.i16(self.acks);
        w.i32(self.timeout_ms);
        w.array_len(topics);
    }

    /// Appends what stands before `partitions` partitions of a topic; `id` names it from version 13
    /// (KIP-516), `name` before.
    #[inline]
    pub fn topic(&self, out: &mut Vec<u8>, name: &str, id: [u8; 16], partitions: usize) {
        let mut w = self.writer(out);
        if self.version >= 13 {
            w.uuid(&id);
        } else {
            w.string(name);
        }
        w.array_len(partitions);
    }

    /// Appends what stands before `records_len` bytes of records.
    #[inline]
    pub fn partition(&self, out: &mut Vec<u8>, index: i32, records_len: usize) {
        let mut w = self.writer(out);
        w.i32(index);
        w.bytes_len(records_len);
    }

    /// Appends what stands after a partition's records.
    #[inline]
    pub fn partition_end(&self, out: &mut Vec<u8>) {
        self.writer(out).no_tagged_fields();
    }

    /// Appends what stands after a topic's partitions.
    #[inline]
    pub fn topic_end(&self, out: &mut Vec<u8>) {
        self.writer(out).no_tagged_fields();
    }

    /// Appends what stands after the topics.
    #[inline]
    pub fn end(&self, out: &mut Vec<u8>) {
        self.writer(out).no_tagged_fields();
    }

    #[inline]
    fn writer<'o>(&self, out: &'o mut Vec<u8>) -> Writer<'o> {
        Writer::new(out, API.is_flexible(self.version))
    }
}

/// What became of the records, borrowed from the response's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProduceResponse<'a> {
    /// The topics of the request.
    pub topics: Vec<TopicProduceResponse<'a>>,
    /// How long to send nothing (KIP-219).
    pub throttle_time_ms: i32,
    /// Where the leaders named in the partitions can be reached (KIP-951); empty below version 10.
    pub node_endpoints: Vec<NodeEndpoint<'a>>,
}

impl<'a> ProduceResponse<'a> {
    /// Decodes the body of the response to a request of `version`, and leaves in `body` what follows it.
    pub fn decode(body: &mut &'a [u8], version: i16) -> Result<Self, DecodeError> {
        debug_assert!(API.versions().contains(&version));
        let mut r = Reader::new(body, API.is_flexible(version));
        let topics = r.array("responses", TopicProduceResponse::MIN_SIZE, |r| {
            TopicProduceResponse::decode(r, version)
        })?;
        let throttle_time_ms = r.i32("throttle_time_ms")?;
        let mut node_endpoints = Vec::new();
        r.tagged_fields(|tag, field| {
            if version >= 10 && tag == 0 {
                let min = NodeEndpoint::MIN_SIZE;
                node_endpoints = field.array("node_endpoints", min, NodeEndpoint::decode)?;
            }
            Ok(())
        })?;
        *body = r.rest();
        Ok(Self {
            topics,
            throttle_time_ms,
            node_endpoints,
        })
    }
}

/// How a response names a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKey<'a> {
    /// By name, below version 13.
    Name(&'a str),
    /// By id, from version 13 (KIP-516).
    Id([u8; 16]),
}

/// The partitions of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicProduceResponse<'a> {
    /// The topic.
    pub topic: TopicKey<'a>,
    /// Its partitions of the request.
    pub partitions: Vec<PartitionProduceResponse<'a>>,
}

impl<'a> TopicProduceResponse<'a> {
    const MIN_SIZE: usize = 1 + 1 + 1;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let topic = if version >= 13 {
            TopicKey::Id(r.uuid("topic_id")?)
        } else {
            TopicKey::Name(r.string("name")?)
        };
        let partitions = r.array(
            "partition_responses",
            PartitionProduceResponse::MIN_SIZE,
            |r| PartitionProduceResponse::decode(r, version),
        )?;
        r.skip_tagged_fields()?;
        Ok(Self { topic, partitions })
    }
}

/// What became of one partition's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProduceResponse<'a> {
    /// The partition.
    pub index: i32,
    /// NONE if the records are written.
    pub error_code: ErrorCode,
    /// The first record's offset; -1 after an error.
    pub base_offset: i64,
    /// The records' timestamp if the topic has LogAppendTime, otherwise -1.
    pub log_append_time_ms: i64,
    /// The oldest offset in the partition; -1 if unknown, and below version 5.
    pub log_start_offset: i64,
    /// The records that made the broker refuse the batch (KIP-467); empty below version 8.
    pub record_errors: Vec<RecordError<'a>>,
    /// The broker's own words; `None` below version 8.
    pub error_message: Option<&'a str>,
    /// Who leads instead (KIP-951); `None` if the broker does not say, and below version 10.
    pub current_leader: Option<CurrentLeader>,
}

impl<'a> PartitionProduceResponse<'a> {
    const MIN_SIZE: usize = 4 + 2 + 8 + 8;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let index = r.i32("index")?;
        let error_code = ErrorCode(r.i16("error_code")?);
        let base_offset = r.i64("base_offset")?;
        let log_append_time_ms = r.i64("log_append_time_ms")?;
        let log_start_offset = if version >= 5 {
            r.i64("log_start_offset")?
        } else {
            -1
        };
        let mut record_errors = Vec::new();
        let mut error_message = None;
        if version >= 8 {
            record_errors = r.array("record_errors", RecordError::MIN_SIZE, RecordError::decode)?;
            error_message = r.nullable_string("error_message")?;
        }
        let mut current_leader = None;
        r.tagged_fields(|tag, field| {
            if version >= 10 && tag == 0 {
                current_leader = CurrentLeader::decode(field)?;
            }
            Ok(())
        })?;
        Ok(Self {
            index,
            error_code,
            base_offset,
            log_append_time_ms,
            log_start_offset,
            record_errors,
            error_message,
            current_leader,
        })
    }
}

/// A record that made the broker refuse its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordError<'a> {
    /// The record, counted from 0 in its batch.
    pub batch_index: i32,
    /// What is wrong with it, in the broker's words.
    pub message: Option<&'a str>,
}

impl<'a> RecordError<'a> {
    const MIN_SIZE: usize = 4 + 1 + 1;

    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let batch_index = r.i32("batch_index")?;
        let message = r.nullable_string("batch_index_error_message")?;
        r.skip_tagged_fields()?;
        Ok(Self {
            batch_index,
            message,
        })
    }
}

/// Who leads a partition, as far as the broker knows that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentLeader {
    /// The leader's node id.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
}

impl CurrentLeader {
    /// `None` if the broker does not know the leader: -1 stands for it.
    fn decode(r: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let leader_id = r.i32("leader_id")?;
        let leader_epoch = r.i32("leader_epoch")?;
        r.skip_tagged_fields()?;
        Ok((leader_id >= 0).then_some(Self {
            leader_id,
            leader_epoch,
        }))
    }
}

const API: ApiKey = ApiKey::PRODUCE;

#[cfg(test)]
mod tests;
