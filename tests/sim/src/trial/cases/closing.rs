//! Section 8: flush, purge and close.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla::{DeliveryError, SendError};

use super::traffic::View;
use super::{Hits, Scene};
use crate::trial::ledger::{Entry, Fate};
use crate::{Api, Fact, FaultKind, Line, Told};

#[derive(Default)]
pub(crate) struct Closing {
    flushes: Vec<Flush>,
    /// When the last flush ended that cut a linger short.
    hurried: Option<Duration>,
    /// Sends that wait.
    waiting: Vec<usize>,
    closes: Closes,
    /// Connections that carried unacknowledged records and are closed now.
    draining: BTreeSet<u64>,
    /// A purge that has not ended a record yet.
    purged: Option<Duration>,
}

/// A flush that is under way.
struct Flush {
    flush: usize,
    begun: Duration,
    /// It has cut a linger short.
    hurried: bool,
}

/// The application's closes.
#[derive(Default)]
struct Closes {
    under_way: usize,
    over: usize,
    /// When the first one has to have ended.
    deadline: Option<Duration>,
    /// Records without an outcome when it began.
    open: usize,
}

/// A linger that can be told from the way to a broker.
const LONG: Duration = Duration::from_millis(50);

impl Closing {
    pub(crate) fn see(&mut self, line: &Line, scene: &Scene<'_>, view: &View, hits: &mut Hits) {
        let now = line.at;
        match &line.fact {
            Fact::FlushBegins { flush } => self.flushes.push(Flush {
                flush: *flush,
                begun: now,
                hurried: false,
            }),
            Fact::FlushEnds { flush, dropped } => {
                self.flush_ends(*flush, *dropped, now, scene, hits)
            }
            Fact::Waits { record, .. } => self.waiting.push(*record),
            Fact::ShutDown { wire } => drop(self.draining.insert(*wire)),
            Fact::Left { wire, ended, .. } => {
                // The broker has read everything and closed it.
                let was_drained = self.draining.remove(wire) && *ended;
                hits.hit_if(169, was_drained);
            }
            Fact::Accepted { record } | Fact::GivenUp { record, .. } => self.waits_no_more(*record),
            Fact::Declined { record, .. } => self.declined(*record, scene, hits),
            Fact::CloseBegins { grace } => self.close_begins(now + *grace, scene, view, hits),
            Fact::CloseEnds => self.close_ends(now, hits),
            // Everything that was accepted is still to be delivered, or given up.
            Fact::LastHandle => hits.hit_if(113, scene.ledger.open > 0),
            Fact::Struck { kind, .. } => match kind {
                // It tried to flush as well.
                FaultKind::SendingCallback => hits.hit(108),
                FaultKind::Purge => self.purged = Some(now),
                _ => {}
            },
            Fact::Ended { record, told } => self.ended(*record, told, now, scene, view, hits),
            _ => {}
        }
    }

    fn flush_ends(
        &mut self,
        flush: usize,
        dropped: bool,
        now: Duration,
        scene: &Scene<'_>,
        hits: &mut Hits,
    ) {
        let Some(place) = self.flushes.iter().position(|f| f.flush == flush) else {
            return;
        };
        let flush = self.flushes.remove(place);
        if flush.hurried {
            self.hurried = Some(now);
        }
        // A record that came after the flush began has no outcome yet.
        let is_later = |entry: &Entry| {
            entry.fate == Fate::Open && entry.accepted.is_some_and(|at| at > flush.begun)
        };
        hits.hit_if(106, !dropped && scene.ledger.entries.iter().any(is_later));
    }

    fn waits_no_more(&mut self, record: usize) {
        self.waiting.retain(|&waiting| waiting != record);
    }

    fn declined(&mut self, record: usize, scene: &Scene<'_>, hits: &mut Hits) {
        let waited = self.waiting.contains(&record);
        self.waits_no_more(record);
        if scene.ledger.entries[record].fate == Fate::Refused(SendError::Closed) {
            // Handed in while the producer is being closed, or waiting for room or for its topic when that began.
            hits.hit_if(110, self.closes.under_way > 0);
            hits.hit_if(111, waited);
        }
    }

    fn close_begins(
        &mut self,
        deadline: Duration,
        scene: &Scene<'_>,
        view: &View,
        hits: &mut Hits,
    ) {
        // One more, beside another or behind it.
        hits.hit_if(113, self.closes.under_way + self.closes.over > 0);
        self.closes.under_way += 1;
        if self.closes.deadline.is_some() {
            return;
        }
        self.closes.deadline = Some(deadline);
        self.closes.open = scene.ledger.open;
        // A dial, metadata or a producer id is waited for.
        let is_waiting = |(api, _): &(Api, Duration)| *api != Api::Produce;
        let mut roads = view.roads.open.values();
        let waits = roads.any(|road| !road.ready || road.pending.iter().any(is_waiting));
        hits.hit_if(111, waits && scene.ledger.open > 0);
    }

    fn close_ends(&mut self, now: Duration, hits: &mut Hits) {
        self.closes.under_way -= 1;
        self.closes.over += 1;
        // Time was up before everything had its outcome.
        let is_forced = self.closes.deadline.is_some_and(|deadline| now >= deadline);
        hits.hit_if(
            109,
            self.closes.over == 1 && is_forced && self.closes.open > 0,
        );
    }

    fn ended(
        &mut self,
        record: usize,
        told: &Told,
        now: Duration,
        scene: &Scene<'_>,
        view: &View,
        hits: &mut Hits,
    ) {
        match &scene.ledger.entries[record].fate {
            Fate::NotWritten(why) | Fate::MaybeWritten(why)
                if *why.error() == DeliveryError::Purged =>
            {
                hits.hit_if(114, self.purged.take().is_some_and(|at| at == now));
            }
            Fate::Written(_) => self.written(record, told, scene, view, hits),
            _ => {}
        }
    }

    /// A flush cuts a linger short; then, when it is over or was dropped, a batch lingers again.
    fn written(
        &mut self,
        record: usize,
        told: &Told,
        scene: &Scene<'_>,
        view: &View,
        hits: &mut Hits,
    ) {
        let linger = scene.plan.millis("linger.ms");
        if linger < LONG || (self.flushes.is_empty() && self.hurried.is_none()) {
            return;
        }
        let Some(batch) = view.batches.of(record, told, scene) else {
            return;
        };
        let accepted = scene.ledger.entries[record].accepted.unwrap_or(batch.at);
        let lingered = batch.at.saturating_sub(accepted);
        if batch.bytes > scene.plan.number("batch.size").unwrap_or(0) / 2 {
            return;
        }
        for flush in &mut self.flushes {
            let is_covered = accepted < flush.begun && flush.begun <= batch.at;
            flush.hurried |= is_covered && lingered < linger;
        }
        if self.hurried.is_some_and(|over| over < accepted) && lingered >= linger {
            hits.hit(107);
            self.hurried = None;
        }
    }
}
