//! Section 4: splitting and size.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Size {}

impl Watch for Size {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Produced(batch) = &line.fact {
            hits.hit_if(
                48,
                batch.code == crate::code::MESSAGE_TOO_LARGE && batch.count > 1,
            );
        }
    }
}
