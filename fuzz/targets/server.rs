//! The model cluster is served to users over TCP: whatever frames reach a broker, it does not panic, and takes memory in
//! proportion to what came.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::{Tape, memory};
use ottla_sim::Model;

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let mut model = Model::new(2, 7);
    model.create_topic("letters", 3);
    let mut now = Duration::ZERO;
    while !tape.is_over() {
        now += Duration::from_millis(tape.byte().into());
        let broker = 1 + tape.below(2) as i32;
        let connection = tape.below(3) as u64;
        let len = 64 * tape.below(8) + tape.below(64);
        let frame = tape.take(len);
        let (_, taken) = memory::peak(|| model.handle(now, broker, connection, frame));
        assert!(taken <= 64 * 1024 + 100 * len, "{taken} bytes for {len}");
    }
});
