//! What the model must know of a connection: that it hangs, or that an answer on it is still to come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Answer;

/// Connections with something pending; all others are not remembered.
#[derive(Debug, Default)]
pub(crate) struct Links {
    hung: BTreeSet<(i32, u64)>,
    busy: BTreeMap<(i32, u64), Duration>,
    /// From when to when a client was told to be silent.
    muted: BTreeMap<(i32, u64), (Duration, Duration)>,
    /// The host at which a client found the cluster.
    hosts: BTreeMap<(i32, u64), String>,
}

impl Links {
    pub(crate) fn hang(&mut self, broker: i32, connection: u64) {
        self.hung.insert((broker, connection));
    }

    pub(crate) fn is_hung(&self, broker: i32, connection: u64) -> bool {
        self.hung.contains(&(broker, connection))
    }

    pub(crate) fn forget(&mut self, broker: i32, connection: u64) {
        self.hung.remove(&(broker, connection));
        self.busy.remove(&(broker, connection));
        self.muted.remove(&(broker, connection));
        self.hosts.remove(&(broker, connection));
    }

    pub(crate) fn found_at(&mut self, broker: i32, connection: u64, host: &str) {
        self.hosts.insert((broker, connection), host.to_owned());
    }

    /// The host that a client is told for every broker, if it is not the brokers' own.
    pub(crate) fn host(&self, broker: i32, connection: u64) -> Option<&str> {
        let host = self.hosts.get(&(broker, connection));
        host.map(String::as_str)
    }

    /// An answer that leaves at `from` tells the client to be silent for this time.
    pub(crate) fn mute(&mut self, broker: i32, connection: u64, from: Duration, time: Duration) {
        let until = from.saturating_add(time);
        let muted = self.muted.entry((broker, connection));
        let muted = muted.or_insert((from, until));
        if until > muted.1 {
            *muted = (from, until);
        }
    }

    /// From when to when the client of a connection is to be silent.
    pub(crate) fn muted(&self, broker: i32, connection: u64) -> Option<(Duration, Duration)> {
        self.muted.get(&(broker, connection)).copied()
    }

    /// Holds an answer back until the delayed ones before it on the same connection are due.
    pub(crate) fn in_order(
        &mut self,
        now: Duration,
        broker: i32,
        connection: u64,
        answer: Answer,
    ) -> Answer {
        let link = (broker, connection);
        let busy = self.busy.get(&link).copied().filter(|&due| due > now);
        match (answer, busy) {
            (Answer::Reply(frame), Some(due)) => Answer::Later { due, frame },
            (Answer::Later { due, frame }, _) => {
                let due = busy.map_or(due, |busy| busy.max(due));
                self.busy.insert(link, due);
                Answer::Later { due, frame }
            }
            (Answer::Disconnect, _) => {
                self.forget(broker, connection);
                Answer::Disconnect
            }
            (answer, None) => {
                self.busy.remove(&link);
                answer
            }
            (answer, Some(_)) => answer,
        }
    }
}
