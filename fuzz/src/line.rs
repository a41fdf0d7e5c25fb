//! A producer's core and the model cluster, joined by a line that loses nothing and takes no time.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use ottla_core::{
    Command, Config, ConnectionId, Event, Instant, Outcome, ProducerCore, Topic, Work,
};
use ottla_sim::{Answer, Api, Model};

use crate::letters::Letter;

/// The only topic.
pub const TOPIC: &str = "letters";
/// Its partitions.
pub const PARTITIONS: usize = 3;
const BROKERS: u16 = 2;
const FIRST_PORT: u16 = 9091;

/// The two, and what went over the line.
pub struct Line {
    core: ProducerCore,
    /// The cluster.
    pub model: Model,
    /// All requests and their answers, their lengths cut off.
    pub exchanges: Vec<(Bytes, Option<Bytes>)>,
    /// How many records are written.
    pub written: usize,
    /// How work on batches is done, two bits for each, over and over: the first has it wait until there is nothing else to
    /// do, and with both it comes back undone.
    pub habits: u8,
    works: Vec<Work>,
    topic: Topic,
    now: Instant,
    /// The broker at the other end, and what it has not understood yet.
    links: BTreeMap<ConnectionId, (i32, BytesMut)>,
}

impl Line {
    /// A producer with these settings that knows the topic's partitions, of brokers that speak these APIs up to these
    /// versions.
    pub fn new(settings: &[(&str, &str)], versions: &[(Api, i16)]) -> Self {
        let mut model = Model::new(BROKERS, 7);
        model.create_topic(TOPIC, PARTITIONS as i32);
        model.set_timestamp_lead(i64::MAX);
        for (broker, port) in (1..=i32::from(BROKERS)).zip(FIRST_PORT..) {
            model.set_address(broker, "127.0.0.1", port);
            for &(api, newest) in versions {
                model.set_versions(broker, api, Some((0, newest)));
            }
        }
        let server = format!("127.0.0.1:{FIRST_PORT}");
        let all = [("bootstrap.servers", &*server)]
            .into_iter()
            .chain(settings.iter().copied());
        let config = Config::from_properties(all).expect("the settings are valid");
        let now = Instant::from_nanos(1);
        let mut core = ProducerCore::new(config, [7; 32], now);
        let topic = core.topic(now, TOPIC).expect("the name is valid");
        let mut line = Self {
            core,
            model,
            exchanges: Vec::new(),
            written: 0,
            habits: 0,
            works: Vec::new(),
            topic,
            now,
            links: BTreeMap::new(),
        };
        line.run_until(|line| line.core.partitions(topic).is_some());
        line
    }

    /// Sends a record, if the producer takes it at once.
    pub fn send(&mut self, letter: &Letter) -> bool {
        let Self {
            core, now, topic, ..
        } = self;
        letter
            .lend(*topic, |record| core.send(*now, record))
            .is_ok()
    }

    /// Goes on until every record has its outcome.
    pub fn run(&mut self) {
        self.run_until(|line| line.core.is_idle());
    }

    fn run_until(&mut self, is_over: impl Fn(&Self) -> bool) {
        while !is_over(self) {
            let deadline = self
                .core
                .poll_timeout()
                .expect("what is not over has a deadline");
            self.now = self.now.max(deadline);
            self.core.handle_timeout(self.now);
            while self.drain() {}
        }
    }

    /// Does all that the core asks for now; whether it asked for anything.
    fn drain(&mut self) -> bool {
        let mut had_output = false;
        while let Some(command) = self.core.poll_command() {
            had_output = true;
            self.carry_out(command);
        }
        while let Some(connection) = self.core.poll_link() {
            while let Some(mut transmit) = self.core.poll_transmit(self.now, connection) {
                had_output = true;
                transmit.prepare();
                let bytes = transmit.slices().collect::<Vec<_>>().concat();
                drop(transmit);
                self.core.handle_written(self.now, connection);
                self.arrived(connection, &bytes);
            }
        }
        while let Some(event) = self.core.poll_event() {
            had_output = true;
            if let Event::Completed {
                records, outcome, ..
            } = event
            {
                assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
                self.written += records.len();
            }
        }
        if !had_output {
            for work in std::mem::take(&mut self.works) {
                had_output = true;
                self.core.handle_work(self.now, work);
            }
        }
        had_output
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Connect {
                connection,
                address,
            } => {
                let broker = 1 + i32::from(address.port() - FIRST_PORT);
                assert_eq!(address, SocketAddr::from(([127, 0, 0, 1], address.port())));
                self.links.insert(connection, (broker, BytesMut::new()));
                self.core.handle_connected(self.now, connection);
            }
            Command::Work(mut work) => {
                let (waits, is_left) = (self.habits & 1 == 1, self.habits & 3 == 3);
                self.habits = self.habits.rotate_right(2);
                if !is_left {
                    work.run();
                }
                match waits {
                    true => self.works.push(work),
                    false => self.core.handle_work(self.now, work),
                }
            }
            other => panic!("nothing is wrong, and yet: {other:?}"),
        }
    }

    fn arrived(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let (broker, inbox) = self.links.get_mut(&connection).expect("the link is up");
        inbox.extend_from_slice(bytes);
        while inbox.len() >= 4 && inbox.len() >= 4 + (&inbox[..4]).get_i32() as usize {
            let len = inbox.get_i32() as usize;
            let request = inbox.split_to(len).freeze();
            let at = self.now.since(Instant::ORIGIN);
            let serial = connection.slot() as u64;
            let answer = match self.model.handle(at, *broker, serial, request.clone()) {
                Answer::Reply(frame) => {
                    self.core.handle_input(self.now, connection, &frame);
                    Some(frame.slice(4..))
                }
                Answer::Silence => None,
                other => panic!("nothing is wrong, and yet: {other:?}"),
            };
            self.exchanges.push((request, answer));
        }
    }
}
