//! Hard cases, section 10: acknowledgements.

use std::time::Duration;

use crate::common::{send_letters, singles};

#[test]
fn h139_without_acknowledgements_a_close_ends_with_the_last_write() {
    let mut stage = singles(&[("acks", "0")]);
    send_letters(&mut stage, 5);
    let start = stage.now();
    stage.close(Duration::from_secs(10));
    stage.run_until(|stage| stage.closed().is_some());
    assert!(stage.now() - start < Duration::from_millis(10));
    assert_eq!(stage.written().len(), 6);
    stage.check();
}
