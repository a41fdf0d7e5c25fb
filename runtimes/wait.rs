//! The blocking forms of every call, for threads that run no tasks.

use std::{
    cell::Cell,
    error::Error,
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use ottla_core::{PartitionInfo, SendError};

use crate::{
    delivery::{Call, Delivery, RecordMetadata, Undelivered},
    producer::{HandedIn, Producer, SendAllError},
    record::{Record, TopicRef},
    state::Admission,
};

/// A blocking call from within a callback, which runs in the driver: it would wait for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InCallback;

impl fmt::Display for InCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a callback runs in the driver and can't wait for it")
    }
}

impl Error for InCallback {}

/// Why [`Delivery::wait`] gives no place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// The record is not, or perhaps not, in the log.
    Undelivered(Undelivered),
    /// The outcome is not known yet, and the call came from within a callback.
    InCallback(InCallback),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undelivered(error) => error.fmt(f),
            Self::InCallback(error) => error.fmt(f),
        }
    }
}

impl Error for WaitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Undelivered(error) => Some(error),
            Self::InCallback(error) => Some(error),
        }
    }
}

/// # Blocking forms
///
/// They block the thread, so they are for threads that run no tasks: on a runtime's thread they would keep its tasks
/// waiting, the producer's driver perhaps among them. From within a callback they return an error where they would have
/// to wait.
impl Producer {
    /// Sends a record like [`send`](Self::send), and blocks until there is room for it. From within a callback it does
    /// not wait, as [`try_send`](Self::try_send).
    #[inline]
    pub fn send_blocking(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        if in_callback() {
            return self.try_send(record);
        }
        let delivery = self.offer_blocking(&record, None)?;
        Ok(delivery.expect("a record without a callback has a delivery"))
    }

    /// Sends a record like [`send_with`](Self::send_with), and blocks until there is room for it. From within a callback
    /// it does not wait, as [`try_send_with`](Self::try_send_with).
    pub fn send_with_blocking(
        &self,
        record: Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, Undelivered>) + Send + 'static,
    ) -> Result<(), SendError> {
        if in_callback() {
            return self.try_send_with(record, callback);
        }
        self.offer_blocking(&record, Some(Box::new(callback)))?;
        Ok(())
    }

    #[inline]
    fn offer_blocking(&self, record: &Record<'_>, call: Option<Call>) -> Admission {
        match self.hand_in(record, call)? {
            HandedIn::Taken(delivery) => Ok(delivery),
            HandedIn::TakenInHaste(delivery) => {
                thread::yield_now();
                Ok(delivery)
            }
            HandedIn::Waits(wait) => block_on(self.in_line(wait)).unwrap_or(Err(SendError::Full)),
        }
    }

    /// Sends many records like [`send_all`](Self::send_all), and blocks until there is room for them. From within a
    /// callback it does not wait: what does not fit is refused with [`SendError::Full`].
    pub fn send_all_blocking(&self, records: &[Record<'_>]) -> Result<Vec<Delivery>, SendAllError> {
        if in_callback() {
            return self.try_send_all(records);
        }
        let refused = |_| {
            Err(SendAllError {
                deliveries: Vec::new(),
                error: SendError::Full,
            })
        };
        block_on(self.send_all(records.iter().cloned())).unwrap_or_else(refused)
    }

    /// Blocks until all records that were accepted before have their outcome; see [`flush`](Self::flush).
    pub fn flush_blocking(&self) -> Result<(), InCallback> {
        block_on(self.flush())
    }

    /// Blocks until the topic's partitions are known; see [`partitions_for`](Self::partitions_for). From within a
    /// callback it is [`SendError::TopicNotReady`] if they are not.
    pub fn partitions_for_blocking<'a>(
        &self,
        topic: impl Into<TopicRef<'a>>,
    ) -> Result<Vec<PartitionInfo>, SendError> {
        block_on(self.partitions_for(topic)).unwrap_or(Err(SendError::TopicNotReady))
    }

    /// Closes the producer, and blocks until it has ended; see [`close`](Self::close). From within a callback the
    /// closing begins, but nothing waits for its end.
    pub fn close_blocking(&self, timeout: Duration) -> Result<(), InCallback> {
        block_on(self.close(timeout))
    }
}

impl Delivery {
    /// Blocks until the outcome is known. From within a callback, if it is not known yet, it is an error instead.
    #[inline]
    pub fn wait(self) -> Result<RecordMetadata, WaitError> {
        let outcome = match self.known() {
            Some(known) => known,
            None => block_on(self).map_err(WaitError::InCallback)?,
        };
        outcome.map_err(WaitError::Undelivered)
    }
}

/// Polls a future on this thread until it is ready; within a callback, once.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, InCallback> {
    let mut future = pin!(future);
    let parked = Arc::new(Parked {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&parked));
    let cx = &mut Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Ok(output);
        }
        if in_callback() {
            return Err(InCallback);
        }
        if parked.woken.swap(false, Ordering::AcqRel) {
            // By itself, to let others run.
            thread::yield_now();
        } else {
            thread::park();
        }
    }
}

struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

fn in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Marks this thread as running users' code in the driver, until it is dropped.
pub(crate) struct CallbackScope {
    outer: bool,
}

impl CallbackScope {
    pub(crate) fn enter() -> Self {
        Self {
            outer: IN_CALLBACK.replace(true),
        }
    }
}

impl Drop for CallbackScope {
    fn drop(&mut self) {
        IN_CALLBACK.set(self.outer);
    }
}
