//! Configuration is text that people write: whatever it says, it is read without a panic, an error names the line or the
//! setting on one line, pairs survive being written down again, and what is a `Config` makes a producer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::{Config, Instant, ProducerCore, parse_properties};
use ottla_fuzz::properties;

fuzz_target!(|text: &str| {
    let pairs = match parse_properties(text) {
        Ok(pairs) => pairs,
        Err(error) => return assert!((1..=text.len()).contains(&error.line()), "{error:?}"),
    };
    let written = properties::written(&pairs);
    assert_eq!(
        parse_properties(&written).as_ref(),
        Ok(&pairs),
        "{written:?}"
    );

    match Config::from_properties(pairs.iter().map(|(name, value)| (name, value))) {
        Err(error) => properties::assert_helpful(&error, &pairs),
        Ok(config) => {
            let again = Config::from_properties(parse_properties(&written).unwrap()).unwrap();
            assert_eq!(format!("{again:?}"), format!("{config:?}"));
            let mut core = ProducerCore::new(config, [7; 32], Instant::ORIGIN);
            core.topic(Instant::ORIGIN, "letters").unwrap();
            core.handle_timeout(Instant::ORIGIN);
        }
    }
});
