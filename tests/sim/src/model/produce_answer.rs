//! The answer to a Produce request, once all of it is settled.

use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::envelope::Caller;
use super::hostile::Hostile;
use super::produce::{Held, Part, Settled};
use super::{Answer, Fault, Model};
use crate::code;

impl Model {
    /// Answers a request that waits for nothing any more.
    pub(crate) fn finish(&mut self, held: Held) -> Answer {
        let caller = held.caller;
        let mut response = ProduceResponse::default().with_throttle_time_ms(caller.throttle_ms());
        let mut strange = Vec::new();
        for (mut topic, parts) in held.topics {
            for settled in parts {
                let hostile = settled.part.fault.as_ref().and_then(Fault::hostile);
                let records = settled.part.head.as_ref().map_or(0, |head| head.count);
                let mut answer = self.answer(caller, settled, &mut response.node_endpoints);
                if let Some(hostile) = hostile {
                    hostile.spoil_partition(&mut answer, records);
                }
                topic.partition_responses.push(answer);
                if let Some(hostile) = hostile {
                    hostile.spoil_topic(&mut topic);
                    strange.push(hostile);
                }
            }
            response.responses.push(topic);
        }
        strange.dedup();
        for hostile in strange {
            hostile.spoil_produce(&mut response);
        }
        let reply = caller.reply(&response);
        self.fulfil(caller, held.fate, Some(reply))
    }

    /// Encodes an outcome, with a hint where the leader is (KIP-951).
    fn answer(
        &self,
        caller: Caller,
        settled: Settled,
        endpoints: &mut Vec<NodeEndpoint>,
    ) -> PartitionProduceResponse {
        let Settled { part, outcome, .. } = settled;
        let mut answer = PartitionProduceResponse::default()
            .with_index(part.partition)
            .with_error_code(outcome.code)
            .with_base_offset(outcome.base_offset)
            .with_log_append_time_ms(outcome.append_time)
            .with_log_start_offset(outcome.log_start)
            .with_error_message(outcome.message.map(StrBytes::from_string))
            .with_record_errors(outcome.records.into_iter().map(record_error).collect());
        let is_hinted = self.settings.leader_hints || part.is_hint_hostile();
        if is_hinted && caller.version >= 10 && outcome.code == code::NOT_LEADER_OR_FOLLOWER {
            self.hint(caller, &part, &mut answer, endpoints);
        }
        answer
    }

    fn hint(
        &self,
        caller: Caller,
        part: &Part,
        answer: &mut PartitionProduceResponse,
        endpoints: &mut Vec<NodeEndpoint>,
    ) {
        let Some(partition) = self
            .topics
            .get(&part.name)
            .and_then(|topic| topic.partition(part.partition))
        else {
            return;
        };
        let (mut leader, mut epoch) = (partition.leader.unwrap_or(-1), partition.leader_epoch);
        if part.hostile() == Some(Hostile::HintFromTheFuture) {
            let another = self.brokers.keys().find(|&&id| id != leader);
            (leader, epoch) = (*another.unwrap_or(&leader), epoch + 50);
        }
        answer.current_leader = LeaderIdAndEpoch::default()
            .with_leader_id(leader.into())
            .with_leader_epoch(epoch);
        if let Some(broker) = self.brokers.get(&leader)
            && endpoints.iter().all(|endpoint| endpoint.node_id != leader)
        {
            let host = self.links.host(caller.broker, caller.connection);
            let host = host.unwrap_or(&broker.host).to_owned();
            let endpoint = NodeEndpoint::default()
                .with_node_id(leader.into())
                .with_host(StrBytes::from_string(host))
                .with_port(i32::from(broker.port));
            endpoints.push(endpoint);
        }
    }
}

impl Part {
    fn hostile(&self) -> Option<Hostile> {
        self.fault.as_ref().and_then(Fault::hostile)
    }

    fn is_hint_hostile(&self) -> bool {
        matches!(
            self.hostile(),
            Some(Hostile::HintToStranger | Hostile::HintFromThePast | Hostile::HintFromTheFuture)
        )
    }
}

fn record_error((index, message): (i32, Option<String>)) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage::default()
        .with_batch_index(index)
        .with_batch_index_error_message(message.map(StrBytes::from_string))
}
