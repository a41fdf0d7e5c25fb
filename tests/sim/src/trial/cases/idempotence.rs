//! Section 2: sequences and epochs.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Idempotence {}

impl Watch for Idempotence {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Produced(batch) = &line.fact {
            hits.hit_if(15, batch.duplicate);
        }
    }
}
