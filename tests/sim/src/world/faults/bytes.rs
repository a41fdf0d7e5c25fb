//! Faults in the bytes of a connection.

use std::time::Duration;

use super::FaultKind;
use crate::World;

impl World {
    pub(super) fn strike_bytes(&mut self, kind: FaultKind) -> Option<String> {
        let broker = self.any_broker()?;
        match kind {
            FaultKind::Tampered(tamper) => self.tamper(broker, tamper),
            FaultKind::CutRequest => {
                let permille = *self.chance.pick(&[0, 1, 100, 500, 999, 1000]);
                self.cut_next_produce(broker, permille);
            }
            FaultKind::FlipRequest => self.flip_next_produce(broker),
            FaultKind::SwapAnswers => self.swap_next_answers(broker),
            FaultKind::DripAnswers => {
                let pause = self
                    .chance
                    .duration(Duration::ZERO..Duration::from_millis(200));
                let size = self.chance.within(1..20);
                self.set_drip(broker, Some((size, pause)));
                self.undo_later(move |world| world.set_drip(broker, None));
            }
            _ => return None,
        }
        Some(format!("broker {broker}"))
    }
}
