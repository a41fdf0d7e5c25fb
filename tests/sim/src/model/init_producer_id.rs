//! InitProducerId, for producers without transactions: every request gets a new id.

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::envelope::{Caller, Reply};
use super::{Fault, Model};
use crate::code;

impl Model {
    pub(crate) fn init_producer_id(
        &mut self,
        caller: Caller,
        request: &InitProducerIdRequest,
        fault: Option<&Fault>,
    ) -> Reply {
        let refused = fault.and_then(Fault::code);
        let last = self.ids.last_producer;
        let error = refused.or(refusal(request));
        let response =
            InitProducerIdResponse::default().with_throttle_time_ms(caller.throttle_ms());
        let mut response = match error.unwrap_or(code::NONE) {
            // Like Kafka, to which the id and epoch in the request mean nothing without a transactional id.
            code::NONE => {
                let (id, epoch) = self.next_producer();
                response
                    .with_producer_id(id.into())
                    .with_producer_epoch(epoch)
            }
            error => response
                .with_error_code(error)
                .with_producer_id((-1).into())
                .with_producer_epoch(-1),
        };
        if let Some(hostile) = fault.and_then(Fault::hostile) {
            hostile.spoil_producer(&mut response, last);
        }
        caller.reply(&response)
    }

    fn next_producer(&mut self) -> (i64, i16) {
        let id = self.ids.next_producer;
        self.ids.next_producer += 1;
        self.ids.last_producer = (id, std::mem::take(&mut self.ids.next_epoch));
        self.ids.last_producer
    }
}

/// What Kafka has against a request: an id without an epoch, or the other way round, or an empty name.
fn refusal(request: &InitProducerIdRequest) -> Option<i16> {
    let halved = (request.producer_id.0 == -1) != (request.producer_epoch == -1);
    match &request.transactional_id {
        _ if halved => Some(code::INVALID_REQUEST),
        Some(id) if id.is_empty() => Some(code::INVALID_REQUEST),
        Some(_) => Some(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        None => None,
    }
}
