//! ListOffsets: the first offset, the last, and the first at or after a time.

use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::Model;
use super::envelope::{Caller, Reply};
use super::log::{Log, Stored};
use super::records::Records;
use crate::code;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

impl Model {
    pub(crate) fn list_offsets(
        &self,
        caller: Caller,
        request: ListOffsetsRequest,
        refused: Option<i16>,
    ) -> Reply {
        let mut response = ListOffsetsResponse::default();
        if caller.version >= 2 {
            response.throttle_time_ms = caller.throttle_ms();
        }
        for topic in request.topics {
            let find = |wanted: &ListOffsetsPartition| {
                let answer = ListOffsetsPartitionResponse::default()
                    .with_partition_index(wanted.partition_index);
                match refused.map_or_else(|| self.find_offset(caller, &topic.name, wanted), Err) {
                    Ok((timestamp, offset, epoch)) => {
                        let answer = answer.with_timestamp(timestamp).with_offset(offset);
                        if caller.version >= 4 {
                            answer.with_leader_epoch(epoch)
                        } else {
                            answer
                        }
                    }
                    Err(code) => answer.with_error_code(code),
                }
            };
            let partitions = topic.partitions.iter().map(find).collect();
            let answer = ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions);
            response.topics.push(answer);
        }
        caller.reply(&response)
    }

    /// Timestamp, offset and leader epoch; -1 for what there is not.
    fn find_offset(
        &self,
        caller: Caller,
        topic: &str,
        wanted: &ListOffsetsPartition,
    ) -> Result<(i64, i64, i32), i16> {
        let partition = self
            .topics
            .get(topic)
            .and_then(|topic| topic.partition(wanted.partition_index));
        let partition = partition.ok_or(code::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.serves(caller.broker, wanted.current_leader_epoch)?;
        let log = &partition.log;
        let epoch = partition.leader_epoch;
        Ok(match wanted.timestamp {
            LATEST => (-1, partition.high_watermark(), epoch),
            EARLIEST | EARLIEST_LOCAL => (-1, log.start(), epoch),
            MAX_TIMESTAMP => {
                let newest = log.batches().map(|batch| batch.head.max_timestamp).max();
                newest
                    .and_then(|newest| first_from(log, newest))
                    .unwrap_or((-1, -1, -1))
            }
            timestamp => first_from(log, timestamp).unwrap_or((-1, -1, -1)),
        })
    }
}

/// The first record that is not older than `timestamp`; in a batch under a codec, the batch's first.
fn first_from(log: &Log, timestamp: i64) -> Option<(i64, i64, i32)> {
    let batch = log
        .batches()
        .find(|batch| batch.head.max_timestamp >= timestamp)?;
    let (timestamp, offset) =
        first_in(batch, timestamp).unwrap_or((batch.head.base_timestamp, batch.base_offset));
    Some((timestamp, offset.max(log.start()), batch.leader_epoch))
}

fn first_in(batch: &Stored, timestamp: i64) -> Option<(i64, i64)> {
    if batch.head.codec() != 0 {
        return None;
    }
    let body = batch.body();
    let mut times = Records::new(&body).flatten().map(|record| {
        let own = batch
            .head
            .base_timestamp
            .wrapping_add(record.timestamp_delta);
        (own, batch.base_offset + i64::from(record.offset_delta))
    });
    times.find(|&(own, _)| own >= timestamp)
}
