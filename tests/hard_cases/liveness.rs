//! Nothing waits without a timer, and nothing is done for nobody: hard cases H040, H043, H072, H096, H148.

use std::time::Duration;

use ottla_sim::{Api, Dial, Fault, On, code};

use crate::common::warm;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_successor_of_a_leader_that_died_unnoticed_is_found() {
    for settings in [&[][..], &[("acks", "0")]] {
        let mut stage = warm(3, settings);
        let old = stage.model.leader("letters", 0).unwrap();
        stage.run_for(10 * SECOND); // nothing is on its way
        stage.stop_broker(old);
        let start = stage.now();
        let n = stage.send("letters", 0, None, b"to whom?");
        stage.run_until(|stage| stage.is_written(n));
        assert!(stage.now() - start < 3 * SECOND, "{settings:?}");
        assert_ne!(stage.model.leader("letters", 0), Some(old));
    }
}

#[test]
fn a_record_that_comes_during_the_wait_for_a_broker_is_sent_after_it() {
    let mut stage = warm(
        3,
        &[("linger.ms", "0"), ("reconnect.backoff.max.ms", "2000")],
    );
    let leader = stage.model.leader("letters", 0).unwrap();
    stage.model.set_replication(1);
    stage.set_dial(leader, Dial::Refuse);
    stage.cut(leader);
    stage.run_for(SECOND);
    stage.set_dial(leader, Dial::Accept);
    let start = stage.now();
    let n = stage.send("letters", 0, None, b"as soon as you are back");
    stage.run_until(|stage| stage.is_written(n));
    assert!(stage.now() - start < 3 * SECOND);
    stage.check();
}

#[test]
fn a_retry_behind_another_waits_too_where_no_order_is_kept() {
    let settings = [
        ("acks", "1"),
        ("retry.backoff.max.ms", "100"),
        ("metadata.max.age.ms", "500"),
    ];
    let mut stage = warm(3, &settings);
    let old = stage.model.leader("letters", 0).unwrap();
    stage.hold_answers(old);
    stage.send("letters", 0, None, b"unanswered");
    stage.run_for(SECOND);
    stage.model.move_leader("letters", 0, old % 3 + 1);
    stage.run_for(2 * SECOND); // metadata is asked for meanwhile
    let before = stage.model.requests(Api::Produce);
    for _ in 0..100 {
        let refuse = Fault::Refuse(code::NOT_ENOUGH_REPLICAS);
        stage.model.inject(On::produce("letters", 0), refuse);
    }
    stage.send("letters", 0, None, b"refused again and again");
    stage.run_for(SECOND);
    let requests = stage.model.requests(Api::Produce) - before;
    assert!((2..=15).contains(&requests), "{requests} requests");
    stage.model.clear_faults();
    stage.release_answers(old);
    stage.run_to_idle();
}

#[test]
fn h069_h072_a_topic_that_is_refused_is_not_asked_about_for_ever() {
    let mut stage = warm(3, &[("max.block.ms", "1000")]);
    let topic = || On::MetadataOf {
        topic: "secret".into(),
    };
    for _ in 0..1000 {
        stage
            .model
            .inject(topic(), Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED));
    }
    let n = stage.send("secret", None, None, b"v");
    stage.run_until(|stage| stage.outcome(n).is_some());
    let asked = stage.model.requests(Api::Metadata);
    stage.run_for(60 * SECOND);
    let asked = stage.model.requests(Api::Metadata) - asked;
    assert!(asked <= 2, "{asked} requests for nobody");
    stage.model.clear_faults();
    let granted = stage.send("secret", None, None, b"v");
    stage.run_until(|stage| stage.is_written(granted));
    stage.check();
}

#[test]
fn a_broker_that_nobody_waits_for_any_more_is_left_alone() {
    let mut stage = warm(3, &[("delivery.timeout.ms", "40000")]);
    let leader = stage.model.leader("letters", 0).unwrap();
    stage.set_dial(leader, Dial::Refuse);
    stage.cut(leader);
    let n = stage.send("letters", 0, None, b"in vain");
    stage.run_until(|stage| stage.outcome(n).is_some());
    stage.run_for(5 * SECOND);
    let warnings = stage.warnings().len();
    stage.run_for(60 * SECOND);
    assert!(
        stage.warnings().len() <= warnings + 1,
        "it is dialled for nobody"
    );
    stage.set_dial(leader, Dial::Accept);
    let again = stage.send("letters", 0, None, b"again");
    stage.run_until(|stage| stage.is_written(again));
    stage.check();
}
