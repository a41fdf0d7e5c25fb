//! What a seed decides before anything happens: settings, cluster, application and faults.

use std::time::Duration;

use ottla::{Acks, Config};

use super::focus::Focus;
use crate::{Api, Chance, Fault, FaultKind, On, Tamper, World, code};

/// The longest `delivery.timeout.ms`.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// All that is drawn for one trial.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Settings, in Java's words.
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) acks: Acks,
    pub(crate) is_idempotent: bool,
    pub(crate) keeps_order: bool,
    pub(crate) resends: bool,
    pub(crate) delivery_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) max_block: Duration,
    pub(crate) max_request_size: usize,
    pub(crate) brokers: u16,
    pub(crate) topics: Vec<Topic>,
    /// The brokers know no topic ids in Metadata.
    pub(crate) names_only: bool,
    pub(crate) records: usize,
    pub(crate) actors: usize,
    /// How long the faults strike.
    pub(crate) storm: Duration,
    pub(crate) kinds: Vec<FaultKind>,
    pub(crate) faults: usize,
    /// What the trial dwells on, if it does.
    pub(crate) focus: Option<Focus>,
    /// Brokers say of a batch before the remembered ones that it is a duplicate.
    pub(crate) names_old_duplicates: bool,
    /// The cluster minds requests that come on a throttled connection.
    pub(crate) watches_throttles: bool,
    pub(crate) ending: Ending,
    /// Where the partitions' sequences begin: near their end, now and then.
    pub(crate) first_sequence: i32,
    /// For each `send`, in percent: it, or its delivery, is dropped.
    pub(crate) drops: usize,
    /// For each callback, in percent: it panics; it sends.
    pub(crate) panics: usize,
    pub(crate) callback_sends: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
}

/// How the application ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// Everything has its outcome, and then the producer is closed.
    Rest,
    /// The producer is closed with everything under way, and time to finish.
    Close,
    /// The producer is closed in the middle of the faults, with little time.
    Force,
    /// The last handle is dropped.
    Drop,
    /// The driver is dropped in the middle of everything.
    Kill,
}

impl Ending {
    /// It comes in the middle of the storm.
    pub(crate) fn is_early(self) -> bool {
        matches!(self, Ending::Force | Ending::Kill)
    }
}

/// How long a request and an answer are on their way at most, where nothing [holds them up](HOLDS_UP).
const ON_THE_WAY: Duration = Duration::from_secs(1);

/// Kinds after which a producer may not have read an answer for a long time.
const HOLDS_UP: [FaultKind; 13] = [
    FaultKind::CutRequest,
    FaultKind::DripAnswers,
    FaultKind::SwapAnswers,
    FaultKind::LoseRequests,
    FaultKind::LoseAnswers,
    FaultKind::HalfOpen,
    FaultKind::SlowWrites,
    FaultKind::Detour,
    FaultKind::Garbage,
    FaultKind::Freeze,
    FaultKind::Tampered(Tamper::Stop),
    FaultKind::Tampered(Tamper::Cut),
    FaultKind::Tampered(Tamper::HugeLength),
];

impl Plan {
    pub(crate) fn draw(chance: &mut Chance) -> Plan {
        let mut settings = Vec::new();
        let mut set = |name, value: String| settings.push((name, value));
        let acks = *chance.pick(&[
            "all", "all", "all", "all", "all", "all", "all", "all", "1", "0",
        ]);
        let is_idempotent = acks == "all" && chance.percent(85);
        let in_flight = if is_idempotent {
            chance.within(1..6)
        } else {
            *chance.pick(&[1, 5])
        };
        set("acks", acks.to_owned());
        set("enable.idempotence", is_idempotent.to_string());
        set(
            "max.in.flight.requests.per.connection",
            in_flight.to_string(),
        );
        if chance.percent(15) {
            set("retries", chance.within(1..6).to_string());
        }
        let resends = chance.percent(10);
        if resends {
            set("sequence.gap.policy", "resend".to_owned());
        }
        set(
            "batch.size",
            chance
                .pick(&["0", "1", "200", "1000", "16384", "65536"])
                .to_string(),
        );
        set(
            "buffer.memory",
            chance
                .pick(&["20000", "100000", "1000000", "33554432"])
                .to_string(),
        );
        let max_request_size = *chance.pick(&[4_000, 30_000, 1 << 20]);
        set("max.request.size", max_request_size.to_string());
        let mut millis = |name, choices: &[u64]| {
            let drawn = *chance.pick(choices);
            set(name, drawn.to_string());
            Duration::from_millis(drawn)
        };
        let linger = millis("linger.ms", &[0, 1, 5, 50, 1_000]);
        let request = millis("request.timeout.ms", &[200, 1_000, 5_000, 30_000]);
        let delivery = linger + request;
        let delivery = delivery * *chance.pick(&[1, 2, 4, 10]);
        settings.push(("delivery.timeout.ms", delivery.as_millis().to_string()));
        let mut millis = |name, choices: &[u64]| {
            let drawn = *chance.pick(choices);
            settings.push((name, drawn.to_string()));
            Duration::from_millis(drawn)
        };
        let max_block = millis("max.block.ms", &[0, 100, 5_000, 60_000]);
        millis("retry.backoff.ms", &[1, 10, 100, 300]);
        millis("retry.backoff.max.ms", &[10, 1_000]);
        millis("reconnect.backoff.ms", &[1, 50]);
        millis("reconnect.backoff.max.ms", &[50, 1_000]);
        millis("metadata.max.age.ms", &[500, 10_000, 300_000]);
        millis("connections.max.idle.ms", &[1_000, 540_000]);
        millis("socket.connection.setup.timeout.ms", &[300, 10_000]);
        millis("socket.connection.setup.timeout.max.ms", &[1_000, 30_000]);
        millis("partitioner.availability.timeout.ms", &[0, 500]);
        let adaptive = chance.percent(70).to_string();
        let growth = chance.pick(&["0", "20000", "65536"]);
        settings.push(("batch.growth.max.bytes", (*growth).to_owned()));
        settings.push(("partitioner.adaptive.partitioning.enable", adaptive));
        settings.push(("partitioner.ignore.keys", chance.percent(10).to_string()));
        let plan = Plan {
            acks: match acks {
                "all" => Acks::All,
                "1" => Acks::Leader,
                _ => Acks::None,
            },
            is_idempotent,
            keeps_order: is_idempotent || (in_flight == 1 && acks != "0"),
            resends,
            delivery_timeout: delivery,
            request_timeout: request,
            max_block,
            max_request_size,
            settings,
            ..Plan::draw_world(chance)
        };
        let mut side = aside(chance);
        let mut plan = plan.perhaps_focused(&mut side);
        plan.settings.extend(codec(&mut side));
        plan.perhaps_without_deadline(chance)
    }

    /// Now and then the deadline is the last that there is, if no record waits for a partition that is gone.
    fn perhaps_without_deadline(mut self, chance: &mut Chance) -> Plan {
        // A partition that is gone, or a broker that refuses a producer without saying why, keeps a record that long.
        let endless = [
            FaultKind::RecreateTopic,
            FaultKind::ShrinkTopic,
            FaultKind::ReplaceCluster,
            FaultKind::OldBrokers,
            FaultKind::HostileMetadata,
        ];
        let may_end = !endless.iter().any(|kind| self.kinds.contains(kind));
        if may_end && chance.percent(15) {
            self.delivery_timeout = LONGEST;
            let mut settings = self.settings.iter_mut();
            if let Some(setting) = settings.find(|(name, _)| *name == "delivery.timeout.ms") {
                setting.1 = LONGEST.as_millis().to_string();
            }
        }
        self
    }

    /// The cluster, the application and the faults, for whatever settings.
    fn draw_world(chance: &mut Chance) -> Plan {
        let topics = ["alpha", "beta", "gamma", "delta"][..chance.within(1..5)].iter();
        let topics = topics.map(|name| Topic {
            name: (*name).to_owned(),
            partitions: *chance.pick(&[1, 2, 3, 6, 12]),
        });
        let topics = topics.collect();
        let mut kinds = FaultKind::all();
        let mix = chance.within(4..kinds.len());
        while kinds.len() > mix {
            kinds.swap_remove(chance.below(kinds.len()));
        }
        let watches_throttles = chance.percent(20);
        if watches_throttles {
            kinds.retain(|kind| !HOLDS_UP.contains(kind));
            kinds.push(FaultKind::Throttle);
        }
        let names_only = chance.percent(5);
        let has = |kind| kinds.contains(&kind);
        let ending = *chance.pick(&[
            Ending::Rest,
            Ending::Rest,
            Ending::Rest,
            Ending::Close,
            Ending::Close,
            Ending::Force,
            Ending::Drop,
            Ending::Kill,
        ]);
        let faults = chance.within(36..70);
        Plan {
            watches_throttles,
            focus: None,
            names_old_duplicates: chance.percent(30),
            settings: Vec::new(),
            acks: Acks::All,
            is_idempotent: true,
            keeps_order: true,
            resends: false,
            delivery_timeout: Duration::ZERO,
            request_timeout: Duration::ZERO,
            max_block: Duration::ZERO,
            max_request_size: 0,
            brokers: *chance.pick(&[1, 2, 3, 3, 5]),
            topics,
            names_only,
            records: chance.within(500..800),
            actors: *chance.pick(&[1, 2, 3, 4, 4, 8]),
            storm: Plan::draw_storm(chance),
            // An end in the middle of the storm leaves the last of them without anybody to strike.
            faults: if ending.is_early() {
                faults * 3 / 2
            } else {
                faults
            },
            ending,
            // Brokers take it only from a producer that they never heard of.
            first_sequence: match has(FaultKind::FenceProducer) {
                true => 0,
                false => *chance.pick(&[0, i32::MAX - 10]),
            },
            drops: if has(FaultKind::DropFuture) { 10 } else { 0 },
            panics: if has(FaultKind::PanickingCallback) {
                10
            } else {
                0
            },
            callback_sends: if has(FaultKind::SendingCallback) {
                10
            } else {
                0
            },
            kinds,
        }
    }

    /// Before this the application does not stop.
    pub(crate) fn most_of_the_storm(&self) -> Duration {
        self.storm * 7 / 10
    }

    /// Mostly about as long as time-outs, now and then as long as what a producer remembers.
    fn draw_storm(chance: &mut Chance) -> Duration {
        let seconds = match chance.percent(5) {
            true => 400..900,
            false => 3..60,
        };
        chance.duration(Duration::from_secs(seconds.start)..Duration::from_secs(seconds.end))
    }

    /// The world that was drawn, before its first fault.
    pub(crate) fn world(&self, seed: u64, chance: &mut Chance) -> World {
        let mut world = World::new(self.brokers, seed);
        let replicas = chance.within(1..4);
        let in_sync = replicas.min(usize::from(self.brokers)).min(2);
        world.cluster.set_replication(replicas);
        world
            .cluster
            .set_min_insync_replicas(chance.within(1..in_sync + 1));
        if self.watches_throttles {
            world.cluster.set_throttle_grace(Some(ON_THE_WAY));
        }
        world
            .cluster
            .set_names_old_duplicates(self.names_old_duplicates);
        world
            .cluster
            .set_names_unknown_producers(chance.percent(20));
        if chance.percent(15) {
            world.cluster.set_remembered_batches(chance.within(1..3));
        }
        world.cluster.set_leader_hints(chance.percent(70));
        world.cluster.set_auto_create(chance.percent(30));
        if chance.percent(10) {
            world
                .cluster
                .set_next_producer(5, i16::MAX - 1 - chance.below(3) as i16);
        }
        for topic in &self.topics {
            world.cluster.create_topic(&topic.name, topic.partitions);
            world
                .cluster
                .set_log_append_time(&topic.name, chance.percent(20));
            if chance.percent(15) {
                let limit = *chance.pick(&[1_000, 20_000]);
                world
                    .cluster
                    .set_topic_max_message_bytes(&topic.name, limit);
            }
            if chance.percent(30) {
                let lag = chance.duration(Duration::ZERO..Duration::from_millis(50));
                for partition in 0..topic.partitions {
                    world
                        .cluster
                        .set_replication_lag(&topic.name, partition, lag);
                }
            }
        }
        for broker in 1..=i32::from(self.brokers) {
            let latency = chance.duration(Duration::from_micros(100)..Duration::from_millis(20));
            world.set_latency(broker, latency, latency / 2);
            let is_patient = self.watches_throttles || self.is_without_deadline();
            if !is_patient && chance.percent(20) {
                world.set_bandwidth(broker, Some(*chance.pick(&[50_000, 1_000_000, 50_000_000])));
                world.set_send_buffer(broker, *chance.pick(&[100, 4_000, 64_000]));
            }
            let newest = *chance.pick(&[3, 8, 9, 11, 12, 13, 13, 13]);
            world
                .cluster
                .set_versions(broker, Api::Produce, Some((0, newest)));
            if self.names_only {
                world
                    .cluster
                    .set_versions(broker, Api::Metadata, Some((0, 9)));
            }
        }
        self.draw_rarities(&mut world, chance);
        let (is_old, is_sluggish) = (chance.percent(5), chance.percent(10));
        // These dwell on what brokers do, and have them do nothing else.
        let is_narrow = matches!(self.focus, Some(Focus::Reasons | Focus::Farewells));
        if is_old && !is_narrow {
            self.begin_with_an_old_broker(&mut world, chance);
        }
        if is_sluggish && !is_narrow {
            self.begin_with_sluggish_brokers(&mut world, chance);
        }
        let mut aside = aside(chance);
        self.draw_host(&mut world, &mut aside);
        self.dwell(&mut world, &mut aside);
        world
    }

    /// One broker takes no record batches until it is replaced, while faults still strike.
    fn begin_with_an_old_broker(&self, world: &mut World, chance: &mut Chance) {
        world.cluster.set_versions(1, Api::Produce, Some((0, 2)));
        let replaced = chance.duration(Duration::ZERO..self.storm / 2);
        world.after(replaced, |world| {
            // It may have another number by now.
            let at_its_place = |id: &i32| world.cluster.address(*id).0 == "broker-1";
            let broker = world.cluster.brokers().find(at_its_place);
            if let Some(broker) = broker {
                world
                    .cluster
                    .set_versions(broker, Api::Produce, Some((0, 13)));
                world.reset(broker);
            }
        });
    }

    /// The brokers answer when the requests' time is nearly over, refusals included, until all faults are over.
    fn begin_with_sluggish_brokers(&self, world: &mut World, chance: &mut Chance) {
        let patience = self.millis("request.timeout.ms");
        for broker in 1..=i32::from(self.brokers) {
            let slowness = chance.duration(patience / 2..patience);
            world.set_slowness(broker, slowness);
        }
        for _ in 0..60 {
            let topic = chance.pick(&self.topics);
            let partition = chance.below(topic.partitions.max(1) as usize) as i32;
            let on = On::produce(&topic.name, partition);
            let code = *chance.pick(&[code::NOT_ENOUGH_REPLICAS, code::MESSAGE_TOO_LARGE]);
            world.after(chance.duration(Duration::ZERO..self.storm), move |world| {
                world.cluster.inject(on, Fault::Refuse(code));
            });
        }
    }

    /// No record's time is over before the trial is.
    pub(crate) fn is_without_deadline(&self) -> bool {
        self.delivery_timeout >= LONGEST
    }

    /// A setting that was drawn, if it is a number.
    pub(crate) fn number(&self, setting: &str) -> Option<usize> {
        let drawn = self.settings.iter().find(|(name, _)| *name == setting)?;
        drawn.1.parse().ok()
    }

    /// What a batch under a codec has at most before it is compressed, and so if it does not shrink as was foretold; 0
    /// without a codec.
    pub(crate) fn largest_batch(&self) -> usize {
        let compresses = |(name, _): &(&str, String)| *name == "compression.type";
        if !self.settings.iter().any(compresses) {
            return 0;
        }
        let batch_size = self.number("batch.size").unwrap_or(16_384);
        let memory = self.number("buffer.memory").unwrap_or(32 << 20);
        (16 * batch_size).min(memory / 16)
    }

    /// A setting that is a number of milliseconds; zero if it was not drawn.
    pub(crate) fn millis(&self, setting: &str) -> Duration {
        Duration::from_millis(self.number(setting).unwrap_or(0) as u64)
    }

    /// The producer's settings.
    pub(crate) fn config(&self) -> Config {
        let servers: Vec<String> = (1..=self.brokers)
            .map(|n| format!("broker-{n}:9092"))
            .collect();
        let servers = servers.join(",");
        let own = [("bootstrap.servers", &*servers), ("client.id", "trial")];
        let drawn = self.settings.iter().map(|(name, value)| (*name, &**value));
        Config::from_properties(own.into_iter().chain(drawn))
            .expect("drawn settings are valid")
            .with_first_sequence(self.first_sequence)
    }
}

/// Every other producer compresses, most of them at their codec's default level.
fn codec(chance: &mut Chance) -> Vec<(&'static str, String)> {
    let (codec, level) = *chance.pick(&[
        ("gzip", Some(("compression.gzip.level", ["1", "9"]))),
        ("snappy", None),
        ("lz4", Some(("compression.lz4.level", ["1", "17"]))),
        ("zstd", Some(("compression.zstd.level", ["-5", "19"]))),
    ]);
    if chance.percent(50) {
        return Vec::new();
    }
    let mut settings = vec![("compression.type", codec.to_owned())];
    if let Some((name, levels)) = level
        && chance.percent(30)
    {
        settings.push((name, (*chance.pick(&levels)).to_owned()));
    }
    settings
}

/// A stream from which to draw what is not to move what is drawn otherwise.
fn aside(chance: &Chance) -> Chance {
    chance.clone().fork()
}
