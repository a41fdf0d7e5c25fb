//! One link as its two ends see it, and the state of the path that it runs on.

use std::time::Duration;

use bytes::Bytes;
use ottla_core::Transmit;

use super::network::Dial;

/// The time between two writes of a slow writer.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Where a link breaks while a Produce request is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before its first byte.
    Untouched,
    /// After so many bytes, which reach the broker.
    After(usize),
    /// After its last byte: the broker gets it, and nobody gets the answer.
    Whole,
}

/// One link, from the command to connect to the report of its end.
pub(crate) struct Link {
    pub(crate) broker: i32,
    /// How the model knows it.
    pub(crate) serial: u64,
    pub(crate) transmit: Option<Transmit>,
    /// Answers that are held back.
    pub(crate) held: Vec<Bytes>,
    /// No byte towards the broker arrives before this, and none from it before that.
    pub(crate) busy_to: Duration,
    pub(crate) busy_from: Duration,
    /// Bytes towards the broker were lost, or bytes from it: none comes through any more, since a stream has no holes.
    pub(crate) is_deaf: bool,
    pub(crate) is_mute: bool,
}

/// What lies between the producer and one broker. It holds for all their links, those to come included.
pub(crate) struct Path {
    /// One way.
    pub(crate) latency: Duration,
    pub(crate) dial: Dial,
    /// Answers wait for their release.
    pub(crate) is_held: bool,
    /// Bytes that the producer writes are lost.
    pub(crate) loses_requests: bool,
    /// The bytes from the broker that still get through.
    pub(crate) answers_left: Option<usize>,
    /// The bytes that the producer's socket takes in a tick; `None`: all.
    pub(crate) writes: Option<usize>,
    /// The pieces in which the broker's bytes come, and the time between them.
    pub(crate) pieces: Option<(usize, Duration)>,
    pub(crate) cut: Option<Cut>,
    /// What changes the next answer to a Produce request, and the next answer to any.
    pub(crate) tamper: Option<Tamper>,
    pub(crate) tamper_any: Option<Tamper>,
}

/// Changes an answer.
pub(crate) type Tamper = Box<dyn FnOnce(&mut Vec<u8>)>;

impl Link {
    pub(crate) fn new(broker: i32, serial: u64) -> Link {
        Link {
            broker,
            serial,
            transmit: None,
            held: Vec::new(),
            busy_to: Duration::ZERO,
            busy_from: Duration::ZERO,
            is_deaf: false,
            is_mute: false,
        }
    }
}

impl Default for Path {
    fn default() -> Path {
        Path {
            latency: Duration::from_millis(1),
            dial: Dial::Accept,
            is_held: false,
            loses_requests: false,
            answers_left: None,
            writes: None,
            pieces: None,
            cut: None,
            tamper: None,
            tamper_any: None,
        }
    }
}

/// The next bytes of a transmit, at most `most`; they count as written.
pub(crate) fn take_bytes(transmit: &mut Transmit, most: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(transmit.len().min(most));
    for slice in transmit.slices() {
        bytes.extend_from_slice(&slice[..slice.len().min(most - bytes.len())]);
    }
    transmit.advance(bytes.len());
    bytes
}

/// Whether a request that is not begun yet is a Produce request.
pub(crate) fn is_produce(transmit: &Transmit) -> bool {
    let mut api = transmit.slices().flatten().skip(4).take(2);
    transmit.is_untouched() && api.all(|&byte| byte == 0)
}
