//! Defects planted on purpose, to show that the checkers would see them. Only in a build with `--cfg planted`.
//!
//! One build holds them all, and one at most is chosen at a time, for the whole process. Each is a line or two at its
//! place, behind `planted!(Name)`, which is `false` in every other build.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Chooses the defect that the producers of this process have from now on; with `None` they have none.
pub fn choose(defect: Option<Defect>) {
    let number = defect.map_or(0, |d| 1 + d as usize);
    CHOSEN.store(number, Ordering::Relaxed);
}

/// Whether this defect is the chosen one.
#[inline]
#[must_use]
pub fn is_chosen(defect: Defect) -> bool {
    CHOSEN.load(Ordering::Relaxed) == 1 + defect as usize
}

/// None, or one more than the defect's place.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

macro_rules! defects {
    ($($name:ident $case:literal $about:literal;)+) => {
        /// A way in which a producer may be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Defect {
            $(#[doc = $about] $name,)+
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The number of the hard case that it fails.
            #[must_use]
            pub const fn case(self) -> u16 {
                match self { $(Self::$name => $case,)+ }
            }

            /// What it does, in one sentence.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)+ }
            }

            /// The defect of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|d| d.name() == name)
            }
        }
    };
}

defects! {
    // Sequences and epochs.
    RetriesOverHead 3 "A batch is retried while one before it is still on the way.";
    AnyAnswerCounts 6 "A late answer of an older leader is taken for a gap in the next one's log.";
    PipelinesToFreshLeader 7 "Several batches go to a leader that has taken none yet.";
    ProvenByRefusal 7 "A leader counts as one that knows us once it has refused a batch.";
    RewindsRange 10 "A rejected batch's part of the sequence is used again.";
    AcksOnDisconnect 17 "A lost link moves the point up to which batches count as acknowledged.";
    BumpsForFollower 18 "A follower's out-of-order sequence ends the epoch.";
    StampsUncertainAnew 19 "The head goes under a new epoch although an attempt of it may have been written.";
    KeepsOldCount 20 "A partition goes on with its old count under a new epoch.";
    FreshOverStale 21 "A fresh batch goes under the new epoch while others are not resolved under the old one.";
    UnstampsUncertain 21 "The end of an epoch takes the stamps of batches that may have been written.";
    BumpsForEach 22 "Each failure under one epoch ends an epoch.";
    EpochSticks 23 "With the epochs used up the last one is used again.";
    WrapsNegative 24 "The sequences end at 255, and a negative one comes next.";
    ForgottenIsProven 25 "A leader that has forgotten the producer is sent several batches at once.";
    NoLimit 30 "More than five batches of a partition are not resolved.";
    TimedOutIsRefused 31 "REQUEST_TIMED_OUT counts as a refusal.";
    DropsExpired 32 "What expired on the way is not waited for any more.";
    GapNeverCloses 32 "A gap that nothing can close any more stops its partition.";
    NotLeaderIsRefused 165 "NOT_LEADER_OR_FOLLOWER counts as a refusal under acks=all.";
    // Attempts, batches, memory, time, links, metadata, and the application's side.
    AfterAppendIsRefused 31 "NOT_ENOUGH_REPLICAS_AFTER_APPEND counts as a refusal.";
    ServerErrorIsRefused 31 "UNKNOWN_SERVER_ERROR counts as a refusal.";
    InventsOffset 16 "A duplicate whose place the broker does not remember is told one all the same.";
    LeftOutWaits 87 "A partition that an answer leaves out is waited for without end.";
    OffsetIsNext 15 "A record is told the offset after its own.";
    EndsTwice 38 "The late answer to a batch that has expired gives it an outcome once more.";
    RetriesAtOnce 11 "A retry does not wait.";
    ForgetsDoubt 12 "A refusal makes a batch count as not written, whatever its attempts before were.";
    ExpiredIsNotWritten 38 "A batch that expires on the way counts as not written.";
    LossIsRefusal 9 "A batch on a link that is lost counts as refused.";
    UnreadableIsTooLarge 54 "An answer that can't be read is taken for one that the batch is too large.";
    RetryDiffers 8 "A retry sends other bytes under the same stamp.";
    RequestsOverflow 56 "A request takes along batches beyond max.request.size.";
    RequeuesLast 1 "A batch that goes back into the queue goes behind all others.";
    FlushEndsLinger 107 "After a flush no batch lingers any more.";
    PiecesLiveLonger 41 "The pieces of a batch that was split have a new delivery time-out.";
    SplitLeaks 53 "What a split frees stays charged.";
    PiecesCountAnew 48 "The outcomes of a piece go to the first records of the whole.";
    ExpiresLate 37 "A batch expires one tick late.";
    SplitsUncertain 51 "A batch is split although an attempt of it may have been written.";
    LastComesFirst 98 "Who begins to wait for room last has it first.";
    GrantLeaks 99 "The room of a waiter that leaves just when it has it is lost.";
    RefusalLeaks 97 "The room of a record that is refused at the end of its wait stays charged.";
    KeepsReasons 168 "What brokers said of a topic, and why the batch before failed, is not told.";
    WaitsForEver 46 "max.block.ms does not end a wait.";
    FreesUnderWay 39 "The memory of a batch that expired is free while its bytes are still being written.";
    ClosesWithoutDraining 169 "A connection that carried unacknowledged records is closed with input unread.";
    TakesNegativeTimes 143 "A record with a negative timestamp is taken.";
    ClockRunsBack 136 "The producer's clock follows a time that runs back.";
    FlushMissesOne 106 "A flush ends one batch too early.";
    FlushMissesPieces 52 "A flush ends with the first piece of a batch that was split.";
    CloseHasNoGrace 109 "Close gives up at once what is not written yet.";
    PurgeTakesAll 114 "A purge of what is queued ends what is on the way, too.";
    NoExpiryTimer 40 "A batch expires only if something else happens.";
    NoBackoffTimer 43 "A retry comes only if something else happens.";
    NoThrottleTimer 138 "A throttled link goes on only if something else happens.";
    WritesIntoMiddle 82 "When a request that is half written times out, the next is written after that half.";
    SendsThrottled 138 "Requests go to a broker that throttles.";
    AnyCorrelation 85 "The next answer is taken for the oldest request's, whatever its id.";
    ThrottleTimesOut 138 "A request that a throttling broker delays times out.";
    NoRequestTimeout 79 "A request without an answer is waited for without end.";
    NoSetupTimeout 80 "A link that never comes up is waited for without end.";
    LosesCutLength 88 "A frame of which only part of the length has come loses that part.";
    RefusesTrailingBytes 86 "A stray byte after the last field of a response ends the link.";
    AnyLength 84 "A frame of any length is waited for.";
    SentIsNothing 83 "What was sent on a link that is lost counts as never sent.";
    TooManyRequests 30 "More requests are in flight than max.in.flight.requests.per.connection.";
    RedialsAtOnce 96 "A broker that can't be reached is dialled again without a pause.";
    OneAddress 147 "Of several addresses of a name only the first is tried.";
    LookupHangs 151 "A look-up that never ends is waited for without end.";
    StaysStale 65 "Metadata is never asked for because of its age.";
    AsksWithoutPause 72 "Metadata that brings nothing new is asked for again without a pause.";
    AnyHint 59 "A hint of an older leader counts.";
    ForgetsOnError 70 "A passing error takes what was known of a topic.";
    AnyEpoch 60 "An older answer about a leader counts.";
    SameForEver 61 "A topic that was created again is held for the old one, whose leader epochs were higher.";
    KeepsHighEpoch 167 "A leader epoch that was too high once is believed for ever.";
    RestartsCount 27 "A topic that is not in an answer about it begins a new count of its sequences.";
    EmptyIsWritten 67 "The records of a topic that an answer has without partitions count as written.";
    WakesOne 162 "Of those who wait for a batch's records one is woken.";
    OffsetOfWhole 48 "A record's offset counts from the whole batch where a piece's is known.";
    PanicSpreads 155 "A panic of one callback takes the others' calls with it.";
    CancelLeaks 160 "A send that is dropped while it waits keeps its place among those who wait.";
    EndsInSilence 162 "With the driver gone nobody learns what became of open records.";
    RepeatsShortWrite 82 "After a short write its last byte is written again.";
}
