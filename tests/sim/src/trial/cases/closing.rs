//! Section 8: flush, purge and close.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Closing {}

impl Watch for Closing {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Struck { kind, .. } = &line.fact {
            hits.hit_if(114, *kind == crate::FaultKind::Purge);
        }
    }
}
