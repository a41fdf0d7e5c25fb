//! Section 1: ordering and retries.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Ordering {}

impl Watch for Ordering {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Produced(batch) = &line.fact {
            hits.hit_if(14, batch.code != 0);
        }
    }
}
