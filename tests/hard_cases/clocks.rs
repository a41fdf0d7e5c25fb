//! Hard cases, section 10: clocks, and the times of records.

use std::time::Duration;

use ottla_core::{DeliveryError, SendError, wire::ErrorCode};
use ottla_sim::{Fate, Fault, On, Stage, code};

use crate::common::{SHORT, warm};

const SECOND: Duration = Duration::from_secs(1);
const DAY: i64 = 24 * 3_600 * 1_000;

#[test]
fn h136_a_jump_of_the_clock_on_the_wall_moves_no_timer() {
    let told = |jumps: &[i64]| {
        let mut stage = warm(2, &[("linger.ms", "40")]);
        stage.hold_answers(2);
        for (n, &jump) in jumps.iter().enumerate() {
            stage.jump_wall_clock(jump);
            for partition in 0..2 {
                stage.send("letters", partition, None, format!("letter {n}").as_bytes());
            }
            stage.run_for(Duration::from_millis(7));
        }
        stage.run_to_idle();
        assert_eq!(times_in_log(&stage), times_sent(&stage));
        stage.check();
        let ends: Vec<_> = (0..stage.written().len())
            .map(|n| stage.sent(n).ended)
            .collect();
        ends
    };
    // Never ahead of the broker's own clock, which would refuse that.
    let jumps = [-DAY, DAY, -2 * DAY, DAY, DAY, -DAY];
    assert_eq!(told(&jumps), told(&[0; 6]));
}

#[test]
fn h137_after_a_pause_what_has_arrived_counts_and_the_rest_has_expired() {
    let mut stage = warm(2, SHORT);
    stage.send("letters", 1, None, b"brings the other link up");
    stage.run_to_idle();
    let answered = stage.send("letters", 0, None, b"answered meanwhile");
    stage.lose_requests(2, true);
    let lost = stage.send("letters", 1, None, b"lost");
    stage.stand_still(600 * SECOND);
    assert!(stage.is_written(answered));
    assert!(matches!(stage.outcome(lost), Some(Fate::MaybeWritten(_))));

    stage.lose_requests(2, false);
    let next = stage.send("letters", 1, None, b"next");
    stage.run_to_idle();
    assert!(stage.is_written(next));
    stage.check();
}

#[test]
fn h142_the_brokers_time_counts_where_the_topic_says_so() {
    for on in [true, false] {
        let mut stage = warm(1, &[]);
        stage.model.set_log_append_time("letters", on);
        stage.jump_wall_clock(-DAY);
        let invalid = Fault::Refuse(code::INVALID_RECORD);
        stage.model.inject(On::produce("letters", 0), invalid);
        let refused = stage.send("letters", 0, None, b"refused");
        stage.run_to_idle();
        let n = stage.send("letters", 0, None, b"yesterday's");
        stage.run_to_idle();

        let in_log = stage.model.log("letters", 0).last().expect("it is there");
        let sent = stage.sent(n);
        assert_eq!(sent.append_time, on.then_some(in_log.timestamp));
        assert_eq!(in_log.timestamp == sent.timestamp, !on);
        assert_eq!(stage.sent(refused).append_time, None);
        stage.check();
    }
}

#[test]
fn h143_times_may_lie_far_apart_in_one_batch() {
    let mut stage = warm(1, &[("linger.ms", "10")]);
    let years = 365 * DAY;
    let jumps = [0, 50 * years, -90 * years, 0, 1, -1, 60 * years];
    for (n, jump) in jumps.into_iter().enumerate() {
        stage.jump_wall_clock(jump);
        stage.send("letters", 0, None, format!("letter {n}").as_bytes());
    }
    stage.run_to_idle();
    assert_eq!(
        stage.arrivals("letters", 0).len(),
        2,
        "first, and all seven"
    );
    assert_eq!(times_in_log(&stage), times_sent(&stage));
    stage.check();
}

#[test]
fn h143_records_whose_time_is_out_of_bounds_are_refused_alone() {
    let mut stage = warm(1, &[("linger.ms", "10")]);
    let out_of_bounds = Fault::RefuseRecords {
        code: INVALID_TIMESTAMP,
        records: vec![(1, None)],
        message: None,
    };
    stage.model.inject(On::produce("letters", 0), out_of_bounds);
    let three = ["a", "b", "c"].map(|v| stage.send("letters", 0, None, v.as_bytes()));
    stage.run_to_idle();

    let code = ErrorCode(INVALID_TIMESTAMP);
    let mate = Some(Fate::NotWritten(DeliveryError::BatchMate { code }));
    assert_eq!(stage.outcome(three[0]), mate.as_ref());
    assert!(matches!(
        stage.outcome(three[1]),
        Some(Fate::NotWritten(DeliveryError::Broker { .. }))
    ));
    assert_eq!(stage.outcome(three[2]), mate.as_ref());
    stage.check();
}

#[test]
fn h143_a_time_before_1970_is_refused_when_it_is_sent() {
    let mut stage = warm(1, &[]);
    let now = stage.sent(0).timestamp;
    stage.jump_wall_clock(-now - 1 - stage.now().as_millis() as i64);
    let before = stage.send("letters", 0, None, b"before 1970");
    let time = stage.sent(before).timestamp;
    assert!(time < 0);
    let refused = Fate::Refused(SendError::InvalidTimestamp(time));
    assert_eq!(stage.outcome(before), Some(&refused));
    stage.jump_wall_clock(-time);
    let first = stage.send("letters", 0, None, b"the first time that there is");
    assert_eq!(stage.sent(first).timestamp, 0);
    stage.run_to_idle();
    assert!(stage.is_written(first));
    stage.check();
}

const INVALID_TIMESTAMP: i16 = 32;

/// What stands in the logs of both partitions, in the order of the records' values.
fn times_in_log(stage: &Stage) -> Vec<(Vec<u8>, i64)> {
    let partitions = 0..stage.model.partitions("letters");
    let records = partitions.flat_map(|p| stage.model.log("letters", p));
    let with_value = records.map(|r| (r.value.unwrap_or_default().to_vec(), r.timestamp));
    let mut times: Vec<_> = with_value.collect();
    times.sort();
    times
}

fn times_sent(stage: &Stage) -> Vec<(Vec<u8>, i64)> {
    let sent = stage.written().into_iter().map(|n| stage.sent(n));
    let mut times: Vec<_> = sent.map(|s| (s.value.clone(), s.timestamp)).collect();
    times.sort();
    times
}
