//! Sections 11 and 12: names and seeds; settings, callbacks, the process.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Process {}

impl Watch for Process {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Struck { kind, .. } = &line.fact {
            hits.hit_if(155, *kind == crate::FaultKind::PanickingCallback);
        }
    }
}
