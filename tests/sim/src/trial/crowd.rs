//! Those of a trial's application who wait for room together, and give up together.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ottla::{Delivery, Producer, SendError};

use super::application::Application;
use super::letter::Letter;
use crate::{Chance, Fact};

/// A send that waits.
type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Delivery, SendError>> + 'a>>;

impl Application {
    /// Several wait, a large record in front of small ones, and give up together: the room that one leaves is the next
    /// one's, who leaves at the same moment (H099).
    pub(super) async fn give_up_together(&self, producer: &Producer, chance: &mut Chance) {
        let mut numbers = vec![self.draw_large(chance)];
        numbers.extend((0..chance.within(1..4)).map(|_| self.draw(chance)));
        let letters: Vec<Letter> = numbers.iter().map(|&n| self.letter(n)).collect();
        let mut sends = Vec::new();
        for (&n, letter) in numbers.iter().zip(&letters) {
            sends.extend(self.wait_in_line(producer, n, letter, chance).await);
        }
        let patience = chance.duration(Duration::ZERO..Duration::from_millis(5));
        self.clock.sleep(patience).await;
        sends
            .into_iter()
            .for_each(|(n, send)| self.give_up(n, send));
    }

    /// Two wait for room, and the first gives up: the room is the second one's, who has not handed its record in when the
    /// producer is closed right after (H097).
    pub(super) async fn give_up_before_the_close(&self, producer: &Producer, chance: &mut Chance) {
        self.fill(producer, chance);
        let first = self.draw_large(chance);
        let letter = self.letter(first);
        let Some((_, send)) = self.wait_in_line(producer, first, &letter, chance).await else {
            return;
        };
        let (own, second, mut chance) = (self.clone(), producer.clone(), chance.fork());
        self.spawner.spawn(async move {
            let n = own.draw(&mut chance);
            own.send_and_wait(&second, n, &mut chance).await;
        });
        self.clock.sleep(Duration::from_micros(1)).await;
        self.give_up(first, send);
    }

    /// Begins to send a record; `None` if it is taken, or refused, at once.
    async fn wait_in_line<'a>(
        &'a self,
        producer: &'a Producer,
        n: usize,
        letter: &'a Letter,
        chance: &mut Chance,
    ) -> Option<(usize, Waiting<'a>)> {
        let send = producer.send(letter.record(&self.plan));
        let mut send: Waiting<'_> = Box::pin(self.in_line(producer, n, send));
        match poll_fn(|cx| Poll::Ready(send.as_mut().poll(cx))).await {
            Poll::Ready(Ok(delivery)) => self.accepted_now(n, delivery, chance),
            Poll::Ready(Err(error)) => {
                let now = self.clock.now();
                self.ledger.borrow_mut().refuse_in_time(n, error, now);
            }
            Poll::Pending => return Some((n, send)),
        }
        None
    }

    fn give_up(&self, n: usize, send: Waiting<'_>) {
        drop(send);
        let mut ledger = self.ledger.borrow_mut();
        let woken = false;
        ledger.notes.push(Fact::GivenUp { record: n, woken });
        ledger.abandon(n, self.clock.now());
    }
}
