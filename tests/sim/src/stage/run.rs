//! How time goes on: from one thing that happens to the next.

use std::time::Duration;

use super::network::Delivery;
use super::{Stage, duration, instant};

/// Steps that a run may take before it counts as endless.
const MOST_STEPS: usize = 1_000_000;
/// The virtual time after which a run counts as endless.
const LONGEST_RUN: Duration = Duration::from_secs(24 * 3_600);

/// Time.
impl Stage {
    /// Goes to the next thing that happens and lets it happen; false if nothing ever will.
    pub fn step(&mut self) -> bool {
        match self.next() {
            Some(at) => {
                self.advance(at);
                true
            }
            None => false,
        }
    }

    /// Lets `time` pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..MOST_STEPS {
            match self.next().filter(|&at| at <= until) {
                Some(at) => self.advance(at),
                None => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("{MOST_STEPS} steps were not enough for {time:?}");
    }

    /// The process stands still for `time`, as under SIGSTOP: brokers go on, and what arrives waits in the sockets. When
    /// the process wakes, it takes that in before it looks at the clock.
    pub fn stand_still(&mut self, time: Duration) {
        let until = self.now + time;
        let mut arrived = Vec::new();
        while let Some(at) = self.network.next().filter(|&at| at <= until) {
            self.now = at;
            let delivery = self.network.pop(at).expect("one is there");
            if delivery.is_for_broker() {
                self.deliver(delivery);
            } else {
                arrived.push(delivery);
            }
        }
        self.now = until;
        self.stood_still += time;
        self.trace
            .line(until, format_args!("stood still for {time:?}"));
        for delivery in arrived {
            self.deliver(delivery);
        }
        self.turn();
    }

    /// Steps until the condition holds.
    ///
    /// # Panics
    ///
    /// If it does not within a day, or when nothing happens any more.
    pub fn run_until(&mut self, condition: impl Fn(&Stage) -> bool) {
        let until = self.now + LONGEST_RUN;
        for _ in 0..MOST_STEPS {
            if condition(self) {
                return;
            }
            assert!(
                self.step(),
                "nothing happens any more, and what was waited for did not come"
            );
            assert!(
                self.now <= until,
                "what was waited for did not come within {LONGEST_RUN:?}"
            );
        }
        panic!("{MOST_STEPS} steps were not enough for what was waited for");
    }

    /// Steps until every record has its outcome, nothing is under way on any link, and all memory is free.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn run_to_idle(&mut self) {
        self.run_until(Stage::is_at_rest);
    }

    fn is_at_rest(&self) -> bool {
        self.core.is_idle()
            && self.outcomes.unsettled().next().is_none()
            && self.network.is_quiet()
            && self.core.buffer_available() == self.core.config().buffer_memory()
    }

    /// When the next thing happens.
    fn next(&self) -> Option<Duration> {
        let deadline = self.core.poll_timeout().map(duration);
        let deadline = deadline.filter(|_| !self.is_aside);
        let delivery = self.network.next();
        deadline
            .into_iter()
            .chain(delivery)
            .min()
            .map(|at| at.max(self.now))
    }

    /// Jumps to `at` and lets happen what is due.
    fn advance(&mut self, at: Duration) {
        self.now = at;
        if self
            .core
            .poll_timeout()
            .is_some_and(|deadline| duration(deadline) <= at)
        {
            self.trace.line(
                at,
                format_args!("deadline: {:?}", self.core.timeout_reason()),
            );
            self.core.handle_timeout(instant(at));
            self.turn();
        }
        while let Some(delivery) = self.network.pop(at) {
            self.deliver(delivery);
            self.turn();
        }
    }
}

impl Delivery {
    /// It arrives at the broker's end.
    fn is_for_broker(&self) -> bool {
        use Delivery::{AnswerIsDue, Hangup, Request};
        matches!(self, Request { .. } | Hangup { .. } | AnswerIsDue { .. })
    }
}
