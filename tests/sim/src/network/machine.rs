//! What lies at the far end: names that lead to machines, and the state of the path to each.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::tamper::Tamper;

/// What becomes of a dial to a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialling {
    /// The connection comes up, if the machine's broker is up.
    #[default]
    Accepted,
    /// Nobody listens.
    Refused,
    /// Nothing ever comes back.
    Lost,
    /// The connection comes up and is closed at once.
    Closed,
}

/// What a resolver says of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The name's addresses.
    #[default]
    Found,
    /// No address, and no error.
    Empty,
    /// There is no such name.
    Unknown,
    /// An error that may pass.
    Failing,
    /// Nothing, ever.
    Silent,
}

/// A name, and where it leads.
pub(crate) struct Name {
    pub(crate) lookup: Lookup,
    pub(crate) addresses: Vec<Ipv4Addr>,
}

/// A machine, and the path to it: it holds for all wires, those to come included.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) dialling: Dialling,
    /// One way.
    pub(crate) latency: Duration,
    /// What is added to the latency at most, drawn for each piece that is sent.
    pub(crate) jitter: Duration,
    /// Bytes per second each way; `None`: without limit.
    pub(crate) bandwidth: Option<usize>,
    /// How long the broker is busy with each request before it reads the next of the same connection.
    pub(crate) read_pause: Duration,
    /// Bytes that a producer's socket takes before any has arrived.
    pub(crate) send_buffer: usize,
    /// Bytes that producers write are lost from now on.
    pub(crate) loses_requests: bool,
    /// Bytes that the broker writes are lost from now on.
    pub(crate) loses_answers: bool,
    /// What a longer way adds to the latency for a while.
    pub(crate) detour: Duration,
    /// The path is narrow for a while: the bytes of a send buffer, and bytes per second.
    pub(crate) squeeze: Option<(usize, usize)>,
    /// Answers come in pieces of so many bytes, so long apart.
    pub(crate) drip: Option<(usize, Duration)>,
    /// The first piece of each answer has at most so many bytes.
    pub(crate) first_piece: usize,
    /// What is done to the next answers to Produce requests.
    pub(crate) tampers: VecDeque<Tamper>,
    /// The next Produce request breaks off: so many of its bytes in a thousand get through.
    pub(crate) cut: Option<usize>,
    /// The next Produce request that is written at once has a wrong bit in its last batch.
    pub(crate) flips: bool,
    /// The next answer to a Produce request is overtaken by the one behind it.
    pub(crate) swaps: bool,
}

impl Name {
    pub(crate) fn new(address: Ipv4Addr) -> Name {
        Name {
            lookup: Lookup::Found,
            addresses: vec![address],
        }
    }
}

impl Machine {
    pub(crate) fn new(name: &str) -> Machine {
        Machine {
            name: name.to_owned(),
            dialling: Dialling::Accepted,
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
            bandwidth: None,
            read_pause: Duration::ZERO,
            send_buffer: 128 << 10,
            loses_requests: false,
            detour: Duration::ZERO,
            squeeze: None,
            loses_answers: false,
            drip: None,
            first_piece: usize::MAX,
            tampers: VecDeque::new(),
            cut: None,
            flips: false,
            swaps: false,
        }
    }

    /// How long a byte is on its way now.
    pub(crate) fn one_way(&self) -> Duration {
        self.latency + self.detour
    }

    /// How many bytes a producer's socket takes now.
    pub(crate) fn room(&self) -> usize {
        self.squeeze.map_or(self.send_buffer, |(buffer, _)| buffer)
    }

    /// How long so many bytes are on the line.
    pub(crate) fn time_for(&self, bytes: usize) -> Duration {
        let Some(bandwidth) = self.squeeze.map(|(_, rate)| rate).or(self.bandwidth) else {
            return Duration::ZERO;
        };
        Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / bandwidth.max(1) as u64)
    }

    /// Ends every trouble of the path; how fast and far it is stays.
    pub(crate) fn heal(&mut self) {
        self.dialling = Dialling::Accepted;
        (self.loses_requests, self.loses_answers) = (false, false);
        (self.drip, self.cut, self.squeeze) = (None, None, None);
        (self.detour, self.flips, self.swaps) = (Duration::ZERO, false, false);
        self.tampers.clear();
    }
}
