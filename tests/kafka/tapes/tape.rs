//! Drawing a tape: requests around the points where a broker's rules change.

use std::collections::BTreeMap;

use super::ask::{
    ApiVersions, Ask, Content, Damage, InitProducerId, Metadata, Part, Produce, Topic, What,
};
use super::batch::{Batch, Harm, Stamp, Writer};
use super::world::LINKS;
use crate::workload::Dice;

/// A sequence of requests that its number alone determines.
pub(crate) struct Tape {
    pub(crate) topics: Vec<OwnTopic>,
    pub(crate) asks: Vec<Ask>,
}

/// A topic that is there before the tape begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnTopic {
    pub(crate) partitions: i32,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// `max.message.bytes` is [`SMALL`].
    Small,
    AppendTime,
    Compacted,
}

/// The largest batch of a topic for small ones.
pub(crate) const SMALL: usize = 600;
pub(crate) const HOUR: i64 = 3_600_000;
/// No broker comes this far with its producer ids.
const STRANGERS: i64 = 1 << 40;

impl Tape {
    /// Draws a tape whose records are of the time `now`, in milliseconds.
    pub(crate) fn draw(number: u64, now: i64) -> Self {
        let mut dice = Dice(number);
        let kinds = [Kind::Plain, Kind::Small, Kind::AppendTime, Kind::Compacted];
        let topics = vec![
            OwnTopic {
                partitions: dice.between(1..4) as i32,
                kind: Kind::Plain,
            },
            OwnTopic {
                partitions: dice.between(1..3) as i32,
                kind: kinds[dice.between(0..4) as usize],
            },
        ];
        let mut drawing = Drawing {
            dice,
            now,
            topics: &topics,
            stranger: STRANGERS + number as i64 * 4,
            initialised: 0,
            lines: BTreeMap::new(),
        };
        let length = drawing.dice.between(16..33);
        let mut asks = vec![drawing.first()];
        asks.extend((1..length).map(|_| drawing.ask()));
        Self { topics, asks }
    }
}

/// A tape in the making.
pub(crate) struct Drawing<'a> {
    pub(crate) dice: Dice,
    pub(crate) now: i64,
    pub(crate) topics: &'a [OwnTopic],
    pub(crate) stranger: i64,
    pub(crate) initialised: usize,
    pub(crate) lines: BTreeMap<(usize, i32, Writer), Line>,
}

/// What a partition should know of a producer if it follows the rules.
#[derive(Clone, Default)]
pub(crate) struct Line {
    pub(crate) epoch: i16,
    pub(crate) next: i32,
    pub(crate) sent: Vec<Batch>,
}

impl Drawing<'_> {
    fn ask(&mut self) -> Ask {
        match self.dice.between(0..100) {
            0..72 => self.produce(),
            72..82 => {
                let version = self.version(0..6);
                self.init_producer_id(version)
            }
            82..93 => self.metadata(),
            _ => self.api_versions(),
        }
    }

    /// A producer id, without which there is not much to say.
    fn first(&mut self) -> Ask {
        self.initialised = 1;
        Ask {
            link: 0,
            version: self.dice.between(0..6) as i16,
            what: What::InitProducerId(InitProducerId {
                transactional_id: None,
                writer: Writer::Nobody,
                epoch: -1,
            }),
            damage: Damage::None,
        }
    }

    fn init_producer_id(&mut self, version: i16) -> Ask {
        let known = self.writer_with_id();
        let writer = self.pick([Writer::Nobody, Writer::Nobody, known]);
        let epoch = self.pick([-1, -1, 0, 7]);
        self.initialised += 1;
        let what = What::InitProducerId(InitProducerId {
            transactional_id: self.pick([None, None, None, None, Some("")]),
            writer,
            epoch,
        });
        self.ask_in(version, what)
    }

    fn metadata(&mut self) -> Ask {
        let topics = (0..self.dice.between(0..4)).map(|_| match self.dice.between(0..12) {
            0..3 => Topic::Own(self.dice.between(0..2) as usize),
            3..6 => Topic::OwnById(self.dice.between(0..2) as usize),
            6 => Topic::Unknown(0),
            7 => Topic::Unknown(0xbeef),
            8 => Topic::Named("bad name!"),
            9 => Topic::Named(""),
            10 => Topic::Named(".."),
            _ => Topic::Named("nowhere"),
        });
        let topics: Vec<Topic> = topics.collect();
        let what = What::Metadata(Metadata {
            topics: (!self.one_in(5)).then_some(topics),
            may_create: self.one_in(2),
            cluster_rights: self.one_in(4),
            topic_rights: self.one_in(4),
        });
        let version = self.version(0..14);
        self.ask_in(version, what)
    }

    fn api_versions(&mut self) -> Ask {
        let what = What::ApiVersions(ApiVersions {
            name: self.pick(["tape", "tape", "ta-p.e", "", "-tape", "tape!"]),
            version: self.pick(["1.0", "1.0", "1", "", "1.0.", "one two"]),
        });
        let version = self.version(0..5);
        self.ask_in(version, what)
    }

    fn produce(&mut self) -> Ask {
        let parts = self.pick([1, 1, 1, 1, 2, 3]);
        let mut parts: Vec<Part> = (0..parts).map(|_| self.part()).collect();
        // One batch a partition: of several, which no producer sends, Kafka answers one.
        parts.sort_by_key(Part::place);
        parts.dedup_by_key(|part| part.place());
        let acks = self.pick([-1, -1, -1, -1, -1, 1, 1, 0, 2, -2]);
        if acks == 0 {
            // A closed connection does not say which of several is to blame.
            parts.truncate(1);
        }
        let what = What::Produce(Produce {
            acks,
            transactional_id: self.one_in(30).then_some("letters"),
            parts,
        });
        let version = self.version(3..14);
        let ask = self.ask_in(version, what);
        self.follow(&ask);
        ask
    }

    /// A request in this version, now and then damaged.
    fn ask_in(&mut self, version: i16, what: What) -> Ask {
        let damage = match self.dice.between(0..60) {
            0 => Damage::Cut(self.dice.between(1..20) as usize),
            1 => Damage::Trailing(self.dice.between(1..20) as usize),
            _ => Damage::None,
        };
        Ask {
            link: self.dice.between(0..LINKS as u64) as usize,
            version,
            what,
            damage,
        }
    }

    fn part(&mut self) -> Part {
        let own = usize::from(self.one_in(4));
        let (topic, partition) = match self.dice.between(0..40) {
            0 => (Topic::Named("nowhere"), 0),
            1 => (Topic::Unknown(0xbeef), 0),
            2 => (Topic::Named("bad name!"), 0),
            3 => (Topic::Own(own), self.pick([-1, 7])),
            _ => {
                let partitions = self.topics[own].partitions as u64;
                (Topic::Own(own), self.dice.between(0..partitions) as i32)
            }
        };
        let content = match self.dice.between(0..60) {
            0 => Content::Empty,
            _ => Content::Batch(self.batch(own, partition)),
        };
        Part {
            topic,
            partition,
            content,
        }
    }

    /// Notes what a broker should take, so that the next stamps are drawn around it.
    fn follow(&mut self, ask: &Ask) {
        let What::Produce(Produce { acks, parts, .. }) = &ask.what else {
            return;
        };
        if !(3..=13).contains(&ask.version) || ask.damage != Damage::None || !(-1..2).contains(acks)
        {
            return;
        }
        for part in parts {
            let (Topic::Own(topic), Content::Batch(batch)) = (&part.topic, &part.content) else {
                continue;
            };
            let Stamp {
                writer,
                epoch,
                sequence,
            } = batch.stamp;
            let whole = batch.harm == Harm::None && batch.attributes == 0 && sequence >= 0;
            if writer == Writer::Nobody || !whole || batch.timestamps.1 > self.now + HOUR {
                continue;
            }
            let key = (*topic, part.partition, writer);
            let known = self.lines.get(&key).cloned();
            let fits = known.as_ref().is_none_or(|line| {
                (epoch == line.epoch && sequence == line.next)
                    || (epoch > line.epoch && sequence == 0)
            });
            if fits {
                let mut line = known.filter(|line| line.epoch == epoch).unwrap_or_default();
                line.epoch = epoch;
                line.next = sequence.wrapping_add(batch.records.len() as i32) & i32::MAX;
                line.sent.push(batch.clone());
                self.lines.insert(key, line);
            }
        }
    }

    pub(crate) fn writer_with_id(&mut self) -> Writer {
        match self.dice.between(0..6) {
            0 => Writer::Stranger(self.stranger + self.dice.between(0..2) as i64),
            _ => Writer::Initialised(
                self.dice.between(0..self.initialised.clamp(1, 3) as u64) as usize
            ),
        }
    }

    /// One of the versions that both serve, seldom one that neither does.
    fn version(&mut self, range: std::ops::Range<i16>) -> i16 {
        match self.dice.between(0..50) {
            0 => self.pick([range.start - 1, range.end + 1, 99]),
            _ => range.start + self.dice.between(0..(range.end - range.start) as u64) as i16,
        }
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.dice.between(0..n) == 0
    }

    pub(crate) fn pick<T: Clone, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.dice.between(0..N as u64) as usize].clone()
    }
}
