//! A producer that is driven by hand: a cluster in memory, a clock that jumps, and one thing that happens at a time.

use std::{
    collections::{BTreeMap, VecDeque},
    future::{Future, ready},
    io::{self, IoSlice},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ottla::{
    Config, Producer, SendError, Setup, TimeSource,
    driver::{Driver, Pending, Runtime, Stream},
};
use ottla_sim::{Answer, Model};

use super::harness::{poll_once, to_t};

pub(crate) struct Hand {
    pub(crate) producer: Producer,
    /// `None` once it has ended or was dropped.
    driver: Option<Driver<Memory>>,
    woken: Arc<Woken>,
    net: Memory,
}

/// The cluster and the way to it.
#[derive(Clone)]
struct Memory(Arc<Mutex<Net>>);

struct Net {
    model: Model,
    start: Instant,
    now: Instant,
    alarm: Option<Instant>,
    /// Answers on their way, each with its link.
    answers: VecDeque<(u64, Vec<u8>)>,
    /// By link: what arrived and was not read yet, and who waits for more.
    inboxes: BTreeMap<u64, (Vec<u8>, Option<Waker>)>,
    links: u64,
}

struct Link {
    number: u64,
    net: Memory,
    request: Vec<u8>,
}

/// Whether the driver wants to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// More than any test needs; fewer than a loop without an end.
const STEPS: usize = 10_000;

impl Hand {
    /// A broker with the topic `t` of one partition, and a producer that does not know it yet.
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        let mut model = Model::new(1, 7);
        model.create_topic("t", 1);
        let now = Instant::now();
        let net = Memory(Arc::new(Mutex::new(Net {
            model,
            start: now,
            now,
            alarm: None,
            answers: VecDeque::new(),
            inboxes: BTreeMap::new(),
            links: 0,
        })));
        let mut config = Config::builder();
        config.bootstrap_servers("broker-1:9092");
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        let setup = Setup::new(config.build().unwrap())
            .time(net.clone())
            .seed([7; 32]);
        let (producer, driver) = Driver::new(setup, net.clone()).unwrap();
        Self {
            producer,
            driver: Some(driver),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            net,
        }
    }

    /// The same, with a producer that knows its topic and has an id.
    pub(crate) fn warm(settings: &[(&str, &str)]) -> Self {
        let mut hand = Self::new(settings);
        let producer = hand.producer.clone();
        hand.finish_call(producer.partitions_for("t")).unwrap();
        hand.settle();
        hand
    }

    /// The same, with a full buffer of a few records that are at the broker or wait for it; gives their number.
    pub(crate) fn full(settings: &[(&str, &str)]) -> (Self, usize) {
        let hand = Self::warm(settings);
        let value = "fills".repeat(200);
        let filled = (0..)
            .find(|_| match hand.producer.try_send(to_t(&value)) {
                Ok(delivery) => {
                    drop(delivery);
                    false
                }
                Err(error) => error == SendError::Full,
            })
            .unwrap();
        (hand, filled)
    }

    /// One thing happens: the driver is polled if it was woken, or else an answer arrives, or else it is time for the
    /// driver's alarm.
    pub(crate) fn step(&mut self) {
        let Some(driver) = &mut self.driver else {
            return;
        };
        if self.woken.0.swap(false, Ordering::Relaxed) {
            let waker = Waker::from(Arc::clone(&self.woken));
            let poll = Pin::new(driver).poll(&mut Context::from_waker(&waker));
            if poll.is_ready() {
                self.driver = None;
            }
        } else if !self.net.deliver() {
            self.net.sleep();
            self.woken.0.store(true, Ordering::Relaxed);
        }
    }

    /// Lets things happen until the next would be an alarm.
    pub(crate) fn settle(&mut self) {
        while !self.is_at_rest() {
            self.step();
        }
    }

    /// Lets things happen until a call ends.
    pub(crate) fn finish_call<T>(&mut self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        for _ in 0..STEPS {
            if let Poll::Ready(output) = poll_once(call.as_mut()) {
                return output;
            }
            self.step();
        }
        panic!("it does not end");
    }

    /// Lets things happen until the broker has so many records; says how long that took.
    pub(crate) fn written(&mut self, count: usize) -> Duration {
        let start = self.net.lock().now;
        for _ in 0..STEPS {
            if self.log().len() >= count {
                return self.net.lock().now - start;
            }
            self.step();
        }
        panic!("{:?}", self.log());
    }

    /// Closes the producer and judges what is left; gives the log.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let producer = self.producer.clone();
        self.finish_call(producer.close(Duration::from_secs(3_600)));
        self.step();
        assert!(self.has_ended());
        let metrics = producer.metrics();
        assert_eq!(metrics.buffer_available_bytes, metrics.buffer_total_bytes);
        let written = metrics.records_written;
        assert_eq!(written, metrics.records_accepted);
        let log = self.log();
        assert_eq!(log.len() as u64, written);
        assert_eq!(self.net.lock().model.violations(), [""; 0]);
        log
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.driver.is_none()
    }

    /// Another producer's handle takes its place.
    pub(crate) fn drop_handle(&mut self) {
        self.producer = Self::new(&[]).producer;
    }

    pub(crate) fn drop_driver(&mut self) {
        self.driver = None;
    }

    pub(crate) fn log(&self) -> Vec<String> {
        let net = self.net.lock();
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        net.model
            .log("t", 0)
            .map(|record| text(&record.value.unwrap()))
            .collect()
    }

    /// Nothing happens before the next alarm.
    fn is_at_rest(&self) -> bool {
        !self.woken.0.load(Ordering::Relaxed) && self.net.lock().answers.is_empty()
    }
}

impl Memory {
    /// Lets the oldest answer arrive, if there is one.
    fn deliver(&self) -> bool {
        let mut net = self.lock();
        let Some((link, answer)) = net.answers.pop_front() else {
            return false;
        };
        // A link that was closed meanwhile has no inbox any more.
        let waker = net.inboxes.get_mut(&link).and_then(|(inbox, reader)| {
            inbox.extend(answer);
            reader.take()
        });
        drop(net);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Moves the clock to the alarm.
    fn sleep(&self) {
        let mut net = self.lock();
        let alarm = net.alarm.take().expect("a producer has its timers");
        net.now = net.now.max(alarm);
    }

    fn lock(&self) -> MutexGuard<'_, Net> {
        self.0.lock().unwrap()
    }
}

impl TimeSource for Memory {
    fn now(&self) -> Instant {
        self.lock().now
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH
    }
}

impl Runtime for Memory {
    type Stream = Link;

    fn resolve(&mut self, _: &str, port: u16) -> Pending<Vec<SocketAddr>> {
        Box::pin(ready(Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])))
    }

    fn connect(&mut self, _: SocketAddr, _: &Config) -> Pending<Link> {
        let mut net = self.lock();
        net.links += 1;
        let number = net.links;
        net.inboxes.insert(number, (Vec::new(), None));
        drop(net);
        let net = self.clone();
        Box::pin(ready(Ok(Link {
            number,
            net,
            request: Vec::new(),
        })))
    }

    fn poll_sleep(&mut self, _: &mut Context<'_>, until: Instant) -> Poll<()> {
        let mut net = self.lock();
        net.alarm = Some(until);
        if until <= net.now {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Stream for Link {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut net = self.net.lock();
        let (inbox, reader) = net.inboxes.get_mut(&self.number).unwrap();
        if inbox.is_empty() {
            *reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = inbox.len().min(buffer.len());
        buffer[..count].copy_from_slice(&inbox[..count]);
        inbox.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let before = self.request.len();
        self.request
            .extend(from.iter().flat_map(|slice| slice.iter()));
        let written = self.request.len() - before;
        let mut net = self.net.lock();
        while let Some((length, rest)) = self.request.split_first_chunk() {
            let length = i32::from_be_bytes(*length) as usize;
            let Some(request) = rest.get(..length) else {
                break;
            };
            let now = net.now - net.start;
            match net.model.handle(now, 1, self.number, request) {
                Answer::Reply(answer) => net.answers.push_back((self.number, answer.to_vec())),
                other => panic!("nothing is staged that ends in {other:?}"),
            }
            self.request.drain(..4 + length);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("nothing is staged that is sent without acknowledgements")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let inbox = self.net.lock().inboxes.remove(&self.number);
        drop(inbox);
    }
}
