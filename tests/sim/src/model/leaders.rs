//! The control surface of leaders, replicas and logs. These methods panic if there is no such topic or partition.

use std::time::Duration;

use super::Model;
use super::topics::Partition;

/// Leaders.
impl Model {
    /// Moves a partition to another leader and loses nothing that was acknowledged under acks=all.
    ///
    /// A replica in sync takes over with what it has; what the old leader had not handed on goes, and is listed in
    /// [`losses`](Model::losses). Any other broker gets a full copy first.
    pub fn move_leader(&mut self, topic: &str, partition: i32, to: i32) {
        assert!(self.is_up(to), "broker {to} is not up and can't lead");
        let now = self.now;
        let found = self.partition_mut(topic, partition);
        found.replicate(now);
        if found.in_sync().all(|id| id != to) {
            found.give_copy(to, now);
        }
        self.elect(topic, partition, Some(to));
    }

    /// Elects a replica that is not in sync: all it does not have goes, acknowledged or not, and is listed in
    /// [`losses`](Model::losses). It is the only replica in sync until others have caught up.
    ///
    /// # Panics
    ///
    /// If the broker is down or has no replica of the partition.
    pub fn elect_unclean(&mut self, topic: &str, partition: i32, to: i32) {
        assert!(self.is_up(to), "broker {to} is not up and can't lead");
        let now = self.now;
        let found = self.partition_mut(topic, partition);
        let is_replica = found.replicas.iter().any(|replica| replica.id == to);
        assert!(
            is_replica,
            "broker {to} has no replica of {topic}-{partition}"
        );
        found.replicate(now);
        let committed = found.high_watermark();
        found.stall(to, false);
        for replica in &mut found.replicas {
            replica.in_sync = false;
        }
        self.elect_from(topic, partition, Some(to), committed);
    }

    /// Moves a partition to a leader that never got the last `batches` batches, as an unclean election does. The new leader
    /// knows of the producers what the rest of the log says; [`forget_producers`](Model::forget_producers) makes it forget
    /// that too.
    pub fn move_leader_losing(&mut self, topic: &str, partition: i32, to: i32, batches: usize) {
        let offset = self
            .partition(topic, partition)
            .log
            .offset_before_last(batches);
        self.truncate(topic, partition, offset);
        self.move_leader(topic, partition, to);
    }

    /// Takes a partition's leader away; the next [`move_leader`](Model::move_leader) or
    /// [`start_broker`](Model::start_broker) gives it one.
    pub fn remove_leader(&mut self, topic: &str, partition: i32) {
        self.elect(topic, partition, None);
    }

    /// Elects the first replica that may lead of every partition whose leader meets the condition.
    pub(crate) fn elect_where(&mut self, condition: impl Fn(Option<i32>) -> bool) {
        for (topic, index) in self.all_partitions() {
            let partition = self.partition(&topic, index);
            let heir = partition.heir();
            if condition(partition.leader) && heir != partition.leader {
                self.elect(&topic, index, heir);
            }
        }
    }

    fn elect(&mut self, topic: &str, partition: i32, to: Option<i32>) {
        let committed = self.partition(topic, partition).high_watermark();
        self.elect_from(topic, partition, to, committed);
    }

    fn elect_from(&mut self, topic: &str, partition: i32, to: Option<i32>, committed: i64) {
        let now = self.now;
        let found = self.partition_mut(topic, partition);
        let gone = found.elect(to);
        found.replicate(now);
        self.lost(topic, partition, committed, gone);
    }
}

/// Replicas.
impl Model {
    /// How long a batch is on its way to each follower of a partition; no time by default. An answer under acks=all waits
    /// until all replicas in sync have the batch ([`Answer::Waits`](crate::Answer::Waits)).
    pub fn set_replication_lag(&mut self, topic: &str, partition: i32, lag: Duration) {
        let now = self.now;
        let found = self.partition_mut(topic, partition);
        found.replicate(now);
        found.lag = lag;
        found.is_settled = false;
        found.replicate(now);
    }

    /// Keeps a follower from copying anything, though it counts as in sync: answers under acks=all wait for it until it is
    /// taken out of sync, resumed, or the request's time is over. Does nothing to a broker that is no replica.
    pub fn stall_replica(&mut self, topic: &str, partition: i32, broker: i32) {
        let now = self.now;
        let found = self.partition_mut(topic, partition);
        found.replicate(now);
        found.stall(broker, true);
    }

    /// Takes a follower out of sync, and keeps it from copying, until [`resume_replica`](Model::resume_replica). Does nothing
    /// to the leader and to a broker that is no replica.
    pub fn shrink_isr(&mut self, topic: &str, partition: i32, broker: i32) {
        self.stall_replica(topic, partition, broker);
        let found = self.partition_mut(topic, partition);
        if found.leader != Some(broker) {
            found.drop_from_sync(broker);
        }
    }

    /// Lets a follower copy again; it is in sync once it has what the others in sync have.
    pub fn resume_replica(&mut self, topic: &str, partition: i32, broker: i32) {
        let now = self.now;
        let found = self.partition_mut(topic, partition);
        found.stall(broker, false);
        found.replicate(now);
    }

    /// The brokers that have a replica of a partition, the preferred leader first.
    pub fn replicas(&self, topic: &str, partition: i32) -> impl Iterator<Item = i32> {
        let replicas = &self.partition(topic, partition).replicas;
        replicas.iter().map(|replica| replica.id)
    }

    /// The replicas of a partition that are in sync, the leader among them.
    pub fn in_sync_replicas(&self, topic: &str, partition: i32) -> impl Iterator<Item = i32> {
        self.partition(topic, partition).in_sync()
    }

    /// The offset behind the last record that a broker's replica has; `None` if it has no replica of the partition.
    pub fn replica_end(&self, topic: &str, partition: i32, broker: i32) -> Option<i64> {
        let found = self.partition(topic, partition);
        let replica = found.replicas.iter().find(|replica| replica.id == broker)?;
        Some(if found.leader == Some(broker) {
            found.log.end()
        } else {
            replica.end
        })
    }

    /// Lets time pass in all partitions and groups.
    pub(crate) fn replicate(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let partitions = self
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions);
        partitions.for_each(|partition: &mut Partition| partition.replicate(now));
        self.groups.advance(self.now);
    }
}

/// Logs and what they say of producers.
impl Model {
    /// Forgets all producers of a partition, as a broker does after `producer.id.expiration.ms`.
    pub fn forget_producers(&mut self, topic: &str, partition: i32) {
        self.partition_mut(topic, partition).producers.clear();
    }

    /// Makes a partition believe that another instance wrote with this producer id and epoch.
    pub fn fence_producer(&mut self, topic: &str, partition: i32, producer_id: i64, epoch: i16) {
        self.partition_mut(topic, partition)
            .producers
            .fence(producer_id, epoch);
    }

    /// Cuts the log before `offset`, or before the batch that holds it; replicas and producer state follow, and
    /// [`losses`](Model::losses) lists what went.
    pub fn truncate(&mut self, topic: &str, partition: i32, offset: i64) {
        let found = self.partition_mut(topic, partition);
        let committed = found.high_watermark();
        let gone = found.truncate(offset);
        self.lost(topic, partition, committed, gone);
    }

    /// Moves the start of the log up to `offset`, as retention and DeleteRecords do; the producer state stays.
    pub fn delete_records(&mut self, topic: &str, partition: i32, before_offset: i64) {
        let found = self.partition_mut(topic, partition);
        let gone = found.log.delete_before(before_offset);
        self.released(&gone);
    }
}
