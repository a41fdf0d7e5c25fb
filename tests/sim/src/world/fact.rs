//! What happens in a world, as its trace says it and its observers see it.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use ottla::{RecordMetadata, Undelivered};

use super::faults::FaultKind;
use crate::network::Tamper;
use crate::{Api, Described, Produced};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// A resolver gave so many addresses for a name; none for an error.
    LookedUp {
        /// The name.
        host: String,
        /// The addresses.
        found: usize,
    },
    /// A producer dials.
    Dials {
        /// The connection to be.
        wire: u64,
        /// Where to.
        address: Ipv4Addr,
    },
    /// A dial was refused.
    Refused,
    /// A connection to a broker is up.
    Up {
        /// The connection.
        wire: u64,
        /// The broker.
        broker: i32,
    },
    /// A producer writes no more on a connection, and reads on until the broker closes it.
    ShutDown {
        /// The connection.
        wire: u64,
    },
    /// A producer let go of a connection.
    Left {
        /// The connection.
        wire: u64,
        /// The broker.
        broker: i32,
        /// Produce requests that were written whole and not answered.
        unanswered: usize,
        /// A Metadata request was written whole and not answered.
        metadata: bool,
        /// A request was written in part.
        within: bool,
        /// An answer was read in part.
        within_answer: bool,
        /// The producer knew that the other end was gone; otherwise it left by its own decision.
        ended: bool,
        /// Bytes of one direction, or both, were lost without a word.
        lost: bool,
        /// For so long nothing was read.
        silent: Duration,
    },
    /// A connection was found to be gone before the first byte of a Produce request was written.
    Unwritten {
        /// The connection.
        wire: u64,
    },
    /// From here on nothing that is written on a connection arrives, and it had nothing to do before.
    Vanishes {
        /// The connection.
        wire: u64,
        /// For so long nothing was read or written.
        idle: Duration,
    },
    /// A request reached a broker.
    Asked {
        /// The connection.
        wire: u64,
        /// The broker.
        broker: i32,
        /// The API, if the broker knows it.
        api: Option<Api>,
        /// The version.
        version: i16,
        /// Its bytes.
        bytes: usize,
    },
    /// A batch reached a broker, with what the broker made of it.
    Produced(Box<Produced>),
    /// A broker told of the cluster.
    Described(Box<Described>),
    /// A broker sent an answer.
    Answered {
        /// The connection.
        wire: u64,
        /// Its bytes.
        bytes: usize,
    },
    /// A producer has read the whole answer to a Produce request.
    Heard {
        /// The connection.
        wire: u64,
    },
    /// A connection has taken a part of a request, and takes no more for now.
    Choked {
        /// The connection.
        wire: u64,
        /// The broker.
        broker: i32,
    },
    /// The bytes of an answer were changed on their way.
    Tampered {
        /// The connection.
        wire: u64,
        /// How.
        tamper: Tamper,
    },
    /// A fault has struck.
    Struck {
        /// Of which kind.
        kind: FaultKind,
        /// Whom or what.
        target: String,
    },
    /// A record is handed in.
    Sent {
        /// The application's number of the record.
        record: usize,
    },
    /// The producer has taken a record.
    Accepted {
        /// The application's number of the record.
        record: usize,
    },
    /// The producer has not taken a record.
    Declined {
        /// The application's number of the record.
        record: usize,
        /// Why.
        why: String,
    },
    /// The send of a record has to wait.
    Waits {
        /// The application's number of the record.
        record: usize,
        /// The record is larger than what is free of the memory.
        lacks_room: bool,
    },
    /// The application has given up the send of a record that waited.
    GivenUp {
        /// The application's number of the record.
        record: usize,
        /// It was woken, and did not look why.
        woken: bool,
    },
    /// A flush begins.
    FlushBegins {
        /// The application's number of the flush.
        flush: usize,
    },
    /// A flush has ended, or its future was dropped.
    FlushEnds {
        /// The application's number of the flush.
        flush: usize,
        /// It was dropped.
        dropped: bool,
    },
    /// The application closes the producer.
    CloseBegins {
        /// How long the producer may take.
        grace: Duration,
    },
    /// A close has returned.
    CloseEnds,
    /// The application drops its last handle without a close.
    LastHandle,
    /// A record has its outcome.
    Ended {
        /// The application's number of the record.
        record: usize,
        /// What it was told.
        told: Told,
    },
    /// The application did something, or something was done for it.
    Note {
        /// What, in a few words.
        what: String,
    },
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::LookedUp { host, found } => write!(f, "{host} has {found} addresses"),
            Fact::Dials { wire, address } => write!(f, "wire {wire} is dialled to {address}"),
            Fact::Refused => write!(f, "a dial is refused"),
            Fact::Up { wire, broker } => write!(f, "wire {wire} to broker {broker} is up"),
            Fact::Left {
                wire,
                broker,
                unanswered,
                metadata,
                within,
                within_answer,
                ended,
                lost,
                silent,
            } => write!(
                f,
                "wire {wire} to broker {broker} is left: {unanswered} unanswered{}{}{}{}{}, silent for {silent:?}",
                if *metadata { " and metadata" } else { "" },
                if *within { ", a request in part" } else { "" },
                if *within_answer {
                    ", an answer in part"
                } else {
                    ""
                },
                if *ended { ", it was over" } else { "" },
                if *lost { ", bytes were lost" } else { "" },
            ),
            Fact::Unwritten { wire } => write!(f, "wire {wire} is gone before a byte is written"),
            Fact::ShutDown { wire } => write!(f, "wire {wire}: no more is written"),
            Fact::Vanishes { wire, idle } => {
                write!(f, "wire {wire} loses what is written, idle for {idle:?}")
            }
            Fact::Asked {
                wire,
                broker,
                api,
                version,
                bytes,
            } => match api {
                Some(api) => write!(
                    f,
                    "wire {wire}: {api:?} v{version} at {broker}, {bytes} bytes"
                ),
                None => write!(
                    f,
                    "wire {wire}: an unknown request at {broker}, {bytes} bytes"
                ),
            },
            Fact::Produced(produced) => write!(
                f,
                "{}-{} at {}: id {} epoch {} sequence {} + {}: code {}, offset {}{}",
                produced.topic,
                produced.partition,
                produced.broker,
                produced.producer_id,
                produced.epoch,
                produced.base_sequence,
                produced.count,
                produced.code,
                produced.base_offset,
                if produced.appended { ", appended" } else { "" },
            ),
            Fact::Described(described) => described.fmt(f),
            Fact::Answered { wire, bytes } => write!(f, "wire {wire}: answered, {bytes} bytes"),
            Fact::Heard { wire } => write!(f, "wire {wire}: an answer is read"),
            Fact::Choked { wire, .. } => write!(f, "wire {wire}: a request is written in part"),
            Fact::Tampered { wire, tamper } => write!(f, "wire {wire}: {tamper:?}"),
            Fact::Struck { kind, target } => write!(f, "** {kind}: {target}"),
            Fact::Sent { record } => write!(f, "record {record} is sent"),
            Fact::Accepted { record } => write!(f, "record {record} is accepted"),
            Fact::Declined { record, why } => write!(f, "record {record} is refused: {why}"),
            Fact::Waits { record, lacks_room } => write!(
                f,
                "record {record} waits{}",
                if *lacks_room { " for room" } else { "" }
            ),
            Fact::GivenUp { record, woken } => write!(
                f,
                "the send of record {record} is given up{}",
                if *woken { " when woken" } else { "" }
            ),
            Fact::FlushBegins { flush } => write!(f, "flush {flush} begins"),
            Fact::FlushEnds { flush, dropped } => write!(
                f,
                "flush {flush} {}",
                if *dropped { "is dropped" } else { "has ended" }
            ),
            Fact::CloseBegins { grace } => write!(f, "a close begins, within {grace:?}"),
            Fact::CloseEnds => f.write_str("a close has returned"),
            Fact::LastHandle => f.write_str("the last handle is dropped"),
            Fact::Ended { record, told } => write!(f, "record {record}: {told}"),
            Fact::Note { what } => f.write_str(what),
        }
    }
}

/// A fact and when it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The time since the world began.
    pub at: Duration,
    /// What happened.
    pub fact: Fact,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.6}  {}", self.at.as_secs_f64(), self.fact)
    }
}

/// What the application was told of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Told {
    /// Written, with its offset if that is known.
    Written {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: Option<i64>,
    },
    /// Not written.
    NotWritten {
        /// Why.
        why: String,
    },
    /// Perhaps written.
    MaybeWritten {
        /// Why that is not known.
        why: String,
    },
}

impl Told {
    pub(crate) fn of(outcome: &Result<RecordMetadata, Undelivered>) -> Told {
        match outcome {
            Ok(written) => Told::Written {
                partition: written.partition,
                offset: written.offset,
            },
            Err(Undelivered::NotWritten(why)) => Told::NotWritten {
                why: why.to_string(),
            },
            Err(Undelivered::MaybeWritten(why)) => Told::MaybeWritten {
                why: why.to_string(),
            },
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Written { partition, offset } => {
                write!(f, "written to {partition} at {offset:?}")
            }
            Told::NotWritten { why } => write!(f, "not written: {why}"),
            Told::MaybeWritten { why } => write!(f, "perhaps written: {why}"),
        }
    }
}
