//! The application of a trial: actors that send, wait, flush, drop, purge and send again from within callbacks.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use ottla::{Delivery, ErrorCode, Fatal, Producer, Purge, RecordMetadata, SendError, Undelivered};

use super::ledger::{Flush, Ledger};
use super::letter::Letter;
use super::plan::{Ending, Plan};
use crate::{Chance, Clock, Fact, FaultKind, Spawner};

/// What every actor has in hand.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) spawner: Spawner,
    pub(crate) ledger: Rc<RefCell<Ledger>>,
    /// What callbacks were told: they run in the driver, and must be `Send`.
    pub(crate) told: Told,
    /// Which actor this is.
    actor: usize,
}

/// What callbacks leave for the trial to enter into the ledger.
pub(crate) type Told = Arc<Mutex<Vec<Message>>>;

pub(crate) enum Message {
    Outcome {
        n: usize,
        outcome: Result<RecordMetadata, Undelivered>,
        at: Duration,
    },
    Panicked {
        n: usize,
    },
    /// A callback has sent a record.
    Sent {
        n: usize,
        result: Result<(), SendError>,
        at: Duration,
    },
}

/// How long a producer may take to work again once the faults are over.
const PROBES: Duration = Duration::from_secs(60);
/// For so long after the faults the actors still send.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

impl Application {
    pub(crate) fn new(plan: Arc<Plan>, clock: Clock, spawner: Spawner) -> Application {
        let ledger = Rc::new(RefCell::new(Ledger::default()));
        Application {
            plan,
            clock,
            spawner,
            ledger,
            told: Told::default(),
            actor: 0,
        }
    }

    /// All of it: the actors, and what comes after them.
    pub(crate) async fn run(self, producer: Producer, mut chance: Chance) {
        let actors = Rc::new(RefCell::new(self.plan.actors));
        for actor in 1..=self.plan.actors {
            let own = Application {
                actor,
                ..self.clone()
            };
            let (producer, mut chance) = (producer.clone(), chance.fork());
            let actors = Rc::clone(&actors);
            self.spawner.spawn(async move {
                own.act(&producer, &mut chance).await;
                *actors.borrow_mut() -= 1;
            });
        }
        if matches!(self.plan.ending, Ending::Force | Ending::Kill) && chance.percent(70) {
            let storm = self.plan.most_of_the_storm()..self.plan.storm;
            self.clock.sleep(chance.duration(storm)).await;
        } else {
            while *actors.borrow() > 0 {
                self.clock.sleep(Duration::from_millis(50)).await;
            }
        }
        self.end(producer, &mut chance).await;
    }

    /// One actor, until all records are sent.
    async fn act(&self, producer: &Producer, chance: &mut Chance) {
        let pause = self.plan.storm / (2 * self.plan.records / self.plan.actors).max(1) as u32;
        while self.take_one() {
            if chance.percent(30) {
                let pause = chance.duration(Duration::ZERO..pause * 6);
                self.clock.sleep(pause).await;
            }
            match chance.below(40) {
                0 => self.flush(producer, chance).await,
                1 if self.plan.kinds.contains(&FaultKind::Purge) => self.purge(producer, chance),
                2 if self.plan.kinds.contains(&FaultKind::MemoryFull) => {
                    self.burst(producer, chance).await
                }
                3 => drop(producer.partitions_for(&self.plan.topics[0].name).await),
                _ => {}
            }
            self.send(producer, chance).await;
        }
    }

    /// Whether there is more to send: until enough was taken, most of the faults have struck, or it gets late.
    fn take_one(&self) -> bool {
        let now = self.clock.now();
        let is_enough = self.ledger.borrow().accepted >= self.plan.records as u64;
        now <= self.plan.storm + GRACE && !(is_enough && now >= self.plan.most_of_the_storm())
    }

    async fn send(&self, producer: &Producer, chance: &mut Chance) {
        let n = self.draw(chance);
        match chance.below(10) {
            0..3 => self.try_send(producer, n, chance),
            3..6 => self.send_and_wait(producer, n, chance).await,
            6..8 => self.send_with(producer, n, chance).await,
            8 => self.try_send_with(producer, n, chance),
            _ => self.send_all(producer, n, chance).await,
        }
    }

    fn try_send(&self, producer: &Producer, n: usize, chance: &mut Chance) {
        let letter = self.letter(n);
        let result = producer.try_send(letter.record(&self.plan));
        match result {
            Ok(delivery) => self.accepted_now(n, delivery, chance),
            Err(error) => self
                .ledger
                .borrow_mut()
                .refuse_in_time(n, error, self.clock.now()),
        }
    }

    async fn send_and_wait(&self, producer: &Producer, n: usize, chance: &mut Chance) {
        let letter = self.letter(n);
        let send = pin!(producer.send(letter.record(&self.plan)));
        match self.perhaps(send, chance).await {
            Some(Ok(delivery)) => self.accepted_now(n, delivery, chance),
            Some(Err(error)) => self
                .ledger
                .borrow_mut()
                .refuse_in_time(n, error, self.clock.now()),
            None => self.ledger.borrow_mut().abandon(n, self.clock.now()),
        }
    }

    async fn send_with(&self, producer: &Producer, n: usize, chance: &mut Chance) {
        let letter = self.letter(n);
        let callback = self.callback(producer, n, chance);
        let result = producer
            .send_with(letter.record(&self.plan), callback)
            .await;
        self.accepted_with_callback(n, result);
    }

    fn try_send_with(&self, producer: &Producer, n: usize, chance: &mut Chance) {
        let letter = self.letter(n);
        let callback = self.callback(producer, n, chance);
        let result = producer.try_send_with(letter.record(&self.plan), callback);
        self.accepted_with_callback(n, result);
    }

    async fn send_all(&self, producer: &Producer, first: usize, chance: &mut Chance) {
        let mut numbers = vec![first];
        while numbers.len() < 20 && chance.percent(80) && self.take_one() {
            numbers.push(self.draw(chance));
        }
        for &n in &numbers {
            self.ledger.borrow_mut().entries[n].is_one_of_many = true;
        }
        let letters: Vec<Letter> = numbers.iter().map(|&n| self.letter(n)).collect();
        let records = letters.iter().map(|letter| letter.record(&self.plan));
        let (deliveries, error) = match producer.send_all(records).await {
            Ok(deliveries) => (deliveries, None),
            Err(partial) => (partial.deliveries, Some(partial.error)),
        };
        let taken = deliveries.len();
        for (&n, delivery) in numbers.iter().zip(deliveries) {
            self.ledger.borrow_mut().accept(n, self.clock.now());
            self.watch(n, delivery, chance);
        }
        for (at, &n) in numbers[taken..].iter().enumerate() {
            let mut ledger = self.ledger.borrow_mut();
            match (at, &error) {
                (0, Some(error)) => ledger.refuse(n, error.clone(), self.clock.now()),
                // It was never looked at.
                _ => ledger.skip(n),
            }
        }
    }

    /// More at once than the buffer holds, in large records.
    async fn burst(&self, producer: &Producer, chance: &mut Chance) {
        self.ledger
            .borrow_mut()
            .struck(FaultKind::MemoryFull, "a burst".to_owned());
        for _ in 0..chance.within(20..60) {
            let n = self.draw(chance);
            self.try_send(producer, n, chance);
        }
        let n = self.draw(chance);
        self.send_and_wait(producer, n, chance).await;
    }

    async fn flush(&self, producer: &Producer, chance: &mut Chance) {
        let covered = self.ledger.borrow().covered();
        let since = self.clock.now();
        let flush = pin!(producer.flush());
        if self.perhaps(flush, chance).await.is_some() {
            let at = self.clock.now();
            self.note(format!("flushed {} records", covered.len()));
            self.ledger
                .borrow_mut()
                .flushes
                .push(Flush { since, at, covered });
        } else {
            self.ledger
                .borrow_mut()
                .struck(FaultKind::DropFuture, "a flush".to_owned());
        }
    }

    fn purge(&self, producer: &Producer, chance: &mut Chance) {
        let what = *chance.pick(&[Purge::Queued, Purge::InFlight, Purge::All]);
        producer.purge(what);
        self.ledger
            .borrow_mut()
            .struck(FaultKind::Purge, format!("{what:?}"));
    }

    async fn end(&self, producer: Producer, chance: &mut Chance) {
        self.note(format!("the end: {:?}", self.plan.ending));
        match self.plan.ending {
            Ending::Rest => {
                while self.ledger.borrow().open > 0 {
                    self.clock.sleep(Duration::from_millis(100)).await;
                }
                producer.flush().await;
                self.probe(&producer, chance).await;
                self.check_memory(&producer).await;
                producer.close(Duration::from_secs(5)).await;
            }
            Ending::Close => {
                producer
                    .close(self.plan.delivery_timeout + Duration::from_secs(1))
                    .await
            }
            Ending::Force => {
                let grace = chance.duration(Duration::ZERO..Duration::from_secs(2));
                let before = self.clock.now();
                producer.close(grace).await;
                self.ledger
                    .borrow_mut()
                    .closed(before + grace, self.clock.now());
            }
            Ending::Drop | Ending::Kill => drop(producer),
        }
        self.note("the producer's handle is gone".to_owned());
    }

    /// At rest all memory is free, once the sockets have let go of the last request: its records may have had their outcome
    /// while a slow path still took its bytes, which ends when the request times out.
    async fn check_memory(&self, producer: &Producer) {
        let until = self.clock.now() + self.plan.request_timeout + Duration::from_secs(1);
        loop {
            let metrics = producer.metrics();
            let (free, all) = (metrics.buffer_available_bytes, metrics.buffer_total_bytes);
            if free == all {
                return;
            }
            if self.clock.now() > until {
                let what = format!("at rest {free} of {all} bytes are free");
                return self.ledger.borrow_mut().accuse("I7", what);
            }
            self.clock.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Once the faults are over every topic takes records again, within a minute and the time of one record that still
    /// goes where it can't.
    async fn probe(&self, producer: &Producer, chance: &mut Chance) {
        while self.clock.now() < self.plan.storm {
            self.clock.sleep(self.plan.storm - self.clock.now()).await;
        }
        for topic in 0..self.plan.topics.len() {
            // A record may go to a partition that the topic has no more, and end only with its own time.
            let until = self.clock.now() + PROBES + self.plan.delivery_timeout;
            while !self.probe_once(producer, topic, chance).await {
                if self.clock.now() > until {
                    let what = format!("nothing is written to {}", self.plan.topics[topic].name);
                    return self.ledger.borrow_mut().accuse("I15", what);
                }
                self.clock.sleep(Duration::from_millis(500)).await;
            }
        }
    }

    /// Whether a record of the topic is written, or the producer has found out that it never can be.
    async fn probe_once(&self, producer: &Producer, topic: usize, chance: &mut Chance) -> bool {
        let n = self.draw(chance);
        let letter = Letter {
            topic,
            partition: None,
            ..Letter::small(n)
        };
        self.ledger.borrow_mut().entries[n].letter = letter.clone();
        match producer.send(letter.record(&self.plan)).await {
            Err(error) => {
                // Who was told that brokers know no producer ids has said so, and is at its end.
                let no_ids = Fatal::ProducerId(ErrorCode::UNSUPPORTED_VERSION);
                let is_over = self.plan.kinds.contains(&FaultKind::HostileVersions)
                    && error == SendError::Fatal(no_ids);
                self.ledger
                    .borrow_mut()
                    .refuse_in_time(n, error, self.clock.now());
                is_over
            }
            Ok(delivery) => {
                self.ledger.borrow_mut().accept_in_time(n, self.clock.now());
                let outcome = delivery.await;
                let is_written = outcome.is_ok();
                self.ledger.borrow_mut().end(n, outcome, self.clock.now());
                is_written
            }
        }
    }

    /// Draws the next record.
    fn draw(&self, chance: &mut Chance) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        let letter = Letter::draw(ledger.entries.len(), &self.plan, chance);
        ledger.ask(letter, self.actor, self.clock.now())
    }

    fn letter(&self, n: usize) -> Letter {
        self.ledger.borrow().entries[n].letter.clone()
    }

    /// A record was taken just now.
    fn accepted_now(&self, n: usize, delivery: Delivery, chance: &mut Chance) {
        self.ledger.borrow_mut().accept_in_time(n, self.clock.now());
        self.watch(n, delivery, chance);
    }

    /// A record was taken: somebody waits for its outcome, or drops what would tell it.
    fn watch(&self, n: usize, delivery: Delivery, chance: &mut Chance) {
        if chance.percent(self.plan.drops) {
            drop(delivery);
            return self.ledger.borrow_mut().abandon(n, self.clock.now());
        }
        let (ledger, clock) = (Rc::clone(&self.ledger), self.clock.clone());
        self.spawner.spawn(async move {
            let outcome = delivery.await;
            ledger.borrow_mut().end(n, outcome, clock.now());
        });
    }

    fn accepted_with_callback(&self, n: usize, result: Result<(), SendError>) {
        self.enter();
        let now = self.clock.now();
        match result {
            Ok(()) => self.ledger.borrow_mut().accept_callback(n, now),
            Err(error) => self.ledger.borrow_mut().refuse_in_time(n, error, now),
        }
    }

    fn callback(
        &self,
        producer: &Producer,
        n: usize,
        chance: &mut Chance,
    ) -> impl FnOnce(Result<RecordMetadata, Undelivered>) + Send + 'static {
        let (told, clock) = (Arc::clone(&self.told), self.clock.clone());
        let panics = chance.percent(self.plan.panics);
        let sends = chance.percent(self.plan.callback_sends);
        let sending = sends.then(|| self.sending(producer, chance));
        move |outcome| {
            tell(
                &told,
                Message::Outcome {
                    n,
                    outcome,
                    at: clock.now(),
                },
            );
            if let Some(send) = sending {
                send();
            }
            if panics {
                tell(&told, Message::Panicked { n });
                // Without the hook's words: this panic is on purpose.
                std::panic::resume_unwind(Box::new("a callback panics"));
            }
        }
    }

    /// Something to call from within a callback, which sends one more record.
    fn sending(&self, producer: &Producer, chance: &mut Chance) -> impl FnOnce() + Send + 'static {
        let n = self.draw(chance);
        let (letter, plan, producer) = (self.letter(n), Arc::clone(&self.plan), producer.clone());
        let (told, clock) = (Arc::clone(&self.told), self.clock.clone());
        move || {
            let (inner, watch) = (Arc::clone(&told), clock.clone());
            let result = producer.try_send_with(letter.record(&plan), move |outcome| {
                tell(
                    &inner,
                    Message::Outcome {
                        n,
                        outcome,
                        at: watch.now(),
                    },
                );
            });
            tell(
                &told,
                Message::Sent {
                    n,
                    result,
                    at: clock.now(),
                },
            );
        }
    }

    /// Enters what callbacks were told.
    pub(crate) fn enter(&self) {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        for message in told {
            let mut ledger = self.ledger.borrow_mut();
            match message {
                Message::Outcome { n, outcome, at } => ledger.end(n, outcome, at),
                Message::Panicked { n } => {
                    ledger.struck(FaultKind::PanickingCallback, format!("of record {n}"));
                }
                Message::Sent { n, result, at } => {
                    ledger.struck(FaultKind::SendingCallback, format!("sends record {n}"));
                    ledger.ask_again(n, at);
                    match result {
                        Ok(()) => ledger.accept_callback(n, at),
                        Err(error) => ledger.refuse(n, error, at),
                    }
                }
            }
        }
    }

    /// A future's result, unless it is drawn to be dropped after some polls.
    async fn perhaps<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        chance: &mut Chance,
    ) -> Option<F::Output> {
        let mut polls = match chance.percent(self.plan.drops) {
            true => chance.within(1..4),
            false => usize::MAX,
        };
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 1 => Poll::Ready(None),
            Poll::Pending => {
                polls -= 1;
                Poll::Pending
            }
        })
        .await
    }

    fn note(&self, what: String) {
        self.ledger.borrow_mut().notes.push(Fact::Note { what });
    }
}

fn tell(told: &Told, message: Message) {
    told.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(message);
}
