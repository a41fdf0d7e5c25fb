//! Fetch: hands out batches as they lie in the log.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::Model;
use super::envelope::{Caller, Reply};
use super::topics::Partition;
use crate::code;

/// How long an empty answer is held back at most. A broker may answer before `max.wait`; a consumer then asks again.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

impl Model {
    /// Answers a Fetch, and says how long to hold the answer back because there is too little to read.
    ///
    /// There are no fetch sessions (session id 0), no transactions and no followers to read from.
    pub(crate) fn fetch(
        &self,
        caller: Caller,
        request: &FetchRequest,
        refused: Option<i16>,
    ) -> (Reply, Duration) {
        let mut response = FetchResponse::default().with_throttle_time_ms(caller.throttle_ms());
        if let Some(code) = refused {
            if caller.version >= 7 {
                response.error_code = code;
            }
            return (caller.reply(&response), Duration::ZERO);
        }
        let mut room = usize::try_from(request.max_bytes).unwrap_or(0);
        let (mut found, mut failed) = (0, false);
        for topic in &request.topics {
            let mut answer = FetchableTopicResponse::default();
            for wanted in &topic.partitions {
                let data = self.read(caller, topic, wanted, room, found == 0);
                let bytes = data.records.as_ref().map_or(0, Bytes::len);
                found += bytes;
                room = room.saturating_sub(bytes);
                failed |= data.error_code != code::NONE;
                answer.partitions.push(data);
            }
            match caller.version {
                13.. => answer.topic_id = topic.topic_id,
                _ => answer.topic = topic.topic.clone(),
            }
            response.responses.push(answer);
        }
        let enough = failed || found >= usize::try_from(request.min_bytes).unwrap_or(0);
        let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let wait = if enough {
            Duration::ZERO
        } else {
            max_wait.min(LONGEST_WAIT)
        };
        (caller.reply(&response), wait)
    }

    fn read(
        &self,
        caller: Caller,
        topic: &FetchTopic,
        wanted: &FetchPartition,
        room: usize,
        at_least_one: bool,
    ) -> PartitionData {
        let data = PartitionData::default()
            .with_partition_index(wanted.partition)
            .with_records(Some(Bytes::new()));
        let fail = |code: i16| data.clone().with_error_code(code).with_high_watermark(-1);
        let (name, unknown) = match caller.version {
            13.. => (self.topics.name(topic.topic_id), code::UNKNOWN_TOPIC_ID),
            _ => (
                Some(topic.topic.as_str().into()),
                code::UNKNOWN_TOPIC_OR_PARTITION,
            ),
        };
        let Some(partition) =
            name.and_then(|name| self.topics.get(&name)?.partition(wanted.partition))
        else {
            return fail(unknown);
        };
        if let Err(code) = partition.serves(caller.broker, wanted.current_leader_epoch) {
            return fail(code);
        }
        let log = &partition.log;
        let readable = partition.high_watermark();
        if !(log.start()..=readable).contains(&wanted.fetch_offset) {
            return fail(code::OFFSET_OUT_OF_RANGE);
        }
        let room = room.min(usize::try_from(wanted.partition_max_bytes).unwrap_or(0));
        data.with_high_watermark(readable)
            .with_last_stable_offset(readable)
            .with_log_start_offset(log.start())
            .with_aborted_transactions(None)
            .with_records(Some(batches(
                partition,
                wanted.fetch_offset,
                room,
                at_least_one,
            )))
    }
}

impl Partition {
    /// Whether this broker answers a consumer that believes in this leader epoch (-1 if it has none).
    pub(crate) fn serves(&self, broker: i32, epoch: i32) -> Result<(), i16> {
        if self.leader != Some(broker) {
            Err(code::NOT_LEADER_OR_FOLLOWER)
        } else if epoch >= 0 && epoch < self.leader_epoch {
            Err(code::FENCED_LEADER_EPOCH)
        } else if epoch > self.leader_epoch {
            Err(code::UNKNOWN_LEADER_EPOCH)
        } else {
            Ok(())
        }
    }
}

/// Whole batches that are replicated, from the one with `offset` on, as many as there is room for; the first one anyway if asked for.
fn batches(partition: &Partition, offset: i64, room: usize, at_least_one: bool) -> Bytes {
    let mut out = BytesMut::new();
    let readable = partition.high_watermark();
    for batch in partition.log.batches_from(offset) {
        if batch.end() > readable {
            break;
        }
        let fits = out.len() as u64 + batch.size() <= room as u64;
        let must = at_least_one && out.is_empty();
        if !fits && !must {
            break;
        }
        batch.write_to(&mut out);
    }
    out.freeze()
}
