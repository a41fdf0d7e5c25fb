//! Replication that takes time: answers that wait, leaders that change meanwhile, and what is lost.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::*;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_sim::{Answer, Fault, Model, On, code};

const LAG: Duration = Duration::from_millis(50);

/// A model of three brokers with the topic `t`, led by broker 1, whose followers lag.
fn lagging() -> Model {
    let mut model = cluster();
    model.set_replication_lag("t", 0, LAG);
    model
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Sends one record of producer 9 to broker 1.
fn produce_at(model: &mut Model, now: u64, acks: i16, sequence: i32) -> Answer {
    let bytes = one(sequence);
    let body = produce(acks, &[("t", 0, bytes)]);
    let request = request(PRODUCE, 12, sequence, &body);
    model.handle(ms(now), 1, 1, &request[..])
}

fn one(sequence: i32) -> Bytes {
    batch(stamp(9, 0, sequence), &values(1, &sequence.to_string()))
}

/// What the partition answers, and when the model said so.
fn answer(model: &mut Model, sequence: i32) -> (u64, PartitionProduceResponse) {
    let at = model.next_answer().expect("a request waits");
    let answered = model.poll_answer(at).expect("the answer is due");
    assert_eq!((answered.broker, answered.connection), (1, 1));
    (at.as_millis() as u64, decode(answered.answer, sequence))
}

fn decode(answer: Answer, sequence: i32) -> PartitionProduceResponse {
    let Answer::Reply(frame) = answer else {
        panic!("expected an answer, got {answer:?}");
    };
    let mut response: ProduceResponse = response(frame, 12, sequence);
    response.responses.remove(0).partition_responses.remove(0)
}

#[test]
fn acks_all_wait_for_the_followers_and_acks_one_do_not() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 10, -1, 0), Answer::Waits);
    assert_eq!(
        (model.log_end("t", 0), model.high_watermark("t", 0)),
        (1, 0)
    );
    assert_eq!(model.poll_answer(ms(59)), None);

    let (at, partition) = answer(&mut model, 0);
    assert_eq!(
        (at, partition.error_code, partition.base_offset),
        (60, code::NONE, 0)
    );
    assert_eq!(
        (model.log_end("t", 0), model.high_watermark("t", 0)),
        (1, 1)
    );
    assert_eq!(model.next_answer(), None);

    let partition = decode(produce_at(&mut model, 60, 1, 1), 1);
    assert_eq!(
        (partition.error_code, partition.base_offset),
        (code::NONE, 1)
    );
}

#[test]
fn a_connection_is_served_one_request_after_the_other() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    assert_eq!(produce_at(&mut model, 1, -1, 1), Answer::Waits);
    assert_eq!(model.log_end("t", 0), 1, "the second is not looked at yet");
    assert_eq!(answer(&mut model, 0).0, 50);
    assert_eq!(model.poll_answer(ms(50)), None);
    assert_eq!(model.log_end("t", 0), 2);
    assert_eq!(answer(&mut model, 1).0, 100);
}

#[test]
fn a_duplicate_waits_as_the_first_does() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    let again = request(PRODUCE, 12, 5, &produce(-1, &[("t", 0, one(0))]));
    assert_eq!(model.handle(ms(1), 1, 2, &again[..]), Answer::Waits);
    let journal: Vec<_> = model.produce_journal().collect();
    assert!(journal[0].appended && journal[1].duplicate && journal[1].waits);
    assert!(model.poll_answer(ms(50)).is_some() && model.poll_answer(ms(50)).is_some());
    assert!(
        model
            .produce_journal()
            .all(|entry| !entry.waits && entry.code == code::NONE)
    );
}

#[test]
fn a_request_does_not_wait_longer_than_it_says() {
    let mut model = lagging();
    model.stall_replica("t", 0, 3);
    assert_eq!(produce_at(&mut model, 10, -1, 0), Answer::Waits);
    let (at, partition) = answer(&mut model, 0);
    assert_eq!(
        (at, partition.error_code, partition.base_offset),
        (1_010, code::REQUEST_TIMED_OUT, 0),
        "the client gave it one second; the batch is in the log"
    );
    assert_eq!(model.log_end("t", 0), 1);
}

#[test]
fn too_few_replicas_are_refused_before_the_append_and_named_after_it() {
    let mut model = lagging();
    model.set_min_insync_replicas(2);
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    model.shrink_isr("t", 0, 2);
    model.shrink_isr("t", 0, 3);
    let (_, partition) = answer(&mut model, 0);
    assert_eq!(
        (partition.error_code, partition.base_offset),
        (code::NOT_ENOUGH_REPLICAS_AFTER_APPEND, 0)
    );

    let partition = decode(produce_at(&mut model, 1, -1, 1), 1);
    assert_eq!(
        (partition.error_code, partition.base_offset),
        (code::NOT_ENOUGH_REPLICAS, -1)
    );
    assert_eq!(model.log_end("t", 0), 1);

    model.resume_replica("t", 0, 2);
    assert_eq!(model.poll_answer(ms(51)), None);
    assert_eq!(
        produce_at(&mut model, 52, -1, 1),
        Answer::Waits,
        "broker 2 is back in sync"
    );
    assert_eq!(model.in_sync_replicas("t", 0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(answer(&mut model, 1).1.error_code, code::NONE);
}

#[test]
fn a_clean_leader_change_loses_only_what_nobody_has_acknowledged() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    answer(&mut model, 0);
    assert_eq!(produce_at(&mut model, 60, -1, 1), Answer::Waits);
    model.move_leader("t", 0, 2);

    let (_, partition) = answer(&mut model, 1);
    assert_eq!(
        (partition.error_code, partition.base_offset),
        (code::NOT_LEADER_OR_FOLLOWER, 1),
        "H165: it was appended, and is gone"
    );
    assert_eq!(partition.current_leader.leader_id, 2);
    assert_eq!(texts(&model, "t", 0), ["0-0"]);
    let losses: Vec<_> = model.losses().collect();
    assert_eq!((losses.len(), &losses[0].offsets), (1, &(1..2)));
    assert!(!losses[0].is_unclean());
    assert_eq!(losses[0].records().next().unwrap().sequence, 1);

    model.set_replication_lag("t", 0, Duration::ZERO);
    // The new leader knows of the producer what its own log says: the batch is not a duplicate.
    assert_eq!(send(&mut model, "t", 0, &one(1)).base_offset, 1);
}

#[test]
fn a_leader_change_after_replication_keeps_the_batch() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    assert_eq!(
        produce_at(&mut model, 50, 0, 7),
        Answer::Waits,
        "time passes"
    );
    model.move_leader("t", 0, 2);
    let (_, partition) = answer(&mut model, 0);
    assert_eq!(
        partition.error_code,
        code::NOT_LEADER_OR_FOLLOWER,
        "H165: it is there"
    );
    assert_eq!(texts(&model, "t", 0), ["0-0"]);
    assert_eq!(model.losses().len(), 0);
    model.set_replication_lag("t", 0, Duration::ZERO);
    let again = send(&mut model, "t", 0, &one(0));
    assert_eq!((again.error_code, again.base_offset), (code::NONE, 0));
}

#[test]
fn an_unclean_election_says_what_it_loses() {
    let mut model = lagging();
    model.set_min_insync_replicas(1);
    model.shrink_isr("t", 0, 3);
    for sequence in 0..3 {
        assert_eq!(
            produce_at(&mut model, 100 * sequence as u64, -1, sequence),
            Answer::Waits
        );
        assert_eq!(answer(&mut model, sequence).1.error_code, code::NONE);
    }
    model.elect_unclean("t", 0, 3);
    assert_eq!((model.leader("t", 0), model.log_end("t", 0)), (Some(3), 0));
    let loss = model.losses().next().unwrap();
    assert!(loss.is_unclean());
    assert_eq!(
        (&*loss.topic, loss.partition, &loss.offsets),
        ("t", 0, &(0..3))
    );
    assert_eq!((loss.high_watermark, loss.leader_epoch), (3, 1));
    assert_eq!(
        loss.records().map(|r| r.sequence).collect::<Vec<_>>(),
        [0, 1, 2]
    );
}

#[test]
fn a_leader_that_crashes_takes_acks_one_with_it() {
    let mut model = lagging();
    assert_eq!(
        decode(produce_at(&mut model, 0, 1, 0), 0).error_code,
        code::NONE
    );
    assert_eq!(produce_at(&mut model, 1, -1, 1), Answer::Waits);
    model.stop_broker(1);
    assert_eq!(
        model.next_answer(),
        None,
        "the crash took the waiting request"
    );
    assert_eq!((model.leader("t", 0), model.log_end("t", 0)), (Some(2), 0));
    let loss = model.losses().next().expect("both records are gone");
    assert_eq!((model.losses().len(), &loss.offsets), (1, &(0..2)));
    assert!(
        !model.losses().next().unwrap().is_unclean(),
        "nothing acks=all was answered"
    );

    model.start_broker(1);
    assert_eq!(
        model.replica_end("t", 0, 1),
        Some(0),
        "it follows the new leader's log"
    );
}

#[test]
fn only_a_replica_in_sync_leads_again_after_all_were_down() {
    let mut model = cluster();
    model.stop_broker(2);
    assert_eq!(send(&mut model, "t", 0, &one(0)).error_code, code::NONE);
    model.stop_broker(3);
    model.stop_broker(1);
    model.start_broker(2);
    assert_eq!(model.leader("t", 0), None, "broker 2 never got the record");
    model.start_broker(1);
    assert_eq!((model.leader("t", 0), model.log_end("t", 0)), (Some(1), 1));
    assert_eq!(model.in_sync_replicas("t", 0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn consumers_read_what_is_replicated() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    assert_eq!(model.high_watermark("t", 0), 0);
    assert_eq!(
        texts(&model, "t", 0),
        ["0-0"],
        "the leader's own log has it"
    );
}

#[test]
fn a_deleted_topic_ends_the_waiting() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    model.recreate_topic("t", 1, 0);
    let (_, partition) = answer(&mut model, 0);
    assert_eq!(partition.error_code, code::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn faults_keep_their_meaning_under_lag() {
    let mut model = lagging();
    model.inject(
        On::produce("t", 0),
        Fault::AppendThen(code::REQUEST_TIMED_OUT),
    );
    let partition = decode(produce_at(&mut model, 0, -1, 0), 0);
    assert_eq!(
        (partition.error_code, partition.base_offset),
        (code::REQUEST_TIMED_OUT, 0)
    );
    model.inject(On::produce("t", 0), Fault::AppendThenDisconnect);
    assert_eq!(produce_at(&mut model, 1, -1, 1), Answer::Disconnect);
    model.inject(On::produce("t", 0), Fault::Delay(ms(30)));
    assert_eq!(produce_at(&mut model, 2, -1, 2), Answer::Waits);
    let answered = model.poll_answer(ms(52)).expect("the followers have it");
    assert!(matches!(answered.answer, Answer::Later { due, .. } if due == ms(82)));
}

#[test]
fn a_closed_connection_waits_for_nothing() {
    let mut model = lagging();
    assert_eq!(produce_at(&mut model, 0, -1, 0), Answer::Waits);
    model.closed(1, 1);
    assert_eq!(
        (model.next_answer(), model.poll_answer(ms(99))),
        (None, None)
    );
}

#[test]
fn a_line_of_waiting_requests_is_bounded() {
    let mut model = cluster();
    model.pause_broker(1);
    let sent = (0..2_000).map(|sequence| produce_at(&mut model, 0, -1, sequence));
    let refused = sent.filter(|answer| *answer == Answer::Disconnect).count();
    assert_eq!(refused, 1);
}

#[test]
fn a_paused_broker_answers_in_order_once_it_works_again() {
    let mut model = cluster();
    model.pause_broker(1);
    for sequence in 0..3 {
        assert_eq!(produce_at(&mut model, 5, -1, sequence), Answer::Waits);
    }
    assert_eq!(
        (model.next_answer(), model.poll_answer(ms(900))),
        (None, None)
    );
    assert_eq!(model.log_end("t", 0), 0);
    model.resume_broker(1);
    for sequence in 0..3 {
        let answered = model.poll_answer(ms(1_000)).expect("the broker works");
        assert_eq!(
            decode(answered.answer, sequence).base_offset,
            i64::from(sequence)
        );
    }
    assert_eq!(
        (model.next_answer(), model.poll_answer(ms(1_000))),
        (None, None)
    );
}
