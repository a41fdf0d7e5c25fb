//! A purge ends what it is about, and nothing else (H114).

use ottla::{Producer, Purge};

use super::super::Breach;

/// Purges; what the purge is not about stays as it is.
pub(crate) fn purge(producer: &Producer, what: Purge) -> Result<(), Breach> {
    let before = producer.audit();
    producer.purge(what);
    let (Some(Ok(before)), Some(Ok(after))) = (before, producer.audit()) else {
        return Ok(());
    };
    let spares = match what {
        Purge::Queued => after.on_the_way == before.on_the_way,
        Purge::InFlight => after.queued == before.queued,
        Purge::All => true,
    };
    match spares {
        true => Ok(()),
        false => Err(("H114", format!("{what:?} makes {after:?} of {before:?}"))),
    }
}
