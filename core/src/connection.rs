//! One link: frames, ApiVersions, requests in flight, time-outs.

use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

use crate::{
    error::{Disconnect, ProtocolError},
    frames::Frames,
    id::Topic,
    idempotence::Leadership,
    time::Instant,
    wire::{ApiKey, ApiVersionsResponse, ErrorCode},
};

/// A request that waits for its answer, or for being written if it gets none.
#[derive(Debug)]
pub(crate) enum Request {
    /// Which versions does the broker know?
    ApiVersions,
    /// Brokers, topics, leaders.
    Metadata {
        /// The topics that were asked for.
        topics: Vec<Topic>,
    },
    /// A producer id.
    InitProducerId,
    /// Batches.
    Produce {
        /// One for each partition, in the order of the wire.
        items: Vec<ProduceItem>,
    },
}

/// A batch in a Produce request: enough to match the answer without looking at today's metadata (H062).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProduceItem {
    pub(crate) topic: Topic,
    pub(crate) index: i32,
    /// The partition's dense index.
    pub(crate) partition: u32,
    pub(crate) batch: u32,
    pub(crate) leadership: Leadership,
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    correlation_id: i32,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    sent: Instant,
    is_answered: bool,
    pub(crate) request: Request,
}

/// The versions of each API that both sides of a link speak; `None` where there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Versions {
    pub(crate) produce: Option<i16>,
    pub(crate) metadata: Option<i16>,
    pub(crate) init_producer_id: Option<i16>,
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The transport is not up yet.
    Connecting,
    /// ApiVersions is to be asked in this version.
    Asking(i16),
    /// ApiVersions was asked.
    Negotiating,
    Ready,
    /// The driver was told to shut down the writing half, and to read on until the peer closes; at this time at the latest
    /// the link is closed.
    Draining(Instant),
    /// The driver was told to close it.
    Closing,
}

/// What ApiVersions' answer means for the link.
pub(crate) enum Negotiation {
    Ready,
    /// Asked again, in a version that the broker named (KIP-511).
    Again,
}

/// One link to one broker.
#[derive(Debug)]
pub(crate) struct Connection {
    stage: Stage,
    opened: Instant,
    setup_timeout: Duration,
    request_timeout: Duration,
    first_version: i16,
    pub(crate) versions: Versions,
    in_flight: VecDeque<InFlight>,
    produces: usize,
    /// The correlation ids of the first and the last request that gets no response: a broker that responds all the same is
    /// not listened to (H139).
    unanswered: Option<(i32, i32)>,
    next_correlation_id: i32,
    got_ready: bool,
    /// A response had bytes after its last field.
    had_trailing_bytes: bool,
    /// A transmit is with the driver.
    writing: bool,
    active: Instant,
    throttled_until: Instant,
    /// Why it is being closed, if the core decided it.
    pub(crate) why: Option<Disconnect>,
    pub(crate) frames: Frames,
}

impl Connection {
    /// A link that is being opened. `setup_timeout` covers everything until it is ready (H080);
    /// `first_version` is the version in which ApiVersions is asked first.
    pub(crate) fn new(
        now: Instant,
        setup_timeout: Duration,
        request_timeout: Duration,
        largest_frame: usize,
        first_version: i16,
    ) -> Self {
        Self {
            stage: Stage::Connecting,
            opened: now,
            setup_timeout,
            request_timeout,
            first_version,
            versions: Versions::default(),
            in_flight: VecDeque::new(),
            produces: 0,
            unanswered: None,
            next_correlation_id: 0,
            got_ready: false,
            had_trailing_bytes: false,
            writing: false,
            active: now,
            throttled_until: Instant::ORIGIN,
            why: None,
            frames: Frames::new(largest_frame),
        }
    }

    /// The transport is up.
    pub(crate) fn connected(&mut self, now: Instant) {
        if self.stage == Stage::Connecting {
            self.stage = Stage::Asking(self.first_version);
            self.active = now;
        }
    }

    /// The version in which ApiVersions is to be asked now.
    pub(crate) fn asks_versions(&self) -> Option<i16> {
        match self.stage {
            Stage::Asking(version) if !self.writing => Some(version),
            _ => None,
        }
    }

    /// Takes the answer to ApiVersions, which was asked in `version`.
    pub(crate) fn negotiate(
        &mut self,
        version: i16,
        response: &ApiVersionsResponse,
    ) -> Result<Negotiation, ProtocolError> {
        const UNSUPPORTED: ProtocolError = ProtocolError::UnsupportedVersion { api: "ApiVersions" };
        let newest = |api| response.common_versions(api).map(|range| *range.end());
        if response.error_code == ErrorCode::UNSUPPORTED_VERSION {
            // Named or not, the next version is lower, so that this comes to an end (H092).
            let next = newest(ApiKey::API_VERSIONS).unwrap_or(0);
            if next >= version {
                return Err(UNSUPPORTED);
            }
            self.stage = Stage::Asking(next);
            return Ok(Negotiation::Again);
        }
        if !response.error_code.is_none() {
            return Err(UNSUPPORTED);
        }
        self.versions = Versions {
            produce: newest(ApiKey::PRODUCE),
            metadata: newest(ApiKey::METADATA),
            init_producer_id: newest(ApiKey::INIT_PRODUCER_ID),
        };
        self.stage = Stage::Ready;
        self.got_ready = true;
        Ok(Negotiation::Ready)
    }

    /// Requests other than ApiVersions may be sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// The driver was told to close it, or to drain it first.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Draining(_) | Stage::Closing)
    }

    /// It carried requests that get no response: the broker may not have read all of them yet.
    pub(crate) fn carried_unanswered(&self) -> bool {
        self.unanswered.is_some()
    }

    /// The peer is still to close it.
    pub(crate) fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining(_))
    }

    /// The time of draining is over.
    pub(crate) fn is_drained(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Draining(until) if until <= now)
    }

    /// A request may be handed to the driver now: the last one is written, and the broker does not throttle (KIP-219).
    pub(crate) fn is_free(&self, now: Instant) -> bool {
        let may_send = now >= self.throttled_until || planted!(SendsThrottled);
        self.is_ready() && !self.writing && may_send
    }

    pub(crate) fn is_throttled(&self, now: Instant) -> bool {
        now < self.throttled_until
    }

    /// Notes a request as handed to the driver and returns its correlation id.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        api: ApiKey,
        version: i16,
        is_answered: bool,
        request: Request,
    ) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1) & i32::MAX;
        if self.stage == Stage::Asking(version) && api == ApiKey::API_VERSIONS {
            self.stage = Stage::Negotiating;
        }
        self.produces += usize::from(api == ApiKey::PRODUCE);
        self.in_flight.push_back(InFlight {
            correlation_id,
            api,
            version,
            sent: now,
            is_answered,
            request,
        });
        self.writing = true;
        self.active = self.active.max(now);
        correlation_id
    }

    /// What the next request's answer will be known by.
    pub(crate) fn next_correlation_id(&self) -> i32 {
        self.next_correlation_id
    }

    /// The transmit is with the socket. Returns the request if no answer to it will come (acks=0).
    pub(crate) fn written(&mut self, now: Instant) -> Option<InFlight> {
        self.writing = false;
        self.active = self.active.max(now);
        let done = self.in_flight.back().filter(|r| !r.is_answered)?;
        let id = done.correlation_id;
        let first = self.unanswered.map_or(id, |ids| ids.0);
        // Long before the ids come to the first one again, what was sent first is forgotten.
        let is_far = id.wrapping_sub(first) & i32::MAX > i32::MAX / 2;
        self.unanswered = Some((if is_far { id } else { first }, id));
        self.take(VecDeque::pop_back)
    }

    /// A response with this id is to be passed over.
    pub(crate) fn expects_no_answer(&self, correlation_id: i32) -> bool {
        let Some((first, last)) = self.unanswered else {
            return false;
        };
        // Ids begin again at 0 after the largest.
        let since_first = |id: i32| id.wrapping_sub(first) & i32::MAX;
        let is_awaited = |r: &InFlight| r.is_answered && r.correlation_id == correlation_id;
        correlation_id >= 0
            && since_first(correlation_id) <= since_first(last)
            && !self.in_flight.iter().any(is_awaited)
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing
    }

    /// Checks that an answer belongs to the oldest request: brokers answer in order.
    pub(crate) fn check(&self, correlation_id: i32) -> Result<(), ProtocolError> {
        let expected = self
            .oldest()
            .filter(|r| r.is_answered)
            .map(|r| r.correlation_id);
        if expected == Some(correlation_id) || planted!(AnyCorrelation) && expected.is_some() {
            return Ok(());
        }
        Err(ProtocolError::Correlation {
            got: correlation_id,
            expected,
        })
    }

    /// Takes a request that is half written for written once its time is over.
    #[cfg(planted)]
    pub(crate) fn stops_writing(&mut self, now: Instant) -> bool {
        let stops = self.writing && self.is_ready() && self.timed_out(now).is_some();
        if stops {
            self.writing = false;
            self.in_flight.iter_mut().for_each(|r| r.sent = now);
        }
        stops
    }

    /// Takes the oldest request, whose answer came.
    pub(crate) fn answered(&mut self, now: Instant) -> InFlight {
        self.active = self.active.max(now);
        self.take(VecDeque::pop_front)
            .expect("the answer was checked against it")
    }

    /// The oldest request.
    pub(crate) fn oldest(&self) -> Option<&InFlight> {
        self.in_flight.front()
    }

    /// The newest request.
    pub(crate) fn newest(&self) -> Option<&InFlight> {
        self.in_flight.back()
    }

    /// Takes all requests, oldest first: the link is gone.
    pub(crate) fn take_all(&mut self) -> VecDeque<InFlight> {
        self.produces = 0;
        core::mem::take(&mut self.in_flight)
    }

    /// Produce requests in flight.
    pub(crate) fn produces(&self) -> usize {
        self.produces
    }

    /// All requests in flight: how busy the broker is with us.
    pub(crate) fn load(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends nothing for a while, at the broker's wish (KIP-219). The answers it owes may come later by as much as that
    /// is longer than what it wished before (H138).
    pub(crate) fn throttle(&mut self, now: Instant, throttle_time_ms: i32) {
        let Ok(millis @ 1..) = u64::try_from(throttle_time_ms) else {
            return;
        };
        let until = now + Duration::from_millis(millis);
        let longer = until.since(self.throttled_until.max(now));
        self.throttled_until = self.throttled_until.max(until);
        for request in &mut self.in_flight {
            if planted!(ThrottleTimesOut) {
                break;
            }
            request.sent = request.sent + longer;
        }
    }

    /// When throttling ends, if it has not by `now`.
    pub(crate) fn throttled_until(&self, now: Instant) -> Option<Instant> {
        self.is_throttled(now).then_some(self.throttled_until)
    }

    /// It got as far as being ready.
    pub(crate) fn was_ready(&self) -> bool {
        self.got_ready
    }

    /// Notes that a response had bytes after its last field; whether it is the first on this link.
    pub(crate) fn note_trailing_bytes(&mut self) -> bool {
        !core::mem::replace(&mut self.had_trailing_bytes, true)
    }

    /// It got as far as asking for versions.
    pub(crate) fn asked_versions(&self) -> bool {
        self.next_correlation_id > 0
    }

    /// Marks it as draining, until the peer closes it or `until` has come.
    pub(crate) fn drain(&mut self, why: Disconnect, until: Instant) {
        self.stage = Stage::Draining(until);
        self.why = Some(why);
    }

    /// Ends draining at this time, if it would take longer.
    pub(crate) fn hurry_drain(&mut self, latest: Instant) {
        if let Stage::Draining(until) = &mut self.stage {
            *until = latest.min(*until);
        }
    }

    /// Marks it as closing; the driver is told, and what follows comes with its answer.
    pub(crate) fn close(&mut self, why: Disconnect) {
        self.stage = Stage::Closing;
        self.why = Some(why);
    }

    /// When the link's patience ends: while it is set up, or while a request waits.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let request = self.oldest().map(|r| r.sent + self.request_timeout);
        match self.stage {
            Stage::Closing => None,
            Stage::Draining(until) => Some(until),
            Stage::Ready if planted!(NoRequestTimeout) => None,
            Stage::Ready => request,
            _ if planted!(NoSetupTimeout) => None,
            _ => Some(self.opened + self.setup_timeout),
        }
    }

    /// Why the link is to be closed now, if its patience is over.
    pub(crate) fn timed_out(&self, now: Instant) -> Option<Disconnect> {
        let at = self.next_timeout()?;
        (at <= now).then_some(match self.stage {
            Stage::Ready => Disconnect::RequestTimedOut {
                after: self.request_timeout,
            },
            _ => Disconnect::SetupTimedOut {
                after: self.setup_timeout,
            },
        })
    }

    /// Since when nothing is under way, on a link that is ready.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.is_ready() && self.in_flight.is_empty() && !self.writing).then_some(self.active)
    }

    fn take(&mut self, pop: fn(&mut VecDeque<InFlight>) -> Option<InFlight>) -> Option<InFlight> {
        let taken = pop(&mut self.in_flight)?;
        self.produces -= usize::from(taken.api == ApiKey::PRODUCE);
        Some(taken)
    }
}
