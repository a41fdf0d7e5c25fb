//! Tasks, one after the other in the order in which they were woken.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// All tasks of a world.
#[derive(Default)]
pub(crate) struct Executor {
    tasks: Vec<Option<Task>>,
    ready: Arc<Ready>,
    spawner: Spawner,
    /// The applications that are not done.
    applications: usize,
}

/// Adds applications to a world from within one.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<Job>>>);

type Job = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    future: Job,
    waker: Waker,
    kind: Kind,
}

/// What a task is to the world.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Application,
    Driver,
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
    pub(crate) fn spawn(&mut self, future: Job, kind: Kind) -> usize {
        let task = self.tasks.len();
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(Bell { task, ready }));
        waker.wake_by_ref();
        self.applications += usize::from(kind == Kind::Application);
        self.tasks.push(Some(Task {
            future,
            waker,
            kind,
        }));
        task
    }

    /// Polls the next task that was woken; which it was.
    pub(crate) fn poll_one(&mut self) -> Option<usize> {
        loop {
            let task = self.ready.lock().pop_front()?;
            let Some(Some(Task { future, waker, .. })) = self.tasks.get_mut(task) else {
                continue;
            };
            if future.as_mut().poll(&mut Context::from_waker(waker)) == Poll::Ready(()) {
                self.drop_task(task);
            }
            return Some(task);
        }
    }

    /// No application is left, and none is about to begin.
    pub(crate) fn has_no_application(&self) -> bool {
        self.applications == 0 && self.spawner.0.borrow().is_empty()
    }

    /// What applications have spawned since this was called last.
    pub(crate) fn spawned(&self) -> Vec<Job> {
        self.spawner.0.take()
    }

    pub(crate) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Drops a task, whatever it is doing.
    pub(crate) fn drop_task(&mut self, task: usize) {
        if let Some(Task {
            kind: Kind::Application,
            ..
        }) = self.tasks[task].take()
        {
            self.applications -= 1;
        }
    }

    pub(crate) fn is_over(&self, task: usize) -> bool {
        self.tasks.get(task).is_none_or(Option::is_none)
    }
}

impl Spawner {
    /// Adds an application, as [`World::spawn`](crate::World::spawn) does.
    pub fn spawn(&self, application: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(application));
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use crate::World;

    #[test]
    fn what_an_application_spawns_at_its_end_is_run() {
        let mut world = World::new(1, 7);
        let spawner = world.spawner();
        let has_run = Rc::new(Cell::new(false));
        let last = Rc::clone(&has_run);
        world.spawn(async move { spawner.spawn(async move { last.set(true) }) });
        world.run().unwrap();
        assert!(has_run.get());
    }
}
