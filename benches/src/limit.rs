//! What the machine allows: requests that were encoded beforehand, written as ottla writes them, and for each record one
//! copy and one checksum of its bytes. No producer can cost less.

use std::hint::black_box;
use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;

use crate::desk::Desk;
use crate::elsewhere::Elsewhere;
use crate::measure::{Cost, median};
use crate::payload::Payload;
use crate::table::Table;
use crate::{PARTITIONS, SETTINGS, SIZES, TRIES, records_of};

/// Requests on the way, as `max.in.flight.requests.per.connection` allows by default.
const IN_FLIGHT: usize = 5;
/// Records that are encoded beforehand, and written again and again: enough to fill some requests of the largest size.
const PREPARED: usize = 64 << 20;

pub(crate) fn run() -> Table {
    let mut table = Table::new(&["limit", "CPU per record, ns", "M records/s"]);
    for size in SIZES {
        for (name, settings) in SETTINGS {
            let broker = Elsewhere::start(PARTITIONS);
            let cost = measure(settings, size, broker.port());
            let numbers = [cost.cpu_per_record(), cost.rate() / 1e6];
            table.row(format!("{size} B, {name}"), &numbers);
        }
    }
    table
}

/// The limit for records of this size in batches as these settings make them.
pub(crate) fn measure(settings: &[(&str, &str)], size: usize, port: u16) -> Cost {
    let (requests, records) = encoded(settings, size);
    let times = (records_of(size) / records).max(1);
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let mut line = Line::to(port);
        line.round(&requests);
        tries.push(Cost::of(records * times, || {
            for _ in 0..times {
                line.round(&requests);
            }
        }));
    }
    median(tries)
}

/// A request, in the slices in which ottla writes it.
pub(crate) type Request = Vec<Vec<u8>>;

/// What ottla's core makes of some records, and how many they are.
fn encoded(settings: &[(&str, &str)], size: usize) -> (Vec<Request>, usize) {
    let payload = Payload::new(size);
    let (mut desk, topic) = Desk::new(settings, PARTITIONS);
    let records = PREPARED / size;
    desk.tap = Some(Vec::new());
    desk.send_all(topic, &payload, records);
    (desk.tap.take().unwrap_or_default(), records)
}

/// A connection to the broker.
pub(crate) struct Line {
    stream: TcpStream,
    unanswered: usize,
    copy: Vec<u8>,
    answers: Vec<u8>,
}

impl Line {
    pub(crate) fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the broker is there");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            unanswered: 0,
            copy: Vec::new(),
            answers: vec![0; 64 << 10],
        }
    }

    /// Writes requests, as many at once as may be on the way, and reads all their answers.
    pub(crate) fn round(&mut self, requests: &[Request]) {
        for request in requests {
            if self.unanswered == IN_FLIGHT {
                self.answer();
            }
            self.copy_and_sum(request);
            self.write(request);
            self.unanswered += 1;
        }
        while self.unanswered > 0 {
            self.answer();
        }
    }

    fn copy_and_sum(&mut self, request: &Request) {
        let mut sum = 0;
        for slice in request {
            self.copy.clear();
            self.copy.extend_from_slice(slice);
            sum = crc32c::crc32c_append(sum, black_box(&self.copy));
        }
        black_box(sum);
    }

    fn write(&mut self, request: &Request) {
        const SLICES: usize = 64;
        for slices in request.chunks(SLICES) {
            let mut slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
            let mut slices = &mut slices[..];
            while !slices.is_empty() {
                let written = self.stream.write_vectored(slices).expect("it is written");
                IoSlice::advance_slices(&mut slices, written);
            }
        }
    }

    fn answer(&mut self) {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer");
        let length = u32::from_be_bytes(length) as usize;
        let answer = &mut self.answers[..length];
        self.stream.read_exact(answer).expect("a whole answer");
        self.unanswered -= 1;
    }
}
