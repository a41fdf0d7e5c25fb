//! Who has how much of a partition's log, who is in sync, and how the log follows its leader.

use std::time::Duration;

use super::log::Stored;
use super::topics::Partition;

/// One broker's copy of a partition: how far it reaches into the leader's log.
///
/// A copy is always the beginning of the leader's log. What a replica had beyond that went when the leader changed, as a
/// follower throws away what its leader does not have.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub(crate) id: i32,
    /// The offset behind the last record it has; the leader's own stands in the log.
    pub(crate) end: i64,
    pub(crate) in_sync: bool,
    /// Since when its broker is up; `None` while it is down.
    up_since: Option<Duration>,
    /// It copies nothing, though its broker is up.
    stalled: bool,
}

impl Replica {
    pub(crate) fn new(id: i32, end: i64, up_since: Option<Duration>) -> Replica {
        Replica {
            id,
            end,
            in_sync: up_since.is_some(),
            up_since,
            stalled: false,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// Since when it copies, if it does.
    fn copies_since(&self) -> Option<Duration> {
        self.up_since.filter(|_| !self.stalled)
    }
}

impl Partition {
    /// Lets the followers copy what is due, and come back into sync once they have what all others in sync have.
    pub(crate) fn replicate(&mut self, now: Duration) {
        if self.is_settled || self.leader.is_none() {
            return;
        }
        let (leader, lag) = (self.leader, self.lag);
        for follower in self.replicas.iter_mut().filter(|r| Some(r.id) != leader) {
            follower.end = follower.end.max(self.log.start());
            let Some(since) = follower.copies_since() else {
                continue;
            };
            for batch in self.log.batches_from(follower.end) {
                if batch.appended.max(since).saturating_add(lag) > now {
                    break;
                }
                follower.end = batch.end();
            }
        }
        let committed = self.high_watermark();
        for replica in self.replicas.iter_mut() {
            let has_enough = Some(replica.id) == leader || replica.end >= committed;
            replica.in_sync |= replica.copies_since().is_some() && has_enough;
        }
        let end = self.log.end();
        let mut followers = self.replicas.iter().filter(|r| Some(r.id) != leader);
        self.is_settled = followers.all(|r| r.copies_since().is_none() || r.end >= end);
    }

    /// When the replicas in sync will have everything before `offset`, if nothing changes; `None` if one copies nothing.
    pub(crate) fn replicated_at(&self, offset: i64) -> Option<Duration> {
        let last = self.log.batches_from(offset - 1).next();
        let appended = last.map_or(Duration::ZERO, |batch| batch.appended);
        let behind = |r: &&Replica| r.in_sync && Some(r.id) != self.leader && r.end < offset;
        let due = |r: &Replica| Some(appended.max(r.copies_since()?).saturating_add(self.lag));
        let behind = self.replicas.iter().filter(behind);
        behind
            .map(due)
            .try_fold(Duration::ZERO, |latest, due| Some(latest.max(due?)))
    }

    /// The offset before which all replicas in sync have everything.
    pub(crate) fn high_watermark(&self) -> i64 {
        let end = |r: &Replica| match Some(r.id) == self.leader {
            true => self.log.end(),
            false => r.end,
        };
        let in_sync = self.replicas.iter().filter(|r| r.in_sync);
        in_sync
            .map(end)
            .min()
            .unwrap_or(self.log.end())
            .max(self.log.start())
    }

    /// Replicas in sync, the leader included.
    pub(crate) fn in_sync(&self) -> impl Iterator<Item = i32> {
        self.replicas.iter().filter(|r| r.in_sync).map(|r| r.id)
    }

    /// The first replica that may lead without losing what was acknowledged.
    pub(crate) fn heir(&self) -> Option<i32> {
        let may_lead = |r: &&Replica| r.is_up() && (r.in_sync || r.end >= self.log.end());
        self.replicas.iter().find(may_lead).map(|r| r.id)
    }

    /// Makes `leader` the leader, in a new epoch, and returns what was in the log and is not in the leader's copy.
    pub(crate) fn elect(&mut self, leader: Option<i32>) -> Vec<Stored> {
        self.keep_leader_s_end();
        self.leader = leader;
        self.leader_epoch += 1;
        self.is_settled = false;
        let copy = self.replicas.iter_mut().find(|r| Some(r.id) == leader);
        let Some(copy) = copy else {
            return Vec::new();
        };
        copy.in_sync = true;
        let end = copy.end;
        self.truncate(end)
    }

    /// Takes a replica out of sync, but for the last one that is in sync: only that one has everything.
    pub(crate) fn drop_from_sync(&mut self, broker: i32) {
        let is_last = self.in_sync().all(|id| id == broker);
        if !is_last {
            self.keep_leader_s_end();
            self.set_replica(broker, |replica| replica.in_sync = false);
        }
    }

    /// A replica's broker goes down.
    pub(crate) fn broker_stopped(&mut self, broker: i32) {
        self.keep_leader_s_end();
        self.set_replica(broker, |replica| replica.up_since = None);
        self.drop_from_sync(broker);
    }

    /// A replica's broker comes up.
    pub(crate) fn broker_started(&mut self, broker: i32, now: Duration) {
        self.set_replica(broker, |replica| replica.up_since = Some(now));
    }

    pub(crate) fn stall(&mut self, broker: i32, stalled: bool) {
        self.set_replica(broker, |replica| replica.stalled = stalled);
    }

    /// Gives a broker a full copy, whether or not it was a replica before.
    pub(crate) fn give_copy(&mut self, broker: i32, now: Duration) {
        let end = self.log.end();
        match self.replicas.iter_mut().find(|r| r.id == broker) {
            Some(replica) => (replica.end, replica.in_sync) = (end, true),
            None => self.replicas.push(Replica::new(broker, end, Some(now))),
        }
    }

    /// A broker has another id from now on.
    pub(crate) fn rename_replica(&mut self, broker: i32, id: i32) {
        self.set_replica(broker, |replica| replica.id = id);
        if self.leader == Some(broker) {
            self.leader = Some(id);
        }
    }

    /// A broker has no replica any more.
    pub(crate) fn remove_replica(&mut self, broker: i32) {
        self.replicas.retain(|replica| replica.id != broker);
        self.is_settled = false;
    }

    /// Cuts the log before `offset`, or before the batch that holds it, and lets replicas and producer state follow, as
    /// brokers do that rebuild them from their logs. Returns what went, in order.
    pub(crate) fn truncate(&mut self, offset: i64) -> Vec<Stored> {
        let gone = self.log.truncate(offset);
        let end = self.log.end();
        for replica in &mut self.replicas {
            replica.end = replica.end.min(end);
        }
        if !gone.is_empty() {
            self.producers.rebuild(&self.log);
        }
        gone
    }

    fn set_replica(&mut self, broker: i32, change: impl FnOnce(&mut Replica)) {
        if let Some(replica) = self.replicas.iter_mut().find(|r| r.id == broker) {
            change(replica);
            self.is_settled = false;
        }
    }

    /// Writes down how far the leader's copy reaches, before it stops to be the leader's.
    fn keep_leader_s_end(&mut self) {
        let (leader, end) = (self.leader, self.log.end());
        if let Some(replica) = self.replicas.iter_mut().find(|r| Some(r.id) == leader) {
            replica.end = end;
        }
    }
}
