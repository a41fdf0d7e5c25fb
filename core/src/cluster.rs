//! What is known of the cluster: brokers, topics, leaders, and how old that is.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

use crate::{
    error::InvalidTopic,
    id::Topic,
    time::Instant,
    wire::{ErrorCode, MetadataResponse, NodeEndpoint, PartitionMetadata, TopicMetadata},
};

/// The most topics that one producer holds.
pub const MAX_TOPICS: usize = 1 << 20;
/// The most partitions of one topic, and of all topics of one producer, that are believed.
pub const MAX_PARTITIONS: usize = 1 << 20;

/// Brokers, topics and the state of their refreshing.
pub(crate) struct Cluster {
    max_age: Duration,
    /// The cluster's id, once an answer told it.
    id: Option<Box<str>>,
    brokers: BTreeMap<i32, (Box<str>, u16)>,
    topics: Vec<TopicState>,
    by_name: BTreeMap<Box<str>, u32>,
    /// A request for metadata is on the way.
    asking: bool,
    /// It is about all topics.
    asking_all: bool,
    /// Some topic is asked about before its age demands it.
    urgent: bool,
    /// All topics were refreshed then.
    refreshed: Option<Instant>,
    not_before: Instant,
    /// Answers in a row that brought nothing new, or requests that failed.
    pub(crate) fruitless: u32,
}

/// A topic by name, and what is known of it.
pub(crate) struct TopicState {
    pub(crate) name: Box<str>,
    /// The id that the last answer gave (KIP-516); zero if it gave none, so that the topic is named by its name.
    pub(crate) id: [u8; 16],
    /// The id under which the leaders are known: another one is another topic (H061). Zero if no answer gave one.
    last_id: [u8; 16],
    /// Answers in a row that tell less than what is known: fewer partitions, or older leader epochs.
    older_answers: u8,
    /// How often older answers were believed in the end.
    pub(crate) rewinds: u32,
    pub(crate) leaders: Vec<Leader>,
    /// What the last answer says is wrong with it.
    pub(crate) error: Option<ErrorCode>,
    /// What it says is wrong with partitions.
    pub(crate) partition_errors: BTreeMap<i32, ErrorCode>,
    /// Why the brokers refuse it, at the last look.
    pub(crate) refused: Option<ErrorCode>,
    /// It is asked about at the next refresh.
    wanted: bool,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) broker: Option<i32>,
    /// −1 where the broker's version has none.
    pub(crate) epoch: i32,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The answer is another cluster's than the one before.
    AnotherCluster,
    /// A broker is new, or has another address.
    Broker(i32),
    /// A broker is not in the cluster any more.
    BrokerGone(i32),
    /// A topic's partitions or leaders are others.
    Topic(Topic),
    /// A topic is another one of the same name.
    Recreated(Topic),
    /// The brokers refuse a topic.
    Refused(Topic, ErrorCode),
    /// Something is wrong with a topic, or with a partition of it, that was not said before.
    Error(Topic, Option<i32>, ErrorCode),
}

impl Cluster {
    pub(crate) fn new(max_age: Duration) -> Self {
        Self {
            max_age,
            id: None,
            brokers: BTreeMap::new(),
            topics: Vec::new(),
            by_name: BTreeMap::new(),
            asking: false,
            asking_all: false,
            urgent: false,
            refreshed: None,
            not_before: Instant::ORIGIN,
            fruitless: 0,
        }
    }

    /// The handle of the topic `name`; a new one is asked about at once.
    pub(crate) fn topic(&mut self, name: &str) -> Result<Topic, InvalidTopic> {
        if let Some(&index) = self.by_name.get(name) {
            return Ok(Topic(index));
        }
        check_name(name)?;
        if self.topics.len() >= MAX_TOPICS {
            return Err(InvalidTopic::TooMany);
        }
        let index = self.topics.len() as u32;
        self.topics.push(TopicState {
            name: name.into(),
            id: [0; 16],
            last_id: [0; 16],
            older_answers: 0,
            rewinds: 0,
            leaders: Vec::new(),
            error: None,
            partition_errors: BTreeMap::new(),
            refused: None,
            wanted: false,
        });
        self.by_name.insert(name.into(), index);
        self.want(Topic(index));
        // A topic that nobody asked about yet does not wait for the others' back-off.
        self.not_before = Instant::ORIGIN;
        Ok(Topic(index))
    }

    pub(crate) fn get(&self, topic: Topic) -> Option<&TopicState> {
        self.topics.get(topic.index())
    }

    pub(crate) fn state(&self, topic: Topic) -> &TopicState {
        &self.topics[topic.index()]
    }

    pub(crate) fn broker(&self, id: i32) -> Option<(&str, u16)> {
        self.brokers.get(&id).map(|(host, port)| (&**host, *port))
    }

    /// Forgets all brokers, and says which they were.
    pub(crate) fn forget_brokers(&mut self) -> Vec<i32> {
        core::mem::take(&mut self.brokers).into_keys().collect()
    }

    /// Asks about a topic before its age demands it.
    pub(crate) fn want(&mut self, topic: Topic) {
        self.topics[topic.index()].wanted = true;
        self.urgent = true;
    }

    /// Metadata is to be asked for now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_timeout().is_some_and(|at| at <= now)
    }

    /// When metadata is to be asked for next; `None` while that is under way or nothing is in use.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        if self.asking || self.topics.is_empty() {
            return None;
        }
        if planted!(StaysStale) && !self.urgent {
            return None;
        }
        let due = if self.urgent {
            Instant::ORIGIN
        } else {
            self.refreshed? + self.max_age
        };
        Some(due.max(self.not_before))
    }

    /// Begins a refresh and returns what to ask about: all topics when they are old, else those that are wanted.
    pub(crate) fn ask(&mut self, now: Instant) -> Vec<Topic> {
        let all = self.refreshed.is_none_or(|at| at + self.max_age <= now);
        (self.asking, self.asking_all, self.urgent) = (true, all, false);
        let mut asked = Vec::new();
        for (topic, state) in (0..).map(Topic).zip(&mut self.topics) {
            if core::mem::take(&mut state.wanted) || all {
                asked.push(topic);
            }
        }
        asked
    }

    /// The refresh about `asked` found no answer: they are asked about again from `not_before` on.
    pub(crate) fn ask_again(&mut self, asked: &[Topic], not_before: Instant) {
        self.asking = false;
        self.fruitless = self.fruitless.saturating_add(1);
        self.not_before = not_before;
        for &topic in asked {
            self.want(topic);
        }
    }

    /// Waits until `not_before` with the next refresh, if it is an urgent one.
    pub(crate) fn back_off(&mut self, not_before: Instant) {
        if !planted!(AsksWithoutPause) {
            self.not_before = not_before;
        }
    }

    /// Takes an answer to a request about `asked`.
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        asked: &[Topic],
        response: &MetadataResponse<'_>,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        self.asking = false;
        if let Some(id) = response.cluster_id
            && let Some(known) = self.id.replace(id.into())
            && *known != *id
        {
            // Its epochs have nothing to do with those of the one before (H150).
            let topics = self.topics.iter_mut();
            for leader in topics.flat_map(|topic| &mut topic.leaders) {
                leader.epoch = -1;
            }
            changes.push(Change::AnotherCluster);
        }
        self.apply_brokers(&response.brokers, &mut changes);
        let known = changes.len();
        for answer in &response.topics {
            if let Some(&index) = answer.name.and_then(|name| self.by_name.get(name)) {
                self.apply_topic(Topic(index), answer, &mut changes);
            }
        }
        for &topic in asked {
            // Unknown, without partitions, without an answer, or without a leader in the cluster: asked about again. Not
            // so one that is refused: that is final, until somebody wants it again.
            let state = self.state(topic);
            let is_led = |leader: &Leader| {
                let broker = leader.broker;
                broker.is_some_and(|id| self.brokers.contains_key(&id))
            };
            let is_whole = !state.leaders.is_empty() && state.leaders.iter().all(is_led);
            if !is_whole && (state.refused.is_none() || !state.leaders.is_empty()) {
                self.want(topic);
            }
        }
        if self.asking_all {
            self.refreshed = Some(now);
        }
        let is_news = |change: &Change| !matches!(change, Change::Refused(..) | Change::Error(..));
        let news = changes[known..].iter().any(is_news);
        self.fruitless = if news {
            0
        } else {
            self.fruitless.saturating_add(1)
        };
        changes
    }

    /// Takes the leader that a broker named in an answer to Produce (KIP-951); whether it is news.
    pub(crate) fn hint(&mut self, topic: Topic, partition: i32, broker: i32, epoch: i32) -> bool {
        let known = self.brokers.contains_key(&broker);
        let leaders = &mut self.topics[topic.index()].leaders;
        let Some(leader) = usize::try_from(partition)
            .ok()
            .and_then(|i| leaders.get_mut(i))
        else {
            return false;
        };
        let news = known && (epoch > leader.epoch || planted!(AnyHint));
        if news {
            *leader = Leader {
                broker: Some(broker),
                epoch,
            };
        }
        news
    }

    /// Takes a broker's address; whether it is news.
    pub(crate) fn add_broker(&mut self, broker: &NodeEndpoint<'_>) -> bool {
        let (Ok(port @ 1..), false) = (
            u16::try_from(broker.port),
            broker.host.is_empty() || broker.node_id < 0,
        ) else {
            return false;
        };
        if self.broker(broker.node_id) == Some((broker.host, port))
            || self.brokers.len() >= MAX_BROKERS
        {
            return false;
        }
        self.brokers
            .insert(broker.node_id, (broker.host.into(), port));
        true
    }

    fn apply_brokers(&mut self, brokers: &[NodeEndpoint<'_>], changes: &mut Vec<Change>) {
        if brokers.is_empty() {
            // No broker at all is no answer of a cluster that works.
            return;
        }
        let named: BTreeSet<i32> = brokers.iter().map(|broker| broker.node_id).collect();
        let gone = self.brokers.keys().filter(|id| !named.contains(id));
        for id in gone.copied().collect::<Vec<_>>() {
            self.brokers.remove(&id);
            changes.push(Change::BrokerGone(id));
        }
        for broker in brokers {
            if self.add_broker(broker) {
                changes.push(Change::Broker(broker.node_id));
            }
        }
    }

    fn apply_topic(&mut self, topic: Topic, answer: &TopicMetadata<'_>, changes: &mut Vec<Change>) {
        let Self {
            topics, brokers, ..
        } = self;
        let state = &mut topics[topic.index()];
        // An index beyond the number that came is a hole that a later answer fills; far beyond, it is nonsense.
        let limit = (2 * answer.partitions.len() + 64).min(MAX_PARTITIONS);
        if let Some((partition, code)) = state.note_errors(answer, limit) {
            changes.push(Change::Error(topic, partition, code));
        }
        match answer.error_code {
            ErrorCode::NONE | ErrorCode::LEADER_NOT_AVAILABLE => {}
            code if is_refusal(code) => {
                state.refused = Some(code);
                changes.push(Change::Refused(topic, code));
                return;
            }
            // What was known stays (H070); the caller asks again.
            _ => {
                if planted!(ForgetsOnError) {
                    state.leaders.iter_mut().for_each(|l| l.broker = None);
                    changes.push(Change::Topic(topic));
                }
                return self.want(topic);
            }
        }
        state.refused = None;
        let is_sure = answer.topic_id != [0; 16] && answer.topic_id == state.last_id;
        let mut is_older =
            state.has_more_than(&answer.partitions) || state.is_newer_than(&answer.partitions);
        state.older_answers = if is_older {
            state.older_answers.saturating_add(1)
        } else {
            0
        };
        let before = state.leaders.clone();
        let gives_in = state.older_answers >= MOST_OLDER_ANSWERS;
        if gives_in && is_sure && !planted!(KeepsHighEpoch) {
            state.forget_epochs(answer.partitions.len());
        } else if (gives_in && !is_sure && !planted!(SameForEver))
            || is_another(state.last_id, answer.topic_id)
        {
            (state.older_answers, is_older) = (0, false);
            state.leaders.clear();
            changes.push(Change::Recreated(topic));
        }
        state.id = answer.topic_id;
        // Without partitions it says nothing of the leaders that are left.
        let tells = !answer.partitions.is_empty() || state.leaders.is_empty();
        if state.id != [0; 16] && !is_older && tells {
            state.last_id = state.id;
        }
        for partition in &answer.partitions {
            let Some(index) = place_of(partition, limit) else {
                continue;
            };
            if index >= state.leaders.len() {
                state.leaders.resize(
                    index + 1,
                    Leader {
                        broker: None,
                        epoch: -1,
                    },
                );
            }
            state.leaders[index] = newer(state.leaders[index], partition, brokers);
        }
        if state.leaders != before {
            changes.push(Change::Topic(topic));
        }
    }
}

impl TopicState {
    /// The id under which the leaders are known, if the last answer was of it; zero otherwise.
    pub(crate) fn id_of_leaders(&self) -> [u8; 16] {
        match self.id == self.last_id {
            true => self.id,
            false => [0; 16],
        }
    }

    /// Notes what an answer says is wrong with the topic and its partitions; returns what it did not say before, of the
    /// topic or of the first such partition.
    fn note_errors(
        &mut self,
        answer: &TopicMetadata<'_>,
        limit: usize,
    ) -> Option<(Option<i32>, ErrorCode)> {
        let code = Some(answer.error_code).filter(|code| !code.is_none());
        let before = core::mem::replace(&mut self.error, code);
        let of_topic = code.filter(|_| code != before).map(|code| (None, code));
        let failing = answer.partitions.iter().filter(|partition| {
            !partition.error_code.is_none() && place_of(partition, limit).is_some()
        });
        let errors = failing.map(|partition| (partition.partition_index, partition.error_code));
        let before = core::mem::replace(&mut self.partition_errors, errors.collect());
        let is_new = |(partition, code): &(&i32, &ErrorCode)| before.get(partition) != Some(code);
        let mut new = self.partition_errors.iter().filter(is_new);
        of_topic.or_else(|| {
            new.next()
                .map(|(&partition, &code)| (Some(partition), code))
        })
    }

    /// Forgets what older answers in a row don't confirm: partitions beyond `partitions`, and all leader epochs. A hint or a
    /// broken controller may have named an epoch that was never reached (H167).
    fn forget_epochs(&mut self, partitions: usize) {
        self.older_answers = 0;
        self.rewinds += 1;
        self.leaders.truncate(partitions);
        self.leaders.iter_mut().for_each(|leader| leader.epoch = -1);
    }

    /// An answer has fewer partitions than are known, as no later one of the same topic can. One without partitions says
    /// nothing of them.
    fn has_more_than(&self, answer: &[PartitionMetadata]) -> bool {
        (1..self.leaders.len()).contains(&answer.len())
    }

    /// An answer has an older leader epoch.
    fn is_newer_than(&self, answer: &[PartitionMetadata]) -> bool {
        let is_older = |partition: &PartitionMetadata| {
            let index = usize::try_from(partition.partition_index).ok();
            let known = index.and_then(|index| self.leaders.get(index));
            (0..known.map_or(-1, |known| known.epoch)).contains(&partition.leader_epoch)
        };
        answer.iter().any(is_older)
    }
}

/// Whether the code is final for the topic: only an administrator can change that.
fn is_refusal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION
    )
}

/// The partition's place among the leaders, if it can be believed.
fn place_of(partition: &PartitionMetadata, limit: usize) -> Option<usize> {
    let index = usize::try_from(partition.partition_index).ok();
    index.filter(|&index| index < limit)
}

/// The leader after an answer: one of an older epoch counts for nothing, an equal or absent one does (H060).
fn newer(
    known: Leader,
    answer: &PartitionMetadata,
    brokers: &BTreeMap<i32, (Box<str>, u16)>,
) -> Leader {
    let epoch = answer.leader_epoch;
    if epoch >= 0 && epoch < known.epoch && !planted!(AnyEpoch) {
        return known;
    }
    let broker = Some(answer.leader_id).filter(|id| brokers.contains_key(id));
    Leader { broker, epoch }
}

/// The ids are of two topics: only a real id differs from a real id.
fn is_another(known: [u8; 16], named: [u8; 16]) -> bool {
    known != named && known != [0; 16] && named != [0; 16] && !planted!(SameForEver)
}

/// Kafka's rule for topic names.
fn check_name(name: &str) -> Result<(), InvalidTopic> {
    const LONGEST: usize = 249;
    if name.is_empty() {
        return Err(InvalidTopic::Empty);
    }
    if name.len() > LONGEST {
        return Err(InvalidTopic::TooLong { len: name.len() });
    }
    if name == "." || name == ".." {
        return Err(InvalidTopic::Dots);
    }
    let odd = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-');
    name.chars()
        .find(odd)
        .map_or(Ok(()), |c| Err(InvalidTopic::Character(c)))
}

/// So many older answers in a row are believed in the end.
///
/// Where topics have no ids, a topic that was created again shows only in that its epochs stay low, or its partitions few;
/// and what answers without ids said of it may be of the one before. With ids, an epoch that was too high once would never
/// be reached again (H167). A broker that lags behind gives older answers too, but not all brokers do, and not for ever.
const MOST_OLDER_ANSWERS: u8 = 5;

/// More brokers than this are not believed.
const MAX_BROKERS: usize = 1 << 14;

#[cfg(test)]
mod tests;
