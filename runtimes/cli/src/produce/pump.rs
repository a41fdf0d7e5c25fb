//! From lines to outcomes: sends what is read, and settles what was sent, in order.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use ottla::{Delivery, Producer, SendAllError, SendError, Topic};
use tokio::time::timeout;

use super::{input::Reading, ledger::Ledger, lines::Chunk, shape::Shape};
use crate::{
    Failure,
    interrupt::Interrupt,
    progress::Progress,
    settings::longest,
    tally::{Tally, refusal, too_large},
};

/// What lines go through.
pub(crate) struct Pump<'a> {
    producer: Producer,
    topic: Topic,
    shape: Shape<'a>,
    progress: Progress,
    /// What was sent and had no outcome when it was last looked at.
    on_the_way: VecDeque<Sent>,
    outcome: Outcome,
}

/// What became of the lines.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) ledger: Option<Ledger>,
    /// There were more lines than were read.
    pub(crate) unread: bool,
}

/// A record on its way.
struct Sent {
    delivery: Delivery,
    digest: u64,
    /// Its bytes in the input, the line feed included.
    bytes: u64,
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

/// Records on their way at most, however small they are; `buffer.memory` bounds them too.
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
        let outcome = Outcome {
            tally: Tally::default(),
            ledger,
            unread: false,
        };
        Self {
            producer,
            topic,
            shape,
            progress,
            on_the_way: VecDeque::new(),
            outcome,
        }
    }

    /// Sends all that is read, until something stops it, and waits for every outcome. After an interrupt somebody has to
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
        let producer = self.producer.clone();
        tokio::join!(producer.flush(), async {
            while !self.on_the_way.is_empty() {
                self.settle().await;
            }
        });
        ended
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        self.outcome
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
            let chunk = tokio::select! {
                biased;
                () = interrupt.came() => return Err(Stop::Interrupted),
                chunk = reading.chunks.recv() => chunk,
                () = self.settle(), if !self.on_the_way.is_empty() => continue,
            };
            match chunk {
                Some(Ok(chunk)) => self.send(&chunk, unsent).await?,
                Some(Err(failure)) => return Err(Stop::Failed(failure)),
                None => return Ok(()),
            }
        }
    }

    async fn send(&mut self, chunk: &Chunk, unsent: &mut u64) -> Result<(), Stop> {
        self.refuse_too_long(chunk);
        let mut next = 0;
        while next < chunk.len() {
            let records = chunk
                .lines(next)
                .map(|line| self.shape.record(self.topic, line));
            let (deliveries, error) = match self.producer.send_all(records).await {
                Ok(deliveries) => (deliveries, None),
                Err(SendAllError { deliveries, error }) => (deliveries, Some(error)),
            };
            let lines = chunk.lines(next);
            next += deliveries.len();
            for (delivery, line) in deliveries.into_iter().zip(lines) {
                let digest = self
                    .outcome
                    .ledger
                    .as_ref()
                    .map_or(0, |_| self.shape.digest(line));
                self.on_the_way.push_back(Sent {
                    delivery,
                    digest,
                    bytes: line.len() as u64 + 1,
                });
            }
            match error {
                None => {}
                Some(error @ SendError::TooLarge { .. }) => {
                    self.outcome.tally.refused(&refusal(&error), 1);
                    next += 1;
                }
                Some(error) => {
                    *unsent = (chunk.len() - next) as u64;
                    return Err(Stop::Refused(refusal(&error)));
                }
            }
        }
        poll_fn(|cx| Poll::Ready(self.settle_ready(cx))).await;
        while self.on_the_way.len() > WINDOW {
            self.settle().await;
        }
        Ok(())
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
    fn settle_ready(&mut self, cx: &mut Context<'_>) -> u64 {
        let (mut records, mut bytes) = (0, 0);
        while let Some(oldest) = self.on_the_way.front_mut() {
            let Poll::Ready(outcome) = Pin::new(&mut oldest.delivery).poll(cx) else {
                break;
            };
            records += 1;
            bytes += oldest.bytes;
            match outcome {
                Ok(written) => self.outcome.written(&written, oldest),
                Err(undelivered) => self.outcome.tally.undelivered(&undelivered),
            }
            self.on_the_way.pop_front();
        }
        self.progress.add(records, bytes);
        records
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
                    self.refuse_too_long(&chunk);
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
        self.outcome.tally.refused(reason, unsent);
    }

    fn refuse_too_long(&mut self, chunk: &Chunk) {
        let (limit, setting) = longest(self.producer.config());
        self.outcome
            .tally
            .refused(&too_large(setting, limit), chunk.too_long);
    }
}

impl Outcome {
    fn written(&mut self, written: &ottla::RecordMetadata, sent: &Sent) {
        self.tally.written(written, sent.bytes);
        if let Some(ledger) = &mut self.ledger {
            ledger.acknowledged(written.partition, written.offset, sent.digest, sent.bytes);
        }
    }
}
