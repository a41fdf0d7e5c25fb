//! A value with many holders, who are counted where they are made.

use std::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering, fence},
};

/// Gives out shares of a value, which lives as long as any of them, or this, does.
///
/// An [`Arc`](std::sync::Arc) changes its count twice for each share, in one memory cell for all threads. Here shares come
/// from one place, which is under a lock anyway: it counts them in a plain number, and only a share's end touches the cell.
pub(crate) struct Giver<T> {
    cell: NonNull<Cell<T>>,
    given: usize,
    owns: PhantomData<Cell<T>>,
}

/// A share of a value.
pub(crate) struct Share<T> {
    cell: NonNull<Cell<T>>,
    owns: PhantomData<Cell<T>>,
}

struct Cell<T> {
    /// The shares that did not end: the giver has all of them but those that it gave.
    left: AtomicUsize,
    value: T,
}

/// All shares of a value.
const ALL: usize = usize::MAX;

impl<T> Giver<T> {
    pub(crate) fn new(value: T) -> Self {
        let cell = Cell {
            left: AtomicUsize::new(ALL),
            value,
        };
        Self {
            cell: NonNull::from(Box::leak(Box::new(cell))),
            given: 0,
            owns: PhantomData,
        }
    }

    /// One more share.
    #[inline]
    pub(crate) fn share(&mut self) -> Share<T> {
        self.given = self
            .given
            .checked_add(1)
            .expect("memory ends before numbers do");
        Share {
            cell: self.cell,
            owns: PhantomData,
        }
    }
}

impl<T> Deref for Giver<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the cell is freed when all shares ended, and the giver has one at least: its own end comes first.
        #[allow(unsafe_code)]
        unsafe {
            &self.cell.as_ref().value
        }
    }
}

impl<T> Deref for Share<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the cell is freed when all shares ended, and this one has not.
        #[allow(unsafe_code)]
        unsafe {
            &self.cell.as_ref().value
        }
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        // SAFETY: of all shares these are the giver's, which it will not give any more.
        #[allow(unsafe_code)]
        unsafe {
            end(self.cell, ALL - self.given);
        }
    }
}

impl<T> Drop for Share<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this share was given once, and ends once.
        #[allow(unsafe_code)]
        unsafe {
            end(self.cell, 1);
        }
    }
}

/// Ends so many shares, and frees the cell with the last of them.
///
/// # Safety
///
/// The shares are the caller's, and nobody uses or ends them after this.
#[inline]
#[allow(unsafe_code)]
unsafe fn end<T>(cell: NonNull<Cell<T>>, shares: usize) {
    // SAFETY: the caller's shares keep the cell alive up to here.
    let left = unsafe { cell.as_ref() }
        .left
        .fetch_sub(shares, Ordering::Release);
    if left == shares {
        // What others did with the value comes before its end.
        fence(Ordering::Acquire);
        // SAFETY: made by `Box::leak`, and nobody has a share any more.
        drop(unsafe { Box::from_raw(cell.as_ptr()) });
    }
}

// SAFETY: as for `Arc`: several threads may look at the value, and any of them may be the one that drops it.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Send for Giver<T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Sync for Giver<T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Send for Share<T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync> Sync for Share<T> {}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn the_value_lives_as_long_as_anybody_holds_it() {
        let value = Arc::new(7);
        let is_alive = || Arc::strong_count(&value) == 2;
        let mut giver = Giver::new(Arc::clone(&value));
        let (one, other) = (giver.share(), giver.share());
        assert_eq!((**one, **other, **giver), (7, 7, 7));
        drop(one);
        drop(giver);
        assert!(is_alive() && **other == 7);
        drop(other);
        assert!(!is_alive());

        let mut giver = Giver::new(Arc::clone(&value));
        drop(giver.share());
        assert!(is_alive(), "the giver holds it too");
        drop(giver);
        assert!(!is_alive());
        drop(Giver::new(Arc::clone(&value)));
        assert!(!is_alive(), "shares that nobody was given");
    }

    #[test]
    fn shares_end_in_any_thread_and_the_value_once() {
        let value = Arc::new(7);
        for _ in 0..200 {
            let mut giver = Giver::new(Arc::clone(&value));
            let ends: Vec<_> = (0..4)
                .map(|_| {
                    let shares: Vec<_> = (0..50).map(|_| giver.share()).collect();
                    thread::spawn(move || shares.into_iter().map(|share| **share).sum::<i32>())
                })
                .collect();
            drop(giver);
            for end in ends {
                assert_eq!(end.join().unwrap(), 350);
            }
            assert_eq!(Arc::strong_count(&value), 1);
        }
    }
}
