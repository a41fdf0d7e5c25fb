//! A promise and its answer: how one caller learns one thing from the driver, under any executor.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

/// The driver's end: kept once, or broken by being dropped, and then the answer is `None`.
#[derive(Debug)]
pub(crate) struct Promise<T>(Arc<Slot<T>>);

/// The caller's end, a future. `None`: the promise was broken, since the driver is gone.
#[derive(Debug)]
pub(crate) struct Answer<T>(Arc<Slot<T>>);

#[derive(Debug)]
struct Slot<T>(Mutex<State<T>>);

#[derive(Debug)]
enum State<T> {
    Open(Option<Waker>),
    /// `None` once taken, and after a broken promise.
    Settled(Option<T>),
}

pub(crate) fn promise<T>() -> (Promise<T>, Answer<T>) {
    let slot = Arc::new(Slot(Mutex::new(State::Open(None))));
    (Promise(Arc::clone(&slot)), Answer(slot))
}

impl<T> Promise<T> {
    /// Gives the answer and wakes who waits for it: not under a lock.
    pub(crate) fn keep(self, answer: T) {
        if let Some(waker) = self.answer(answer) {
            waker.wake();
        }
    }

    /// Gives the answer; waking is the caller's to do.
    #[must_use]
    pub(crate) fn answer(&self, answer: T) -> Option<Waker> {
        self.0.settle(Some(answer))
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(waker) = self.0.settle(None) {
            waker.wake();
        }
    }
}

impl<T> Slot<T> {
    /// Gives the waker of who waits. What is settled stays as it is.
    fn settle(&self, answer: Option<T>) -> Option<Waker> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open(waker) = &mut *state else {
            return None;
        };
        let waker = waker.take();
        *state = State::Settled(answer);
        waker
    }
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Settled(answer) => Poll::Ready(answer.take()),
            State::Open(Some(waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            State::Open(waker) => {
                let old = waker.replace(cx.waker().clone());
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_promise_answers() {
        let (promise, mut answer) = promise();
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut answer).poll(cx), Poll::Pending);
        assert!(!promise.is_forgotten());
        promise.keep(7);
        assert_eq!(Pin::new(&mut answer).poll(cx), Poll::Ready(Some(7)));
    }

    #[test]
    fn a_broken_promise_answers_too() {
        let (promise, mut answer) = promise::<u8>();
        drop(promise);
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut answer).poll(cx), Poll::Ready(None));
    }
}
