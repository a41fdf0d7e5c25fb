//! One broker's address, or a bootstrap server's: look-up, next address, back-off before dialling again.

use alloc::{boxed::Box, vec::Vec};
use core::net::{IpAddr, SocketAddr};

use crate::{
    connection::Connection,
    error::{Cause, Disconnect, ResolveError},
    id::{ConnectionId, LookupId},
    time::Instant,
};

/// Somebody to connect to, with at most one link.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
    /// The broker that it is, once metadata names one at this address.
    pub(crate) broker: Option<i32>,
    /// It stands in `bootstrap.servers`.
    pub(crate) is_seed: bool,
    state: State,
    generation: u32,
    /// Addresses not tried since the last look-up, the next one last.
    addresses: Vec<SocketAddr>,
    /// Failures in a row: reset only by a link that got ready (H096).
    pub(crate) failures: u32,
    /// Time-outs of the set-up in a row.
    pub(crate) setup_timeouts: u32,
    /// Links in a row that broke while the version was negotiated.
    pub(crate) negotiation_failures: u32,
    /// Why the last try failed.
    pub(crate) last: Option<Cause>,
    /// Since when something has waited for the link without being taken.
    pub(crate) stalled_since: Option<Instant>,
    /// It is in the queue of links that may have something to send.
    pub(crate) in_links: bool,
}

#[derive(Debug)]
enum State {
    Down,
    Resolving {
        lookup: LookupId,
        until: Instant,
    },
    Up(Box<Connection>),
    /// Not to be tried before this.
    Waiting(Instant),
}

/// What dialling takes next.
pub(crate) enum Dial {
    Resolve,
    Connect(ConnectionId, SocketAddr),
}

impl Peer {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            broker: None,
            is_seed: false,
            state: State::Down,
            generation: 0,
            addresses: Vec::new(),
            failures: 0,
            setup_timeouts: 0,
            negotiation_failures: 0,
            last: None,
            stalled_since: None,
            in_links: false,
        }
    }

    /// Metadata can be asked of it.
    pub(crate) fn is_of_use(&self) -> bool {
        self.is_seed || self.broker.is_some()
    }

    pub(crate) fn is_at(&self, host: &str, port: u16) -> bool {
        *self.host == *host && self.port == port
    }

    /// Begins again at another address. The old link, if any, is the caller's to close.
    pub(crate) fn move_to(&mut self, host: &str, port: u16) {
        (self.host, self.port) = (host.into(), port);
        self.addresses.clear();
        (
            self.failures,
            self.setup_timeouts,
            self.negotiation_failures,
        ) = (0, 0, 0);
        (self.last, self.stalled_since) = (None, None);
        if !self.is_up() {
            self.state = State::Down;
        }
    }

    /// An address, a connection or an answer is on its way.
    pub(crate) fn awaits_network(&self) -> bool {
        match &self.state {
            State::Resolving { .. } => true,
            State::Up(link) => {
                link.is_draining() || link.idle_since().is_none() && !link.is_closing()
            }
            State::Down | State::Waiting(_) => false,
        }
    }

    pub(crate) fn link(&self) -> Option<&Connection> {
        match &self.state {
            State::Up(link) => Some(link),
            _ => None,
        }
    }

    pub(crate) fn link_mut(&mut self) -> Option<&mut Connection> {
        match &mut self.state {
            State::Up(link) => Some(link),
            _ => None,
        }
    }

    /// The link, if it is the one that `generation` names.
    pub(crate) fn link_of(&mut self, generation: u32) -> Option<&mut Connection> {
        if self.generation == generation {
            self.link_mut()
        } else {
            None
        }
    }

    pub(crate) fn connection_id(&self, slot: u32) -> ConnectionId {
        ConnectionId::new(slot, self.generation)
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.link().is_some_and(Connection::is_ready)
    }

    /// It is being looked up, connected or negotiated with.
    pub(crate) fn is_coming_up(&self) -> bool {
        match &self.state {
            State::Resolving { .. } => true,
            State::Up(link) => !link.is_ready() && !link.is_closing(),
            State::Down | State::Waiting(_) => false,
        }
    }

    /// Dialling may begin now.
    pub(crate) fn may_dial(&self, now: Instant) -> bool {
        match self.state {
            State::Down => true,
            State::Waiting(until) => until <= now,
            State::Resolving { .. } | State::Up(_) => false,
        }
    }

    /// Begins to dial: the next address if there is one, else a look-up.
    pub(crate) fn dial(&mut self, slot: u32) -> Dial {
        if self.addresses.is_empty()
            && let Ok(ip) = self.host.parse::<IpAddr>()
        {
            self.addresses.push(SocketAddr::new(ip, self.port));
        }
        let Some(address) = self.addresses.pop() else {
            return Dial::Resolve;
        };
        self.generation = self.generation.wrapping_add(1);
        Dial::Connect(self.connection_id(slot), address)
    }

    pub(crate) fn resolving(&mut self, lookup: LookupId, until: Instant) {
        self.state = State::Resolving { lookup, until };
    }

    pub(crate) fn connecting(&mut self, link: Connection) {
        self.state = State::Up(Box::new(link));
    }

    /// Takes a look-up's answer; `false` if nobody waits for it any more.
    pub(crate) fn resolved(&mut self, lookup: LookupId, found: &[SocketAddr]) -> bool {
        let awaited =
            matches!(self.state, State::Resolving { lookup: awaited, .. } if awaited == lookup);
        if awaited {
            self.addresses = found.iter().rev().take(MAX_ADDRESSES).copied().collect();
            if planted!(OneAddress) {
                self.addresses = found.first().copied().into_iter().collect();
            }
            self.state = State::Down;
        }
        awaited
    }

    /// The look-up brought nothing.
    pub(crate) fn unresolved(&mut self, why: ResolveError) {
        self.last = Some(Cause::Unresolved {
            host: self.host.clone(),
            why,
        });
        self.state = State::Down;
    }

    /// The link is gone; returns what was left of it.
    pub(crate) fn disconnected(&mut self, why: &Disconnect) -> Option<Box<Connection>> {
        match core::mem::replace(&mut self.state, State::Down) {
            State::Up(link) => {
                self.last = Some(self.unreachable(*why));
                Some(link)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    pub(crate) fn unreachable(&self, why: Disconnect) -> Cause {
        Cause::Unreachable {
            host: self.host.clone(),
            port: self.port,
            why,
        }
    }

    /// Another address is left from the last look-up.
    pub(crate) fn has_another_address(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Does not try again before `until`, and then with a fresh look-up.
    pub(crate) fn wait(&mut self, until: Instant) {
        self.addresses.clear();
        self.state = State::Waiting(until);
    }

    /// The link got ready.
    pub(crate) fn ready(&mut self) {
        (
            self.failures,
            self.setup_timeouts,
            self.negotiation_failures,
        ) = (0, 0, 0);
        self.last = None;
        // A link that was up and broke begins with a fresh look-up (H147).
        self.addresses.clear();
    }

    /// When something is due here: on the link, or with the next try if the peer is `wanted`.
    pub(crate) fn next_timeout(&self, wanted: bool) -> Option<Instant> {
        match &self.state {
            State::Up(link) => link.next_timeout(),
            State::Resolving { .. } if planted!(LookupHangs) => None,
            State::Resolving { until, .. } => Some(*until),
            State::Waiting(until) => wanted.then_some(*until),
            State::Down => None,
        }
    }

    /// The look-up took too long.
    pub(crate) fn is_lookup_late(&self, now: Instant) -> bool {
        let is_late = matches!(self.state, State::Resolving { until, .. } if until <= now);
        is_late && !planted!(LookupHangs)
    }
}

/// More addresses of one name are not tried.
const MAX_ADDRESSES: usize = 64;
