//! Where the model answers otherwise than Kafka and may: what, and why.

use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::protocol::StrBytes;
use ottla_sim::code;

use super::answer::Answer;
use super::ask::{Ask, Content, What};
use super::batch::{Batch, Harm};

/// One difference that is explained.
pub(crate) struct Exception {
    /// What differs, and why it may.
    pub(crate) what: &'static str,
    /// Takes the difference, and nothing else, out of Kafka's answer and the model's.
    pub(crate) level: fn(&Ask, &mut Answer, &mut Answer),
    /// The logs differ from here on, so that the tape has to end.
    pub(crate) ends: bool,
}

pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        what: "the model serves fewer APIs, in fewer versions, and has no features to name",
        level: api_versions,
        ends: false,
    },
    Exception {
        what: "the message about a timestamp names the clock, or the record as Java prints it",
        level: timestamp_message,
        ends: false,
    },
    Exception {
        what: "the model refuses what Kafka lets pass, since no correct producer writes it: offset deltas out of line, \
               a maximum timestamp that is none, bytes behind the batch",
        level: stricter,
        ends: true,
    },
    Exception {
        what: "the model has no transactions; Kafka asks a coordinator about a batch that belongs to one",
        level: transactional,
        ends: true,
    },
];

fn api_versions(_: &Ask, kafka: &mut Answer, model: &mut Answer) {
    let (Answer::ApiVersions(kafka), Answer::ApiVersions(model)) = (kafka, model) else {
        return;
    };
    kafka.api_keys.retain_mut(|theirs| {
        let mut ours = model.api_keys.iter();
        let ours = ours.find(|ours| ours.api_key == theirs.api_key);
        let Some(ours) = ours else { return false };
        theirs.max_version = theirs.max_version.min(ours.max_version);
        true
    });
    kafka.supported_features.clear();
    kafka.finalized_features.clear();
    kafka.finalized_features_epoch = model.finalized_features_epoch;
}

fn timestamp_message(_: &Ask, kafka: &mut Answer, model: &mut Answer) {
    for answer in [kafka, model] {
        for partition in partitions(answer) {
            if partition.error_code != code::INVALID_TIMESTAMP {
                continue;
            }
            for record in &mut partition.record_errors {
                let Some(text) = &mut record.batch_index_error_message else {
                    continue;
                };
                for end in ["should be within [", "Invalid timestamp type in message"] {
                    if let Some(at) = text.find(end) {
                        *text = StrBytes::from_string(text[..at + end.len()].to_owned());
                    }
                }
            }
        }
    }
}

fn stricter(ask: &Ask, kafka: &mut Answer, model: &mut Answer) {
    let lenient = |batch: &Batch| {
        let harms = matches!(
            batch.harm,
            Harm::OffsetDelta(_) | Harm::MaxTimestamp(_) | Harm::Trailing(_)
        );
        harms.then_some((None, Some(code::INVALID_RECORD)))
    };
    excuse(ask, kafka, model, lenient);
}

fn transactional(ask: &Ask, kafka: &mut Answer, model: &mut Answer) {
    if !matches!(&ask.what, What::Produce(produce) if produce.transactional_id.is_some()) {
        return;
    }
    let marked = |batch: &Batch| {
        let refused = (None, Some(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
        (batch.attributes & 16 != 0).then_some(refused)
    };
    excuse(ask, kafka, model, marked);
}

/// Lets the model have Kafka's answer for each batch of which the codes of both, where one is named, are the excused ones.
fn excuse(
    ask: &Ask,
    kafka: &mut Answer,
    model: &mut Answer,
    excused: impl Fn(&Batch) -> Option<(Option<i16>, Option<i16>)>,
) {
    let What::Produce(produce) = &ask.what else {
        return;
    };
    for part in &produce.parts {
        let Content::Batch(batch) = &part.content else {
            continue;
        };
        let Some((theirs, ours)) = excused(batch) else {
            continue;
        };
        if produce.acks == 0 && matches!(kafka, Answer::Closed | Answer::Silence) {
            *model = kafka.clone();
            return;
        }
        for (kafka, model) in partitions(kafka).zip(partitions(model)) {
            let here = kafka.index == part.partition && model.index == part.partition;
            let fits = |excused: Option<i16>, code| excused.is_none_or(|excused| excused == code);
            if here && fits(theirs, kafka.error_code) && fits(ours, model.error_code) {
                *model = kafka.clone();
            }
        }
    }
}

fn partitions(answer: &mut Answer) -> impl Iterator<Item = &mut PartitionProduceResponse> {
    let topics = match answer {
        Answer::Produce(answer) => answer.responses.iter_mut(),
        _ => [].iter_mut(),
    };
    topics.flat_map(|topic| &mut topic.partition_responses)
}
