//! Section 5: metadata, leaders, topics.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Metadata {}

impl Watch for Metadata {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Struck { kind, .. } = &line.fact {
            hits.hit_if(65, *kind == crate::FaultKind::GrowTopic);
        }
    }
}
