//! Where the model answers otherwise than Kafka and may: what, and why.

use super::answer::Answer;
use super::ask::Ask;

/// One difference that is explained.
pub(crate) struct Exception {
    pub(crate) what: &'static str,
    /// Takes the difference, and nothing else, out of Kafka's answer and the model's.
    pub(crate) level: fn(&Ask, &mut Answer, &mut Answer),
}

pub(crate) const EXCEPTIONS: &[Exception] = &[Exception {
    what: "the model serves fewer APIs, in fewer versions, and has no features to name",
    level: api_versions,
}];

fn api_versions(_: &Ask, kafka: &mut Answer, model: &mut Answer) {
    let (Answer::ApiVersions(kafka), Answer::ApiVersions(model)) = (kafka, model) else {
        return;
    };
    kafka.api_keys.retain_mut(|theirs| {
        let ours = model
            .api_keys
            .iter()
            .find(|ours| ours.api_key == theirs.api_key);
        let Some(ours) = ours else { return false };
        let within = ours.max_version <= theirs.max_version;
        if within && ours.min_version == theirs.min_version {
            theirs.max_version = ours.max_version;
        }
        true
    });
    kafka.supported_features.clear();
    kafka.finalized_features.clear();
    kafka.finalized_features_epoch = model.finalized_features_epoch;
}
