//! Batches that grow beyond `batch.size` while the way to their broker is blocked.

use std::time::Duration;

use ottla_sim::{Dial, Stage, code};

use crate::common::{arrivals, warm};

/// Five letters fill a batch; it goes at once, if it can.
const SMALL: &[(&str, &str)] = &[("batch.size", "1110"), ("linger.ms", "5")];

#[test]
fn while_five_batches_are_under_way_the_next_one_grows() {
    let mut stage = warm(1, SMALL);
    stage.hold_answers(1);
    let letters = send_letters(&mut stage, 70);
    stage.release_answers(1);
    stage.run_to_idle();

    assert!(letters.iter().all(|&n| stage.is_written(n)));
    assert_eq!(counts(&stage), [5, 5, 5, 5, 5, 45]);
    stage.check();
}

#[test]
fn growth_ends_at_its_limit() {
    for (setting, limit) in [
        ("batch.growth.max.bytes", 5_000),
        ("max.request.size", 5_000),
        ("batch.growth.max.bytes", 0),
        ("batch.growth.max.bytes", 800),
    ] {
        let mut stage = warm(1, &[SMALL, &[(setting, &limit.to_string())]].concat());
        stage.hold_answers(1);
        send_letters(&mut stage, 70);
        stage.release_answers(1);
        stage.run_to_idle();

        let most = if limit > 1_100 { 23 } else { 5 };
        assert_eq!(counts(&stage)[..5], [5; 5]);
        assert_eq!(counts(&stage)[5], most, "{setting}={limit}");
        assert_eq!(stage.written().len(), 71);
        stage.check();
    }
}

#[test]
fn without_batches_nothing_grows() {
    let mut stage = warm(1, &[("batch.size", "0")]);
    stage.hold_answers(1);
    send_letters(&mut stage, 20);
    stage.release_answers(1);
    stage.run_to_idle();
    assert_eq!(counts(&stage), [1; 20]);
    stage.check();
}

#[test]
fn on_a_free_way_a_batch_has_its_size() {
    let mut stage = warm(1, SMALL);
    send_letters(&mut stage, 20);
    stage.run_to_idle();
    assert_eq!(counts(&stage), [5; 4]);
    stage.check();
}

#[test]
fn whatever_blocks_the_way_lets_a_batch_grow() {
    let obstacles: [fn(&mut Stage); 4] = [
        |stage| {
            stage.set_dial(1, Dial::Refuse);
            stage.cut(1);
        },
        |stage| {
            stage.model.remove_leader("letters", 0);
            stage.cut(1);
        },
        |stage| {
            stage.set_writer(1, Some(1));
            send_letters(stage, 5);
        },
        |stage| {
            stage.model.set_throttle(Duration::from_secs(5));
            send_letters(stage, 5);
            stage.run_for(Duration::from_millis(10));
            stage.model.set_throttle(Duration::ZERO);
        },
    ];
    for obstacle in obstacles {
        let mut stage = warm(1, SMALL);
        obstacle(&mut stage);
        let letters = send_letters(&mut stage, 40);
        stage.run_for(Duration::from_secs(1));
        assert!(letters.iter().all(|&n| stage.outcome(n).is_none()));
        stage.set_dial(1, Dial::Accept);
        stage.set_writer(1, None);
        if stage.model.leader("letters", 0).is_none() {
            stage.model.move_leader("letters", 0, 1);
        }
        stage.run_to_idle();
        assert_eq!(counts(&stage).last(), Some(&40));
        stage.check();
    }
}

#[test]
fn no_batch_grows_to_a_size_that_was_too_large() {
    let mut stage = warm(1, SMALL);
    stage.model.set_topic_max_message_bytes("letters", 4_000);
    for _ in 0..4 {
        stage.hold_answers(1);
        send_letters(&mut stage, 65);
        stage.release_answers(1);
        stage.run_to_idle();
    }
    let refused: Vec<i32> = arrivals(&stage)
        .iter()
        .filter(|a| a.code == code::MESSAGE_TOO_LARGE)
        .map(|a| a.count)
        .collect();
    assert_eq!(refused, [40, 19, 19], "half of it, and then no more");
    assert!(counts(&stage).ends_with(&[5, 5, 5, 5, 5, 9, 9, 9, 9, 4]));
    assert_eq!(stage.written().len(), 4 * 65 + 1);
    stage.check();
}

#[test]
fn what_joins_a_grown_batch_keeps_half_of_its_time() {
    let mut stage = warm(
        1,
        &[
            ("batch.size", "200"),
            ("request.timeout.ms", "5000"),
            ("delivery.timeout.ms", "6000"),
        ],
    );
    stage.set_dial(1, Dial::Refuse);
    stage.cut(1);
    let letters: Vec<usize> = (0..4)
        .map(|_| {
            let letter = send_letters(&mut stage, 1);
            stage.run_for(Duration::from_secs(2));
            letter[0]
        })
        .collect();
    stage.run_until(|stage| stage.unsettled().is_empty());
    let lives = letters.iter().map(|&n| {
        let sent = stage.sent(n);
        (sent.ended.unwrap() - sent.accepted.unwrap()).as_secs()
    });
    assert_eq!(lives.collect::<Vec<_>>(), [6, 4, 6, 4]);
    stage.set_dial(1, Dial::Accept);
    stage.check();
}

#[test]
fn records_without_a_key_move_on_at_every_full_batch() {
    let mut stage = warm(3, SMALL);
    (1..=3).for_each(|broker| {
        stage.set_dial(broker, Dial::Refuse);
        stage.cut(broker);
    });
    let letters: Vec<usize> = (0..200)
        .map(|n| stage.send("letters", None, None, letter(0, n).as_bytes()))
        .collect();
    let partitions: Vec<_> = letters.iter().map(|&n| stage.sent(n).partition).collect();
    // Forty batches' worth; one time in three the same partition is drawn again.
    let stays = partitions.chunk_by(|a, b| a == b).count();
    assert!(stays > 15, "{stays} stays");
    (1..=3).for_each(|broker| stage.set_dial(broker, Dial::Accept));
    stage.run_to_idle();

    let batches: usize = (0..3).map(|p| stage.arrivals("letters", p).len()).sum();
    assert!(
        batches <= 3 + 1,
        "{batches} batches, one for each partition"
    );
    stage.check();
}

#[test]
fn flush_and_close_take_a_grown_batch_along() {
    let mut stage = warm(1, SMALL);
    stage.hold_answers(1);
    let letters = send_letters(&mut stage, 40);
    let flush = stage.flush();
    stage.run_for(Duration::from_secs(1));
    assert!(!stage.is_flushed(flush));
    stage.release_answers(1);
    stage.close(Duration::from_secs(10));
    stage.run_until(|stage| stage.closed().is_some());
    assert!(stage.is_flushed(flush));
    assert!(letters.iter().all(|&n| stage.is_written(n)));
    stage.check();
}

/// Sends so many letters to the first partition, five to a batch.
fn send_letters(stage: &mut Stage, count: usize) -> Vec<usize> {
    let (now, first) = (stage.now().as_millis(), stage.unsettled().len());
    (first..first + count)
        .map(|n| stage.send("letters", 0, None, letter(now, n).as_bytes()))
        .collect()
}

fn letter(now: u128, n: usize) -> String {
    format!("{now:0>196} {n:03}")
}

/// The records in each batch that came to the first partition, after the very first.
fn counts(stage: &Stage) -> Vec<i32> {
    arrivals(stage).iter().skip(1).map(|a| a.count).collect()
}
