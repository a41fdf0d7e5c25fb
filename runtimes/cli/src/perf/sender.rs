//! One thread that sends its share of the records, and sees to their outcomes.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use ottla::{Delivery, Producer, Record, SendAllError, SendError, Topic, WaitError};

use super::{outcomes::Outcomes, pace::Pace, payload::Payload};

/// What a thread has to send, and with what.
pub(crate) struct Job {
    pub(crate) producer: Producer,
    pub(crate) topic: Topic,
    pub(crate) payload: Arc<Payload>,
    pub(crate) pace: Pace,
    /// How many records.
    pub(crate) share: u64,
    pub(crate) outcomes: Arc<Outcomes>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Sent {
    /// Those that the producer took.
    pub(crate) records: u64,
    /// Why it did not take the next one.
    pub(crate) refused: Option<SendError>,
}

/// What has been sent, in the order of sending, and had no outcome when it was last looked at.
struct OnTheWay {
    deliveries: VecDeque<Delivery>,
    outcomes: Arc<Outcomes>,
}

/// At a fast rate one record in so many has its latency taken; the others go in a group.
const GROUP: u64 = 64;
/// Deliveries that a thread keeps at most, however small the records are; `buffer.memory` bounds them too.
const WINDOW: usize = 1 << 18;
/// The longest sleep, after which to see whether to stop.
const NAP: Duration = Duration::from_millis(100);

impl Job {
    /// Sends until all is sent, the producer refuses one, or somebody says to stop; then waits for every outcome.
    pub(crate) fn run(self) -> Sent {
        let mut on_the_way = OnTheWay {
            deliveries: VecDeque::new(),
            outcomes: Arc::clone(&self.outcomes),
        };
        let mut sent = Sent::default();
        sent.refused = self.send_all(&mut sent.records, &mut on_the_way).err();
        if sent.refused.is_some() {
            self.outcomes.stop();
        }
        // The driver does not run on this thread: an error means only that it is slow.
        while self.producer.flush_blocking().is_err() {}
        on_the_way.wait(0);
        sent
    }

    fn send_all(&self, sent: &mut u64, on_the_way: &mut OnTheWay) -> Result<(), SendError> {
        let values = self.payload.slices(self.pace.thread, self.pace.threads);
        let mut records = values.map(|value| Record::to(self.topic).value(value));
        let mut group = Vec::with_capacity(GROUP as usize);
        while *sent < self.share && !self.outcomes.is_stopped() {
            let now = Instant::now();
            let due = self.pace.due(now).min(self.share).saturating_sub(*sent);
            let place = *sent % GROUP;
            if due == 0 {
                on_the_way.settle();
                thread::sleep(self.pace.rest(*sent, now).min(NAP));
            } else if place == 0 || !self.pace.is_fast(*sent, now) {
                let record = records.next().expect("slices have no end");
                self.send_timed(record, now)?;
                *sent += 1;
            } else {
                group.clear();
                group.extend(records.by_ref().take(due.min(GROUP - place) as usize));
                self.send_group(&group, sent, on_the_way)?;
            }
        }
        Ok(())
    }

    /// Sends a record whose outcome goes to a callback, so that its time is known when it comes.
    fn send_timed(&self, record: Record<'_>, start: Instant) -> Result<(), SendError> {
        let callback = || {
            let outcomes = Arc::clone(&self.outcomes);
            move |outcome| outcomes.timed(start, outcome)
        };
        match self.producer.try_send_with(record.clone(), callback()) {
            Err(error) if waiting_helps(&error) => {
                self.producer.send_with_blocking(record, callback())
            }
            sent => sent,
        }
    }

    /// Sends records that have deliveries. Before it waits for room, and after that, it settles what can be settled.
    fn send_group(
        &self,
        group: &[Record<'_>],
        sent: &mut u64,
        on_the_way: &mut OnTheWay,
    ) -> Result<(), SendError> {
        let (taken, mut refused) = on_the_way.add(self.producer.try_send_all(group));
        *sent += taken;
        if refused.as_ref().is_some_and(waiting_helps) {
            let rest = &group[taken as usize..];
            let (taken, still) = on_the_way.add(self.producer.send_all_blocking(rest));
            *sent += taken;
            refused = still;
        }
        on_the_way.wait(WINDOW);
        refused.map_or(Ok(()), Err)
    }
}

impl OnTheWay {
    /// Takes the deliveries of records that were sent: how many, and why there are not more.
    fn add(&mut self, sent: Result<Vec<Delivery>, SendAllError>) -> (u64, Option<SendError>) {
        let (deliveries, refused) = match sent {
            Ok(deliveries) => (deliveries, None),
            Err(SendAllError { deliveries, error }) => (deliveries, Some(error)),
        };
        let records = deliveries.len() as u64;
        self.deliveries.extend(deliveries);
        self.settle();
        (records, refused)
    }

    /// Counts those at the front that have their outcome. Nobody is woken for the others: they are asked again.
    fn settle(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Some(oldest) = self.deliveries.front_mut() {
            match Pin::new(oldest).poll(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(_)) => written += 1,
                Poll::Ready(Err(undelivered)) => self.outcomes.undelivered(&undelivered),
            }
            self.deliveries.pop_front();
        }
        self.outcomes.written(written);
    }

    /// Waits until at most so many have no outcome.
    fn wait(&mut self, most: usize) {
        while self.deliveries.len() > most {
            let oldest = self.deliveries.pop_front().expect("there are more");
            match oldest.wait() {
                Ok(_) => self.outcomes.written(1),
                Err(WaitError::Undelivered(undelivered)) => self.outcomes.undelivered(&undelivered),
                // The driver does not run on this thread, and goes on.
                Err(WaitError::Deadlock(_)) => self.deliveries.push_front(oldest),
            }
            self.settle();
        }
    }
}

fn waiting_helps(refused: &SendError) -> bool {
    matches!(refused, SendError::Full | SendError::TopicNotReady)
}
