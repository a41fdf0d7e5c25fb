//! What requests that are answered took from the allocator, kept for the next.

use alloc::vec::Vec;

use super::ProducerCore;
use crate::{connection::ProduceItem, transmit::Transmit};

/// Emptied memory. What one request of unusual size took is not kept.
#[derive(Default)]
pub(super) struct Spares {
    transmits: Vec<Transmit>,
    items: Vec<Vec<ProduceItem>>,
    /// For the items of an answer that were not found in it yet.
    pub(super) open: Vec<Option<ProduceItem>>,
}

/// How many are kept of each: the requests in flight on one link or two.
const KEPT: usize = 8;
/// Items of a request that is kept.
const ITEMS: usize = 1_024;

impl Spares {
    pub(super) fn items(&mut self) -> Vec<ProduceItem> {
        self.items.pop().unwrap_or_default()
    }

    pub(super) fn keep_items(&mut self, mut items: Vec<ProduceItem>) {
        if self.items.len() < KEPT && items.capacity() <= ITEMS {
            items.clear();
            self.items.push(items);
        }
    }

    pub(super) fn keep_open(&mut self, open: Vec<Option<ProduceItem>>) {
        debug_assert!(open.is_empty());
        if open.capacity() <= ITEMS {
            self.open = open;
        }
    }

    pub(super) fn transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop().map(Transmit::renewed)
    }
}

impl ProducerCore {
    /// Takes the memory of a request that was wholly written, for the next one. Nobody has to hand it back.
    pub fn recycle(&mut self, written: Transmit) {
        if self.spares.transmits.len() < KEPT && written.is_worth_keeping() {
            self.spares.transmits.push(written);
        }
    }
}
