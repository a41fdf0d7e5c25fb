//! What the stories of the hard cases begin with.

use ottla_core::{Cause, Disconnect, Warning};
use ottla_sim::{Produced, Stage};

/// Every record is a batch of its own, sent at once.
pub(crate) const SINGLES: &[(&str, &str)] = &[("batch.size", "0"), ("linger.ms", "0")];

/// The same, with five seconds for everything.
pub(crate) const SHORT: &[(&str, &str)] = &[
    ("batch.size", "0"),
    ("linger.ms", "0"),
    ("request.timeout.ms", "5000"),
    ("delivery.timeout.ms", "5000"),
];

/// Three brokers, and the topic `letters` whose partitions are led by brokers 1, 2 and so on; the first has taken the
/// record `first`.
pub(crate) fn warm(partitions: i32, settings: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new(3, settings);
    stage.model.create_topic("letters", partitions);
    stage.warm_up("letters");
    stage.send("letters", 0, None, b"first");
    stage.run_to_idle();
    stage
}

/// The same with two partitions, every record a batch of its own, sent at once.
pub(crate) fn singles(settings: &[(&str, &str)]) -> Stage {
    warm(2, &[SINGLES, settings].concat())
}

/// Sends `letter 0` and so on to the first partition, without a pause.
pub(crate) fn send_letters(stage: &mut Stage, count: usize) -> Vec<usize> {
    (0..count)
        .map(|n| stage.send("letters", 0, None, format!("letter {n}").as_bytes()))
        .collect()
}

/// The batches that came to the first partition.
pub(crate) fn arrivals(stage: &Stage) -> Vec<Produced> {
    stage.arrivals("letters", 0)
}

/// Some warning names a broker out of reach for such a reason.
pub(crate) fn is_unreachable(warnings: &[Warning], reason: impl Fn(&Disconnect) -> bool) -> bool {
    warnings
        .iter()
        .any(|w| matches!(w, Warning::Broker(Cause::Unreachable { why, .. }) if reason(why)))
}
