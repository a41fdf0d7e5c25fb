//! Faults that tests plan: each waits for its request, strikes once and is gone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::hostile::Hostile;
use super::versions::Api;

/// The request a [`Fault`] waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// A batch for this partition.
    Produce {
        /// The topic's name.
        topic: String,
        /// The partition's number.
        partition: i32,
    },
    /// A Produce request, whatever its partitions.
    AnyProduce,
    /// A Metadata request.
    Metadata,
    /// A Metadata request's mention of this topic, by name, by id or among all.
    MetadataOf {
        /// The topic's name.
        topic: String,
    },
    /// An InitProducerId request.
    InitProducerId,
    /// An ApiVersions request that the broker supports.
    ApiVersions,
    /// A Fetch request.
    Fetch,
    /// A ListOffsets request.
    ListOffsets,
}

/// What goes wrong, once.
///
/// "Carried out" means, for Produce, that every partition's batch of the request is judged and appended as usual. A fault
/// on one partition of a Produce request masks only that partition if it is an error code, and the whole request otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: lets one request pass before the next fault in the queue.
    Pass,
    /// The request, or this partition's part of it, is not carried out and answered with the code.
    Refuse(i16),
    /// The batch is not appended and answered with the code and with errors of single records (KIP-467).
    RefuseRecords {
        /// The partition's error code.
        code: i16,
        /// Index in the batch and message of each record to blame.
        records: Vec<(i32, Option<String>)>,
        /// The message for the whole batch.
        message: Option<String>,
    },
    /// The request is carried out and answered with the code; an append keeps its base offset in the answer, as in Kafka.
    /// A batch that is refused anyway keeps its own code.
    AppendThen(i16),
    /// The request is carried out, and the connection closes without an answer.
    AppendThenDisconnect,
    /// The request is carried out and never answered; the connection stays open and silent.
    AppendThenSilence,
    /// The request is not carried out, and the connection closes.
    Disconnect,
    /// The request is not carried out and never answered; the connection stays open and silent.
    Silence,
    /// The request is carried out at once and answered later.
    Delay(Duration),
    /// The request is carried out, and these bytes are sent in place of the answer, without a length in front.
    Garbage(Vec<u8>),
    /// The request is carried out, and the answer makes no sense.
    Hostile(Hostile),
    /// The request is carried out, and the answer names this throttle time.
    Throttle(Duration),
}

/// What becomes of a request as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    Delayed(Duration),
    Replaced(Vec<u8>),
    Closed,
    Hung,
}

impl On {
    /// A batch for this partition.
    pub fn produce(topic: &str, partition: i32) -> On {
        On::Produce {
            topic: topic.to_owned(),
            partition,
        }
    }
}

impl On {
    /// Any request of an API; `None` if no faults can be planned for it.
    pub fn any(api: Api) -> Option<On> {
        match api {
            Api::Produce => Some(On::AnyProduce),
            Api::Fetch => Some(On::Fetch),
            Api::ListOffsets => Some(On::ListOffsets),
            Api::Metadata => Some(On::Metadata),
            Api::ApiVersions => Some(On::ApiVersions),
            Api::InitProducerId => Some(On::InitProducerId),
            _ => None,
        }
    }
}

impl Fault {
    /// A name that stays the same from version to version, for counters.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Pass => "pass",
            Fault::Refuse(_) => "refuse",
            Fault::RefuseRecords { .. } => "refuse records",
            Fault::AppendThen(_) => "append, then an error",
            Fault::AppendThenDisconnect => "append, then disconnect",
            Fault::AppendThenSilence => "append, then silence",
            Fault::Disconnect => "disconnect",
            Fault::Silence => "silence",
            Fault::Delay(_) => "delay",
            Fault::Garbage(_) => "garbage",
            Fault::Hostile(hostile) => hostile.name(),
            Fault::Throttle(_) => "throttle",
        }
    }

    /// The error code that takes the place of success, if it is one that does.
    pub fn code(&self) -> Option<i16> {
        match self {
            Fault::Refuse(code) | Fault::AppendThen(code) | Fault::RefuseRecords { code, .. } => {
                Some(*code)
            }
            _ => None,
        }
    }

    pub(crate) fn hostile(&self) -> Option<Hostile> {
        match self {
            Fault::Hostile(hostile) => Some(*hostile),
            _ => None,
        }
    }

    pub(crate) fn throttle(&self) -> Option<Duration> {
        match self {
            Fault::Throttle(time) => Some(*time),
            _ => None,
        }
    }

    /// Whether the request is carried out, apart from what an error code masks.
    pub(crate) fn is_carried_out(&self) -> bool {
        !matches!(self, Fault::Disconnect | Fault::Silence)
    }

    pub(crate) fn fate(&self) -> Fate {
        match self {
            Fault::Pass
            | Fault::Refuse(_)
            | Fault::RefuseRecords { .. }
            | Fault::AppendThen(_)
            | Fault::Hostile(_)
            | Fault::Throttle(_) => Fate::Answered,
            Fault::Delay(time) => Fate::Delayed(*time),
            Fault::Garbage(bytes) => Fate::Replaced(bytes.clone()),
            Fault::Disconnect | Fault::AppendThenDisconnect => Fate::Closed,
            Fault::Silence | Fault::AppendThenSilence => Fate::Hung,
        }
    }
}

/// The planned faults, first come first served per kind of request.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: BTreeMap<On, VecDeque<Fault>>,
    /// How often each has struck, by name.
    struck: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(crate) fn plan(&mut self, on: On, fault: Fault) {
        self.planned.entry(on).or_default().push_back(fault);
    }

    /// The next fault for this request, if any.
    pub(crate) fn take(&mut self, on: &On) -> Option<Fault> {
        let queue = self.planned.get_mut(on)?;
        let fault = queue.pop_front();
        if queue.is_empty() {
            self.planned.remove(on);
        }
        if let Some(fault) = &fault {
            *self.struck.entry(fault.name()).or_default() += 1;
        }
        fault
    }

    pub(crate) fn struck(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.struck.iter().map(|(&name, &count)| (name, count))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.planned.values().map(VecDeque::len).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.planned.clear();
    }
}
