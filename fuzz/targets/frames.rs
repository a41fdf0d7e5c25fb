//! A stream is cut into the same frames however its bytes come: those that its lengths announce, up to the first wrong one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::fuzzing::cut;
use ottla_fuzz::Tape;
use ottla_fuzz::pieces::pieces;

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new(data);
    let limit = usize::from(tape.byte()) * 16;
    let sizes = tape.below(8);
    let sizes = tape.take(sizes);
    let stream = tape.rest();

    let (frames, error) = cut(limit, [stream]);
    assert_eq!(cut(limit, pieces(stream, sizes)), (frames.clone(), error));

    let mut rest = stream;
    for frame in frames {
        assert_eq!(rest[..4], (frame.len() as i32).to_be_bytes());
        rest = rest[4..].strip_prefix(&*frame).expect("it is what came");
    }
    let next = rest.first_chunk().map(|head| i32::from_be_bytes(*head));
    let next = next.map(|len| usize::try_from(len).ok().filter(|&len| len <= limit));
    assert_eq!(
        error.is_some(),
        next == Some(None),
        "a wrong length ends it"
    );
    let is_whole = next.flatten().is_some_and(|len| rest.len() >= 4 + len);
    assert!(!is_whole, "no frame is kept back");
});
