//! Hard cases, sections 5 and 6: what a broker can and cannot do.

use std::time::Duration;

use ottla_core::{DeliveryError, Disconnect, ProtocolError};
use ottla_sim::{Api, Fate, Fault, On, Stage, code};

use crate::common::{is_unreachable, send_letters, singles};

#[test]
fn h092_a_broker_that_does_not_know_our_api_versions_is_asked_in_its_own() {
    for newest in 0..4 {
        let mut stage = Stage::new(1, &[]);
        stage
            .model
            .set_versions(1, Api::ApiVersions, Some((0, newest)));
        let n = stage.send("letters", None, None, b"to an old broker");
        stage.run_to_idle();
        assert!(stage.is_written(n));
        assert_eq!(
            stage.model.requests(Api::ApiVersions),
            2,
            "once too new, once right"
        );
        stage.check();
    }
}

#[test]
fn h092_a_broker_that_breaks_at_api_versions_is_asked_in_the_oldest() {
    let mut stage = Stage::new(1, &[]);
    stage.model.inject(On::ApiVersions, Fault::Disconnect);
    let n = stage.send("letters", None, None, b"to a very old broker");
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert!(
        stage.now() < Duration::from_millis(200),
        "{:?}",
        stage.now()
    );
    stage.check();
}

#[test]
fn h092_refusing_every_version_ends_in_an_error_and_not_in_a_loop() {
    let mut stage = Stage::new(1, &[("max.block.ms", "5000")]);
    for _ in 0..1_000 {
        stage
            .model
            .inject(On::ApiVersions, Fault::Refuse(code::UNSUPPORTED_VERSION));
    }
    let n = stage.send("letters", None, None, b"in vain");
    stage.run_until(|stage| stage.outcome(n).is_some());
    assert_eq!(stage.now(), Duration::from_secs(5));
    assert!(
        stage.model.requests(Api::ApiVersions) < 40,
        "{}",
        stage.model.requests(Api::ApiVersions)
    );
    assert!(is_unreachable(stage.warnings(), |why| {
        matches!(
            why,
            Disconnect::Protocol(ProtocolError::UnsupportedVersion { .. })
        )
    }));
}

#[test]
fn h093_versions_are_each_links_own() {
    let mut stage = singles(&[]);
    for (round, (broker, newest)) in [(1, 9), (2, 3), (3, 12), (1, 13), (2, 7)]
        .into_iter()
        .enumerate()
    {
        stage
            .model
            .set_versions(broker, Api::Produce, Some((3, newest)));
        stage
            .model
            .inject(On::produce("letters", 0), Fault::AppendThenDisconnect);
        stage.send("letters", 0, None, format!("round {round}").as_bytes());
        stage.run_for(Duration::from_millis(5));
        stage.model.move_leader("letters", 0, broker);
        stage.cut(broker);
        stage.run_to_idle();
    }
    assert_eq!(stage.written().len(), 6);
    stage.check(); // the batches' bytes are the same under every version
}

#[test]
fn h093_a_broker_that_lost_support_refuses_and_nobody_wonders() {
    let mut stage = singles(&[]);
    stage.model.set_versions(1, Api::Produce, Some((0, 2)));
    stage.cut(1);
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert_eq!(
        stage.outcome(n),
        Some(&Fate::NotWritten(DeliveryError::UnsupportedVersion))
    );

    stage.model.set_versions(1, Api::Produce, Some((0, 13)));
    stage.cut(1);
    let next = stage.send("letters", 0, None, b"after the upgrade");
    stage.run_to_idle();
    assert!(stage.is_written(next));
    stage.check();
}

#[test]
fn h077_where_metadata_has_no_ids_topics_go_by_their_names() {
    let mut stage = singles(&[]);
    for broker in 1..=3 {
        stage
            .model
            .set_versions(broker, Api::Metadata, Some((0, 9)));
        stage.cut(broker);
    }
    stage.model.delete_topic("letters");
    stage.model.create_topic("letters", 2);
    stage.excuse_losses();
    let n = send_letters(&mut stage, 1)[0];
    stage.run_to_idle();
    assert!(stage.is_written(n));
    assert!(stage.now() < Duration::from_secs(2), "{:?}", stage.now());
    stage.check();
}
