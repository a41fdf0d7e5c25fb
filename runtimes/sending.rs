//! Sending, where a record may have to wait before it is taken.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use ottla_core::{Fatal, SendError};

use crate::{
    delivery::Delivery,
    producer::{HandedIn, Producer},
    record::Record,
    shared::Shared,
    state::{Admission, Wait},
};

/// The future of [`Producer::send`]: hands in the record when it is first polled.
///
/// Nearly always that is the end of it. An `async fn` would move the record and the delivery once more, in other pieces
/// than they were stored in, for which the processor waits: that was 7 % of a record's time.
pub(crate) struct Sending<'p, 'r> {
    producer: &'p Producer,
    record: Record<'r>,
    is_handed_in: bool,
    /// What it waits for then.
    rest: Option<Pin<Box<dyn Future<Output = Admission> + Send + 'p>>>,
}

impl<'p, 'r> Sending<'p, 'r> {
    #[inline]
    pub(crate) const fn new(producer: &'p Producer, record: Record<'r>) -> Self {
        Self {
            producer,
            record,
            is_handed_in: false,
            rest: None,
        }
    }
}

impl Future for Sending<'_, '_> {
    type Output = Result<Delivery, SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if !this.is_handed_in {
            this.is_handed_in = true;
            match this.producer.hand_in(&this.record, None) {
                Ok(HandedIn::Taken(Some(delivery))) => return Poll::Ready(Ok(delivery)),
                Ok(handed_in) => this.rest = Some(Box::pin(this.producer.settle(handed_in))),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        let rest = this.rest.as_mut().expect("not polled after its end");
        let admission = ready!(rest.as_mut().poll(cx));
        Poll::Ready(
            admission.map(|delivery| delivery.expect("a record without a callback has a delivery")),
        )
    }
}

impl Producer {
    /// Waits for what a record that was handed in has to wait for.
    pub(crate) async fn settle(&self, handed_in: HandedIn) -> Admission {
        match handed_in {
            HandedIn::Taken(delivery) => Ok(delivery),
            HandedIn::TakenInHaste(delivery) => {
                give_way().await;
                Ok(delivery)
            }
            HandedIn::Waits(wait) => self.in_line(wait).await,
        }
    }
}

/// A caller's place in line, given up when it is dropped.
pub(crate) struct InLine<'a> {
    shared: &'a Shared,
    /// `None` once the wait is over.
    wait: Option<Wait>,
}

impl<'a> InLine<'a> {
    pub(crate) const fn new(shared: &'a Shared, wait: Wait) -> Self {
        Self {
            shared,
            wait: Some(wait),
        }
    }
}

impl InLine<'_> {
    /// Gives the place up; `Some` if the wait had ended already.
    pub(crate) fn withdraw(mut self) -> Option<Admission> {
        let mut wait = self.wait.take()?;
        if self.shared.cancel(wait.waiter) {
            return None;
        }
        // Pending if the producer is just ending, and then nothing was sent.
        match Pin::new(&mut wait.answer).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(admission) => admission,
            Poll::Pending => None,
        }
    }
}

impl Future for InLine<'_> {
    type Output = Admission;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Admission> {
        let wait = self.wait.as_mut().expect("polled to its end once");
        let admission = ready!(Pin::new(&mut wait.answer).poll(cx));
        self.wait = None;
        Poll::Ready(admission.unwrap_or(Err(SendError::Fatal(Fatal::DriverGone))))
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if let Some(wait) = self.wait.take() {
            self.shared.cancel(wait.waiter);
        }
    }
}

/// Lets the executor's other tasks run, once.
///
/// tokio's own way makes it look at the sockets as well; without that it does so only now and then. In another executor it
/// is the same as the plain way.
#[cfg(feature = "tokio")]
pub(crate) async fn give_way() {
    ::tokio::task::yield_now().await;
}

#[cfg(not(feature = "tokio"))]
pub(crate) async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
