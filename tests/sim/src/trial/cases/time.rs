//! Section 10: time, throttling, acknowledgements, timestamps.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Time {}

impl Watch for Time {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Struck { kind, .. } = &line.fact {
            hits.hit_if(136, *kind == crate::FaultKind::WallJump);
        }
    }
}
