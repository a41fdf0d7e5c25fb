//! What a broker may send in answer to anything, in any version: no bytes make a decoder panic or take more than 30 times
//! their size, and what it understands an independent decoder understands alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::responses::Question;
use ottla_fuzz::second_opinion::SecondOpinion;
use ottla_fuzz::{Tape, memory};

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let question = Question::choose(&mut tape);
    let frame = tape.rest();
    let (ours, taken) = memory::peak(|| question.decode(frame));
    assert!(
        taken <= 30 * frame.len(),
        "{taken} bytes for {}",
        frame.len()
    );
    if let Ok(ours) = ours
        && let Some(theirs) = SecondOpinion::of(question, frame)
    {
        assert_eq!(ours, theirs.answer());
    }
});
