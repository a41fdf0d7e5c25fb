//! The core on a desk: an instant broker in memory, and no sockets in between.

use std::time::{self, Duration};

use bytes::{Buf, BytesMut};
use ottla_core::{
    Command, Config, ConnectionId, Disconnect, Event, Header, Instant, Outcome, ProducerCore,
    Record, SendError, Topic,
};
use ottla_null_broker::NullBroker;

use crate::payload::Payload;

const PORT: u16 = 9092;

/// The time of every record, in milliseconds since the Unix epoch.
const TIMESTAMP: i64 = 1_767_225_600_000;

/// What a record has that has headers.
pub(crate) const HEADERS: [Header<'static>; 2] = [
    Header {
        name: "trace",
        value: Some(b"4bf92f3577b34da6a3ce929d0e0e4736"),
    },
    Header {
        name: "type",
        value: Some(b"letter"),
    },
];

pub(crate) struct Desk {
    pub(crate) core: ProducerCore,
    broker: NullBroker,
    now: Instant,
    /// The bytes of the request that is being written, copied as a kernel would copy them.
    request: BytesMut,
    answers: Vec<(ConnectionId, bytes::Bytes)>,
    pub(crate) written: usize,
    /// What compressing took.
    pub(crate) worked: Duration,
    /// The requests to Produce so far, in their slices, for whoever wants them.
    pub(crate) tap: Option<Vec<Vec<Vec<u8>>>>,
}

impl Desk {
    /// A producer with these settings that knows its topic's partitions and is connected.
    pub(crate) fn new(settings: &[(&str, &str)], partitions: i32) -> (Self, Topic) {
        Self::with_brokers(settings, partitions, 1)
    }

    /// The same in a cluster of so many brokers, and connected to each that leads a partition.
    pub(crate) fn with_brokers(
        settings: &[(&str, &str)],
        partitions: i32,
        brokers: u16,
    ) -> (Self, Topic) {
        let config = config(settings, PORT).with_checksum(crc32c::crc32c_append);
        let now = Instant::ORIGIN;
        let mut desk = Self {
            core: ProducerCore::new(config, [7; 32], now),
            broker: NullBroker::new("127.0.0.1", PORT, partitions).with_brokers(brokers),
            now,
            request: BytesMut::new(),
            answers: Vec::new(),
            written: 0,
            worked: Duration::ZERO,
            tap: None,
        };
        let topic = desk.topic("letters");
        // The first records prove the leaders, and warm up what is kept for the next.
        desk.send_each(partitions as usize, |n| Record {
            partition: Some(n as i32),
            ..record(topic, b"first")
        });
        desk.written = 0;
        (desk, topic)
    }

    /// A topic whose partitions are known.
    pub(crate) fn topic(&mut self, name: &str) -> Topic {
        let topic = self.core.topic(self.now, name).expect("a good name");
        while self.core.partitions(topic).is_none() {
            self.turn();
        }
        topic
    }

    /// The time of its world, which nobody waits for.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Sends a record, making room for it if need be.
    #[inline]
    pub(crate) fn send(&mut self, record: &Record<'_>) {
        loop {
            match self.core.send(self.now, record) {
                Ok(_) => return,
                Err(SendError::Full) => self.turn(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends so many records without keys, and lets them come to their end.
    pub(crate) fn send_all(&mut self, topic: Topic, payload: &Payload, records: usize) {
        self.send_each(records, |n| record(topic, payload.value(n)));
    }

    /// Sends so many records, each of which has a number, and lets them come to their end. A turn comes as often as a
    /// driver would have it.
    #[inline]
    pub(crate) fn send_each<'a>(&mut self, records: usize, record: impl Fn(usize) -> Record<'a>) {
        for n in 0..records {
            self.send(&record(n));
            if n % 1_000 == 0 {
                self.turn();
            }
        }
        self.drain();
    }

    /// Lets everything that was accepted come to its end.
    pub(crate) fn drain(&mut self) {
        while !self.core.is_idle() {
            if let Some(at) = self.core.poll_timeout() {
                self.now = self.now.max(at);
            }
            self.turn();
        }
    }

    /// Does what there is to do now.
    pub(crate) fn turn(&mut self) {
        self.core.handle_timeout(self.now);
        while let Some(command) = self.core.poll_command() {
            self.obey(command);
        }
        while let Some(link) = self.core.poll_link() {
            self.transmit(link);
        }
        for (link, answer) in std::mem::take(&mut self.answers) {
            self.core.handle_input(self.now, link, &answer);
        }
        while let Some(event) = self.core.poll_event() {
            if let Event::Completed {
                records, outcome, ..
            } = event
            {
                assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
                self.written += records.len();
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Connect { connection, .. } => {
                self.core.handle_connected(self.now, connection);
            }
            Command::Disconnect { connection } => {
                let why = Disconnect::Requested;
                self.core
                    .handle_disconnected(self.now, connection, why, None);
            }
            Command::Work(mut work) => {
                let start = time::Instant::now();
                work.run();
                self.worked += start.elapsed();
                self.core.handle_work(self.now, work);
            }
            // The brokers' addresses are numbers.
            Command::Resolve { .. } => unreachable!("{command:?}"),
            _ => {}
        }
    }

    fn transmit(&mut self, link: ConnectionId) {
        while let Some(mut transmit) = self.core.poll_transmit(self.now, link) {
            transmit.prepare();
            if let Some(tap) = &mut self.tap {
                tap.push(transmit.slices().map(<[u8]>::to_vec).collect());
            }
            self.request.reserve(transmit.len());
            for slice in transmit.slices() {
                self.request.extend_from_slice(slice);
            }
            transmit.advance(transmit.len());
            self.core.recycle(transmit);
            self.core.handle_written(self.now, link);
            let mut request = self.request.split().freeze();
            request.advance(4);
            let answer = self.broker.answer(request).expect("a request it knows");
            self.answers.extend(answer.map(|answer| (link, answer)));
        }
    }
}

/// A record with a value and no more, for whatever partition.
#[inline]
pub(crate) fn record(topic: Topic, value: &[u8]) -> Record<'_> {
    Record {
        topic,
        partition: None,
        timestamp: TIMESTAMP,
        key: None,
        value: Some(value),
        headers: &[],
    }
}

/// The settings of a producer for the broker at `port`.
pub(crate) fn config(settings: &[(&str, &str)], port: u16) -> Config {
    let servers = format!("127.0.0.1:{port}");
    let mut builder = Config::builder();
    builder.bootstrap_servers(&servers);
    for (name, value) in settings {
        builder.set(name, value).expect("a setting that there is");
    }
    builder.build().expect("settings that go together")
}
