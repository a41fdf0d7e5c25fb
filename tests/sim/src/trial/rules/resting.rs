//! What a producer does that has nothing to do: it lets a record linger (H107), and asks for metadata now and then (H065).

use std::time::Duration;

use super::super::plan::Plan;
use super::{number_of, time_of};

/// How long one small record lingers that has its batch to itself.
pub(crate) fn linger(plan: &Plan) -> Duration {
    const ENOUGH: u64 = 1_000;
    match number_of(plan, "batch.size") >= ENOUGH {
        true => time_of(plan, "linger.ms"),
        false => Duration::ZERO,
    }
}

/// The age that metadata may reach, if it is worth waiting for.
pub(crate) fn metadata_age(plan: &Plan) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(10);
    let age = time_of(plan, "metadata.max.age.ms");
    (age <= LONGEST).then_some(age)
}
