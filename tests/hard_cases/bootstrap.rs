//! Hard cases, section 11: names, addresses and seeds.

use std::net::SocketAddr;
use std::time::Duration;

use ottla_core::{Cause, ResolveError, Warning};
use ottla_sim::{Lookup, Stage};

#[test]
fn h151_seeds_that_do_not_resolve_at_first_are_tried_again() {
    let mut stage = Stage::new(1, &[("max.block.ms", "10000")]);
    stage.set_lookup("broker-1", Lookup::Failed(ResolveError::Failed));
    let n = stage.send("letters", None, None, b"patient");
    stage.run_for(Duration::from_secs(3));
    assert!(matches!(
        stage.warnings()[0],
        Warning::Broker(Cause::Unresolved { .. })
    ));
    stage.set_lookup(
        "broker-1",
        Lookup::Found(vec![SocketAddr::from(([127, 0, 0, 1], 9091))]),
    );
    stage.run_to_idle();
    assert!(stage.is_written(n));
    stage.check();
}
