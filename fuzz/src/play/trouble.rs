//! What goes wrong between the producer and the brokers, and what brokers say that is not so.

use std::time::Duration;

use ottla_sim::{Api, Cut, Dial, Fault, Lookup, On, code};

use super::{Play, TOPICS, broker, topic};
use crate::Tape;

/// Codes that a broker gives without having written anything.
const REFUSALS: &[i16] = &[
    code::UNKNOWN_SERVER_ERROR,
    code::CORRUPT_MESSAGE,
    code::UNKNOWN_TOPIC_OR_PARTITION,
    code::LEADER_NOT_AVAILABLE,
    code::NOT_LEADER_OR_FOLLOWER,
    code::REQUEST_TIMED_OUT,
    code::MESSAGE_TOO_LARGE,
    code::NOT_ENOUGH_REPLICAS,
    code::TOPIC_AUTHORIZATION_FAILED,
    code::KAFKA_STORAGE_ERROR,
    code::FENCED_LEADER_EPOCH,
    code::INVALID_RECORD,
];
/// Codes that leave open whether the records are written.
const AMBIGUOUS: &[i16] = &[
    code::UNKNOWN_SERVER_ERROR,
    code::REQUEST_TIMED_OUT,
    code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    code::KAFKA_STORAGE_ERROR,
];

impl Play {
    /// Anything that a network and a cluster do without telling a lie.
    pub(super) fn make_trouble(&mut self, tape: &mut Tape<'_>) {
        let (kind, broker) = (tape.below(23), broker(tape));
        let stage = &mut self.stage;
        match kind {
            0 => stage.cut(broker),
            1 => stage.cut_at_next_produce(broker, cut(tape)),
            2 => stage.set_dial(
                broker,
                tape.one_of(&[Dial::Accept, Dial::Refuse, Dial::BlackHole]),
            ),
            3 => stage.stop_broker(broker),
            4 => stage.start_broker(broker),
            5 => stage.set_latency(broker, Duration::from_millis(tape.byte().into())),
            6 => stage.hold_answers(broker),
            7 => stage.release_answers(broker),
            8 => stage.lose_requests(broker, tape.byte() & 1 == 0),
            9 => stage.lose_answers_after(broker, tape.byte().into()),
            10 => stage.pass_answers(broker),
            11 => stage.set_writer(broker, Some(1 + usize::from(tape.byte()))),
            12 => {
                let pause = Duration::from_micros(u64::from(tape.byte()) * 50);
                stage.set_pieces(broker, Some((1 + usize::from(tape.byte()), pause)));
            }
            13 => {
                let host = format!("broker-{broker}");
                stage.set_lookup(&host, Lookup::Failed(ottla_core::ResolveError::NotFound));
            }
            14 => self.move_leader(tape, broker),
            15 => stage
                .model
                .set_throttle(Duration::from_millis(tape.byte().into())),
            16 => {
                let (topic, most) = (TOPICS[tape.below(2)].0, 100 + 8 * usize::from(tape.byte()));
                stage.model.set_topic_max_message_bytes(topic, most);
            }
            17 => stage.set_work_time(Duration::from_millis(4 * u64::from(tape.byte()))),
            18 => stage.leave_work(tape.byte() & 1 == 0),
            _ => {
                let (on, fault) = (on(tape), fault(tape));
                stage.model.inject(on, fault);
            }
        }
    }

    /// Answers that were changed on the way, bytes that nobody asked for, and brokers that say what is not so.
    pub(super) fn lie(&mut self, tape: &mut Tape<'_>) {
        self.lied = true;
        let (kind, broker) = (tape.below(6), broker(tape));
        match kind {
            0 => self.stage.send_stray_bytes(broker, tape.slice()),
            1 => {
                let answer = [&[0; 3], &[4][..], tape.slice()].concat();
                self.stage
                    .tamper_any(broker, move |bytes| bytes.splice(.., answer).for_each(drop));
            }
            2 => {
                let code = i16::from(tape.byte()) - 2;
                let lie = tape.one_of(&[Fault::Refuse as fn(i16) -> Fault, Fault::AppendThen]);
                self.stage.model.inject(on(tape), lie(code));
            }
            3 => {
                let api = tape.one_of(&[Api::Produce, Api::Metadata, Api::InitProducerId]);
                let newest = tape.below(16) as i16;
                let range = (tape.byte() & 3 > 0).then_some((0, newest));
                self.stage.model.set_versions(broker, api, range);
            }
            _ => {
                let changes: Vec<(u8, u8)> = (0..1 + tape.below(3))
                    .map(|_| (tape.byte(), tape.byte()))
                    .collect();
                self.stage.tamper_any(broker, move |bytes| {
                    for (at, by) in changes {
                        let at = usize::from(at) % bytes.len();
                        bytes[at] ^= by;
                    }
                });
            }
        }
    }

    fn move_leader(&mut self, tape: &mut Tape<'_>, to: i32) {
        let (topic, partition) = (topic(tape), tape.below(2) as i32);
        let model = &mut self.stage.model;
        if partition >= model.partitions(topic) {
            return;
        }
        match tape.byte() & 3 {
            0 => model.remove_leader(topic, partition),
            _ if model.is_up(to) => model.move_leader(topic, partition, to),
            _ => {}
        }
    }
}

fn cut(tape: &mut Tape<'_>) -> Cut {
    match tape.below(4) {
        0 => Cut::Untouched,
        1 => Cut::Whole,
        _ => Cut::After(tape.byte().into()),
    }
}

fn on(tape: &mut Tape<'_>) -> On {
    match tape.below(8) {
        0 => On::AnyProduce,
        1 => On::Metadata,
        2 => On::MetadataOf {
            topic: topic(tape).to_owned(),
        },
        3 => On::InitProducerId,
        4 => On::ApiVersions,
        _ => On::produce(topic(tape), tape.below(2) as i32),
    }
}

fn fault(tape: &mut Tape<'_>) -> Fault {
    match tape.below(8) {
        0 => Fault::AppendThen(tape.one_of(AMBIGUOUS)),
        1 => Fault::AppendThenDisconnect,
        2 => Fault::AppendThenSilence,
        3 => Fault::Disconnect,
        4 => Fault::Silence,
        5 => Fault::Delay(Duration::from_millis(4 * u64::from(tape.byte()))),
        _ => Fault::Refuse(tape.one_of(REFUSALS)),
    }
}
