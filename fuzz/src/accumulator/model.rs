//! A plain model of the accumulator: each partition a list of batches, each batch a list of sizes.

use std::time::Duration;

use ottla_core::{BatchId, Instant, Record};

/// The length of a batch's head.
pub const HEAD: usize = 61;

/// What the accumulator is asked to do.
pub struct Settings {
    /// When a batch is full.
    pub batch_size: usize,
    /// To what it may grow beyond that while its way is blocked.
    pub growth: usize,
    /// The pieces in which memory is charged.
    pub chunk_size: usize,
    /// How long a batch waits for more.
    pub linger: Duration,
    /// How long it may live.
    pub delivery_timeout: Duration,
    /// The number of partitions.
    pub partitions: usize,
}

/// The model. Batches stay in it for ever, by the order of their creation.
pub struct Model {
    settings: Settings,
    batches: Vec<Batch>,
    /// Each partition's batches that were not taken, first to go first; only the last may be open.
    queues: Vec<Vec<usize>>,
    latest: Instant,
}

/// A batch: what it holds, and how far it has come.
pub struct Batch {
    /// Its name in the accumulator.
    pub id: BatchId,
    /// Its partition.
    pub partition: usize,
    /// How far it has come.
    pub state: State,
    /// The batch that the application knows: this one, or the one that it was cut out of; and its first record's place there.
    pub origin: (usize, u32),
    count: u32,
    bytes: usize,
    /// It was cut out of another, and holds no more than its bytes.
    is_piece: bool,
    grows_to: usize,
    base_timestamp: i64,
    lingers_until: Instant,
    /// It stands in the list of those that linger, and of those that will expire.
    lingering: bool,
    expiring: bool,
    deadline: Instant,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes more records, and whether it may go.
    Open { ready: bool },
    /// It waits in its queue.
    Sealed,
    /// It is out of its queue.
    Taken,
    /// Its outcome is known.
    Ended,
    /// Its memory is given back, and its slot is kept for its pieces.
    Told,
    /// Nothing is left of it.
    Released,
}

impl Batch {
    /// How many records it has, and its length on the wire.
    pub fn size(&self) -> (u32, usize) {
        (self.count, HEAD + self.bytes)
    }

    /// Whether its outcome is open.
    pub fn is_live(&self) -> bool {
        !matches!(self.state, State::Ended | State::Told | State::Released)
    }

    /// Whether it is in its queue.
    pub fn is_queued(&self) -> bool {
        matches!(self.state, State::Open { .. } | State::Sealed)
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    fn lingers(&self) -> bool {
        self.lingering && self.state == State::Open { ready: false }
    }
}

impl Model {
    /// Nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            queues: vec![Vec::new(); settings.partitions],
            settings,
            batches: Vec::new(),
            latest: Instant::ORIGIN,
        }
    }

    /// Adds a record, to the open batch if it fits or else to a new one, which is called `id`; returns the batch, the
    /// record's place in it and its bytes. A full batch whose way is blocked may grow to `largest`.
    pub fn append(
        &mut self,
        now: Instant,
        partition: usize,
        record: &Record<'_>,
        largest: usize,
        id: BatchId,
    ) -> (usize, u32, usize) {
        let joins = self
            .open(partition)
            .filter(|&n| self.fits(now, n, record, largest));
        let n = joins.unwrap_or_else(|| self.begin(now, partition, record, id));
        let bytes = self.next_size(n, record);
        let batch = &mut self.batches[n];
        batch.bytes += bytes;
        batch.count += 1;
        let (count, len) = batch.size();
        if len >= self.settings.batch_size {
            batch.state = State::Open { ready: true };
        }
        (n, count - 1, bytes)
    }

    /// Whether a record fits into the open batch. It is decided once to what a full batch may grow, when it first does.
    fn fits(&mut self, now: Instant, n: usize, record: &Record<'_>, largest: usize) -> bool {
        let settings = &self.settings;
        let len = self.batches[n].size().1 + self.next_size(n, record);
        if len <= settings.batch_size {
            return true;
        }
        let batch = &mut self.batches[n];
        if settings.growth == 0 || batch.deadline.since(now) < settings.delivery_timeout / 2 {
            return false;
        }
        let limit = match batch.grows_to {
            0 => largest.min(settings.growth),
            known => known,
        };
        if len <= limit {
            batch.grows_to = limit;
        }
        len <= limit
    }

    /// Lets a partition's open batch grow no further than that.
    pub fn limit_growth(&mut self, partition: usize, largest: usize) {
        if let Some(n) = self.open(partition) {
            let batch = &mut self.batches[n];
            batch.grows_to = batch.grows_to.min(largest);
        }
    }

    /// Cuts a batch into pieces, given by name, number of records and bytes; the first takes the place of the whole.
    pub fn split(&mut self, n: usize, pieces: impl IntoIterator<Item = (BatchId, u32, usize)>) {
        let (root, mut first) = self.batches[n].origin;
        for (place, (id, count, bytes)) in pieces.into_iter().enumerate() {
            let batch = Batch {
                id,
                count,
                bytes,
                is_piece: true,
                origin: (root, first),
                expiring: place > 0 || self.batches[n].expiring,
                ..self.batches[n]
            };
            first += count;
            match place {
                0 => self.batches[n] = batch,
                _ => self.batches.push(batch),
            }
        }
    }

    /// Takes a partition's first batch, if it may go.
    pub fn take(&mut self, partition: usize) -> Option<usize> {
        if !self.is_ready(partition) {
            return None;
        }
        let n = self.queues[partition].remove(0);
        self.batches[n].state = State::Taken;
        Some(n)
    }

    /// Puts a batch back to where it was.
    pub fn put_back(&mut self, n: usize) {
        self.batches[n].state = State::Sealed;
        let queue = &mut self.queues[self.batches[n].partition];
        queue.push(n);
        queue.sort_unstable_by_key(|&n| self.batches[n].origin);
    }

    /// Lets the first batch go that has lingered; its partition.
    pub fn lingered(&mut self, now: Instant) -> Option<usize> {
        let due = |b: &&mut Batch| b.lingers() && b.lingers_until <= now;
        let batch = self.batches.iter_mut().find(due)?;
        batch.lingering = false;
        batch.state = State::Open { ready: true };
        Some(batch.partition)
    }

    /// Lets a partition's open batch go.
    pub fn make_ready(&mut self, partition: usize) {
        if let Some(n) = self.open(partition) {
            self.batches[n].state = State::Open { ready: true };
        }
    }

    /// The first batch whose time is over, each once.
    pub fn expired(&mut self, now: Instant) -> Option<usize> {
        let n = self
            .next_to_expire()
            .filter(|&n| self.batches[n].deadline <= now)?;
        self.batches[n].expiring = false;
        Some(n)
    }

    fn next_to_expire(&self) -> Option<usize> {
        let expiring = |&n: &usize| self.batches[n].is_live() && self.batches[n].expiring;
        (0..self.batches.len())
            .filter(expiring)
            .min_by_key(|&n| self.batches[n].deadline)
    }

    /// A batch's outcome is known.
    pub fn end(&mut self, n: usize) {
        self.queues[self.batches[n].partition].retain(|&other| other != n);
        self.batches[n].state = State::Ended;
    }

    /// The application is told of a batch's end, and its memory is given back: the name and place by which it is told,
    /// whether that is all of the batch that it knows, and the memory.
    pub fn tell(&mut self, n: usize) -> ((BatchId, u32, bool), usize) {
        let held = self.held(n);
        let (root, first) = self.batches[n].origin;
        let batch = &mut self.batches[n];
        (batch.count, batch.bytes) = (0, 0);
        batch.state = if root == n {
            State::Told
        } else {
            State::Released
        };
        let is_over = |b: &Batch| matches!(b.state, State::Told | State::Released);
        let last = self
            .batches
            .iter()
            .filter(|b| b.origin.0 == root)
            .all(is_over);
        if last {
            self.batches[root].state = State::Released;
        }
        ((self.batches[root].id, first, last), held)
    }

    /// The batches, in the order of their creation.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// The first batch of this state behind `from`, or else before it.
    pub fn find(&self, from: usize, is: impl Fn(&Batch) -> bool) -> Option<usize> {
        let all = 0..self.batches.len();
        let start = from % all.len().max(1);
        let order = all.clone().skip(start).chain(all.take(start));
        order.into_iter().find(|&n| is(&self.batches[n]))
    }

    /// The batch of this slot that was not released.
    pub fn in_slot(&self, slot: u32) -> Option<usize> {
        let is = |b: &Batch| b.state != State::Released && b.id.slot() == slot as usize;
        self.batches.iter().position(is)
    }

    /// The memory that a batch holds: whole chunks, unless it is a piece of another.
    pub fn held(&self, n: usize) -> usize {
        let batch = &self.batches[n];
        match batch.is_piece {
            true => batch.bytes,
            false => batch.bytes.next_multiple_of(self.settings.chunk_size),
        }
    }

    /// Whether a partition's first batch may go.
    pub fn is_ready(&self, partition: usize) -> bool {
        self.first(partition)
            .is_some_and(|b| b.state != State::Open { ready: false })
    }

    /// The length of the batch that would be taken.
    pub fn ready_len(&self, partition: usize) -> Option<usize> {
        self.first(partition)
            .filter(|_| self.is_ready(partition))
            .map(|b| b.size().1)
    }

    /// The bytes of a partition's records that are not taken.
    pub fn queued_bytes(&self, partition: usize) -> usize {
        self.queues[partition]
            .iter()
            .map(|&n| self.batches[n].bytes)
            .sum()
    }

    /// The partition's batch that takes more.
    pub fn open(&self, partition: usize) -> Option<usize> {
        let last = self.queues[partition].last().copied();
        last.filter(|&n| self.batches[n].is_open())
    }

    /// When the next batch will have lingered, and when the next one expires.
    pub fn next_timeouts(&self) -> (Option<Instant>, Option<Instant>) {
        let lingering = self.batches.iter().find(|b| b.lingers());
        let expiring = self.next_to_expire().map(|n| &self.batches[n]);
        (
            lingering.map(|b| b.lingers_until),
            expiring.map(|b| b.deadline),
        )
    }

    /// Whether a partition has no batch that waits for more to be full.
    pub fn is_at_boundary(&self, partition: usize) -> bool {
        self.open(partition)
            .is_none_or(|n| self.batches[n].size().1 >= self.settings.batch_size)
    }

    /// The latest time at which a batch was begun.
    pub fn latest(&self) -> Instant {
        self.latest
    }

    fn first(&self, partition: usize) -> Option<&Batch> {
        self.queues[partition].first().map(|&n| &self.batches[n])
    }

    fn begin(&mut self, now: Instant, partition: usize, record: &Record<'_>, id: BatchId) -> usize {
        if let Some(n) = self.open(partition) {
            self.batches[n].state = State::Sealed;
        }
        self.latest = self.latest.max(now);
        let Settings {
            linger,
            delivery_timeout,
            ..
        } = self.settings;
        self.batches.push(Batch {
            id,
            partition,
            state: State::Open {
                ready: linger.is_zero(),
            },
            origin: (self.batches.len(), 0),
            count: 0,
            bytes: 0,
            is_piece: false,
            grows_to: 0,
            base_timestamp: record.timestamp,
            lingers_until: self.latest + linger,
            lingering: !linger.is_zero(),
            expiring: true,
            deadline: self.latest + delivery_timeout,
        });
        self.queues[partition].push(self.batches.len() - 1);
        self.batches.len() - 1
    }

    /// What a record takes as the next one of a batch.
    fn next_size(&self, n: usize, record: &Record<'_>) -> usize {
        let batch = &self.batches[n];
        let delta = record.timestamp.wrapping_sub(batch.base_timestamp);
        record_size(record, delta, batch.count.into())
    }
}

/// What a record takes on the wire, by Kafka's description of the format.
fn record_size(record: &Record<'_>, timestamp_delta: i64, offset_delta: i64) -> usize {
    let mut size = 1 + varint(timestamp_delta) + varint(offset_delta);
    size += field(record.key) + field(record.value) + varint(record.headers.len() as i64);
    for header in record.headers {
        size += field(Some(header.name.as_bytes())) + field(header.value);
    }
    varint(size as i64) + size
}

fn field(bytes: Option<&[u8]>) -> usize {
    match bytes {
        None => 1,
        Some(bytes) => varint(bytes.len() as i64) + bytes.len(),
    }
}

/// The length of a zigzag varint: seven bits a byte, the sign in the lowest.
fn varint(value: i64) -> usize {
    let mut rest = if value < 0 { !value } else { value } >> 6;
    let mut len = 1;
    while rest > 0 {
        rest >>= 7;
        len += 1;
    }
    len
}
