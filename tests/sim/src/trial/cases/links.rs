//! Section 6: connections and frames.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Links {}

impl Watch for Links {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Left { unanswered, .. } = &line.fact {
            hits.hit_if(79, *unanswered > 0);
        }
    }
}
