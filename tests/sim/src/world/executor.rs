//! Tasks, one after the other in the order in which they were woken.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// All tasks of a world.
#[derive(Default)]
pub(crate) struct Executor {
    tasks: Vec<Option<Task>>,
    ready: Arc<Ready>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// The tasks that are to be polled.
#[derive(Default)]
struct Ready(Mutex<VecDeque<usize>>);

struct Bell {
    task: usize,
    ready: Arc<Ready>,
}

impl Executor {
    /// Adds a task; it is polled first in the next run.
    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> usize {
        let task = self.tasks.len();
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(Bell { task, ready }));
        waker.wake_by_ref();
        self.tasks.push(Some(Task {
            future: Box::pin(future),
            waker,
        }));
        task
    }

    /// Polls the next task that was woken; which it was.
    pub(crate) fn poll_one(&mut self) -> Option<usize> {
        loop {
            let task = self.ready.lock().pop_front()?;
            let Some(Some(Task { future, waker })) = self.tasks.get_mut(task) else {
                continue;
            };
            if future.as_mut().poll(&mut Context::from_waker(waker)) == Poll::Ready(()) {
                self.tasks[task] = None;
            }
            return Some(task);
        }
    }

    /// Drops a task, whatever it is doing.
    pub(crate) fn drop_task(&mut self, task: usize) {
        self.tasks[task] = None;
    }

    pub(crate) fn is_over(&self, task: usize) -> bool {
        self.tasks.get(task).is_none_or(Option::is_none)
    }
}

impl Ready {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.ready.lock();
        if !ready.contains(&self.task) {
            ready.push_back(self.task);
        }
    }
}
