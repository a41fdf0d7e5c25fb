//! The errors, one enum per operation, each variant saying what happened.

use alloc::boxed::Box;
use core::{fmt, time::Duration};

use crate::{compress::Compression, config::write_host_port, wire::ErrorCode};

/// Why a name is not a topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTopic {
    /// The name is empty.
    Empty,
    /// The name is longer than Kafka's 249 characters.
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The name is `.` or `..`.
    Dots,
    /// The name has a character other than ASCII letters, digits, `.`, `_` and `-`.
    Character(char),
    /// This producer holds as many topics as it can ([`MAX_TOPICS`](crate::MAX_TOPICS)).
    TooMany,
}

impl fmt::Display for InvalidTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic's name can't be empty"),
            Self::TooLong { len } => write!(
                f,
                "a topic's name has at most 249 characters, this one {len}"
            ),
            Self::Dots => f.write_str("a topic's name can't be \".\" or \"..\""),
            Self::Character(c) => {
                write!(
                    f,
                    "a topic's name has only ASCII letters, digits, '.', '_' and '-', not {c:?}"
                )
            }
            Self::TooMany => f.write_str("too many topics for one producer"),
        }
    }
}

impl core::error::Error for InvalidTopic {}

/// Why a record was not accepted. Nothing of it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// `buffer.memory` is full, or others wait for it already: wait for room, or try again later.
    Full,
    /// The topic, or the partition asked for, is not known yet; its look-up has begun: wait, or try again later.
    TopicNotReady,
    /// The record can never be sent: it is larger than a setting allows.
    TooLarge {
        /// The bytes that the record needs as a batch of its own.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
        /// The limit's setting: `max.request.size` or `buffer.memory`.
        setting: &'static str,
    },
    /// The handle is not of this producer.
    UnknownTopic,
    /// The name is not a topic's name.
    InvalidTopic(InvalidTopic),
    /// The partition is negative, or the topic still had too few of them when `max.block.ms` ran out.
    InvalidPartition {
        /// The topic's name.
        topic: Box<str>,
        /// The partition asked for.
        partition: i32,
        /// How many the topic is known to have.
        partitions: u32,
    },
    /// The record's timestamp is negative: Kafka counts milliseconds since 1970, and has no times before. Java's producer
    /// refuses such a record as well.
    InvalidTimestamp(i64),
    /// The brokers refuse the topic, for example TOPIC_AUTHORIZATION_FAILED or INVALID_TOPIC_EXCEPTION.
    Topic {
        /// The topic's name.
        topic: Box<str>,
        /// Their error code.
        code: ErrorCode,
    },
    /// `max.block.ms` ran out while the record waited.
    TimedOut {
        /// What it waited for at the end.
        waited_for: WaitedFor,
        /// Why that did not come, if something is known.
        cause: Option<Cause>,
    },
    /// The producer is closed or closing.
    Closed,
    /// A blocking form of the call would hold up the producer's driver: nothing was sent.
    Deadlock(Deadlock),
    /// The producer can't go on.
    Fatal(Fatal),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("buffer.memory is full"),
            Self::TopicNotReady => f.write_str("the topic's metadata is not known yet"),
            Self::TooLarge {
                size,
                limit,
                setting,
            } => {
                write!(f, "the record needs {size} bytes, {setting} allows {limit}")
            }
            Self::UnknownTopic => f.write_str("the topic's handle is of another producer"),
            Self::InvalidTopic(error) => error.fmt(f),
            Self::InvalidPartition {
                topic,
                partition,
                partitions,
            } => {
                write!(
                    f,
                    "there is no partition {partition}: topic {topic} has {partitions}"
                )
            }
            Self::InvalidTimestamp(timestamp) => write!(
                f,
                "the timestamp {timestamp} is negative: give milliseconds since 1970, or none for the time of sending"
            ),
            Self::Topic { topic, code } => write!(f, "the brokers refuse topic {topic}: {code}"),
            Self::TimedOut { waited_for, cause } => {
                write!(f, "max.block.ms ran out while waiting for {waited_for}")?;
                cause
                    .as_ref()
                    .map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Self::Closed => f.write_str("the producer is closed"),
            Self::Deadlock(deadlock) => deadlock.fmt(f),
            Self::Fatal(fatal) => fatal.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

/// Why a blocking call gave up: what it waited for could not come while it blocked its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deadlock {
    /// The call came from within a callback, which runs in the driver: do there only what need not wait.
    InCallback,
    /// The call came from a task of the runtime that drives the producer: await the form that does not block, or call from
    /// a thread for blocking work, as tokio's `spawn_blocking` has it.
    OnRuntimeThread,
    /// The time for the call was up by the caller's clock, and the driver had not ended it: a thread that it needs is
    /// blocked, by this call perhaps, or its clock stands still.
    DriverHeldUp,
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InCallback => {
                "a callback runs in the producer's driver and can't wait for it: do there only what need not wait"
            }
            Self::OnRuntimeThread => {
                "a blocking call on a thread of the runtime that drives the producer would hold it up: \
                 await the async form, or block in spawn_blocking"
            }
            Self::DriverHeldUp => {
                "the producer's driver was held up, perhaps by this blocking call on a thread that it needs: \
                 await the async form, or block on a thread of its own"
            }
        })
    }
}

impl core::error::Error for Deadlock {}

/// What a record waited for when its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitedFor {
    /// The topic's metadata.
    Metadata,
    /// Room in `buffer.memory`.
    Memory,
}

impl fmt::Display for WaitedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the topic's metadata",
            Self::Memory => "room in buffer.memory",
        })
    }
}

/// Why an accepted record was not, or may not have been, written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The broker refused the batch.
    Broker {
        /// Its error code.
        code: ErrorCode,
        /// Its message, if it sent one.
        message: Option<Box<str>>,
    },
    /// Another record of the batch was refused (KIP-467): this one may be sent again.
    BatchMate {
        /// The code with which the other was refused.
        code: ErrorCode,
    },
    /// `delivery.timeout.ms` ran out.
    Expired {
        /// What stood in the way.
        cause: Cause,
    },
    /// `retries` ran out.
    RetriesExhausted {
        /// Why the last attempt failed.
        last: Cause,
    },
    /// The link broke with the records on the way, and nothing may be sent again (acks=0).
    Disconnected(Disconnect),
    /// The broker does not know a version of the request that the record needs.
    UnsupportedVersion,
    /// The broker is too old to read the codec of `compression.type`.
    UnsupportedCompression(Compression),
    /// The brokers refuse to give a producer id, which idempotence needs.
    NoProducerId(ErrorCode),
    /// The application purged the record.
    Purged,
    /// The time that a close allowed for was over before the record's end.
    Closed {
        /// What stood in the way.
        cause: Cause,
    },
    /// The producer can't go on.
    Fatal(Fatal),
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker { code, message } => write_answer(f, *code, message.as_deref()),
            Self::BatchMate { code } => {
                write!(f, "another record of the batch was refused with {code}")
            }
            Self::Expired { cause } => write!(f, "delivery.timeout.ms ran out: {cause}"),
            Self::RetriesExhausted { last } => write!(f, "retries ran out: {last}"),
            Self::Disconnected(why) => write!(f, "the link broke: {why}"),
            Self::UnsupportedVersion => {
                f.write_str("the broker knows no version of Produce that ottla speaks")
            }
            Self::UnsupportedCompression(codec) => {
                write!(f, "the broker is too old to read {}", codec.name())
            }
            Self::NoProducerId(code) => write_no_producer_id(f, *code),
            Self::Purged => f.write_str("purged"),
            Self::Closed { cause } => write!(f, "the producer was closed; until then: {cause}"),
            Self::Fatal(fatal) => fatal.fmt(f),
        }
    }
}

impl core::error::Error for DeliveryError {}

/// What stood in the way when time or tries ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A broker answered an error.
    Broker {
        /// Its error code.
        code: ErrorCode,
        /// Its message, if it sent one.
        message: Option<Box<str>>,
    },
    /// A broker could not be reached, or its link broke.
    Unreachable {
        /// Its host, as the configuration or the metadata names it.
        host: Box<str>,
        /// Its port.
        port: u16,
        /// What happened to the link.
        why: Disconnect,
    },
    /// A broker was not connected to yet.
    NotConnected {
        /// Its host, as the configuration or the metadata names it.
        host: Box<str>,
        /// Its port.
        port: u16,
    },
    /// A broker's name did not resolve.
    Unresolved {
        /// The name.
        host: Box<str>,
        /// What the resolver said.
        why: ResolveError,
    },
    /// Metadata responses name an error of the topic or of the partition.
    Metadata {
        /// The topic's name.
        topic: Box<str>,
        /// The partition; `None` if it is about the whole topic.
        partition: Option<i32>,
        /// The error code.
        code: ErrorCode,
    },
    /// The partition has no leader.
    NoLeader,
    /// The broker throttles this client (KIP-219).
    Throttled,
    /// No producer id was given yet.
    NoProducerId {
        /// What the brokers answered last, if they answered.
        last: Option<ErrorCode>,
    },
    /// The record stood in the queue behind others, or a request was in flight without a response.
    Busy,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker { code, message } => write_answer(f, *code, message.as_deref()),
            Self::Unreachable { host, port, why } => {
                write_host_port(f, host, *port)?;
                write!(f, ": {why}")
            }
            Self::NotConnected { host, port } => {
                write_host_port(f, host, *port)?;
                f.write_str(": not connected yet")
            }
            Self::Unresolved { host, why } => write!(f, "{host}: {why}"),
            Self::Metadata {
                topic,
                partition: None,
                code,
            } => write!(f, "the brokers answer {code} for topic {topic}"),
            Self::Metadata {
                topic,
                partition: Some(partition),
                code,
            } => write!(
                f,
                "the brokers answer {code} for partition {topic}-{partition}"
            ),
            Self::NoLeader => f.write_str("the partition has no leader"),
            Self::Throttled => f.write_str("the broker throttles this client"),
            Self::NoProducerId { last: None } => f.write_str("no producer id was given"),
            Self::NoProducerId { last: Some(code) } => write_no_producer_id(f, *code),
            Self::Busy => f.write_str("no answer came in time"),
        }
    }
}

/// What a broker answered, in its own words if it has some.
fn write_answer(f: &mut fmt::Formatter<'_>, code: ErrorCode, message: Option<&str>) -> fmt::Result {
    write!(f, "the broker answered {code}")?;
    message.map_or(Ok(()), |message| write!(f, ": {message}"))
}

/// That a producer id is refused, and what helps.
fn write_no_producer_id(f: &mut fmt::Formatter<'_>, code: ErrorCode) -> fmt::Result {
    write!(f, "the brokers refuse a producer id: {code}")?;
    match code {
        ErrorCode::UNSUPPORTED_VERSION => f.write_str(
            "; they do not know InitProducerId, which came with Kafka 0.11: set enable.idempotence=false",
        ),
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED => f.write_str(
            "; grant the operation IdempotentWrite on the cluster, or set enable.idempotence=false",
        ),
        _ => Ok(()),
    }
}

/// Why a producer can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fatal {
    /// The brokers refuse a producer id for good.
    ProducerId(ErrorCode),
    /// The adapter's driver ended: its runtime was shut down, or it panicked.
    DriverGone,
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProducerId(code) => write_no_producer_id(f, *code),
            Self::DriverGone => f.write_str("the producer's driver is gone"),
        }
    }
}

impl core::error::Error for Fatal {}

/// What happened to a link, as the adapter or the core saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnect {
    /// The core asked for it, with [`Command::Disconnect`](crate::Command::Disconnect).
    Requested,
    /// Nobody listens at the address.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// The peer closed the link.
    Closed,
    /// The peer reset the link.
    Reset,
    /// The link did not come up within `socket.connection.setup.timeout.ms`.
    SetupTimedOut {
        /// The time-out that ran.
        after: Duration,
    },
    /// A request found no answer within `request.timeout.ms`.
    RequestTimedOut {
        /// The time-out that ran.
        after: Duration,
    },
    /// The peer sent what is not Kafka's protocol.
    Protocol(ProtocolError),
    /// The link was idle for `connections.max.idle.ms`.
    Idle,
    /// The broker's address changed, or it left the cluster.
    Replaced,
    /// Another failure, with the system's error number (0: none).
    Other(i32),
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("closed by this side"),
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Closed => f.write_str("closed by the broker"),
            Self::Reset => f.write_str("reset by the broker"),
            Self::SetupTimedOut { after } => write!(f, "not connected within {after:?}"),
            Self::RequestTimedOut { after } => write!(f, "no answer within {after:?}"),
            Self::Protocol(error) => write!(f, "protocol error: {error}"),
            Self::Idle => f.write_str("closed since it was idle"),
            Self::Replaced => f.write_str("the broker moved to another address"),
            Self::Other(number) => write!(f, "failed with system error {number}"),
        }
    }
}

/// What a peer sent that is not Kafka's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame's length is negative or above `receive.message.max.bytes`; text of another protocol read as a
    /// length looks like that (`hint`).
    FrameLength {
        /// The length that was read.
        len: i32,
        /// The largest that is taken.
        limit: usize,
        /// The protocol that the bytes look like, if they do: "HTTP" or "TLS".
        hint: Option<&'static str>,
    },
    /// An answer's correlation id is not that of the oldest request, or no request waits for an answer.
    Correlation {
        /// The id that came.
        got: i32,
        /// The id that was due.
        expected: Option<i32>,
    },
    /// An answer's body can't be read.
    Body(crate::wire::DecodeError),
    /// The broker knows no version of a request that ottla needs.
    UnsupportedVersion {
        /// The request's name.
        api: &'static str,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameLength { len, limit, hint } => {
                write!(f, "a frame of {len} bytes (at most {limit} are taken)")?;
                hint.map_or(Ok(()), |hint| write!(f, "; the peer seems to speak {hint}"))
            }
            Self::Correlation {
                got,
                expected: Some(expected),
            } => {
                write!(
                    f,
                    "an answer with correlation id {got} where {expected} was due"
                )
            }
            Self::Correlation {
                got,
                expected: None,
            } => {
                write!(f, "an answer with correlation id {got} where none was due")
            }
            Self::Body(error) => error.fmt(f),
            Self::UnsupportedVersion { api } => {
                write!(f, "the broker knows no version of {api} that ottla speaks")
            }
        }
    }
}

/// Why a name did not resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name does not exist, or has no address.
    NotFound,
    /// The resolver failed for now.
    Failed,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such host",
            Self::Failed => "the resolver failed",
        })
    }
}

impl core::error::Error for ResolveError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn an_ipv6_address_stands_in_brackets_before_its_port() {
        for (host, shown) in [
            ("kafka", "kafka:9092"),
            ("10.0.0.1", "10.0.0.1:9092"),
            ("::1", "[::1]:9092"),
            ("fe80::1%eth0", "[fe80::1%eth0]:9092"),
        ] {
            let (host, port, why) = (Box::from(host), 9092, Disconnect::Refused);
            let connecting = Cause::NotConnected {
                host: Box::clone(&host),
                port,
            };
            let words = [Cause::Unreachable { host, port, why }, connecting].map(|c| c.to_string());
            assert_eq!(words[0], std::format!("{shown}: connection refused"));
            assert_eq!(words[1], std::format!("{shown}: not connected yet"));
        }
    }
}
