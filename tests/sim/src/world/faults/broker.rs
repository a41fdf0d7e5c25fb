//! Faults of one broker, and of what it answers.

use std::time::Duration;

use super::FaultKind;
use crate::{Api, Fault, On, World, code};

/// What passes.
const FOR_NOW: [i16; 8] = [
    code::NOT_LEADER_OR_FOLLOWER,
    code::NOT_ENOUGH_REPLICAS,
    code::LEADER_NOT_AVAILABLE,
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::FENCED_LEADER_EPOCH,
    code::UNKNOWN_LEADER_EPOCH,
    code::CORRUPT_MESSAGE,
    code::KAFKA_STORAGE_ERROR,
];

/// What does not.
const FOR_GOOD: [i16; 4] = [
    code::INVALID_RECORD,
    code::TOPIC_AUTHORIZATION_FAILED,
    code::INVALID_REQUEST,
    code::UNSUPPORTED_COMPRESSION_TYPE,
];

/// What may come after an append.
const AMBIGUOUS: [i16; 6] = [
    code::REQUEST_TIMED_OUT,
    code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    code::NOT_LEADER_OR_FOLLOWER,
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::KAFKA_STORAGE_ERROR,
    code::UNKNOWN_SERVER_ERROR,
];

impl World {
    pub(super) fn strike_broker(&mut self, kind: FaultKind) -> Option<String> {
        match kind {
            FaultKind::Crash
            | FaultKind::Pause
            | FaultKind::Slow
            | FaultKind::Throttle
            | FaultKind::StaleMetadata
            | FaultKind::ChangeVersions => self.strike_process(kind),
            FaultKind::RefuseMetadata
            | FaultKind::RefuseProducerId
            | FaultKind::RefuseApiVersions
            | FaultKind::RefuseTopic
            | FaultKind::HostileProduce
            | FaultKind::HostileMetadata
            | FaultKind::HostileProducerId
            | FaultKind::HostileVersions => self.strike_answer(kind),
            _ => self.strike_batch(kind),
        }
    }

    fn strike_process(&mut self, kind: FaultKind) -> Option<String> {
        let broker = self.any_broker()?;
        match kind {
            FaultKind::Crash => {
                self.crash(broker);
                self.undo_later(move |world| world.recover(broker));
            }
            FaultKind::Pause => {
                let time = self.drawn_while();
                self.pause(broker, time);
            }
            FaultKind::Slow => {
                let slowness = self
                    .chance
                    .duration(Duration::from_millis(5)..Duration::from_secs(3));
                self.set_slowness(broker, slowness);
                self.undo_later(move |world| world.set_slowness(broker, Duration::ZERO));
            }
            FaultKind::Throttle => {
                // Answers name whole milliseconds.
                let time = self.drawn_while().as_millis() as u64;
                self.cluster
                    .set_broker_throttle(broker, Some(Duration::from_millis(time)));
                self.undo_later(move |world| world.calm(broker));
            }
            FaultKind::StaleMetadata => {
                self.cluster.lag_metadata(broker);
                self.undo_later(move |world| world.catch_up(broker));
            }
            _ => {
                let newest = *self.chance.pick(&[3, 7, 8, 9, 11, 12, 13]);
                self.cluster
                    .set_versions(broker, Api::Produce, Some((0, newest)));
                self.reset(broker);
            }
        }
        Some(format!("broker {broker}"))
    }

    /// The broker throttles nobody.
    fn calm(&mut self, broker: i32) {
        if self.has_broker(broker) {
            self.cluster.set_broker_throttle(broker, None);
        }
    }

    /// The broker tells the truth of the cluster.
    fn catch_up(&mut self, broker: i32) {
        if self.has_broker(broker) {
            self.cluster.catch_up_metadata(broker);
        }
    }

    /// Everything that a broker does it does as it should.
    pub(super) fn heal_broker(&mut self, broker: i32) {
        self.recover(broker);
        self.resume(broker);
        self.set_slowness(broker, Duration::ZERO);
        self.calm(broker);
        self.catch_up(broker);
    }

    fn strike_batch(&mut self, kind: FaultKind) -> Option<String> {
        let (topic, partition) = self.any_partition()?;
        let fault = match kind {
            FaultKind::RefuseForNow => Fault::Refuse(*self.chance.pick(&FOR_NOW)),
            FaultKind::RefuseForGood => Fault::Refuse(*self.chance.pick(&FOR_GOOD)),
            FaultKind::BlameRecords => self.blame(),
            FaultKind::AppendThenCode => Fault::AppendThen(*self.chance.pick(&AMBIGUOUS)),
            FaultKind::AppendThenClose => Fault::AppendThenDisconnect,
            FaultKind::AppendThenSilence => Fault::AppendThenSilence,
            FaultKind::DropRequest => Fault::Disconnect,
            FaultKind::Hang => Fault::Silence,
            FaultKind::Delay => Fault::Delay(self.drawn_while()),
            FaultKind::Garbage => {
                let noise = (0..self.chance.within(1..200)).map(|_| self.chance.next() as u8);
                Fault::Garbage(noise.collect())
            }
            FaultKind::LowerLimit => {
                let limit = *self.chance.pick(&[150, 300, 1_000, 5_000]);
                self.cluster.set_topic_max_message_bytes(&topic, limit);
                let name = topic.clone();
                self.undo_later(move |world| {
                    if world.cluster.topics().any(|topic| topic == name) {
                        world.cluster.set_topic_max_message_bytes(&name, 1_048_588);
                    }
                });
                return Some(format!("{topic}, {limit} bytes"));
            }
            _ => return None,
        };
        let target = format!("{topic}-{partition}: {fault:?}");
        for _ in 0..*self.chance.pick(&[1, 1, 1, 2, 5]) {
            self.cluster
                .inject(On::produce(&topic, partition), fault.clone());
        }
        Some(target)
    }

    fn blame(&mut self) -> Fault {
        let blamed = (0..self.chance.within(0..4)).map(|_| self.chance.within(0..12) as i32 - 1);
        Fault::RefuseRecords {
            code: code::INVALID_RECORD,
            records: blamed.map(|index| (index, Some("no".to_owned()))).collect(),
            message: Some("none of that".to_owned()),
        }
    }
}
