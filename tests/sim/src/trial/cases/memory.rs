//! Section 7: back-pressure, memory, fairness.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Memory {}

impl Watch for Memory {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Accepted { .. } = &line.fact {
            hits.hit(97);
        }
    }
}
