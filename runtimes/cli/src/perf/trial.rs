//! The measurement itself: threads that send, a line now and then, and the clocks around it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use ottla::{Producer, SendError, Topic};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval_at},
};

use super::{
    ENDING, GRACE,
    args::Perf,
    outcomes::Outcomes,
    pace::Pace,
    payload::Payload,
    report,
    sender::{Job, Sent},
    show, usage,
};
use crate::{Failure, interrupt::Interrupt, output, tally::refusal};

/// What is to be measured.
pub(crate) struct Trial<'a> {
    pub(crate) args: &'a Perf,
    pub(crate) producer: Producer,
    pub(crate) topic: Topic,
    pub(crate) payload: Arc<Payload>,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) interrupt: Interrupt,
}

/// How it ended, besides the outcomes.
pub(crate) struct Ended {
    /// From before the first record to the last outcome, as the CPU time.
    pub(crate) time: Duration,
    pub(crate) cpu_time: Option<Duration>,
    /// What went wrong beyond what is told with the outcomes.
    pub(crate) failure: Option<String>,
}

/// Time from line to line.
const LINES: Duration = Duration::from_secs(5);

impl Trial<'_> {
    /// Finds the topic, which is not measured, and sends.
    pub(crate) async fn run(&mut self) -> Ended {
        let found = self.find_topic().await;
        let (start, cpu_start) = (Instant::now(), usage::cpu_time());
        let failure = match found {
            Ok(()) => self.send(start).await.err(),
            Err(reason) => Some(reason),
        };
        Ended {
            time: start.elapsed(),
            cpu_time: usage::cpu_time()
                .zip(cpu_start)
                .map(|(now, then)| now - then),
            failure,
        }
    }

    async fn find_topic(&mut self) -> Result<(), String> {
        tokio::select! {
            biased;
            () = self.interrupt.came() => Ok(()),
            found = self.producer.partitions_for(self.topic) => match found {
                Ok(_) => Ok(()),
                Err(error) => Err(refusal(&error)),
            },
        }
    }

    /// Lets the threads send, until every record that was taken has its outcome.
    async fn send(&mut self, start: Instant) -> Result<(), String> {
        let mut senders = self.start_senders(start)?;
        let mut lines = Lines::new(start);
        let mut ticks = interval_at((start + LINES).into(), LINES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut offered = 0;
        let mut lasting = self.interrupt.clone();
        let (mut stopping, mut told) = (false, false);
        loop {
            tokio::select! {
                biased;
                () = self.interrupt.came(), if !stopping => {
                    stopping = true;
                    self.stop();
                }
                () = lasting.lasts(), if !told => {
                    told = true;
                    output::note("note", ENDING);
                }
                ended = senders.recv() => match ended {
                    Some(sent) => offered += self.settle(sent, stopping),
                    None => break,
                },
                _ = ticks.tick() => {
                    show(self.args, &lines.next(&self.outcomes, self.args.record_size))
                        .map_err(|Failure { line, .. }| line)?;
                }
            }
        }
        match self.outcomes.records() {
            records if records == offered => Ok(()),
            records => Err(format!("{records} outcomes for {offered} records")),
        }
    }

    /// Threads rather than tasks, since a profile shows them by their name. What each has done comes when it ends.
    fn start_senders(&self, start: Instant) -> Result<mpsc::UnboundedReceiver<Sent>, String> {
        let (ended, senders) = mpsc::unbounded_channel();
        for thread in 0..self.args.threads {
            let (job, ended) = (self.job(start, thread), ended.clone());
            thread::Builder::new()
                .name("sender".to_owned())
                .spawn(move || ended.send(job.run()))
                .map_err(|e| format!("can't start a thread: {e}"))?;
        }
        Ok(senders)
    }

    fn job(&self, start: Instant, thread: u16) -> Job {
        let pace = Pace::new(start, self.args.throughput, self.args.threads, thread);
        Job {
            producer: self.producer.clone(),
            topic: self.topic,
            payload: Arc::clone(&self.payload),
            share: pace.share(self.args.num_records.get()),
            pace,
            outcomes: Arc::clone(&self.outcomes),
        }
    }

    /// Sends no more, and gives what was sent some time.
    fn stop(&self) {
        self.outcomes.stop();
        let producer = self.producer.clone();
        tokio::spawn(async move { producer.close(GRACE).await });
    }

    /// Takes note of what a thread has done, and gives how many records it offered.
    fn settle(&self, sent: Sent, stopping: bool) -> u64 {
        match sent.refused {
            None => sent.records,
            // It was in the middle of sending when the producer was closed.
            Some(SendError::Closed) if stopping => sent.records,
            Some(error) => {
                self.outcomes.refused(&refusal(&error));
                sent.records + 1
            }
        }
    }
}

/// The lines that come every few seconds.
struct Lines {
    last: Instant,
    records: u64,
}

impl Lines {
    fn new(start: Instant) -> Self {
        Self {
            last: start,
            records: 0,
        }
    }

    fn next(&mut self, outcomes: &Outcomes, record_size: usize) -> String {
        let (now, records) = (Instant::now(), outcomes.records());
        let line = report::line(
            records - self.records,
            now - self.last,
            record_size,
            outcomes.take_latest(),
        );
        *self = Self { last: now, records };
        line
    }
}
