//! The hard cases of a producer's life, as data: what the tests are named after, and what a random run counts.

/// One hard case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// Its number, as in `H017`. Numbers are never given again.
    pub number: u16,
    /// What happens.
    pub title: &'static str,
    /// What it is about.
    pub section: Section,
    /// The part of ottla that it needs and that is not built yet; `None` if it can be shown.
    pub waits_for: Option<&'static str>,
}

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Section {
    /// Ordering and retries.
    Ordering,
    /// Sequences and epochs.
    Idempotence,
    /// Deadlines.
    Expiry,
    /// Splitting and sizes.
    Size,
    /// Metadata, leaders, topics.
    Metadata,
    /// Links and frames.
    Links,
    /// Back-pressure, memory, fairness.
    Memory,
    /// Flush, purge and close.
    Closing,
    /// Transactions.
    Transactions,
    /// Time, throttling, acknowledgements, timestamps.
    Time,
    /// Names and seeds.
    Bootstrap,
    /// Settings, callbacks, the process.
    Process,
}

macro_rules! cases {
    () => { None };
    ($part:literal) => { Some($part) };
    ($($section:ident { $($number:literal $title:literal $(needs $part:literal)?)* })*) => {
        /// All cases, section by section.
        pub const CASES: &[Case] = &[$($(Case {
            number: $number,
            title: $title,
            section: Section::$section,
            waits_for: cases!($($part)?),
        },)*)*];
    };
}

cases! {
    Ordering {
        1 "The first of several batches in flight fails and the rest arrive out of order"
        2 "Answers come in another order than the requests"
        3 "A partition that retries has one batch in flight"
        4 "With one request in flight an expired batch keeps its partition muted"
        5 "Without idempotence retries reorder and repeat, but lose nothing"
        6 "The old leader still owes an answer when the leader moves"
        7 "Pipelining to a leader that has taken nothing yet"
        8 "A retry has the bytes of the first attempt"
        9 "A link breaks with several requests in flight"
        10 "A batch in the middle is rejected for good"
        11 "The wait between retries grows, and a newer leader ends it"
        12 "The number of retries runs out"
        13 "The order of sending is the order of the log, at volume"
        14 "One partition of a request fails, the others do not"
    }
    Idempotence {
        15 "A batch is written and its answer lost"
        16 "A batch is written and pushed out of what the broker remembers"
        17 "What may have been written moves no acknowledgement"
        18 "Out of order behind a head that failed is no gap"
        19 "Out of order at the head, with nothing unresolved, is a gap"
        20 "A new epoch starts every partition at zero"
        21 "A new epoch comes while another partition has unresolved batches"
        22 "Many failures under one epoch make one new epoch"
        23 "The epochs of a producer id are used up"
        24 "The sequence wraps to zero"
        25 "The broker does not know the producer id any more"
        26 "The broker has forgotten an idle producer"
        27 "A topic disappears for a while and returns"
        28 "The producer id does not come, or is refused"
        29 "The epoch changes between any two steps of a send"
        30 "Five unresolved batches per partition over all brokers"
        31 "Error codes that leave open whether the batch was appended"
        32 "A batch expires in flight and leaves its sequence open"
        33 "A batch expires unsent and takes no sequence"
        34 "The epoch is refused without transactions"
        35 "An unclean election loses acknowledged records"
        36 "A broker too old for record batches"
        165 "Not leader, after the batch was appended"
    }
    Expiry {
        37 "The deadline counts from acceptance and covers everything"
        38 "The answer comes after the record has expired in flight"
        39 "The bytes of an expired batch are still being written"
        40 "Expiry without any event of the network"
        41 "An expired batch gets an answer that asks for a retry or a split"
        42 "The largest times do not overflow"
        43 "The producer wakes exactly when there is something to do"
        44 "A retry that cannot end before the deadline"
        45 "A send from within the outcome of an expiry"
        46 "One budget of blocking for metadata and memory"
        47 "Throttled or without a leader until the deadline"
        168 "The reason for a failure is known"
    }
    Size {
        48 "A batch of several records is too large"
        49 "A batch of one record is too large"
        50 "A split keeps the sequence of its parent"
        51 "Too large after an attempt of which nobody knows"
        52 "Flush and close wait for the children of a split"
        53 "A batch is split again and again"
        54 "Only the broker's codes for size split a batch"
        55 "The estimate of the compression ratio follows the data"
        56 "A batch is larger than a request because it compressed badly"
        57 "A record too large for any request is refused at the door"
        58 "Every record a batch of its own, or larger than a batch"
    }
    Metadata {
        59 "The answer of the old leader names the new one"
        60 "A metadata answer is older than what is known"
        61 "A topic made anew counts its leader epochs from zero"
        62 "A topic is made anew while requests are in flight"
        63 "A topic stays unknown for long"
        64 "A topic is made anew with fewer partitions"
        65 "A topic gets more partitions"
        66 "A broker that lags leaves out a partition just added"
        67 "A topic without partitions and without an error"
        68 "All partitions are without a leader"
        69 "A topic is refused, and granted later"
        70 "Metadata fails for a while"
        71 "A topic in use is never forgotten"
        72 "Many failures ask for metadata once"
        73 "Metadata is asked of a broker that is dead"
        74 "A metadata answer contradicts itself"
        75 "A broker moves to another address, swaps with another, or leaves"
        76 "A topic is used the moment it was created"
        77 "Topic ids for Produce, and none in Metadata"
        78 "A rolling restart under load"
        167 "A leader epoch was too high once"
    }
    Links {
        79 "A link whose other end is gone without a word"
        80 "A link that never comes up"
        81 "An answer stops half way"
        82 "A request is half written when its time is over"
        83 "A request of which no byte was written"
        84 "A length that no answer has"
        85 "An answer to another request, or to none"
        86 "An answer that cannot be read"
        87 "An answer leaves a partition out, repeats one, or names a stranger"
        88 "Answers that drip"
        89 "An idle link is cut in silence"
        90 "The broker refuses the credentials" needs "TLS and SASL"
        91 "Credentials are renewed under load" needs "TLS and SASL"
        92 "The broker does not know the question for its versions"
        93 "Versions differ from broker to broker and from link to link"
        94 "TLS ends in the middle, or with a bad certificate" needs "TLS and SASL"
        95 "Metadata does not wait behind a produce request"
        96 "The wait before the next dial grows until a link is ready"
    }
    Memory {
        97 "Every way out of a send gives back its memory"
        98 "Those who wait for memory are served in order"
        99 "A wait for memory is given up at the moment of the grant"
        100 "A full memory overrides lingering"
        101 "Those who wait for memory are woken together and fill batches"
        102 "Records fail faster than the application takes their outcomes"
        103 "Partitions take turns"
        104 "One dead broker fills the memory"
        105 "Memory is given back once"
    }
    Closing {
        106 "A flush waits for earlier records only"
        107 "A flush overrides lingering, and stops doing so"
        108 "A flush or a send from within an outcome"
        109 "A close with a limit of time"
        110 "A send races with a close"
        111 "A close while something is waited for"
        112 "A close with an open transaction" needs "transactions"
        113 "A second close, a close after the end, and none at all"
        114 "Records are purged"
        169 "A connection that carried unacknowledged records is closed"
    }
    Transactions {
        115 "Another producer took over the transactional id" needs "transactions"
        116 "A commit after a send that failed" needs "transactions"
        117 "What a commit waits for" needs "transactions"
        118 "The answer to the end of a transaction is lost" needs "transactions"
        119 "The end of a transaction is answered with an unknown error" needs "transactions"
        120 "The coordinator still works on the transaction before" needs "transactions"
        121 "Some partitions are refused to a transaction" needs "transactions"
        122 "Partitions join a transaction one by one" needs "transactions"
        123 "The coordinator moves or dies" needs "transactions"
        124 "An abort with batches in flight" needs "transactions"
        125 "A gap in the sequence within a transaction" needs "transactions"
        126 "The coordinator gave the transaction up" needs "transactions"
        127 "A transaction without records" needs "transactions"
        128 "A transaction of which every batch failed" needs "transactions"
        129 "The newer protocol is used only where the cluster agreed to it" needs "transactions"
        130 "The end of a transaction brings a new epoch" needs "transactions"
        131 "The broker asks for an abort" needs "transactions"
        132 "Offsets in a transaction" needs "transactions"
        133 "A call that timed out is taken up again" needs "transactions"
        134 "The wait for the end of a transaction is given up" needs "transactions"
        135 "Calls in the wrong order" needs "transactions"
    }
    Time {
        136 "The clock on the wall jumps"
        137 "The process stands still for minutes"
        138 "The broker throttles"
        139 "No acknowledgements"
        140 "The leader alone acknowledges, and dies"
        141 "Too few replicas are in sync"
        142 "The broker sets the time of a record"
        143 "Times far apart, backwards, or out of bounds"
        144 "Single records of a batch are refused"
        145 "A codec is refused"
        146 "Nothing is not the same as empty"
    }
    Bootstrap {
        147 "A name with several addresses"
        148 "All known brokers are gone"
        149 "A broker asks to begin anew from the seeds"
        150 "Another cluster answers"
        151 "Seeds that do not resolve, and odd names"
    }
    Process {
        152 "Settings that contradict idempotence"
        153 "A delivery timeout below what it must cover"
        154 "Settings that overflow, or are nothing"
        155 "A callback panics"
        156 "Every interceptor sees every record end once" needs "interceptors"
        157 "A partition that is not there"
        158 "The partitions are those that Java chooses"
        159 "A delivery is dropped"
        160 "A send is dropped"
        161 "A record on the way is given up"
        162 "The driver dies"
        163 "The process forks"
        164 "Hooks that call back"
        166 "A blocking call on a thread of the runtime that drives the producer"
        170 "The runtime's clock is not the system's"
        171 "The command line is ended by a signal"
    }
}

impl Case {
    /// Whether it can be shown today.
    pub fn is_built(&self) -> bool {
        self.waits_for.is_none()
    }
}
