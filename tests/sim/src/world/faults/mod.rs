//! Every kind of trouble that a world can make, in five layers.

mod broker;
mod bytes;
mod cluster;
mod host;
mod hostile;
mod identity;
mod link;
mod replicas;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::{Fact, World};
use crate::Tamper;

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// The bytes of a connection.
    Bytes,
    /// Connections, paths and names.
    Link,
    /// One broker, and what it answers.
    Broker,
    /// Leaders, topics and who is who.
    Cluster,
    /// The producer's own process.
    Host,
}

/// Declares the kinds with their layers, so that none is forgotten in the list of all.
macro_rules! kinds {
    ($($(#[$doc:meta])* $layer:ident $name:ident,)*) => {
        /// A kind of fault. What it strikes, and for how long, is drawn when it [strikes](World::strike).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$doc])* $name,)*
            /// The bytes of an answer are not what the broker sent.
            Tampered(Tamper),
        }

        impl FaultKind {
            /// All kinds.
            pub fn all() -> Vec<FaultKind> {
                let mut all = vec![$(FaultKind::$name,)*];
                all.extend(Tamper::ALL.map(FaultKind::Tampered));
                all
            }

            /// Where it strikes.
            pub fn layer(self) -> Layer {
                match self {
                    $(FaultKind::$name => Layer::$layer,)*
                    FaultKind::Tampered(_) => Layer::Bytes,
                }
            }
        }
    };
}

kinds! {
    /// A Produce request breaks off in the middle.
    Bytes CutRequest,
    /// Answers come a few bytes at a time.
    Bytes DripAnswers,
    /// A bit of a batch in a Produce request is the other one.
    Bytes FlipRequest,
    /// An answer overtakes the one before it.
    Bytes SwapAnswers,

    /// Nobody listens.
    Link RefuseDials,
    /// Dials are never answered.
    Link LoseDials,
    /// Connections are closed as soon as they are up.
    Link CloseAtOnce,
    /// Connections are reset.
    Link Reset,
    /// Connections are closed in good order.
    Link Close,
    /// What is written never arrives.
    Link LoseRequests,
    /// What is answered never arrives.
    Link LoseAnswers,
    /// The peer is gone, and nobody says so.
    Link HalfOpen,
    /// The socket takes a few bytes at a time.
    Link SlowWrites,
    /// The path is a hundred times as long.
    Link Detour,
    /// The resolver fails.
    Link LookupFails,
    /// The resolver says nothing.
    Link LookupSilent,
    /// The name is gone.
    Link LookupUnknown,
    /// The name has no address.
    Link LookupEmpty,
    /// The name's first address is a dead one.
    Link LookupMoves,

    /// The broker's process ends and comes back later.
    Broker Crash,
    /// The broker's process stands still.
    Broker Pause,
    /// The broker takes its time.
    Broker Slow,
    /// The broker throttles.
    Broker Throttle,
    /// A batch is refused for now.
    Broker RefuseForNow,
    /// A batch is refused for good.
    Broker RefuseForGood,
    /// Some records of a batch are blamed.
    Broker BlameRecords,
    /// A batch is appended, and answered with a code that does not say so.
    Broker AppendThenCode,
    /// A batch is appended, and the connection closes.
    Broker AppendThenClose,
    /// A batch is appended, and nothing is ever answered.
    Broker AppendThenSilence,
    /// A batch is neither appended nor answered, and the connection closes.
    Broker DropRequest,
    /// The broker hangs.
    Broker Hang,
    /// An answer comes late.
    Broker Delay,
    /// An answer is made of noise.
    Broker Garbage,
    /// The limit of a batch's size is lowered.
    Broker LowerLimit,
    /// The broker is replaced by one of another version.
    Broker ChangeVersions,
    /// Metadata is refused for now.
    Broker RefuseMetadata,
    /// A producer id is refused for now.
    Broker RefuseProducerId,
    /// The versions are refused.
    Broker RefuseApiVersions,
    /// The producer may not see a topic, nor write to it, for a while.
    Broker RefuseTopic,
    /// The broker tells of a cluster that was.
    Broker StaleMetadata,
    /// An answer to Produce decodes and makes no sense.
    Broker HostileProduce,
    /// An answer to Metadata decodes and makes no sense.
    Broker HostileMetadata,
    /// An answer to InitProducerId decodes and makes no sense.
    Broker HostileProducerId,
    /// An answer to ApiVersions decodes and makes no sense.
    Broker HostileVersions,

    /// A partition is led by another broker.
    Cluster MoveLeader,
    /// A partition has no leader.
    Cluster NoLeader,
    /// A partition's leader is one that misses the newest batches.
    Cluster LoseBatches,
    /// The leader has lost what it knew of producers.
    Cluster ForgetProducers,
    /// Another producer has used a newer epoch.
    Cluster FenceProducer,
    /// The cluster says for a while that a topic does not exist.
    Cluster HideTopic,
    /// A topic is deleted and made again.
    Cluster RecreateTopic,
    /// A topic is deleted and made again with fewer partitions, led by others.
    Cluster ShrinkTopic,
    /// A topic gets more partitions.
    Cluster GrowTopic,
    /// Retention takes the oldest records.
    Cluster Retention,
    /// Brokers are of a kind that knows no producer whose records are all gone.
    Cluster OldBrokers,
    /// Batches take their time to the followers.
    Cluster ReplicationLag,
    /// A follower in sync copies nothing.
    Cluster StallReplica,
    /// Followers fall out of sync, perhaps more than `min.insync.replicas` allows.
    Cluster ShrinkIsr,
    /// A replica that is not in sync leads.
    Cluster UncleanElection,
    /// A broker has another id.
    Cluster RenumberBroker,
    /// Two brokers have each other's address.
    Cluster SwapAddresses,
    /// A broker leaves the cluster and joins again later.
    Cluster RemoveBroker,
    /// Another cluster answers behind the same names.
    Cluster ReplaceCluster,

    /// The producer's process stands still.
    Host Freeze,
    /// The wall clock jumps.
    Host WallJump,
    /// A future is dropped before its end.
    Host DropFuture,
    /// A callback panics.
    Host PanickingCallback,
    /// A callback sends.
    Host SendingCallback,
    /// More is sent than the buffer holds.
    Host MemoryFull,
    /// Records are purged.
    Host Purge,
}

impl FaultKind {
    /// It strikes the application, which has to play along: [`World::strike`] can't do it.
    pub fn is_of_the_application(self) -> bool {
        use FaultKind::{DropFuture, MemoryFull, PanickingCallback, Purge, SendingCallback};
        matches!(
            self,
            DropFuture | MemoryFull | PanickingCallback | Purge | SendingCallback
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Tampered(tamper) => write!(f, "{tamper:?}"),
            kind => write!(f, "{kind:?}"),
        }
    }
}

/// Kinds that are drawn for one fault, if those before find nobody to strike.
const MOST_TRIES: usize = 8;

impl World {
    /// Lets a fault strike somebody, now and for a while, drawn by chance; false if there is nobody to strike.
    pub fn strike(&mut self, kind: FaultKind) -> bool {
        let struck = match kind.layer() {
            Layer::Bytes => self.strike_bytes(kind),
            Layer::Link => self.strike_link(kind),
            Layer::Broker => self.strike_broker(kind),
            Layer::Cluster => self.strike_cluster(kind),
            Layer::Host => self.strike_host(kind),
        };
        let Some(target) = struck else {
            return false;
        };
        self.add(Fact::Struck { kind, target });
        true
    }

    /// Plans so many faults of these kinds at drawn moments within `time`, after which everything is healed.
    pub fn storm(&mut self, kinds: &[FaultKind], count: usize, time: Duration) {
        let kinds: Rc<[FaultKind]> = kinds.into();
        for _ in 0..count {
            let at = self.chance.duration(Duration::ZERO..time);
            let kinds = Rc::clone(&kinds);
            self.after(at, move |world| {
                // A fault that finds nobody makes way for another one.
                for _ in 0..MOST_TRIES {
                    let kind = *world.chance.pick(&kinds);
                    if world.now() >= world.calm_from || world.strike(kind) {
                        return;
                    }
                }
            });
        }
        self.calm_from = self.now() + time;
        self.after(time, World::heal);
    }

    /// Ends every fault: brokers are up, paths and names lead where they should, and every partition has a leader.
    pub fn heal(&mut self) {
        self.calm_from = self.now();
        self.cluster.clear_faults();
        self.heal_network();
        self.end_tampered();
        self.bring_back();
        self.heal_cluster();
        self.clock.set_right();
        self.frozen_until = self.now();
    }

    /// Ends the connections on which an answer was changed: what it said may bind a producer as long as they last, such
    /// as a throttling of days.
    fn end_tampered(&mut self) {
        let tampered = self.network.lock().tampered();
        tampered.into_iter().for_each(|wire| self.hang_up(wire));
    }

    /// Undoes something later, unless everything was healed meanwhile.
    fn undo_later(&mut self, undo: impl FnOnce(&mut World) + 'static) {
        let time = self.drawn_while();
        self.after(time, move |world| {
            if world.now() < world.calm_from {
                undo(world);
            }
        });
    }

    /// How long a fault lasts: mostly short, now and then longer than time-outs.
    fn drawn_while(&mut self) -> Duration {
        let longest = *self.chance.pick(&[100, 100, 1_000, 1_000, 5_000, 20_000]);
        self.chance
            .duration(Duration::from_millis(1)..Duration::from_millis(longest))
    }

    fn any_broker(&mut self) -> Option<i32> {
        let brokers: Vec<i32> = self.cluster.brokers().collect();
        (!brokers.is_empty()).then(|| *self.chance.pick(&brokers))
    }

    fn any_partition(&mut self) -> Option<(String, i32)> {
        let topics: Vec<String> = self.cluster.topics().map(str::to_owned).collect();
        if topics.is_empty() {
            return None;
        }
        let topic = self.chance.pick(&topics).clone();
        let partition = self.chance.below(self.cluster.partitions(&topic) as usize) as i32;
        Some((topic, partition))
    }
}
