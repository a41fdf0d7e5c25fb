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
    WrapsNegative 24 "After the last sequence comes a negative one.";
    ForgottenIsProven 25 "A leader that has forgotten the producer is sent several batches at once.";
    NoLimit 30 "More than five batches of a partition are not resolved.";
    TimedOutIsRefused 31 "REQUEST_TIMED_OUT counts as a refusal.";
    DropsExpired 32 "What expired on the way is not waited for any more.";
    GapNeverCloses 32 "A gap that nothing can close any more stops its partition.";
    NotLeaderIsRefused 165 "NOT_LEADER_OR_FOLLOWER counts as a refusal under acks=all.";
}
