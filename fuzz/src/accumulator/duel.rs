//! One tape for both, and every answer compared.

use std::time::Duration;

use ottla_core::Instant;
use ottla_core::fuzzing::{self, Accumulator, Appended};

use super::model::{Batch, HEAD, Model, Settings, State};
use crate::Tape;
use crate::letters::Letter;

/// The accumulator and its model.
pub struct Duel {
    ours: Accumulator,
    model: Model,
    partitions: usize,
    linger: Duration,
    now: u64,
    /// What was charged and not given back.
    charged: usize,
}

impl Duel {
    /// Both, with settings off the tape.
    pub fn new(tape: &mut Tape<'_>) -> Self {
        let settings = Settings {
            batch_size: tape.one_of(&[0, 1, 100, 300, 1000, 5000]),
            growth: tape.one_of(&[0, 500, 4000]),
            chunk_size: tape.one_of(&[256, 512, 4096]),
            linger: Duration::from_nanos(tape.one_of(&[0, 1, 5, 50])),
            delivery_timeout: Duration::from_nanos(tape.one_of(&[0, 20, 1000, u64::MAX])),
            partitions: 1 + tape.below(4),
        };
        Self {
            ours: Accumulator::new(
                settings.batch_size,
                settings.growth,
                settings.chunk_size,
                settings.linger,
                settings.delivery_timeout,
                settings.partitions,
            ),
            partitions: settings.partitions,
            linger: settings.linger,
            model: Model::new(settings),
            now: 1_000,
            charged: 0,
        }
    }

    /// Asks both the next thing on the tape.
    pub fn turn(&mut self, tape: &mut Tape<'_>) {
        let now = Instant::from_nanos(self.now);
        match tape.below(12) {
            0..3 => self.append(tape, now),
            // Time may lag.
            3 => self.now = (self.now + u64::from(tape.byte())).saturating_sub(10),
            4 => {
                let expected = self.model.lingered(now);
                assert_eq!(self.ours.lingered(now), expected.map(|p| p as u32));
            }
            5 => {
                let partition = tape.below(self.partitions);
                let was_ready = self.model.is_ready(partition);
                self.model.make_ready(partition);
                let expected = !was_ready && self.model.is_ready(partition);
                assert_eq!(self.ours.make_ready(partition as u32), expected);
            }
            6 => {
                let partition = tape.below(self.partitions);
                let expected = self.model.take(partition).map(|n| self.slot(n));
                assert_eq!(self.ours.take(partition as u32), expected);
            }
            7 => {
                let from = tape.byte().into();
                if let Some(n) = self.model.find(from, |b| b.state == State::Taken) {
                    self.model.put_back(n);
                    self.ours.put_back(self.slot(n));
                }
            }
            8 => {
                let expected = self.model.expired(now).map(|n| self.slot(n));
                assert_eq!(self.ours.expired(now), expected);
            }
            9 => self.split(tape),
            10 => {
                let (partition, largest) =
                    (tape.below(self.partitions), 16 * usize::from(tape.byte()));
                self.model.limit_growth(partition, largest);
                self.ours.limit_growth(partition as u32, largest);
            }
            _ => self.end_or_tell(tape),
        }
    }

    /// Compares all that both can be asked without a change.
    pub fn compare(&mut self) {
        let live = |n: &usize| self.model.batches()[*n].is_live();
        let all = 0..self.model.batches().len();
        let mut slots: Vec<u32> = all.clone().filter(live).map(|n| self.slot(n)).collect();
        slots.sort_unstable();
        assert_eq!(self.ours.live(), slots);
        assert_eq!(self.ours.is_empty(), slots.is_empty());
        assert_eq!(self.ours.next_timeouts(), self.model.next_timeouts());

        let mut held = 0;
        for n in all.filter(|&n| self.model.batches()[n].state != State::Released) {
            let (slot, batch) = (self.slot(n), &self.model.batches()[n]);
            assert_eq!(self.ours.size(slot), batch.size());
            assert_eq!(self.ours.is_queued(slot), batch.is_queued());
            let is_ended = matches!(batch.state, State::Ended | State::Told);
            assert_eq!(self.ours.is_ended(slot), is_ended);
            assert_eq!(self.ours.held(slot), self.model.held(n));
            held += self.model.held(n);
        }
        assert_eq!(
            self.charged, held,
            "memory is the sum of what the batches hold"
        );

        for partition in 0..self.partitions {
            let p = partition as u32;
            assert_eq!(self.ours.is_ready(p), self.model.is_ready(partition));
            assert_eq!(self.ours.ready_len(p), self.model.ready_len(partition));
            assert_eq!(
                self.ours.queued_bytes(p),
                self.model.queued_bytes(partition)
            );
        }
    }

    fn append(&mut self, tape: &mut Tape<'_>, now: Instant) {
        let letter = Letter::read(tape, self.partitions);
        let partition = letter.partition as usize;
        let largest = 16 * usize::from(tape.byte());
        let was_ready = self.model.is_ready(partition);
        letter.lend(fuzzing::topic(), |record| {
            let appended = self.ours.append(now, partition as u32, record, largest);
            let in_slot = self.model.in_slot(appended.batch.slot() as u32);
            let known = in_slot.is_some_and(|n| self.model.batches()[n].id == appended.batch);
            assert_eq!(known, appended.index > 0, "a slot has one batch at a time");

            let held = in_slot.map_or(0, |n| self.model.held(n));
            let (n, index, bytes) =
                self.model
                    .append(now, partition, record, largest, appended.batch);
            let is_ready = self.model.is_ready(partition);
            let begins_to_linger = index == 0 && !is_ready;
            let expected = Appended {
                batch: self.model.batches()[n].id,
                index,
                bytes,
                charged: self.model.held(n) - held,
                full: self.model.is_at_boundary(partition),
                lingers_until: begins_to_linger.then(|| self.model.latest() + self.linger),
                ready: !was_ready && is_ready,
            };
            assert_eq!(appended, expected);
            self.charged += appended.charged;
        });
    }

    /// Cuts a batch that is out of its queue. Where, is not compared: only that the pieces are small and make up the whole.
    fn split(&mut self, tape: &mut Tape<'_>) {
        let (from, most) = (tape.byte().into(), 16 * usize::from(tape.byte()));
        let can_be_cut = |b: &Batch| b.state == State::Taken && b.size().0 > 1;
        let Some(n) = self.model.find(from, can_be_cut) else {
            return;
        };
        let (whole, held) = (self.model.batches()[n].size(), self.model.held(n));
        let (pieces, freed) = self.ours.split(self.slot(n), most);
        assert!(pieces.len() > 1 && pieces[0].0 == self.slot(n));
        let (mut count, mut bytes) = (0, 0);
        let pieces = pieces.iter().map(|&(slot, records)| {
            let (in_piece, len) = self.ours.size(slot);
            assert!(in_piece == records && records > 0);
            assert!(len <= most || records == 1, "{len} bytes instead of {most}");
            (count, bytes) = (count + records, bytes + len - HEAD);
            (self.ours.id(slot), records, len - HEAD)
        });
        let pieces: Vec<_> = pieces.collect();
        assert!(count == whole.0 && bytes <= whole.1 - HEAD);
        assert_eq!(freed, held - bytes);
        self.model.split(n, pieces);
        self.charged -= freed;
    }

    /// Ends a batch without an outcome, or tells of one that has one and gives back its memory, as the producer does.
    fn end_or_tell(&mut self, tape: &mut Tape<'_>) {
        let (tells, from) = (tape.byte() & 1 == 1, tape.byte().into());
        if !tells {
            if let Some(n) = self.model.find(from, |b| b.is_live()) {
                self.model.end(n);
                self.ours.end(self.slot(n));
            }
        } else if let Some(n) = self.model.find(from, |b| b.state == State::Ended) {
            let slot = self.slot(n);
            let (told, held) = self.model.tell(n);
            assert_eq!(self.ours.tell(slot), told);
            assert_eq!(self.ours.reclaim(slot), held);
            self.ours.vacate(slot);
            let (root, _, last) = told;
            if last && root.slot() as u32 != slot {
                self.ours.vacate(root.slot() as u32);
            }
            self.charged -= held;
        }
    }

    fn slot(&self, n: usize) -> u32 {
        self.model.batches()[n].id.slot() as u32
    }
}
