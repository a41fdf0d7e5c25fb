//! Drawing the batches of a tape: stamps around what the partition should expect next, and now and then broken bytes.

use super::batch::{Batch, Harm, Record, Stamp, Writer};
use super::tape::{Drawing, HOUR, Line, SMALL};

/// Beyond `message.max.bytes`.
const HUGE: usize = 1_100_000;

impl Drawing<'_> {
    /// A batch for a partition of one of the tape's topics.
    pub(crate) fn batch(&mut self, topic: usize, partition: i32) -> Batch {
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
}
