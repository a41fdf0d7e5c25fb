//! What is asked of the cluster: metadata, leaders, the producer id; and of whom.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{ProducerCore, ProducerId, backoff};
use crate::{
    cluster::{Change, MAX_PARTITIONS},
    connection::{Connection, Request},
    error::{Cause, Disconnect, Fatal, SendError},
    event::{Event, Warning},
    id::Topic,
    idempotence::Identity,
    log::debug,
    peer::Peer,
    time::Instant,
    transmit::Transmit,
    wire::{
        ApiKey, ErrorCode, InitProducerIdRequest, InitProducerIdResponse, MetadataRequest,
        MetadataResponse,
    },
};

impl ProducerCore {
    /// Sees to it that metadata and the producer id are asked for when they are due, of a peer that can answer.
    pub(super) fn pursue(&mut self) {
        let now = self.clock;
        if self.cluster.is_due(now) && !self.is_answering(self.metadata_peer) {
            self.metadata_peer = self.pick_peer();
        }
        if let Some(peer) = self.metadata_peer.filter(|_| self.cluster.is_due(now)) {
            self.mark_link_if_free(peer);
        }
        if let ProducerId::Wanted {
            at,
            failures,
            peer,
            last,
        } = self.producer_id
            && at <= now
            && self.wants_producer_id()
        {
            let peer = peer
                .filter(|_| self.is_answering(peer))
                .or_else(|| self.pick_peer());
            self.producer_id = ProducerId::Wanted {
                at,
                failures,
                peer,
                last,
            };
            if let Some(peer) = peer {
                self.mark_link_if_free(peer);
            }
        }
    }

    pub(super) fn metadata_is_for(&self, peer: u32) -> bool {
        self.metadata_peer == Some(peer) && self.cluster.is_due(self.clock)
    }

    pub(super) fn producer_id_is_for(&self, peer: u32) -> bool {
        matches!(self.producer_id, ProducerId::Wanted { at, peer: Some(p), .. } if p == peer && at <= self.clock)
    }

    pub(super) fn wants_producer_id(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Some link is needed, and none can be asked yet.
    pub(super) fn needs_any_link(&self, now: Instant) -> bool {
        let id_is_due = matches!(self.producer_id, ProducerId::Wanted { at, .. } if at <= now);
        (self.cluster.is_due(now) || (id_is_due && self.wants_producer_id()))
            && !self.peers.iter().any(Peer::is_ready)
    }

    pub(super) fn ask_metadata(&mut self, now: Instant, peer: u32) -> Option<Transmit> {
        if !self.metadata_is_for(peer) {
            return None;
        }
        let link = self.peers[peer as usize].link()?;
        let Some(version) = link.versions.metadata else {
            let error = crate::error::ProtocolError::UnsupportedVersion { api: "Metadata" };
            self.metadata_peer = None;
            self.close_link(peer, Disconnect::Protocol(error));
            return None;
        };
        let topics = self.cluster.ask(now);
        let names: Vec<&str> = topics
            .iter()
            .map(|&t| &*self.cluster.state(t).name)
            .collect();
        let mut body = Vec::new();
        MetadataRequest {
            topics: Some(&names),
            allow_auto_topic_creation: true,
        }
        .encode(version, &mut body);
        let link = self.peers[peer as usize].link_mut()?;
        let correlation_id = link.send(
            now,
            ApiKey::METADATA,
            version,
            true,
            Request::Metadata { topics },
        );
        let mut transmit = self.begin_request(ApiKey::METADATA, version, correlation_id);
        transmit.heads().extend_from_slice(&body);
        Some(self.finish_request(transmit))
    }

    /// The request for metadata found no answer.
    pub(super) fn metadata_failed(&mut self, now: Instant, asked: &[Topic]) {
        self.metadata_peer = None;
        let wait = backoff(&self.config, &mut self.rng, self.cluster.fruitless);
        self.cluster.ask_again(asked, now + wait);
    }

    pub(super) fn metadata_answered(
        &mut self,
        now: Instant,
        version: i16,
        asked: &[Topic],
        response: &mut MetadataResponse<'_>,
    ) {
        self.metadata_peer = None;
        let code = response.error_code;
        if !code.is_none() {
            let message = None;
            self.note_trouble(Cause::Broker { code, message });
            self.metadata_failed(now, asked);
            if code == ErrorCode::REBOOTSTRAP_REQUIRED {
                self.rebootstrap();
            }
            return;
        }
        if version < LEADER_EPOCHS_FROM {
            for partition in response.topics.iter_mut().flat_map(|t| &mut t.partitions) {
                partition.leader_epoch = -1;
            }
        }
        #[cfg(planted)]
        self.misread(response);
        let changes = self.cluster.apply(now, asked, response);
        debug!(
            topics = asked.len(),
            changes = changes.len(),
            "metadata came"
        );
        let wait = backoff(&self.config, &mut self.rng, self.cluster.fruitless);
        self.cluster.back_off(now + wait);
        let mut moved = BTreeSet::new();
        for change in &changes {
            match change {
                Change::Broker(id) if self.update_peer(*id) => drop(moved.insert(*id)),
                Change::BrokerGone(id) if self.retire_peer(*id) => drop(moved.insert(*id)),
                _ => {}
            }
        }
        self.update_leaders_at(&moved);
        for change in changes {
            match change {
                Change::AnotherCluster => self.cluster_is_another(now),
                Change::Broker(_) | Change::BrokerGone(_) => {}
                Change::Topic(topic) => self.update_topic(topic),
                Change::Recreated(topic) => {
                    self.warn(Warning::TopicRecreated(topic));
                    self.update_topic(topic);
                }
                Change::Refused(topic, code) => {
                    let name = self.cluster.state(topic).name.clone();
                    self.topic_was_refused(topic, &SendError::Topic { topic: name, code });
                }
                Change::Error(topic, partition, code) => self.warn(Warning::Topic {
                    topic,
                    partition,
                    code,
                }),
            }
        }
        self.want_awaited_topics();
    }

    /// The producer id that we hold is some other producer's in this cluster, or nobody's (H150).
    fn cluster_is_another(&mut self, now: Instant) {
        self.warn(Warning::AnotherCluster);
        if !matches!(self.producer_id, ProducerId::Off) {
            self.producer_id = ProducerId::wanted(now);
        }
    }

    /// A broker is new or has moved: its peer follows. Whether it has another peer now.
    fn update_peer(&mut self, id: i32) -> bool {
        let Some((host, port)) = self.cluster.broker(id) else {
            return false;
        };
        let (host, port) = (alloc::boxed::Box::<str>::from(host), port);
        if let Some(&slot) = self.peer_of_broker.get(&id) {
            if self.peers[slot as usize].is_at(&host, port) {
                return false;
            }
            if self.peers[slot as usize].is_seed {
                // The address is the configuration's; the broker is elsewhere now. What is on the way there must not be
                // overtaken by what follows on another link.
                self.peers[slot as usize].broker = None;
                self.close_link(slot, Disconnect::Replaced);
            } else {
                self.peers[slot as usize].move_to(&host, port);
                self.close_link(slot, Disconnect::Replaced);
                if !self.rings[slot as usize].is_empty() {
                    self.want_link(slot);
                }
                return false;
            }
        }
        // A link to an address that turns out to be a broker's is that broker's (once: two ids may share an address).
        let mut seeds = self.peers.iter().take_while(|peer| peer.is_seed);
        let adopted = seeds.position(|p| p.broker.is_none() && p.is_at(&host, port));
        let slot = adopted.map_or_else(|| self.add_peer(&host, port), |slot| slot as u32);
        self.peers[slot as usize].broker = Some(id);
        self.peer_of_broker.insert(id, slot);
        true
    }

    /// A broker is gone: nothing is its peer any more. Whether something was.
    fn retire_peer(&mut self, id: i32) -> bool {
        let Some(slot) = self.peer_of_broker.remove(&id) else {
            return false;
        };
        self.peers[slot as usize].broker = None;
        if !self.peers[slot as usize].is_seed {
            self.spare_peers.push(slot);
            self.close_link(slot, Disconnect::Replaced);
        }
        true
    }

    /// These brokers' peers are others: the partitions that they lead follow.
    fn update_leaders_at(&mut self, brokers: &BTreeSet<i32>) {
        if brokers.is_empty() {
            return;
        }
        for partition in 0..self.partitions.len() as u32 {
            let leader = self.partitions[partition as usize].leader.broker;
            if leader.is_some_and(|id| brokers.contains(&id)) {
                self.update_leader(partition);
            }
        }
    }

    /// A leader's address is known, perhaps for the first time.
    pub(super) fn broker_was_named(&mut self, id: i32) {
        if self.update_peer(id) {
            self.update_leaders_at(&BTreeSet::from([id]));
        }
    }

    /// All brokers are to be found anew, from the seeds (KIP-1102).
    fn rebootstrap(&mut self) {
        let mut gone = self.cluster.forget_brokers();
        gone.retain(|&id| self.retire_peer(id));
        self.update_leaders_at(&gone.into_iter().collect());
        for slot in 0..self.peers.len() as u32 {
            self.close_link(slot, Disconnect::Replaced);
        }
    }

    fn update_topic(&mut self, topic: Topic) {
        let wanted = self.cluster.state(topic).leaders.len();
        let known = self.topics[topic.index()].partitions.len();
        for index in known..wanted {
            if self.partitions.len() >= MAX_PARTITIONS {
                break;
            }
            let slot = self.partitions.len() as u32;
            let partition = self.new_partition(topic, index as i32);
            self.partitions.push(partition);
            self.topics[topic.index()].partitions.push(slot);
        }
        self.accumulator.grow(self.partitions.len());
        for place in 0..self.topics[topic.index()].partitions.len() {
            self.update_leader(self.topics[topic.index()].partitions[place]);
        }
        if wanted > 0 && !core::mem::replace(&mut self.topics[topic.index()].announced, true) {
            self.events.push_back(Event::TopicReady(topic));
            self.is_due_now();
        }
        self.topic_was_updated(topic);
    }

    /// Takes over a partition's leader from the metadata.
    pub(super) fn update_leader(&mut self, slot: u32) {
        let partition = &self.partitions[slot as usize];
        let leaders = &self.cluster.state(partition.topic).leaders;
        let known = leaders.get(partition.index as usize).copied();
        let leader = known.unwrap_or(crate::cluster::Leader {
            broker: None,
            epoch: -1,
        });
        let newer =
            leader.epoch > partition.leader.epoch || leader.broker != partition.leader.broker;
        let peer = leader
            .broker
            .and_then(|id| self.peer_of_broker.get(&id).copied());
        let partition = &mut self.partitions[slot as usize];
        let before = partition.peer.filter(|_| partition.peer != peer);
        (partition.leader, partition.peer) = (leader, peer);
        if let Some(before) = before
            && core::mem::take(&mut partition.in_ring)
        {
            self.rings[before as usize].retain(|&s| s != slot);
        }
        // A newer leader is asked at once, once; the same one only after the wait (H011).
        if newer && peer.is_some() {
            self.end_back_off(slot);
        } else {
            self.refresh(slot);
        }
    }

    pub(super) fn ask_producer_id(&mut self, now: Instant, peer: u32) -> Option<Transmit> {
        if !self.producer_id_is_for(peer) {
            return None;
        }
        let ProducerId::Wanted { failures, last, .. } = self.producer_id else {
            return None;
        };
        let Some(version) = self.peers[peer as usize].link()?.versions.init_producer_id else {
            self.fail(Fatal::ProducerId(ErrorCode::UNSUPPORTED_VERSION));
            return None;
        };
        let link = self.peers[peer as usize].link_mut()?;
        let correlation_id = link.send(
            now,
            ApiKey::INIT_PRODUCER_ID,
            version,
            true,
            Request::InitProducerId,
        );
        self.producer_id = ProducerId::Asked { failures, last };
        let mut transmit = self.begin_request(ApiKey::INIT_PRODUCER_ID, version, correlation_id);
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
        };
        request.encode(version, transmit.heads());
        Some(self.finish_request(transmit))
    }

    /// The request for a producer id found no answer, or one that may be another the next time.
    pub(super) fn producer_id_failed(&mut self, now: Instant, code: Option<ErrorCode>) {
        if let ProducerId::Asked { failures, last } = self.producer_id {
            if let Some(code) = code.filter(|code| Some(*code) != last) {
                self.warn(Warning::ProducerId(code));
            }
            let wait = backoff(&self.config, &mut self.rng, failures);
            let failures = failures.saturating_add(1);
            self.producer_id = ProducerId::Wanted {
                at: now + wait,
                failures,
                peer: None,
                last: code.or(last),
            };
        }
    }

    pub(super) fn producer_id_answered(&mut self, now: Instant, response: &InitProducerIdResponse) {
        if !matches!(self.producer_id, ProducerId::Asked { .. }) {
            return;
        }
        match response.error_code {
            // Under an id that was held before, sequences that are used up would come again on other records.
            ErrorCode::NONE if self.used_ids.contains(&response.producer_id) => {
                self.producer_id_failed(now, None);
            }
            ErrorCode::NONE if response.producer_id >= 0 && response.producer_epoch >= 0 => {
                let identity = Identity {
                    producer_id: response.producer_id,
                    epoch: response.producer_epoch,
                };
                self.producer_id = ProducerId::Held(identity);
                self.used_ids.truncate(USED_IDS - 1);
                self.used_ids.push_front(response.producer_id);
                self.refresh_all();
            }
            ErrorCode::UNSUPPORTED_VERSION | ErrorCode::INVALID_REQUEST => {
                self.fail(Fatal::ProducerId(response.error_code));
            }
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => {
                // What waits ends; the next try may find the right granted (H028).
                self.producer_id_failed(now, Some(response.error_code));
                self.fail_unstamped(response.error_code);
            }
            code => self.producer_id_failed(now, (!code.is_none()).then_some(code)),
        }
    }

    /// The peer can be asked now.
    fn is_answering(&self, peer: Option<u32>) -> bool {
        let link = peer.and_then(|p| self.peers[p as usize].link());
        link.is_some_and(|l| l.is_ready() && !l.is_throttled(self.clock))
    }

    fn mark_link_if_free(&mut self, peer: u32) {
        if self.peers[peer as usize]
            .link()
            .is_some_and(|l| l.is_free(self.clock))
        {
            self.mark_link(peer);
        }
    }

    /// Whom to ask: a link that is ready, the least busy one, and by chance among equals, so that a broker that lags behind
    /// is not asked again and again (H066). Else one that is coming up or is dialled now, one that did not fail first and
    /// brokers before seeds, so that the seeds have their turn when the brokers fail (H148).
    fn pick_peer(&mut self) -> Option<u32> {
        let now = self.clock;
        let is_ready = |p: &Peer| {
            let link = p.link();
            link.is_some_and(|l| l.is_ready() && !l.is_throttled(now))
        };
        let count = self.peers.len();
        let first = self.rng.below(count as u32) as usize;
        let turn = (first..count).chain(0..first);
        let ready = turn.clone().filter(|&slot| is_ready(&self.peers[slot]));
        let busy = |&slot: &usize| self.peers[slot].link().map_or(0, Connection::load);
        if let Some(slot) = ready.min_by_key(busy) {
            return Some(slot as u32);
        }
        let may_come = |p: &Peer| p.is_of_use() && (p.is_coming_up() || p.may_dial(now));
        let best = turn
            .filter(|&slot| may_come(&self.peers[slot]))
            .min_by_key(|&slot| {
                let peer = &self.peers[slot];
                (peer.failures, !peer.is_coming_up(), peer.broker.is_none())
            });
        if let Some(slot) = best {
            if !self.peers[slot].is_coming_up() {
                self.want_link(slot as u32);
            }
            return Some(slot as u32);
        }
        // One that throttles, if there is nobody else.
        let throttles = self.peers.iter().position(Peer::is_ready);
        throttles.map(|slot| slot as u32)
    }
}

/// Below this version of Metadata leader epochs may run back while partitions move, so that nobody compares them.
const LEADER_EPOCHS_FROM: i16 = 9;

/// Producer ids that are remembered once they were held.
const USED_IDS: usize = 64;
