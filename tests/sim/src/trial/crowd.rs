//! Those of a trial's application who wait for room together, and what becomes of them at once.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ottla::{Delivery, Producer, Purge, SendError};

use super::application::Application;
use super::letter::Letter;
use crate::{Chance, Fact};

type Send<'a> = Pin<Box<dyn Future<Output = Result<Delivery, SendError>> + 'a>>;

impl Application {
    /// Several wait, a large record in front of small ones, and give up together: the room that one leaves is the next
    /// one's, who leaves at the same moment (H099).
    pub(super) async fn give_up_together(&self, producer: &Producer, chance: &mut Chance) {
        let mut numbers = vec![self.draw_large(chance)];
        numbers.extend((0..chance.within(1..4)).map(|_| self.draw(chance)));
        let letters: Vec<Letter> = numbers.iter().map(|&n| self.letter(n)).collect();
        let mut sends = Vec::new();
        for (&n, letter) in numbers.iter().zip(&letters) {
            let send = producer.send(letter.record(&self.plan));
            let mut send: Send<'_> = Box::pin(self.in_line(producer, n, send));
            match poll_fn(|cx| Poll::Ready(send.as_mut().poll(cx))).await {
                Poll::Ready(Ok(delivery)) => self.accepted_now(n, delivery, chance),
                Poll::Ready(Err(error)) => {
                    let now = self.clock.now();
                    self.ledger.borrow_mut().refuse_in_time(n, error, now);
                }
                Poll::Pending => sends.push((n, send)),
            }
        }
        let patience = chance.duration(Duration::ZERO..Duration::from_millis(5));
        self.clock.sleep(patience).await;
        for (n, send) in sends {
            drop(send);
            let mut ledger = self.ledger.borrow_mut();
            let woken = false;
            ledger.notes.push(Fact::GivenUp { record: n, woken });
            ledger.abandon(n, self.clock.now());
        }
    }

    /// Others wait for room when all that takes it is purged: what they were promised ends with the close that follows at
    /// once (H097).
    pub(super) async fn purge_for_those_who_wait(&self, producer: &Producer, chance: &mut Chance) {
        self.fill(producer, chance);
        for _ in 0..2 {
            let (own, producer, mut chance) = (self.clone(), producer.clone(), chance.fork());
            let n = self.draw_large(&mut chance);
            self.spawner.spawn(async move {
                own.send_and_wait(&producer, n, &mut chance).await;
            });
        }
        self.clock.sleep(Duration::from_micros(1)).await;
        self.purge(producer, Purge::All);
    }
}
