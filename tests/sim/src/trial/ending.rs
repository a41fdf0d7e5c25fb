//! How the application of a trial comes to its end: at rest, by a close, or with its last handle dropped.

use std::time::Duration;

use ottla::{DeliveryError, ErrorCode, Fatal, Producer, SendError};

use super::application::Application;
use super::letter::Letter;
use super::plan::Ending;
use super::rules::resting;
use crate::{Chance, Fact, FaultKind};

/// How long a producer may take to work again once the faults are over.
const PROBES: Duration = Duration::from_secs(60);

impl Application {
    pub(super) async fn end(&self, producer: Producer, chance: &mut Chance) {
        self.note(format!("the end: {:?}", self.plan.ending));
        match self.plan.ending {
            Ending::Rest => {
                while self.ledger.borrow().open > 0 {
                    self.clock.sleep(Duration::from_millis(100)).await;
                }
                producer.flush().await;
                self.probe(&producer, chance).await;
                self.grow_old().await;
                self.check_memory(&producer).await;
                self.close(&producer, Duration::from_secs(5)).await;
            }
            Ending::Close => {
                let grace = self.plan.delivery_timeout + Duration::from_secs(1);
                self.close_often(&producer, grace, chance).await;
            }
            Ending::Force => {
                let grace = chance.duration(Duration::ZERO..Duration::from_secs(2));
                if chance.percent(70) {
                    self.give_up_before_the_close(&producer, chance).await;
                }
                self.close_often(&producer, grace, chance).await;
            }
            Ending::Drop | Ending::Kill => {
                self.ledger.borrow_mut().notes.push(Fact::LastHandle);
                drop(producer);
            }
        }
        self.note("the producer's handle is gone".to_owned());
    }

    /// Closes the producer, perhaps by two at once, and perhaps once more when it is closed.
    async fn close_often(&self, producer: &Producer, grace: Duration, chance: &mut Chance) {
        if chance.percent(40) {
            let (own, producer) = (self.clone(), producer.clone());
            let later = chance.duration(Duration::ZERO..Duration::from_millis(500));
            let more = chance.duration(Duration::ZERO..Duration::from_secs(2));
            self.spawner.spawn(async move {
                own.clock.sleep(later).await;
                own.close(&producer, grace + more).await;
            });
        }
        self.close(producer, grace).await;
        if chance.percent(40) {
            self.close(producer, grace).await;
        }
    }

    async fn close(&self, producer: &Producer, grace: Duration) {
        let before = self.clock.now();
        let begins = Fact::CloseBegins { grace };
        self.ledger.borrow_mut().notes.push(begins);
        producer.close(grace).await;
        let mut ledger = self.ledger.borrow_mut();
        ledger.closed(before + grace, self.clock.now());
        ledger.notes.push(Fact::CloseEnds);
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

    /// Rests until metadata is to be asked for because of its age (H065).
    async fn grow_old(&self) {
        let is_fatal = self.ledger.borrow().is_fatal;
        let Some(age) = resting::metadata_age(&self.plan).filter(|_| !is_fatal) else {
            return;
        };
        let before = self.ledger.borrow().metadata_requests;
        // A request may be on its way to somebody who never answers.
        let patience = self.plan.request_timeout + Duration::from_secs(2);
        self.clock.sleep(age + patience).await;
        if self.ledger.borrow().metadata_requests == before {
            let what = format!("metadata grows older than {age:?}");
            self.ledger.borrow_mut().accuse("H065", what);
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
                let before = self.clock.now();
                let outcome = delivery.await;
                let is_written = outcome.is_ok();
                // A broker that is too old for the codec stays so.
                let is_too_old = outcome.as_ref().is_err_and(|why| {
                    matches!(why.error(), DeliveryError::UnsupportedCompression(_))
                });
                if is_written && self.clock.now() < before + resting::linger(&self.plan) {
                    let what = format!("record {n} was alone and did not linger");
                    self.ledger.borrow_mut().accuse("H107", what);
                }
                self.ledger.borrow_mut().end(n, outcome, self.clock.now());
                is_written || is_too_old
            }
        }
    }
}
