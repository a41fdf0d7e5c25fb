//! The model's own promises under chance: what it acknowledges stays, unless it says that it is lost.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::*;
use kafka_protocol::messages::ProduceResponse;
use ottla_sim::{Answer, Chance, Model, code};

/// A cluster, a producer that sends one batch after the other, and what it was told.
struct Run {
    model: Model,
    now: Duration,
    next_sequence: i32,
    /// The request that waits, by its sequence.
    open: Option<i32>,
    /// Offset of each sequence that was acknowledged under acks=all.
    acknowledged: BTreeMap<i32, i64>,
    /// Whether an election was unclean.
    is_unclean: bool,
}

impl Run {
    fn new(seed: u64) -> Run {
        Run {
            model: cluster(),
            now: Duration::from_millis(seed % 7),
            next_sequence: 0,
            open: None,
            acknowledged: BTreeMap::new(),
            is_unclean: false,
        }
    }

    /// One draw of what happens.
    fn happen(&mut self, roll: usize, broker: i32, allow_unclean: bool) {
        let model = &mut self.model;
        let others_up = model
            .brokers()
            .filter(|&id| id != broker && model.is_up(id))
            .count();
        match roll {
            0 => model.set_replication_lag("t", 0, Duration::from_millis(broker as u64 * 9)),
            1 => model.stall_replica("t", 0, broker),
            2 => model.shrink_isr("t", 0, broker),
            3 | 4 => model.resume_replica("t", 0, broker),
            5 if others_up > 0 => model.stop_broker(broker),
            6 | 7 if !model.is_up(broker) => model.start_broker(broker),
            8 if model.in_sync_replicas("t", 0).any(|id| id == broker) && model.is_up(broker) => {
                model.move_leader("t", 0, broker);
            }
            9 if allow_unclean && model.is_up(broker) => {
                model.elect_unclean("t", 0, broker);
                self.is_unclean = true;
            }
            10.. => self.send(),
            _ => {}
        }
        self.take_answers();
    }

    fn send(&mut self) {
        let (None, Some(leader)) = (self.open, self.model.leader("t", 0)) else {
            return;
        };
        let sequence = self.next_sequence;
        let batch = batch(stamp(9, 0, sequence), &values(1, &sequence.to_string()));
        let request = request(PRODUCE, 12, 1, &produce(-1, &[("t", 0, batch)]));
        match self.model.handle(self.now, leader, 1, &request[..]) {
            Answer::Reply(frame) => self.told(sequence, frame),
            Answer::Waits => self.open = Some(sequence),
            other => panic!("{other:?}"),
        }
    }

    fn take_answers(&mut self) {
        while let Some(answered) = self.model.poll_answer(self.now) {
            let Answer::Reply(frame) = answered.answer else {
                panic!("{answered:?}");
            };
            let sequence = self.open.take().expect("one request waits");
            self.told(sequence, frame);
        }
        // A broker that crashed takes the request with it.
        if self.open.is_some() && (1..=3).all(|broker| !self.model.waits(broker, 1)) {
            self.open = None;
        }
    }

    fn told(&mut self, sequence: i32, frame: bytes::Bytes) {
        let mut response: ProduceResponse = response(frame, 12, 1);
        let partition = response.responses.remove(0).partition_responses.remove(0);
        match partition.error_code {
            code::NONE => {
                self.acknowledged.insert(sequence, partition.base_offset);
                self.next_sequence += 1;
            }
            code::OUT_OF_ORDER_SEQUENCE_NUMBER => {
                assert!(self.is_unclean, "the log lost what was acknowledged");
                // The producer begins anew, as far behind as the log is.
                let last = self.model.log("t", 0).last();
                self.next_sequence = last.map_or(0, |record| record.sequence + 1);
            }
            code::NOT_LEADER_OR_FOLLOWER
            | code::REQUEST_TIMED_OUT
            | code::NOT_ENOUGH_REPLICAS
            | code::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {}
            other => panic!("code {other}"),
        }
    }

    /// What holds after every step.
    fn check(&self) {
        let model = &self.model;
        assert!(model.in_sync_replicas("t", 0).next().is_some());
        assert!(model.high_watermark("t", 0) <= model.log_end("t", 0));
        assert_eq!(model.violations(), [] as [&str; 0]);
        if !self.is_unclean {
            assert!(model.losses().all(|loss| !loss.is_unclean()));
        }
    }

    /// Every acknowledged record is at its offset, or listed as lost.
    fn check_acknowledged(&self) {
        let log: BTreeMap<i64, i32> = self
            .model
            .log("t", 0)
            .map(|r| (r.offset, r.sequence))
            .collect();
        let lost = self.model.losses().flat_map(|loss| loss.records());
        let lost: BTreeSet<(i64, i32)> = lost.map(|r| (r.offset, r.sequence)).collect();
        for (&sequence, &offset) in &self.acknowledged {
            assert!(
                log.get(&offset) == Some(&sequence) || lost.contains(&(offset, sequence)),
                "{sequence} at {offset}: {log:?}"
            );
        }
        let mut sequences: Vec<i32> = log.values().copied().collect();
        assert!(sequences.is_sorted(), "{sequences:?}");
        sequences.dedup();
        assert_eq!(sequences.len(), log.len(), "nothing stands there twice");
    }
}

fn run(seed: u64, allow_unclean: bool) -> Run {
    let mut chance = Chance::new(seed);
    let mut run = Run::new(seed);
    if chance.below(2) == 0 {
        run.model.set_min_insync_replicas(2);
    }
    for _ in 0..200 {
        let (roll, broker) = (chance.below(16), 1 + chance.below(3) as i32);
        run.happen(roll, broker, allow_unclean);
        run.now += Duration::from_millis(chance.below(30) as u64);
        run.take_answers();
        run.check();
    }
    run.check_acknowledged();
    run
}

#[test]
fn nothing_acknowledged_by_all_is_lost_while_elections_are_clean() {
    let mut acknowledged = 0;
    for seed in 0..300 {
        acknowledged += run(seed, false).acknowledged.len();
    }
    assert!(
        acknowledged > 3_000,
        "only {acknowledged} were acknowledged"
    );
}

#[test]
fn what_an_unclean_election_loses_is_listed() {
    let mut losses = 0;
    for seed in 0..300 {
        let run = run(seed, true);
        losses += run.model.losses().filter(|loss| loss.is_unclean()).count();
    }
    assert!(losses > 30, "only {losses} losses");
}
