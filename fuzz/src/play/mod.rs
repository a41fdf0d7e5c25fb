//! A play: the whole core on the simulator's stage, directed by a tape.

mod application;
mod trouble;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use ottla_sim::{Dial, Fate, Lookup, Stage};

use crate::Tape;

/// The topics and their partitions. The last is there only once somebody asks for it.
const TOPICS: [(&str, i32); 3] = [("letters", 2), ("cards", 1), ("parcels", 1)];
const BROKERS: u16 = 3;
/// Longer than every time-out and every wait between attempts.
const ALL_TIMERS: Duration = Duration::from_secs(20);

/// The stage, and what the tape did to it so far.
pub struct Play {
    stage: Stage,
    /// Some broker told a lie: what the producer says about its records proves nothing any more.
    lied: bool,
    closes: bool,
    /// Records that have a follower.
    followed: BTreeSet<usize>,
    /// How many different values there are.
    values: u32,
}

impl Play {
    /// A producer with settings off the tape.
    pub fn new(tape: &mut Tape<'_>) -> Self {
        let (acks, idempotent) = tape.one_of(&[
            ("all", "true"),
            ("all", "false"),
            ("1", "false"),
            ("0", "false"),
        ]);
        let settings = [
            ("acks", acks),
            ("enable.idempotence", idempotent),
            ("batch.size", tape.one_of(&["0", "200", "1000", "16384"])),
            (
                "batch.growth.max.bytes",
                tape.one_of(&["65536", "0", "1500"]),
            ),
            ("buffer.memory", tape.one_of(&["4096", "16384", "1048576"])),
            ("linger.ms", tape.one_of(&["0", "5", "100"])),
            (
                "max.in.flight.requests.per.connection",
                tape.one_of(&["5", "2", "1"]),
            ),
            ("retries", tape.one_of(&["2147483647", "3"])),
            ("delivery.timeout.ms", tape.one_of(&["3000", "900"])),
            ("request.timeout.ms", tape.one_of(&["700", "100"])),
            ("max.block.ms", tape.one_of(&["1000", "50", "0"])),
            ("metadata.max.age.ms", tape.one_of(&["300000", "500"])),
            ("connections.max.idle.ms", tape.one_of(&["540000", "400"])),
            (
                "compression.type",
                tape.one_of(&["none", "lz4", "zstd", "snappy", "gzip"]),
            ),
            ("compression.gzip.level", tape.one_of(&["-1", "1", "9"])),
            ("compression.lz4.level", tape.one_of(&["9", "1", "17"])),
            ("compression.zstd.level", tape.one_of(&["3", "-5", "7"])),
            ("max.request.size", "2000"),
            ("receive.message.max.bytes", "4096"),
            ("reconnect.backoff.max.ms", "200"),
            ("socket.connection.setup.timeout.ms", "300"),
            ("socket.connection.setup.timeout.max.ms", "600"),
        ];
        let mut stage = Stage::with_seed(BROKERS, &settings, tape.byte().into());
        for (topic, partitions) in &TOPICS[..2] {
            stage.model.create_topic(topic, *partitions);
        }
        Self {
            stage,
            lied: false,
            closes: false,
            followed: BTreeSet::new(),
            values: 0,
        }
    }

    /// Does the next thing on the tape. The stage itself fails a core that spins, and a second outcome.
    pub fn turn(&mut self, tape: &mut Tape<'_>) {
        match tape.below(8) {
            0..3 => self.act(tape),
            3 | 4 => {
                let time = u64::from(tape.byte());
                self.stage.run_for(Duration::from_millis(time * time / 16));
            }
            5 | 6 => self.make_trouble(tape),
            _ => self.lie(tape),
        }
        let core = self.stage.core();
        assert!(
            core.buffer_available() <= core.config().buffer_memory(),
            "I7"
        );
    }

    /// Ends all trouble, and asserts that everything comes to its end, that nothing is wrong by then, and that an honest
    /// cluster's producer writes again.
    pub fn end(mut self) {
        self.heal();
        self.stage.run_to_idle();
        self.stage.run_for(ALL_TIMERS);
        if !self.closes && !self.lied {
            self.writes_again();
        }
        self.stage.close(ALL_TIMERS);
        self.stage.run_until(|stage| stage.closed().is_some());
        self.stage.run_to_idle();
        match self.lied {
            true => self.stage.check_rest(),
            false => self.stage.check(),
        }
        let m = self.stage.core().metrics();
        let ended = m.records_written + m.records_not_written + m.records_maybe_written;
        assert_eq!(m.records_accepted, ended, "I5");
    }

    /// The first records may still meet what was planned for them; the next ones must be written.
    fn writes_again(&mut self) {
        let (topic, partitions) = TOPICS[0];
        self.stage.warm_up(topic);
        for must in [false, true] {
            let numbers: Vec<usize> = (0..partitions)
                .map(|p| self.send(topic, Some(p), 10))
                .collect();
            self.stage.run_to_idle();
            self.stage.run_for(ALL_TIMERS);
            for n in numbers {
                let fate = self.stage.outcome(n);
                assert!(
                    !must || matches!(fate, Some(Fate::Written { .. })),
                    "I15: {fate:?}"
                );
            }
        }
    }

    fn heal(&mut self) {
        self.stage.model.clear_faults();
        self.stage.set_work_time(Duration::from_millis(1));
        self.stage.leave_work(false);
        self.stage.model.set_throttle(Duration::ZERO);
        for (topic, _) in &TOPICS[..2] {
            self.stage.model.set_topic_max_message_bytes(topic, 1 << 20);
        }
        for broker in 1..=i32::from(BROKERS) {
            let (host, port) = self.stage.model.address(broker);
            let (host, address) = (host.to_owned(), (Ipv4Addr::LOCALHOST, port).into());
            self.stage.set_lookup(&host, Lookup::Found(vec![address]));
            self.stage.start_broker(broker);
            self.stage.set_dial(broker, Dial::Accept);
            self.stage.lose_requests(broker, false);
            self.stage.pass_answers(broker);
            self.stage.release_answers(broker);
            self.stage.set_writer(broker, None);
            self.stage.set_pieces(broker, None);
            self.stage.set_latency(broker, Duration::from_millis(1));
        }
        for (topic, _) in TOPICS {
            for partition in 0..self.stage.model.partitions(topic) {
                if self.stage.model.leader(topic, partition).is_none() {
                    self.stage.model.move_leader(topic, partition, 1);
                }
            }
        }
    }
}

fn broker(tape: &mut Tape<'_>) -> i32 {
    1 + tape.below(BROKERS.into()) as i32
}

fn topic(tape: &mut Tape<'_>) -> &'static str {
    tape.one_of(&TOPICS).0
}
