//! From lines to outcomes: sends what is read, and settles what was sent, in order.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ottla::{Delivery, DeliveryError, Producer, SendAllError, SendError, Topic, Undelivered};
use tokio::time::timeout;

use super::{
    input::Reading,
    ledger::Ledger,
    lines::{Chunk, Line},
    outcome::Outcome,
    shape::Shape,
};
use crate::{Failure, interrupt::Interrupt, progress::Progress, tally::refusal};

/// What lines go through.
pub(crate) struct Pump<'a> {
    producer: Producer,
    topic: Topic,
    shape: Shape<'a>,
    progress: Progress,
    /// What was sent and had no outcome when it was last looked at.
    in_flight: VecDeque<Sent>,
    /// What was not written for another record's sake, and may be sent once more.
    again: Vec<(Line, Undelivered)>,
    outcome: Outcome,
}

/// A record that was sent. Its line is kept, since it may have to be sent again.
struct Sent {
    delivery: Delivery,
    line: Line,
    attempt: Attempt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Second,
}

/// Why the input was not sent to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Interrupted,
    /// The producer takes no more, in words.
    Refused(String),
    /// The input can't be read to its end, or the command was no good after all.
    Failed(Failure),
}

/// Records in flight at most, however small they are; `buffer.memory` bounds them too.
const WINDOW: usize = 1 << 18;
/// How long to wait for what the thread has read ahead, when nothing more is sent.
const LEFT_OVER: Duration = Duration::from_millis(100);
/// Chunks that are still read after a refusal, so that a short input is counted to its end.
const READ_ON: usize = 16;

impl<'a> Pump<'a> {
    pub(crate) fn new(
        producer: Producer,
        topic: Topic,
        shape: Shape<'a>,
        progress: Progress,
        ledger: Option<Ledger>,
    ) -> Self {
        Self {
            producer,
            topic,
            shape,
            progress,
            in_flight: VecDeque::new(),
            again: Vec::new(),
            outcome: Outcome::new(ledger),
        }
    }

    /// Sends all that is read, until something stops it, and waits for every outcome. After an interrupt the caller has to
    /// close the producer.
    pub(crate) async fn run(
        &mut self,
        mut reading: Reading,
        mut interrupt: Interrupt,
    ) -> Result<(), Stop> {
        let mut unsent = 0;
        let mut ended = self.find_topic().await;
        if ended.is_ok() {
            ended = self
                .send_all(&mut reading, &mut interrupt, &mut unsent)
                .await;
        }
        if interrupt.has_come() && matches!(ended, Err(Stop::Refused(_))) {
            // The producer is being closed, which is not the reason.
            ended = Err(Stop::Interrupted);
        }
        match &ended {
            Err(Stop::Interrupted) => {
                self.leave(reading, unsent, 0, "interrupted before it was sent")
                    .await;
            }
            Err(Stop::Refused(reason)) => self.leave(reading, unsent, READ_ON, reason).await,
            Ok(()) | Err(Stop::Failed(_)) => {}
        }
        self.drain().await;
        if let Ok(()) | Err(Stop::Failed(_)) = ended {
            self.send_again().await;
        }
        self.give_up();
        ended
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        Outcome {
            notes: self.shape.notes(),
            ..self.outcome
        }
    }

    /// Finds out about the topic before there is a line to send, which on a terminal may take a while.
    async fn find_topic(&self) -> Result<(), Stop> {
        let found = self.producer.partitions_for(self.topic).await;
        let partitions = found.map_err(|error| Stop::Refused(refusal(&error)))?;
        self.shape.check(partitions.len()).map_err(Stop::Failed)
    }

    /// Sends lines as they come, and leaves in `unsent` how many of the last ones were not.
    async fn send_all(
        &mut self,
        reading: &mut Reading,
        interrupt: &mut Interrupt,
        unsent: &mut u64,
    ) -> Result<(), Stop> {
        loop {
            if !self.again.is_empty() {
                self.send_again().await;
            }
            let chunk = tokio::select! {
                biased;
                () = interrupt.came() => return Err(Stop::Interrupted),
                chunk = reading.chunks.recv() => chunk,
                () = self.settle(), if !self.in_flight.is_empty() => continue,
            };
            match chunk {
                Some(Ok(chunk)) => self.send_chunk(&chunk, unsent).await?,
                Some(Err(failure)) => return Err(Stop::Failed(failure)),
                None => return Ok(()),
            }
        }
    }

    async fn send_chunk(&mut self, chunk: &Arc<Chunk>, unsent: &mut u64) -> Result<(), Stop> {
        self.outcome.too_long(chunk, self.producer.config());
        let lines = chunk.lines();
        if let Err((rest, error)) = self.send(&lines, Attempt::First).await {
            *unsent = rest.len() as u64;
            return Err(Stop::Refused(refusal(&error)));
        }
        poll_fn(|cx| Poll::Ready(self.settle_ready(cx))).await;
        while self.in_flight.len() > WINDOW {
            self.settle().await;
        }
        Ok(())
    }

    /// Sends lines, but for those that can be no record. The error has the lines from the first one on that the producer
    /// did not take.
    async fn send<'l>(
        &mut self,
        lines: &'l [Line],
        attempt: Attempt,
    ) -> Result<(), (&'l [Line], SendError)> {
        let mut rest = lines;
        while !rest.is_empty() {
            let mut bad = None;
            let good = rest.iter().map_while(|line| {
                let record = self.shape.record(self.topic, line.bytes());
                record.map_err(|why| bad = Some(why)).ok()
            });
            // It may be asked again after its end, where it would go on behind the bad line.
            let records = good.fuse();
            let (deliveries, error) = match self.producer.send_all(records).await {
                Ok(deliveries) => (deliveries, None),
                Err(SendAllError { deliveries, error }) => (deliveries, Some(error)),
            };
            let (taken, left) = rest.split_at(deliveries.len());
            let sent = deliveries.into_iter().zip(taken);
            self.in_flight.extend(sent.map(|(delivery, line)| Sent {
                delivery,
                line: line.clone(),
                attempt,
            }));
            let reason = match (error, bad) {
                (Some(error @ SendError::TooLarge { .. }), _) => refusal(&error),
                (Some(error), _) => return Err((left, error)),
                (None, Some(bad)) => bad.reason(),
                (None, None) => break,
            };
            let (refused, behind) = left.split_first().expect("one was not taken");
            self.outcome.refused(&reason, refused);
            rest = behind;
        }
        Ok(())
    }

    /// Sends once more what was not written for another record's sake. Nothing else is in flight meanwhile, so that no
    /// batch has a record in it that may be refused for its own sake.
    async fn send_again(&mut self) {
        self.drain().await;
        let again = mem::take(&mut self.again);
        let lines: Vec<Line> = again.iter().map(|(line, _)| line.clone()).collect();
        let unsent = match self.send(&lines, Attempt::Second).await {
            Ok(()) => 0,
            Err((rest, _)) => rest.len(),
        };
        // The outcome that they have already tells more than why they were not sent again.
        self.again
            .extend(again.into_iter().skip(lines.len() - unsent));
        self.give_up();
        self.drain().await;
    }

    /// Takes it for the last word that records were not written for another record's sake.
    fn give_up(&mut self) {
        for (line, undelivered) in mem::take(&mut self.again) {
            self.progress.add(1, line.len());
            self.outcome.undelivered(&undelivered, &line);
        }
    }

    /// Waits until nothing is in flight.
    async fn drain(&mut self) {
        let producer = self.producer.clone();
        tokio::join!(producer.flush(), async {
            while !self.in_flight.is_empty() {
                self.settle().await;
            }
        });
    }

    /// Waits until the oldest record has its outcome, and takes note of all that have theirs.
    async fn settle(&mut self) {
        poll_fn(|cx| match self.settle_ready(cx) {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Takes note of the oldest records, as far as they have their outcome, and returns how many that were.
    fn settle_ready(&mut self, cx: &mut Context<'_>) -> usize {
        let (mut records, mut bytes) = (0, 0);
        let before = self.in_flight.len();
        while let Some(oldest) = self.in_flight.front_mut() {
            let Poll::Ready(outcome) = Pin::new(&mut oldest.delivery).poll(cx) else {
                break;
            };
            let Sent { line, attempt, .. } = self.in_flight.pop_front().expect("it is there");
            match outcome {
                Err(undelivered)
                    if attempt == Attempt::First && may_be_sent_again(&undelivered) =>
                {
                    self.again.push((line, undelivered));
                    continue;
                }
                Ok(written) => self.outcome.written(&written, &line, &self.shape),
                Err(undelivered) => self.outcome.undelivered(&undelivered, &line),
            }
            records += 1;
            bytes += line.len();
        }
        self.progress.add(records, bytes);
        before - self.in_flight.len()
    }

    /// Counts the lines that were read and are not sent any more: `unsent`, up to `more` chunks that are still read, and
    /// what the thread has in its hands.
    async fn leave(&mut self, mut reading: Reading, mut unsent: u64, more: usize, reason: &str) {
        for chunks in 0.. {
            if chunks == more {
                reading.stop();
            }
            match timeout(LEFT_OVER, reading.chunks.recv()).await {
                Ok(Some(Ok(chunk))) => {
                    unsent += chunk.len() as u64;
                    self.outcome.too_long(&chunk, self.producer.config());
                }
                Ok(Some(Err(_))) => {}
                Ok(None) => {
                    self.outcome.unread = chunks >= more;
                    break;
                }
                Err(_) => {
                    self.outcome.unread = true;
                    break;
                }
            }
        }
        if unsent > 0 {
            self.outcome.tally.refused(reason, unsent);
        }
    }
}

/// Another record of its batch was the reason, as with one without a key among many for a compacted topic.
fn may_be_sent_again(undelivered: &Undelivered) -> bool {
    matches!(
        undelivered,
        Undelivered::NotWritten(DeliveryError::BatchMate { .. })
    )
}
