//! The measured sending at a pace for producers that are called from a thread.

use std::sync::Arc;

use crate::Failure;
use crate::measure::{Report, Start};
use crate::outcomes::Outcomes;
use crate::pace::Pace;

/// `send` sends the `n`-th record; its outcome comes to `outcomes`.
pub(crate) fn latency(
    rate: usize,
    outcomes: &Arc<Outcomes>,
    records: usize,
    mut send: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let start = Start::now();
    let mut pace = Pace::new(rate, records);
    while let Some(due) = pace.due() {
        for n in due {
            outcomes.begin(n);
            send(n)?;
        }
    }
    outcomes.wait_for(records)?;
    Ok(start.end(records).with(outcomes.latencies()))
}
