//! What the core asks of its driver ([`Command`]) and tells the application ([`Event`]).

use alloc::boxed::Box;
use core::{net::SocketAddr, ops::Range};

use crate::{
    config::HostPort,
    error::{Cause, Fatal, SendError},
    id::{BatchId, ConnectionId, FlushId, LookupId, Topic, Waiter},
    outcome::Outcome,
    wire::ErrorCode,
    work::Work,
};

/// Something for the driver to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Command {
    /// Look a name up, and answer with [`handle_resolved`](crate::ProducerCore::handle_resolved).
    /// Addresses in numbers never need a look-up.
    Resolve {
        /// Names the answer.
        lookup: LookupId,
        /// The host's name.
        host: Box<str>,
        /// The port that goes into the addresses.
        port: u16,
    },
    /// Open a link, and answer with [`handle_connected`](crate::ProducerCore::handle_connected) or
    /// [`handle_disconnected`](crate::ProducerCore::handle_disconnected).
    Connect {
        /// Names the link.
        connection: ConnectionId,
        /// Where to.
        address: SocketAddr,
    },
    /// Shut down the writing half of a link once its transmit is written, and read on until the peer closes or a
    /// [`Disconnect`](Self::Disconnect) comes; what is read may be handed in or discarded. The end of the link is answered
    /// with [`handle_disconnected`](crate::ProducerCore::handle_disconnected) as ever.
    ///
    /// A driver that can't do so may ignore it: a `Disconnect` follows within a second.
    Shutdown {
        /// The link.
        connection: ConnectionId,
    },
    /// Close a link now, in whatever state it is, and answer with
    /// [`handle_disconnected`](crate::ProducerCore::handle_disconnected), giving back the transmit that was
    /// outstanding.
    Disconnect {
        /// The link.
        connection: ConnectionId,
    },
    /// Work on a batch's bytes, to be done without the core; the answer is
    /// [`handle_work`](crate::ProducerCore::handle_work). Works may be done in any order, and several at once.
    Work(Work),
}

/// Something the application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A range of a batch's records has its outcome. Every accepted record is in exactly one such range.
    ///
    /// A batch that a broker calls too large goes on in pieces, whose ranges come one by one and in any order.
    #[non_exhaustive]
    Completed {
        /// The batch of the records' tickets.
        batch: BatchId,
        /// The indexes of the records.
        records: Range<u32>,
        /// What became of them.
        outcome: Outcome,
        /// No more will come for this batch: its id ends here.
        last: bool,
    },
    /// The waiter's turn has come: answer with [`send_waited`](crate::ProducerCore::send_waited) or
    /// [`cancel_wait`](crate::ProducerCore::cancel_wait). (A waiter for a topic only needs no answer.)
    Admitted(Waiter),
    /// The waiter waited in vain; its id ends here.
    WaitFailed(Waiter, SendError),
    /// The topic's partitions are known.
    TopicReady(Topic),
    /// All records that were accepted before this flush have their outcome.
    Flushed(FlushId),
    /// Something that an operator may want to see.
    Warning(Warning),
    /// The producer has ended: every record has its outcome, every link is closed.
    Closed(Option<Fatal>),
}

/// Something that an operator may want to see. Nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A broker is out of reach, or its link broke; it is tried again.
    Broker(Cause),
    /// The brokers are another cluster's than before, by its id: its topics are others of the same names, and what it
    /// knows of a producer id is about somebody else. Records go to it under a new producer id.
    AnotherCluster,
    /// A topic has another id than before: it was deleted and created again, and records go to the new one. Where
    /// brokers tell no ids (before Kafka 2.8), leader epochs that stay lower than before are the sign of it.
    TopicRecreated(Topic),
    /// A broker's log or producer state no longer has what it acknowledged (an unclean election, for example),
    /// or lost count of the sequence: a new epoch was begun, and no record was sent twice.
    SequenceGap {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
    },
    /// Metadata responses name an error of a topic, or of a partition of it, that may pass, such as
    /// UNKNOWN_TOPIC_OR_PARTITION or LEADER_NOT_AVAILABLE; it is asked about again. Said once, until the error is another.
    Topic {
        /// The topic.
        topic: Topic,
        /// The partition; `None` if it is about the whole topic.
        partition: Option<i32>,
        /// The error code.
        code: ErrorCode,
    },
    /// The brokers give no producer id, which idempotence needs, but this error; they are asked again. Said once, until the
    /// error is another.
    ProducerId(ErrorCode),
    /// A broker's response has bytes after its last field. They are passed over; this is said once per connection.
    TrailingBytes {
        /// The broker's address.
        broker: HostPort,
        /// The request's name.
        api: &'static str,
        /// How many bytes there are.
        bytes: usize,
    },
}
