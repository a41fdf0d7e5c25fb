//! Links: dialling, requests and frames, and what the driver reports of them.

use core::net::SocketAddr;

use super::{ProducerCore, TimeoutReason};
use crate::{
    config::HostPort,
    connection::{Connection, InFlight, Negotiation, Request},
    error::{Cause, Disconnect, ProtocolError, ResolveError},
    event::{Command, Warning},
    frames::Frames,
    id::{ConnectionId, LookupId},
    log::debug,
    peer::{Dial, Peer},
    time::Instant,
    transmit::Transmit,
    wire::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, InitProducerIdResponse, MetadataResponse,
        ProduceResponse, RequestHeader, begin_length, check_end, split_response,
    },
};

impl ProducerCore {
    /// The next thing for the driver to do, until there is none.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// A link that has something to send and nothing outstanding, until there is none. Each is to be followed by
    /// [`poll_transmit`](Self::poll_transmit).
    #[must_use]
    pub fn poll_link(&mut self) -> Option<ConnectionId> {
        while let Some(peer) = self.links.pop_front() {
            self.peers[peer as usize].in_links = false;
            if self.has_output(peer) {
                return Some(self.peers[peer as usize].connection_id(peer));
            }
        }
        None
    }

    /// The next request for a link, to be written wholly and then reported with
    /// [`handle_written`](Self::handle_written); `None` if there is nothing to send on it now.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, connection: ConnectionId) -> Option<Transmit> {
        self.tick(now);
        let now = self.clock;
        let peer = connection.slot() as u32;
        let link = self
            .peers
            .get_mut(connection.slot())?
            .link_of(connection.generation())?;
        if let Some(version) = link.asks_versions() {
            return Some(self.ask_versions(now, peer, version));
        }
        // A link that was idle for too long may be dead without a sign (H089).
        if self.is_too_idle(now, peer) {
            self.close_idle(peer);
            return None;
        }
        for ask in [Self::ask_metadata, Self::ask_producer_id, Self::produce] {
            // Asked each time: finding that the broker lacks a version closes the link.
            if !self.peers[peer as usize].link()?.is_free(now) {
                return None;
            }
            if let Some(transmit) = ask(self, now, peer) {
                return Some(transmit);
            }
        }
        None
    }

    /// A name was looked up. Addresses in the order in which they are to be tried; all their ports are used as given.
    pub fn handle_resolved(
        &mut self,
        now: Instant,
        lookup: LookupId,
        found: Result<&[SocketAddr], ResolveError>,
    ) {
        self.tick(now);
        let found = found.and_then(|a| {
            if a.is_empty() {
                Err(ResolveError::NotFound)
            } else {
                Ok(a)
            }
        });
        let addresses = found.unwrap_or_default();
        let Some(peer) = (0..)
            .zip(&mut self.peers)
            .find_map(|(i, p)| p.resolved(lookup, addresses).then_some(i))
        else {
            return;
        };
        match found {
            Ok(_) => self.dial(peer),
            Err(why) => self.lookup_failed(peer, why),
        }
        self.settle();
    }

    /// The link's transport is up: TCP, and TLS if there is any.
    pub fn handle_connected(&mut self, now: Instant, connection: ConnectionId) {
        self.tick(now);
        let clock = self.clock;
        if let Some(link) = self.link_of(connection) {
            link.connected(clock);
            self.mark_link(connection.slot() as u32);
        }
        self.update_deadline();
    }

    /// Bytes came in on a link, in any chunking.
    pub fn handle_input(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        self.tick(now);
        self.metrics.bytes_received += bytes.len() as u64;
        let peer = connection.slot() as u32;
        let Some(link) = self.link_of(connection).filter(|link| !link.is_closing()) else {
            return;
        };
        // Out of the link for the while, since a frame borrows from it and what handles the frame needs all the rest.
        let mut frames = core::mem::take(&mut link.frames);
        let mut input = bytes;
        let error = loop {
            match frames.next(&mut input, |frame| self.handle_frame(peer, frame)) {
                Ok(Some(Ok(()))) => {}
                Ok(None) => break None,
                Ok(Some(Err(error))) | Err(error) => break Some(error),
            }
            if self.peers[peer as usize]
                .link()
                .is_none_or(Connection::is_closing)
            {
                break None;
            }
        };
        self.restore_frames(connection, frames);
        if let Some(error) = error {
            self.close_link(peer, Disconnect::Protocol(error));
        }
        self.settle();
    }

    /// The link's transmit is wholly with the socket, and dropped.
    pub fn handle_written(&mut self, now: Instant, connection: ConnectionId) {
        self.tick(now);
        if self.link_of(connection).is_some() {
            let peer = connection.slot() as u32;
            self.request_written(self.clock, peer);
            self.mark_link(peer);
        }
        self.update_deadline();
    }

    /// The link is gone, or was never there; the transmit that was outstanding on it comes back. What was not touched
    /// is provably not written.
    pub fn handle_disconnected(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        why: Disconnect,
        unsent: Option<Transmit>,
    ) {
        self.tick(now);
        let peer = connection.slot() as u32;
        let Some(link) = self.link_of(connection) else {
            return;
        };
        let why = link.why.take().unwrap_or(why);
        let is_untouched = unsent.as_ref().is_some_and(Transmit::is_untouched);
        let untouched = link.is_writing() && is_untouched;
        drop(unsent);
        let Some(mut link) = self.peers[peer as usize].disconnected(&why) else {
            return;
        };
        self.metrics.connections_closed += 1;
        self.peer_lost(peer, &link, &why);
        let mut lost = link.take_all();
        let last = if untouched { lost.pop_back() } else { None };
        for request in lost {
            self.requests_lost(self.clock, peer, request, false, &why);
        }
        if let Some(request) = last {
            self.requests_lost(self.clock, peer, request, true, &why);
        }
        self.settle();
    }

    pub(super) fn add_seeds(&mut self) {
        let mut seeds: alloc::vec::Vec<HostPort> = self.config.bootstrap_servers().to_vec();
        self.rng.shuffle(&mut seeds);
        for seed in seeds {
            let peer = self.add_peer(seed.host(), seed.port());
            self.peers[peer as usize].is_seed = true;
        }
    }

    /// A peer at an address, in a slot that nobody uses any more if there is one.
    pub(super) fn add_peer(&mut self, host: &str, port: u16) -> u32 {
        let is_free = |&slot: &u32| {
            let peer = &self.peers[slot as usize];
            let is_down = peer.may_dial(Instant::NEVER) && !peer.in_links;
            is_down && self.rings[slot as usize].is_empty()
        };
        if let Some(place) = self.spare_peers.iter().position(is_free) {
            let slot = self.spare_peers.swap_remove(place);
            self.peers[slot as usize].move_to(host, port);
            return slot;
        }
        self.peers.push(Peer::new(host, port));
        self.rings.push(alloc::collections::VecDeque::new());
        self.peers.len() as u32 - 1
    }

    /// Something waits for the peer's link: sees to it that it comes up, or that it is asked for output.
    pub(super) fn want_link(&mut self, peer: u32) {
        if self.peers[peer as usize].is_up() {
            self.mark_link(peer);
        } else if self.peers[peer as usize].may_dial(self.clock) {
            self.dial(peer);
        } else if let Some(at) = self.peers[peer as usize].next_timeout(true) {
            self.arm(at, TimeoutReason::Connection);
        }
    }

    pub(super) fn mark_link(&mut self, peer: u32) {
        let state = &mut self.peers[peer as usize];
        if !state.in_links {
            state.in_links = true;
            self.links.push_back(peer);
            self.is_due_now();
        }
    }

    pub(super) fn dial(&mut self, peer: u32) {
        if !self.is_active() {
            return;
        }
        let (clock, config) = (self.clock, &self.config);
        let state = &mut self.peers[peer as usize];
        let (base, max) = (
            config.socket_connection_setup_timeout(),
            config.socket_connection_setup_timeout_max(),
        );
        let setup = crate::backoff::exponential(base, max, state.setup_timeouts, &mut self.rng);
        match state.dial(peer) {
            Dial::Resolve => {
                self.lookups += 1;
                let lookup = LookupId(self.lookups);
                state.resolving(lookup, clock + setup);
                self.commands.push_back(Command::Resolve {
                    lookup,
                    host: state.host.clone(),
                    port: state.port,
                });
            }
            Dial::Connect(connection, address) => {
                // A broker that breaks links at the sight of a newer version gets the oldest, every other time (H092).
                let newest = *ApiKey::API_VERSIONS.versions().end();
                let first_version = if state.negotiation_failures % 2 == 1 {
                    0
                } else {
                    newest
                };
                let (timeout, frame) =
                    (config.request_timeout(), config.receive_message_max_bytes());
                state.connecting(Connection::new(clock, setup, timeout, frame, first_version));
                self.commands.push_back(Command::Connect {
                    connection,
                    address,
                });
            }
        }
        self.is_due_now();
    }

    /// The look-up failed, or took too long.
    pub(super) fn lookup_failed(&mut self, peer: u32, why: ResolveError) {
        self.peers[peer as usize].unresolved(why);
        self.want_topics_of(peer);
        self.back_off_peer(peer);
    }

    pub(super) fn begin_request(
        &mut self,
        api_key: ApiKey,
        api_version: i16,
        correlation_id: i32,
    ) -> Transmit {
        let new = || Transmit::new(self.config.checksum());
        let mut transmit = self.spares.transmit().unwrap_or_else(new);
        let _ = begin_length(transmit.heads());
        let client_id = Some(self.config.client_id());
        RequestHeader {
            api_key,
            api_version,
            correlation_id,
            client_id,
        }
        .encode(transmit.heads());
        transmit
    }

    pub(super) fn finish_request(&mut self, mut transmit: Transmit) -> Transmit {
        transmit.finish();
        self.metrics.requests_sent += 1;
        self.metrics.bytes_sent += transmit.len() as u64;
        transmit
    }

    fn ask_versions(&mut self, now: Instant, peer: u32, version: i16) -> Transmit {
        let link = self.peers[peer as usize]
            .link_mut()
            .expect("the caller looked at it");
        let correlation_id = link.send(
            now,
            ApiKey::API_VERSIONS,
            version,
            true,
            Request::ApiVersions,
        );
        let mut transmit = self.begin_request(ApiKey::API_VERSIONS, version, correlation_id);
        let request = ApiVersionsRequest {
            client_software_name: "ottla",
            client_software_version: env!("CARGO_PKG_VERSION"),
        };
        request.encode(version, transmit.heads());
        self.finish_request(transmit)
    }

    fn has_output(&mut self, peer: u32) -> bool {
        let now = self.clock;
        let Some(link) = self.peers[peer as usize].link() else {
            return false;
        };
        if link.asks_versions().is_some() {
            return true;
        }
        if !link.is_free(now) {
            return false;
        }
        self.metadata_is_for(peer)
            || self.producer_id_is_for(peer)
            || (self.may_produce(peer) && self.has_batches(peer))
    }

    pub(super) fn may_produce(&self, peer: u32) -> bool {
        let most = match planted!(NoLimit) {
            true => usize::MAX,
            false => self.config.max_in_flight_requests_per_connection() as usize,
        };
        self.peers[peer as usize]
            .link()
            .is_some_and(|link| link.produces() < most || planted!(TooManyRequests))
    }

    fn handle_frame(&mut self, peer: u32, frame: &[u8]) -> Result<(), ProtocolError> {
        let now = self.clock;
        let link = self.peers[peer as usize]
            .link_mut()
            .expect("the input is this link's");
        let got = frame
            .first_chunk()
            .map_or(0, |head| i32::from_be_bytes(*head));
        if link.expects_no_answer(got) {
            return Ok(());
        }
        let Some(InFlight { api, version, .. }) = link.oldest() else {
            return Err(ProtocolError::Correlation {
                got,
                expected: None,
            });
        };
        let (api, version) = (*api, *version);
        let (correlation_id, body) =
            split_response(frame, api, version).map_err(ProtocolError::Body)?;
        link.check(correlation_id)?;
        let rest = &mut &*body;
        // Decoded before it is taken off the link: an answer that can't be read leaves its request without one (H086).
        let take = |core: &mut Self, throttle_time_ms| {
            let link = core.peers[peer as usize].link_mut().expect("it was there");
            link.throttle(now, throttle_time_ms);
            let answered = link.answered(now);
            if api != ApiKey::API_VERSIONS {
                core.trouble = None; // a broker is reached, and answers what is asked
            }
            answered
        };
        match api {
            ApiKey::API_VERSIONS => {
                let response =
                    ApiVersionsResponse::decode(rest, version).map_err(ProtocolError::Body)?;
                self.check_end(peer, api, body, rest)?;
                take(self, response.throttle_time_ms);
                self.versions_answered(peer, version, &response)?;
            }
            ApiKey::METADATA => {
                let mut response =
                    MetadataResponse::decode(rest, version).map_err(ProtocolError::Body)?;
                self.check_end(peer, api, body, rest)?;
                if let Request::Metadata { topics } = take(self, response.throttle_time_ms).request
                {
                    self.metadata_answered(now, version, &topics, &mut response);
                }
            }
            ApiKey::INIT_PRODUCER_ID => {
                let response =
                    InitProducerIdResponse::decode(rest, version).map_err(ProtocolError::Body)?;
                self.check_end(peer, api, body, rest)?;
                take(self, response.throttle_time_ms);
                self.producer_id_answered(now, &response);
            }
            _ => {
                let response =
                    ProduceResponse::decode(rest, version).map_err(ProtocolError::Body)?;
                self.check_end(peer, api, body, rest)?;
                if let Request::Produce { items } = take(self, response.throttle_time_ms).request {
                    self.produce_answered(now, &items, &response);
                    self.spares.keep_items(items);
                }
            }
        }
        self.mark_link(peer);
        Ok(())
    }

    /// Passes over a few bytes after the last field of a response, and warns of it once per link: librdkafka's mock cluster
    /// sends such responses, and whatever follows on the link is in no doubt, since the frame's length is right (H086).
    fn check_end(
        &mut self,
        peer: u32,
        api: ApiKey,
        body: &[u8],
        rest: &[u8],
    ) -> Result<(), ProtocolError> {
        if rest.is_empty() {
            return Ok(());
        }
        if rest.len() > MOST_TRAILING_BYTES || planted!(RefusesTrailingBytes) {
            let offset = body.len() - rest.len();
            return check_end(offset, rest.len()).map_err(ProtocolError::Body);
        }
        let at = &mut self.peers[peer as usize];
        let is_first = at.link_mut().is_some_and(Connection::note_trailing_bytes);
        if is_first {
            let broker = HostPort::new(&at.host, at.port);
            self.warn(Warning::TrailingBytes {
                broker,
                api: api.name().unwrap_or("unknown request"),
                bytes: rest.len(),
            });
        }
        Ok(())
    }

    fn versions_answered(
        &mut self,
        peer: u32,
        version: i16,
        response: &ApiVersionsResponse,
    ) -> Result<(), ProtocolError> {
        let link = self.peers[peer as usize]
            .link_mut()
            .expect("the answer is this link's");
        if let Negotiation::Ready = link.negotiate(version, response)? {
            self.peers[peer as usize].ready();
            debug!(
                host = &*self.peers[peer as usize].host,
                port = self.peers[peer as usize].port,
                "link is ready"
            );
            self.metrics.connections_made += 1;
        }
        Ok(())
    }

    fn restore_frames(&mut self, connection: ConnectionId, frames: Frames) {
        if let Some(link) = self.link_of(connection) {
            link.frames = frames;
        }
    }

    fn link_of(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        self.peers
            .get_mut(connection.slot())?
            .link_of(connection.generation())
    }

    /// A peer's link is gone: whom to blame, and when to try again.
    fn peer_lost(&mut self, peer: u32, link: &Connection, why: &Disconnect) {
        let state = &mut self.peers[peer as usize];
        let was_ready = link.was_ready();
        if matches!(why, Disconnect::SetupTimedOut { .. }) {
            state.setup_timeouts = state.setup_timeouts.saturating_add(1);
        }
        if !was_ready && link.asked_versions() {
            state.negotiation_failures = state.negotiation_failures.wrapping_add(1);
        }
        if is_planned(why) {
            self.peers[peer as usize].last = None;
            if !self.rings[peer as usize].is_empty() {
                self.want_link(peer);
            }
            return;
        }
        self.want_topics_of(peer);
        if !was_ready && self.peers[peer as usize].has_another_address() {
            let cause = self.peers[peer as usize].unreachable(*why);
            self.note_trouble(cause);
            return self.dial(peer);
        }
        self.back_off_peer(peer);
    }

    /// Waits before the peer is tried again (H096).
    fn back_off_peer(&mut self, peer: u32) {
        let (base, max) = (
            self.config.reconnect_backoff(),
            self.config.reconnect_backoff_max(),
        );
        let state = &mut self.peers[peer as usize];
        let mut wait = crate::backoff::exponential(base, max, state.failures, &mut self.rng);
        if planted!(RedialsAtOnce) {
            wait = core::time::Duration::ZERO;
        }
        state.failures = state.failures.saturating_add(1);
        state.wait(self.clock + wait);
        let cause = state.last.clone().unwrap_or(Cause::Busy);
        self.note_trouble(cause);
    }

    /// A broker that can't be reached may not be the leader any more.
    fn want_topics_of(&mut self, peer: u32) {
        let Self {
            partitions,
            cluster,
            ..
        } = self;
        for partition in partitions.iter().filter(|p| p.peer == Some(peer)) {
            cluster.want(partition.topic);
        }
    }
}

/// The core itself decided to close the link, and not because something is wrong with it.
fn is_planned(why: &Disconnect) -> bool {
    matches!(
        why,
        Disconnect::Idle | Disconnect::Replaced | Disconnect::Requested
    )
}

/// Bytes after a response's last field that are passed over. More would rather be fields that were counted wrongly.
const MOST_TRAILING_BYTES: usize = 16;
