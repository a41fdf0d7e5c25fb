//! Responses as ottla decodes them.

use kafka_protocol::messages;
use ottla_core::wire::{
    ApiKey, ApiVersionsResponse, DecodeError, InitProducerIdResponse, MetadataResponse,
    ProduceResponse, check_end, split_response,
};

use crate::Tape;

/// The APIs that ottla speaks.
const APIS: [(ApiKey, messages::ApiKey); 4] = [
    (ApiKey::API_VERSIONS, messages::ApiKey::ApiVersions),
    (ApiKey::METADATA, messages::ApiKey::Metadata),
    (ApiKey::PRODUCE, messages::ApiKey::Produce),
    (ApiKey::INIT_PRODUCER_ID, messages::ApiKey::InitProducerId),
];

/// A response with its correlation id.
pub type Answer<'a> = (i32, Response<'a>);

/// The body of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// Versions.
    ApiVersions(ApiVersionsResponse),
    /// Brokers and topics.
    Metadata(MetadataResponse<'a>),
    /// What became of records.
    Produce(ProduceResponse<'a>),
    /// A producer id.
    InitProducerId(InitProducerIdResponse),
}

/// What a frame is an answer to.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub(crate) ours: ApiKey,
    pub(crate) theirs: messages::ApiKey,
    pub(crate) version: i16,
}

impl Question {
    /// An API, and one of the versions that ottla speaks.
    pub fn choose(tape: &mut Tape<'_>) -> Self {
        let (ours, theirs) = tape.one_of(&APIS);
        let versions: Vec<i16> = ours.versions().collect();
        let version = tape.one_of(&versions);
        Self {
            ours,
            theirs,
            version,
        }
    }

    /// The tape on which [`choose`](Self::choose) finds this API and version; `None` if ottla does not speak it.
    pub fn tape(api: i16, version: i16) -> Option<[u8; 2]> {
        let place = APIS.iter().position(|(ours, _)| ours.0 == api)?;
        let version = APIS[place].0.versions().position(|v| v == version)?;
        Some([place as u8, version as u8])
    }

    /// Decodes a frame, without its length in front; a frame that goes on after its last field is an error here, unlike for
    /// the core, which passes over a few bytes there.
    pub fn decode(self, frame: &[u8]) -> Result<Answer<'_>, DecodeError> {
        let (correlation, mut body) = split_response(frame, self.ours, self.version)?;
        let whole = body;
        let version = self.version;
        let response = match self.theirs {
            messages::ApiKey::ApiVersions => {
                Response::ApiVersions(ApiVersionsResponse::decode(&mut body, version)?)
            }
            messages::ApiKey::Metadata => {
                Response::Metadata(MetadataResponse::decode(&mut body, version)?)
            }
            messages::ApiKey::Produce => {
                Response::Produce(ProduceResponse::decode(&mut body, version)?)
            }
            _ => Response::InitProducerId(InitProducerIdResponse::decode(&mut body, version)?),
        };
        check_end(whole.len() - body.len(), body.len())?;
        Ok((correlation, response))
    }
}
