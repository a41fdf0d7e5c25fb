//! Drawing a tape: requests around the points where a broker's rules change.

use std::collections::BTreeMap;

use super::ask::{
    ApiVersions, Ask, Content, Damage, InitProducerId, Metadata, Part, Produce, Topic, What,
};
use super::batch::{Batch, Harm, Record, Stamp, Writer};
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
/// Beyond `message.max.bytes`.
const HUGE: usize = 1_100_000;
const HOUR: i64 = 3_600_000;
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
struct Drawing<'a> {
    dice: Dice,
    now: i64,
    topics: &'a [OwnTopic],
    stranger: i64,
    initialised: usize,
    lines: BTreeMap<(usize, i32, Writer), Line>,
}

/// What a partition should know of a producer if it follows the rules.
#[derive(Clone, Default)]
struct Line {
    epoch: i16,
    next: i32,
    sent: Vec<Batch>,
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
        let what = What::Produce(Produce {
            acks: self.pick([-1, -1, -1, -1, -1, 1, 1, 0, 2, -2]),
            transactional_id: self
                .pick([None; 12])
                .or(self.one_in(30).then_some("letters")),
            parts: (0..parts).map(|_| self.part()).collect(),
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

    fn batch(&mut self, topic: usize, partition: i32) -> Batch {
        let writer = match self.dice.between(0..10) {
            0 => Writer::Nobody,
            _ => self.writer_with_id(),
        };
        let line = self.lines.get(&(topic, partition, writer)).cloned();
        let mut batch = match line {
            _ if writer == Writer::Nobody => self.fresh(Stamp::NONE),
            None => {
                let sequence = self.pick([0, 0, 0, 0, 5, i32::MAX - 2, i32::MAX]);
                let epoch = self.pick([0, 0, 0, 0, 3, i16::MAX]);
                self.fresh(Stamp {
                    writer,
                    epoch,
                    sequence,
                })
            }
            Some(line) => self.next_in(writer, &line),
        };
        if self.one_in(6) {
            self.spoil(&mut batch);
        }
        batch
    }

    /// A batch of somebody who has written before: mostly the next one, else one around it.
    fn next_in(&mut self, writer: Writer, line: &Line) -> Batch {
        let (epoch, next) = (line.epoch, line.next);
        let stamp = |epoch: i16, sequence: i32| Stamp {
            writer,
            epoch,
            sequence: sequence & i32::MAX,
        };
        let before = |batches: u64| {
            let place = line.sent.len().checked_sub(batches as usize)?;
            line.sent.get(place).cloned()
        };
        match self.dice.between(0..20) {
            // The same again: one of the last five, or one before them.
            0..3 => before(self.dice.between(1..6)).unwrap_or_else(|| self.fresh(stamp(epoch, 0))),
            3 => before(self.dice.between(6..9)).unwrap_or_else(|| self.fresh(stamp(epoch, 0))),
            // The same first sequence as one of the last, the same or another last one.
            4 | 5 => {
                let again = before(self.dice.between(1..6)).map_or(next, |b| b.stamp.sequence);
                self.fresh(stamp(epoch, again))
            }
            // From within the last batch on.
            6 => self.fresh(stamp(epoch, next.wrapping_sub(1))),
            7 => {
                let gap = self.dice.between(1..5) as i32;
                self.fresh(stamp(epoch, next.wrapping_add(gap)))
            }
            8 => self.fresh(stamp(epoch.saturating_add(1), 0)),
            9 => self.fresh(stamp(epoch.saturating_add(1), next)),
            10 => self.fresh(stamp(epoch.saturating_sub(1), next)),
            11 => self.fresh(Stamp {
                sequence: -1,
                ..stamp(epoch, 0)
            }),
            12 => self.fresh(stamp(-1, next)),
            _ => self.fresh(stamp(epoch, next)),
        }
    }

    fn fresh(&mut self, stamp: Stamp) -> Batch {
        let first = match self.dice.between(0..24) {
            0 => 0,
            1 => -1,
            2 => self.now + 2 * HOUR,
            3 => self.now + HOUR / 2,
            4 => self.pick([i64::MAX, i64::MIN, -5, i64::MAX / 2]),
            _ => self.now - HOUR - self.dice.between(0..1_000) as i64,
        };
        let last = match self.dice.between(0..12) {
            0 => first.saturating_add(HOUR),
            _ => first,
        };
        let records: Vec<Record> = (0..self.pick([1, 1, 2, 3]))
            .map(|_| self.record())
            .collect();
        Batch {
            stamp,
            attributes: 0,
            timestamps: match records.len() {
                1 => (first, first),
                _ => (first, first.max(last)),
            },
            records,
            harm: Harm::None,
        }
    }

    fn record(&mut self) -> Record {
        let size = match self.dice.between(0..400) {
            0 => HUGE,
            1..40 => SMALL,
            _ => self.dice.between(0..30) as usize,
        };
        let byte = self.dice.between(0..256) as u8;
        let header = (b"name".to_vec(), self.pick([None, Some(b"value".to_vec())]));
        Record {
            key: self.pick([None, Some(b"key".to_vec()), Some(Vec::new())]),
            value: (!self.one_in(12)).then(|| vec![byte; size]),
            header: self.one_in(4).then_some(header),
        }
    }

    fn spoil(&mut self, batch: &mut Batch) {
        let count = batch.records.len() as i32;
        let near = self.pick([-1, 1]);
        batch.harm = match self.dice.between(0..20) {
            0..2 => Harm::Checksum,
            2 => Harm::BaseOffset(self.pick([1, -1, i64::MAX])),
            3 => Harm::Magic(self.pick([0, 1, 3, -1])),
            4..6 => Harm::Count(self.pick([count + 1, count - 1, -1, i32::MAX])),
            6..8 => Harm::LastOffsetDelta(self.pick([count, count - 2, -1, i32::MAX])),
            8 => Harm::Length(self.pick([1, -1, 1_000, -1_000])),
            9 => Harm::Cut(self.pick([1, 11, 13, 17, 40, 61, 65])),
            10 => Harm::Trailing(self.pick([1, 11, 12, 17, 61])),
            11 => Harm::Twice,
            12 => Harm::OffsetDelta(self.pick([1, -1, 100])),
            13 => Harm::RecordLength(near),
            14 => Harm::MaxTimestamp(batch.timestamps.1.wrapping_add(self.pick([-1, 1, HOUR]))),
            15 => Harm::Garbage(self.pick([0, 0xff, 0x55])),
            _ => {
                batch.attributes = self.pick([1, 2, 3, 4, 5, 7, 8, 16, 32, 48, 64, 128]);
                Harm::None
            }
        };
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

    fn writer_with_id(&mut self) -> Writer {
        match self.dice.between(0..6) {
            0 => Writer::Stranger(self.stranger + self.dice.between(0..2) as i64),
            _ => Writer::Initialised(
                self.dice.between(0..self.initialised.clamp(1, 3) as u64) as usize
            ),
        }
    }

    /// One of the versions that there are, seldom one beside them.
    fn version(&mut self, range: std::ops::Range<i16>) -> i16 {
        match self.dice.between(0..50) {
            0 => self.pick([range.start - 1, range.end, 99]),
            _ => range.start + self.dice.between(0..(range.end - range.start) as u64) as i16,
        }
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.dice.between(0..n) == 0
    }

    fn pick<T: Clone, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.dice.between(0..N as u64) as usize].clone()
    }
}
