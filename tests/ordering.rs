//! Hard cases, section 1: order within a partition, and retries that keep it.

use std::time::Duration;

use ottla_sim::{Api, Stage};

/// Every record is a batch of its own, sent at once.
const SINGLES: &[(&str, &str)] = &[("batch.size", "0"), ("linger.ms", "0")];

#[test]
fn all_records_are_written_once_in_order_over_all_partitions() {
    let mut stage = Stage::new(3, &[]);
    stage.model.set_default_partitions(6);
    for n in 0..10_000 {
        stage.send("letters", n % 6, None, format!("letter {n}").as_bytes());
    }
    stage.run_to_idle();
    assert_eq!(stage.written().len(), 10_000);
    assert!(stage.now() < Duration::from_secs(1), "{:?}", stage.now());
    assert_eq!(stage.model.requests(Api::InitProducerId), 1);
    stage.check();
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        let mut stage = Stage::with_seed(3, SINGLES, seed);
        stage.model.set_default_partitions(6);
        for n in 0..100 {
            stage.send("letters", None, None, format!("letter {n}").as_bytes());
        }
        stage.run_to_idle();
        stage.check();
        assert_eq!(stage.written().len(), 100);
        stage.trace_digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
