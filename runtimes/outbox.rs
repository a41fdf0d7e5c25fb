//! What the driver has to tell, gathered under the lock and told outside of it.

use std::{
    mem,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
};

use ottla_core::{self as core, BatchId, Event, Fatal, Instant, Outcome, Waiter};

use crate::{
    delivery::{Batch, Call, Callback},
    parking::CallbackScope,
    reply::Promise,
    setup::OnWarning,
    share::Share,
    shared::{End, Shared},
    state::{Accepted, Admission, State, Waiting},
    warning::Warning,
};

/// One thing to tell.
pub(crate) enum Note {
    Completed {
        batch: Share<Batch>,
        records: Range<u32>,
        outcome: Outcome,
        callbacks: Vec<Callback>,
    },
    WaitEnded {
        waiting: Waiting,
        /// Of the one who waited: the answer is there already.
        waker: Option<Waker>,
    },
    Flushed(Promise<()>),
    Warning(Warning),
    Closed(Option<Fatal>),
}

impl Note {
    /// Tells it. User code runs here: wakers, callbacks, the hook for warnings; no lock is held, no panic leaves.
    pub(crate) fn tell(self, shared: &Shared, on_warning: &mut OnWarning) {
        match self {
            Self::Completed {
                batch,
                records,
                outcome,
                callbacks,
            } => {
                quietly(|| batch.complete(records, outcome, callbacks));
            }
            Self::WaitEnded { waiting, waker } => {
                quietly(|| waker.into_iter().for_each(Waker::wake));
                quietly(|| drop(waiting));
            }
            Self::Flushed(promise) => quietly(|| promise.keep(())),
            Self::Warning(warning) => quietly(|| on_warning(&warning)),
            Self::Closed(fatal) => shared.end(End::Closed(fatal)),
        }
    }
}

/// How events become notes.
impl State {
    /// Turns an event into what is to be told. A record whose turn has come is sent here, so that the order is that of
    /// the queue, whatever the caller's executor does.
    pub(crate) fn note(&mut self, now: Instant, event: Event) -> Option<Note> {
        match event {
            Event::Completed {
                batch,
                records,
                outcome,
                last,
                ..
            } => {
                let (batch, callbacks) = self.completed(batch, &records, last)?;
                Some(Note::Completed {
                    batch,
                    records,
                    outcome,
                    callbacks,
                })
            }
            Event::Admitted(waiter) => {
                let mut waiting = self.take_waiting(waiter)?;
                let admission = match &waiting.record {
                    Some(record) => record
                        .lend(|record| self.send_waited(now, waiter, record, &mut waiting.call)),
                    None => Ok(None),
                };
                Some(waiting.answered(admission))
            }
            Event::WaitFailed(waiter, error) => {
                let waiting = self.take_waiting(waiter)?;
                Some(waiting.answered(Err(error)))
            }
            Event::Flushed(flush) => self.flushes.remove(&flush).map(Note::Flushed),
            Event::Warning(warning) => Some(Note::Warning(Warning::named(warning, &self.topics))),
            Event::Closed(fatal) => Some(Note::Closed(fatal)),
            _ => None,
        }
    }

    fn send_waited(
        &mut self,
        now: Instant,
        waiter: Waiter,
        record: &core::Record<'_>,
        call: &mut Option<Call>,
    ) -> Admission {
        let ticket = self.core.send_waited(now, waiter, record)?;
        let accepted = Accepted {
            ticket,
            topic: record.topic,
            timestamp: record.timestamp,
        };
        Ok(self.receipt(accepted, call))
    }

    fn completed(
        &mut self,
        id: BatchId,
        records: &Range<u32>,
        last: bool,
    ) -> Option<(Share<Batch>, Vec<Callback>)> {
        let open = self.batches.get_mut(id.slot())?;
        if last {
            let batch = open.batch.take()?.share();
            let callbacks = mem::take(&mut open.callbacks);
            self.usual_callbacks = callbacks.len();
            return Some((batch, callbacks));
        }
        let batch = open.batch.as_mut()?.share();
        let callbacks = open
            .callbacks
            .extract_if(.., |c| records.contains(&c.index));
        Some((batch, callbacks.collect()))
    }
}

/// Runs user code, whose panic is its own affair: the panic hook has reported it, and nobody else is harmed.
pub(crate) fn quietly(user: impl FnOnce()) {
    let _scope = CallbackScope::enter();
    let _ = catch_unwind(AssertUnwindSafe(user));
}
