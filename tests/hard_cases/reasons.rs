//! Hard cases, section 13: the last reason that is known, from a link or from a response, reaches the error.

use std::time::Duration;

use ottla_core::{Cause, DeliveryError, SendError, WaitedFor, Warning, wire::ErrorCode};
use ottla_sim::{Fate, Fault, On, Stage, code};

use crate::common::{SHORT, SINGLES, warm};

/// Two seconds to wait for metadata or memory.
const IMPATIENT: &[(&str, &str)] = &[("max.block.ms", "2000")];

#[test]
fn h168_a_topic_that_does_not_exist_is_named_with_its_error() {
    let mut stage = warm(1, IMPATIENT);
    stage.model.set_auto_create(false);
    let n = stage.send("mistyped", None, None, b"to nowhere");
    stage.run_until(|stage| stage.outcome(n).is_some());
    assert_refused_for_topic(&stage, n, "mistyped", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(
        topic_errors(&stage),
        [(None, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]
    );
    stage.check();
}

#[test]
fn h168_any_error_of_a_topic_is_the_reason_and_the_last_one_counts() {
    for (first, last) in [
        (code::UNKNOWN_TOPIC_OR_PARTITION, code::LEADER_NOT_AVAILABLE),
        (code::LEADER_NOT_AVAILABLE, code::KAFKA_STORAGE_ERROR),
    ] {
        let mut stage = warm(1, IMPATIENT);
        stage.model.create_topic("others", 1);
        for code in std::iter::once(first).chain([last; 100]) {
            let on = On::MetadataOf {
                topic: "others".to_owned(),
            };
            stage.model.inject(on, Fault::Refuse(code));
        }
        let n = stage.send("others", None, None, b"not now");
        stage.run_until(|stage| stage.outcome(n).is_some());
        assert_refused_for_topic(&stage, n, "others", ErrorCode(last));
        let codes = [(None, ErrorCode(first)), (None, ErrorCode(last))];
        assert_eq!(topic_errors(&stage), codes, "each once");
        stage.check();
    }
}

#[test]
fn h168_nobody_who_answers_is_a_better_reason_than_what_was_answered_before() {
    let mut stage = warm(1, IMPATIENT);
    stage.model.set_auto_create(false);
    let n = stage.send("mistyped", None, None, b"to nowhere");
    stage.run_until(|stage| !topic_errors(stage).is_empty());
    (1..=3).for_each(|broker| stage.stop_broker(broker));
    stage.run_until(|stage| stage.outcome(n).is_some());
    let Some(Fate::Refused(SendError::TimedOut { cause, .. })) = stage.outcome(n) else {
        panic!("{:?}", stage.outcome(n));
    };
    assert!(
        matches!(cause, Some(Cause::Unreachable { .. })),
        "{cause:?}"
    );
    stage.check();
}

#[test]
fn h168_a_topic_that_is_not_allowed_is_named() {
    let mut stage = warm(1, &[]);
    stage.model.create_topic("secrets", 1);
    let on = On::MetadataOf {
        topic: "secrets".to_owned(),
    };
    let refusal = Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED);
    stage.model.inject(on, refusal);
    let n = stage.send("secrets", None, None, b"for your eyes only");
    stage.run_until(|stage| stage.outcome(n).is_some());
    let error = SendError::Topic {
        topic: "secrets".into(),
        code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    };
    assert_eq!(
        error.to_string(),
        "the brokers refuse topic secrets: TOPIC_AUTHORIZATION_FAILED (29)"
    );
    assert_eq!(stage.outcome(n), Some(&Fate::Refused(error)));
    stage.check();
}

#[test]
fn h168_a_partition_without_a_leader_has_the_code_that_says_so() {
    let mut stage = warm(2, SHORT);
    stage.model.remove_leader("letters", 1);
    let n = stage.send("letters", 1, None, b"whoever leads it");
    stage.run_until(|stage| stage.outcome(n).is_some());
    let cause = Cause::Metadata {
        topic: "letters".into(),
        partition: Some(1),
        code: ErrorCode::LEADER_NOT_AVAILABLE,
    };
    assert_eq!(cause_of(&stage, n), Some(&cause));
    assert_eq!(
        topic_errors(&stage),
        [(Some(1), ErrorCode::LEADER_NOT_AVAILABLE)]
    );

    // A leader ends it, and the next time without one is said again.
    stage.model.move_leader("letters", 1, 2);
    let n = stage.send("letters", 1, None, b"to the new leader");
    stage.run_until(|stage| stage.is_written(n));
    stage.model.remove_leader("letters", 1);
    let n = stage.send("letters", 1, None, b"whoever leads it now");
    stage.run_until(|stage| stage.outcome(n).is_some());
    assert_eq!(topic_errors(&stage).len(), 2);
    stage.check();
}

#[test]
fn h168_records_behind_a_batch_that_is_refused_until_the_end_learn_why() {
    let mut stage = warm(1, SHORT);
    stage.model.set_min_insync_replicas(4);
    let numbers: Vec<usize> = (0..300)
        .map(|n| stage.send("letters", 0, None, format!("letter {n}").as_bytes()))
        .collect();
    stage.run_to_idle();
    for n in numbers {
        assert_eq!(
            cause_of(&stage, n),
            Some(&NOT_ENOUGH_REPLICAS),
            "letter {n}"
        );
    }
    stage.model.set_min_insync_replicas(1);
    let n = stage.send("letters", 0, None, b"the replicas are back");
    stage.run_until(|stage| stage.is_written(n));

    // What was refused before that is no reason any more.
    stage.lose_requests(1, true);
    let n = stage.send("letters", 0, None, b"lost");
    let behind = stage.send("letters", 0, None, b"behind it");
    stage.run_until(|stage| stage.outcome(behind).is_some());
    assert!(stage.outcome(n).is_some());
    assert_ne!(cause_of(&stage, behind), Some(&NOT_ENOUGH_REPLICAS));
    stage.check();
}

#[test]
fn h168_what_ended_one_batch_for_good_is_no_reason_for_the_next() {
    let mut stage = warm(1, SHORT);
    let refusal = Fault::Refuse(code::INVALID_RECORD);
    stage.model.inject(On::produce("letters", 0), refusal);
    let refused = stage.send("letters", 0, None, b"refused for its own sake");
    stage.run_until(|stage| stage.outcome(refused).is_some());
    stage.lose_requests(1, true);
    let n = stage.send("letters", 0, None, b"in flight");
    let behind = stage.send("letters", 0, None, b"behind it");
    stage.close(Duration::from_secs(1));
    stage.run_until(|stage| stage.closed().is_some());
    for n in [n, behind] {
        let closed = DeliveryError::Closed { cause: Cause::Busy };
        assert_eq!(stage.outcome(n), Some(&Fate::MaybeWritten(closed)));
    }
}

#[test]
fn h168_a_partition_without_a_leader_has_another_reason_when_nobody_answers_any_more() {
    let mut stage = warm(2, SHORT);
    stage.model.remove_leader("letters", 1);
    let n = stage.send("letters", 1, None, b"whoever leads it");
    stage.run_until(|stage| !topic_errors(stage).is_empty());
    (1..=3).for_each(|broker| stage.stop_broker(broker));
    stage.run_until(|stage| stage.outcome(n).is_some());
    let cause = cause_of(&stage, n);
    assert!(
        matches!(cause, Some(Cause::Unreachable { .. })),
        "{cause:?}"
    );
}

#[test]
fn h168_a_known_topic_that_is_not_allowed_any_more_says_so() {
    let mut stage = warm(1, SHORT);
    stage.model.remove_leader("letters", 0);
    let n = stage.send("letters", 0, None, b"whoever leads it");
    stage.run_until(|stage| !topic_errors(stage).is_empty());
    for _ in 0..1000 {
        let on = On::MetadataOf {
            topic: "letters".to_owned(),
        };
        let refusal = Fault::Refuse(code::TOPIC_AUTHORIZATION_FAILED);
        stage.model.inject(on, refusal);
    }
    stage.run_until(|stage| stage.outcome(n).is_some());
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let cause = Cause::Metadata {
        topic: "letters".into(),
        partition: None,
        code,
    };
    assert_eq!(topic_errors(&stage).last(), Some(&(None, code)));
    assert_eq!(cause_of(&stage, n), Some(&cause));
}

#[test]
fn h168_a_wait_for_memory_names_what_keeps_the_oldest_batch() {
    let settings = [SINGLES, IMPATIENT, &[("buffer.memory", "20000")]].concat();
    let mut stage = warm(1, &settings);
    stage.model.set_min_insync_replicas(4);
    let full: Vec<usize> = (0..30)
        .map(|n| stage.send("letters", 0, None, &[n; 1000]))
        .collect();
    let last = full[full.len() - 1];
    stage.run_until(|stage| stage.outcome(last).is_some());
    let refused = SendError::TimedOut {
        waited_for: WaitedFor::Memory,
        cause: Some(NOT_ENOUGH_REPLICAS),
    };
    assert_eq!(stage.outcome(last), Some(&Fate::Refused(refused)));
    stage.model.set_min_insync_replicas(1);
    stage.run_to_idle();
    stage.check();
}

#[test]
fn h168_a_producer_id_that_does_not_come_has_its_reason() {
    let mut stage = Stage::new(3, SHORT);
    stage.model.create_topic("letters", 1);
    for _ in 0..1000 {
        let loading = Fault::Refuse(code::COORDINATOR_LOAD_IN_PROGRESS);
        stage.model.inject(On::InitProducerId, loading);
    }
    stage.warm_up("letters");
    let n = stage.send("letters", 0, None, b"nameless");
    stage.run_until(|stage| stage.outcome(n).is_some());
    let cause = Cause::NoProducerId {
        last: Some(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    };
    assert_eq!(cause_of(&stage, n), Some(&cause));
    let warning = Warning::ProducerId(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(stage.warnings(), [warning], "said once");
    stage.check();
}

#[test]
fn h168_a_producer_id_that_is_refused_names_a_way_out() {
    let refused = |code| DeliveryError::NoProducerId(code).to_string();
    let not_allowed = refused(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let unknown = refused(ErrorCode::UNSUPPORTED_VERSION);
    assert!(not_allowed.contains("IdempotentWrite"), "{not_allowed}");
    assert!(unknown.contains("Kafka 0.11"), "{unknown}");
    for text in [not_allowed, unknown] {
        assert!(text.ends_with("set enable.idempotence=false"), "{text}");
    }
}

const NOT_ENOUGH_REPLICAS: Cause = Cause::Broker {
    code: ErrorCode::NOT_ENOUGH_REPLICAS,
    message: None,
};

fn assert_refused_for_topic(stage: &Stage, n: usize, topic: &str, code: ErrorCode) {
    let refused = SendError::TimedOut {
        waited_for: WaitedFor::Metadata,
        cause: Some(Cause::Metadata {
            topic: topic.into(),
            partition: None,
            code,
        }),
    };
    assert_eq!(stage.outcome(n), Some(&Fate::Refused(refused)));
}

/// Why a record expired.
fn cause_of(stage: &Stage, n: usize) -> Option<&Cause> {
    let (Fate::NotWritten(error) | Fate::MaybeWritten(error)) = stage.outcome(n)? else {
        return None;
    };
    match error {
        DeliveryError::Expired { cause } => Some(cause),
        _ => None,
    }
}

/// The warnings of topics' and partitions' errors.
fn topic_errors(stage: &Stage) -> Vec<(Option<i32>, ErrorCode)> {
    let of_topic = |warning: &Warning| match warning {
        Warning::Topic {
            partition, code, ..
        } => Some((*partition, *code)),
        _ => None,
    };
    stage.warnings().iter().filter_map(of_topic).collect()
}
