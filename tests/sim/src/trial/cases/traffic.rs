//! Sections 6 to 8: connections, memory, and the end, which look at the same roads and batches.

use super::batches::Batches;
use super::closing::Closing;
use super::links::Links;
use super::memory::Memory;
use super::roads::Roads;
use super::{Hits, Scene, Watch};
use crate::Line;

/// Follows connections and batches, and has each section count what it sees.
#[derive(Default)]
pub(crate) struct Traffic {
    view: View,
    links: Links,
    memory: Memory,
    closing: Closing,
}

/// What is known when something happens.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) roads: Roads,
    pub(crate) batches: Batches,
}

impl Watch for Traffic {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        self.links.see(line, &self.view, hits);
        self.memory.see(line, scene, &self.view, hits);
        self.closing.see(line, scene, &self.view, hits);
        self.view.batches.see(&line.fact);
        if let Some(road) = self.view.roads.see(line, scene) {
            self.links.left(line, &road, scene, hits);
        }
    }
}
