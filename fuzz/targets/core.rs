//! Whatever happens to a producer, and whatever it is told: every accepted record gets exactly one outcome, memory adds up,
//! nothing spins or panics, and once the trouble is over everything comes to its end. As long as no broker lies, the records
//! are where the producer says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::Tape;
use ottla_fuzz::play::Play;

fuzz_target!(init: show_traces(), |data: &[u8]| {
    let mut tape = Tape::new(data);
    let mut play = Play::new(&mut tape);
    while !tape.is_over() {
        play.turn(&mut tape);
    }
    play.end();
});

/// A stage that is dropped by a panic prints its trace, which libFuzzer's hook would leave no time for.
fn show_traces() {
    drop(std::panic::take_hook());
}
