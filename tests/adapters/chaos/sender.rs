//! One thread of the application: sends in every way there is, and keeps book of it.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use ottla::{Delivery, Producer, Purge, Record, RecordMetadata, SendError, Undelivered};

use super::{dice::Dice, site::TOPIC, world::World};
use crate::harness::{block_on, poll_once};

/// More would not tell more.
const RECORDS: usize = 600;

/// With a wait of `max.block.ms` for each of them a run would be over its time.
const TRIES: usize = 10_000;

pub(crate) struct Sender<'a> {
    number: u64,
    producer: &'a Producer,
    dice: Dice,
    partitions: i32,
    pub(crate) book: Vec<Entry>,
    pub(crate) calls: Calls,
}

/// One record and what is known of it, in the order of the sends.
pub(crate) struct Entry {
    pub(crate) value: String,
    pub(crate) partition: i32,
    pub(crate) end: End,
}

pub(crate) enum End {
    Refused(SendError),
    /// The future was dropped while it waited: it may have been sent.
    Unsure,
    /// It was accepted, and nobody waits for its outcome.
    Accepted,
    /// It was accepted, and the callback is told.
    Called,
    Open(Delivery),
    Told(Result<RecordMetadata, Undelivered>),
}

type Outcome = Result<RecordMetadata, Undelivered>;

/// What the callbacks were told, by the records' values.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<BTreeMap<String, Vec<Outcome>>>>);

impl Calls {
    fn callback(&self, value: &str) -> impl FnOnce(Outcome) + Send + 'static {
        let (calls, value) = (Arc::clone(&self.0), value.to_owned());
        move |outcome| {
            let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.entry(value).or_default().push(outcome);
        }
    }

    pub(crate) fn of(&self, value: &str) -> Vec<Outcome> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(value).cloned().unwrap_or_default()
    }
}

impl<'a> Sender<'a> {
    pub(crate) fn new(number: u64, seed: u64, producer: &'a Producer, world: &World) -> Self {
        Self {
            number,
            producer,
            dice: Dice::new(seed, 1_000_000 + number),
            partitions: world.partitions,
            book: Vec::new(),
            calls: Calls::default(),
        }
    }

    /// Sends until it is told to stop.
    pub(crate) fn run(mut self, stop: &AtomicBool) -> Self {
        while !stop.load(Ordering::Relaxed) {
            if self.book.len() < RECORDS {
                self.send();
            }
            self.between();
        }
        self
    }

    /// Sends one record after the other to a partition until one is written; `false` if that takes too many.
    pub(crate) fn insist(&mut self, partition: i32) -> bool {
        (0..TRIES).any(|_| {
            let value = self.value(0);
            let sent = block_on(self.producer.send(record(partition, &value)));
            let end = match sent {
                Ok(delivery) => End::Told(block_on(delivery)),
                Err(error) => End::Refused(error),
            };
            let written = matches!(end, End::Told(Ok(_)));
            self.enter(value, partition, end);
            written
        })
    }

    fn send(&mut self) {
        let size = self.dice.pick(&[0, 10, 100, 1_000]);
        let partition = self.dice.below(self.partitions as u64) as i32;
        let value = self.value(size);
        let producer = self.producer;
        let record = record(partition, &value);
        let end = match self.dice.below(9) {
            0 => self.sent(producer.try_send(record)),
            1 => self.sent(producer.send_blocking(record)),
            2 | 3 => self.sent(block_on(producer.send(record))),
            4 => self.polled_and_dropped(record),
            5 => called(producer.try_send_with(record, self.calls.callback(&value))),
            6 => called(block_on(
                producer.send_with(record, self.calls.callback(&value)),
            )),
            7 => self.called_and_dropped(record, &value),
            _ => return self.send_many(partition),
        };
        self.enter(value, partition, end);
    }

    fn sent(&mut self, sent: Result<Delivery, SendError>) -> End {
        match sent {
            Err(error) => End::Refused(error),
            Ok(delivery) if self.dice.one_in(4) => {
                drop(delivery);
                End::Accepted
            }
            Ok(delivery) if self.dice.one_in(16) => End::Told(block_on(delivery)),
            Ok(delivery) => End::Open(delivery),
        }
    }

    fn polled_and_dropped(&mut self, record: Record<'_>) -> End {
        let mut send = pin!(self.producer.send(record));
        for _ in 0..self.dice.within(1..4) {
            if let Poll::Ready(sent) = poll_once(send.as_mut()) {
                return self.sent(sent);
            }
            thread::yield_now();
        }
        End::Unsure
    }

    fn called_and_dropped(&mut self, record: Record<'_>, value: &str) -> End {
        let callback = self.calls.callback(value);
        match poll_once(pin!(self.producer.send_with(record, callback))) {
            Poll::Ready(sent) => called(sent),
            Poll::Pending => End::Unsure,
        }
    }

    fn send_many(&mut self, partition: i32) {
        let values: Vec<String> = (0..self.dice.within(2..9))
            .map(|_| self.value(40))
            .collect();
        let records: Vec<_> = values
            .iter()
            .map(|value| record(partition, value))
            .collect();
        let sent = match self.dice.below(3) {
            0 => self.producer.try_send_all(&records),
            1 => self.producer.send_all_blocking(&records),
            _ => block_on(self.producer.send_all(records)),
        };
        let (deliveries, error) = match sent {
            Ok(deliveries) => (deliveries, SendError::Full),
            Err(ended) => (ended.deliveries, ended.error),
        };
        let ends = deliveries.into_iter().map(End::Open);
        let ends = ends.chain(std::iter::repeat_with(|| End::Refused(error.clone())));
        for (value, end) in values.into_iter().zip(ends) {
            self.enter(value, partition, end);
        }
    }

    /// What an application does besides.
    fn between(&mut self) {
        match self.dice.below(120) {
            0 => block_on(self.producer.flush()),
            1..4 => drop(poll_once(pin!(self.producer.flush()))),
            4 => self.purge(),
            5 => drop(block_on(self.producer.partitions_for(TOPIC))),
            6..10 => drop(poll_once(pin!(self.producer.partitions_for("others")))),
            10..60 => thread::sleep(Duration::from_micros(self.dice.below(4_000))),
            _ => {}
        }
    }

    fn purge(&mut self) {
        let what = [Purge::Queued, Purge::InFlight, Purge::All];
        self.producer.purge(self.dice.pick(&what));
    }

    /// Sorts as the sends go.
    fn value(&mut self, size: usize) -> String {
        // Records of one call are numbered before they are entered.
        self.number += 1 << 8;
        format!(
            "{:03}-{:08}-{}",
            self.number & 0xff,
            self.number >> 8,
            "x".repeat(size)
        )
    }

    fn enter(&mut self, value: String, partition: i32, end: End) {
        self.book.push(Entry {
            value,
            partition,
            end,
        });
    }
}

fn called(sent: Result<(), SendError>) -> End {
    match sent {
        Ok(()) => End::Called,
        Err(error) => End::Refused(error),
    }
}

fn record(partition: i32, value: &str) -> Record<'_> {
    Record::to(TOPIC).partition(partition).value(value)
}
