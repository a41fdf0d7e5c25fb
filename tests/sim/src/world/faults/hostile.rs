//! Answers that make no sense, and answers that refuse more than a batch.

use super::FaultKind;
use crate::{Api, Fault, Hostile, On, World, code};

impl World {
    pub(super) fn strike_answer(&mut self, kind: FaultKind) -> Option<String> {
        let (on, codes): (On, &[i16]) = match kind {
            FaultKind::HostileProduce => return Some(self.spoil(On::AnyProduce, Api::Produce)),
            FaultKind::HostileMetadata => return Some(self.spoil(On::Metadata, Api::Metadata)),
            FaultKind::HostileProducerId => {
                return Some(self.spoil(On::InitProducerId, Api::InitProducerId));
            }
            FaultKind::HostileVersions => {
                return Some(self.spoil(On::ApiVersions, Api::ApiVersions));
            }
            FaultKind::RefuseTopic => return self.refuse_topic(),
            FaultKind::RefuseMetadata => {
                let (topic, _) = self.any_partition()?;
                let codes = &[
                    code::LEADER_NOT_AVAILABLE,
                    code::UNKNOWN_TOPIC_OR_PARTITION,
                    code::REQUEST_TIMED_OUT,
                ];
                (On::MetadataOf { topic }, codes)
            }
            FaultKind::RefuseProducerId => (On::InitProducerId, &[14, 15, 16, 51, -1]),
            _ => (
                On::ApiVersions,
                &[code::UNSUPPORTED_VERSION, code::UNKNOWN_SERVER_ERROR],
            ),
        };
        let code = *self.chance.pick(codes);
        for _ in 0..self.chance.within(1..4) {
            self.cluster.inject(on.clone(), Fault::Refuse(code));
        }
        Some(format!("{on:?}, code {code}"))
    }

    /// Plans one of the senseless answers to requests of this API.
    fn spoil(&mut self, on: On, api: Api) -> String {
        let of_api = Hostile::ALL
            .into_iter()
            .filter(|hostile| hostile.api() == api);
        let of_api: Vec<Hostile> = of_api.collect();
        let hostile = *self.chance.pick(&of_api);
        self.cluster.inject(on, Fault::Hostile(hostile));
        hostile.name().to_owned()
    }

    /// A topic may not be seen for a few requests, nor written to.
    fn refuse_topic(&mut self) -> Option<String> {
        let (topic, partition) = self.any_partition()?;
        let refusal = Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED);
        for _ in 0..self.chance.within(1..4) {
            let on = On::MetadataOf {
                topic: topic.clone(),
            };
            self.cluster.inject(on, refusal.clone());
            let on = On::produce(&topic, partition);
            self.cluster.inject(on, refusal.clone());
        }
        Some(topic)
    }
}
