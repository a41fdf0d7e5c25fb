//! The application of a trial: actors that send, wait, flush, drop, purge and send again from within callbacks.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use ottla::{Deadlock, Delivery, Producer, Purge, RecordMetadata, SendError, Undelivered};

use super::ledger::{Flush, Ledger};
use super::letter::Letter;
use super::plan::Plan;
use super::rules;
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
    /// A callback has sent a record, and tried to flush.
    Sent {
        n: usize,
        result: Result<(), SendError>,
        flushed: Result<(), Deadlock>,
        at: Duration,
    },
}

/// A future was dropped before its end.
struct Dropped {
    /// Somebody had woken it, and it was not asked why.
    woken: bool,
}

/// For so long after the faults the actors still send, if not enough was taken.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// Then they take their time: whatever keeps records from being taken may last.
const LATE_PAUSE: Duration = Duration::from_millis(200);

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
        if self.plan.ending.is_early() && chance.percent(70) {
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
        let haste = if self.plan.ending.is_early() { 4 } else { 2 };
        let turns = haste * self.plan.records / self.plan.actors;
        let pause = self.plan.storm / turns.max(1) as u32;
        while self.take_one() {
            if self.clock.now() > self.plan.storm {
                self.clock.sleep(LATE_PAUSE).await;
            } else if chance.percent(30) {
                let leisure = if self.has_enough() { 30 } else { 6 };
                let pause = chance.duration(Duration::ZERO..pause * leisure);
                self.clock.sleep(pause).await;
            }
            match chance.below(40) {
                0 => self.flush(producer, chance).await,
                1 if self.plan.kinds.contains(&FaultKind::Purge) => self.purge(producer, chance),
                2 if self.may_burst() => self.burst(producer, chance).await,
                3 => drop(producer.partitions_for(&self.plan.topics[0].name).await),
                _ => {}
            }
            self.send(producer, chance).await;
        }
    }

    /// Whether there is more to send: until enough was taken and most of the faults have struck, or it gets late.
    fn take_one(&self) -> bool {
        let now = self.clock.now();
        match self.has_enough() {
            true => now < self.plan.most_of_the_storm(),
            false => now <= self.plan.storm + GRACE && !self.ledger.borrow().is_fatal,
        }
    }

    /// As many records were taken as the plan wants; from then on the actors only keep the faults company.
    fn has_enough(&self) -> bool {
        self.ledger.borrow().accepted >= self.plan.records as u64
    }

    fn may_burst(&self) -> bool {
        self.plan.kinds.contains(&FaultKind::MemoryFull) && self.clock.now() < self.plan.storm
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

    pub(super) async fn send_and_wait(&self, producer: &Producer, n: usize, chance: &mut Chance) {
        let letter = self.letter(n);
        let send = producer.send(letter.record(&self.plan));
        let send = pin!(self.in_line(producer, n, send));
        match self.perhaps(send, chance).await {
            Ok(Ok(delivery)) => self.accepted_now(n, delivery, chance),
            Ok(Err(error)) => self
                .ledger
                .borrow_mut()
                .refuse_in_time(n, error, self.clock.now()),
            Err(Dropped { woken }) => {
                let mut ledger = self.ledger.borrow_mut();
                ledger.notes.push(Fact::GivenUp { record: n, woken });
                ledger.abandon(n, self.clock.now());
            }
        }
    }

    async fn send_with(&self, producer: &Producer, n: usize, chance: &mut Chance) {
        let letter = self.letter(n);
        let callback = self.callback(producer, n, chance);
        let send = producer.send_with(letter.record(&self.plan), callback);
        let result = self.in_line(producer, n, send).await;
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
            self.ledger.borrow_mut().entries[n].may_be_late = true;
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
        self.fill(producer, chance);
        if self.plan.kinds.contains(&FaultKind::DropFuture) && chance.percent(50) {
            self.give_up_together(producer, chance).await;
        }
        let n = self.draw_large(chance);
        self.send_and_wait(producer, n, chance).await;
    }

    /// Sends large records, whether there is room or not.
    pub(super) fn fill(&self, producer: &Producer, chance: &mut Chance) {
        for _ in 0..chance.within(20..60) {
            let n = self.draw_large(chance);
            self.try_send(producer, n, chance);
        }
    }

    async fn flush(&self, producer: &Producer, chance: &mut Chance) {
        let covered = self.ledger.borrow().covered();
        let since = self.clock.now();
        let flush = self.ledger.borrow_mut().begin_flush();
        let future = pin!(producer.flush());
        let dropped = self.perhaps(future, chance).await.is_err();
        let mut ledger = self.ledger.borrow_mut();
        ledger.notes.push(Fact::FlushEnds { flush, dropped });
        if dropped {
            ledger.struck(FaultKind::DropFuture, "a flush".to_owned());
        } else {
            let at = self.clock.now();
            ledger.flushes.push(Flush { since, at, covered });
        }
    }

    fn purge(&self, producer: &Producer, chance: &mut Chance) {
        let what = *chance.pick(&[Purge::Queued, Purge::InFlight, Purge::All]);
        if let Err((rule, how)) = rules::purging::purge(producer, what) {
            self.ledger.borrow_mut().accuse(rule, how);
        }
        self.ledger
            .borrow_mut()
            .struck(FaultKind::Purge, format!("{what:?}"));
    }

    /// Draws the next record.
    pub(super) fn draw(&self, chance: &mut Chance) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        let letter = Letter::draw(ledger.entries.len(), &self.plan, chance);
        ledger.ask(letter, self.actor, self.clock.now())
    }

    /// Draws a record of which few fill the memory.
    pub(super) fn draw_large(&self, chance: &mut Chance) -> usize {
        let n = self.draw(chance);
        let size = chance.within(1_000..(self.plan.max_request_size - 500).min(20_000));
        self.ledger.borrow_mut().entries[n].letter.fill(n, size);
        n
    }

    pub(super) fn letter(&self, n: usize) -> Letter {
        self.ledger.borrow().entries[n].letter.clone()
    }

    /// A record was taken just now.
    pub(super) fn accepted_now(&self, n: usize, delivery: Delivery, chance: &mut Chance) {
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
            // It can't wait for itself: unless there is nothing to flush, this is refused.
            let flushed = producer.flush_blocking();
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
                    flushed,
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
                Message::Sent {
                    n,
                    result,
                    flushed,
                    at,
                } => {
                    let what = format!("sends record {n}, a flush: {flushed:?}");
                    ledger.struck(FaultKind::SendingCallback, what);
                    ledger.ask_again(n, at);
                    match result {
                        Ok(()) => ledger.accept_callback(n, at),
                        Err(error) => ledger.refuse(n, error, at),
                    }
                }
            }
        }
    }

    /// The result of a send, with a note if it has to wait.
    pub(super) async fn in_line<F: Future>(
        &self,
        producer: &Producer,
        n: usize,
        send: F,
    ) -> F::Output {
        let mut send = pin!(send);
        let mut waits = false;
        poll_fn(|cx| {
            let poll = send.as_mut().poll(cx);
            if poll.is_pending() && !std::mem::replace(&mut waits, true) {
                let free = producer.metrics().buffer_available_bytes;
                let mut ledger = self.ledger.borrow_mut();
                let entry = &mut ledger.entries[n];
                entry.may_be_late |= entry.letter.partition.is_some();
                let lacks_room = entry.letter.size() > free;
                ledger.notes.push(Fact::Waits {
                    record: n,
                    lacks_room,
                });
            }
            poll
        })
        .await
    }

    /// A future's result, unless it is drawn to be dropped: after some polls, or when it is woken.
    async fn perhaps<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        chance: &mut Chance,
    ) -> Result<F::Output, Dropped> {
        let (mut polls, woken) = match chance.percent(self.plan.drops) {
            true if chance.percent(50) => (1, true),
            true => (chance.within(1..4), false),
            false => (usize::MAX, false),
        };
        poll_fn(|cx| {
            if polls == 0 {
                return Poll::Ready(Err(Dropped { woken }));
            }
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending if polls == 1 && !woken => Poll::Ready(Err(Dropped { woken })),
                Poll::Pending => {
                    polls -= 1;
                    Poll::Pending
                }
            }
        })
        .await
    }

    pub(super) fn note(&self, what: String) {
        self.ledger.borrow_mut().notes.push(Fact::Note { what });
    }
}

fn tell(told: &Told, message: Message) {
    told.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(message);
}
