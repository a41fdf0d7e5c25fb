//! Section 3: expiry and delivery time-out.

use super::{Hits, Scene, Watch};
use crate::{Fact, Line};

#[derive(Default)]
pub(crate) struct Expiry {}

impl Watch for Expiry {
    fn see(&mut self, line: &Line, scene: &Scene<'_>, hits: &mut Hits) {
        let _ = scene;
        if let Fact::Ended { .. } = &line.fact {
            hits.hit(37);
        }
    }
}
