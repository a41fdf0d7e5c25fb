//! Every future there is, dropped after each of its polls, and a while after its first one.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        mpsc::{self, TryRecvError},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use ottla::{Fatal, Producer, RecordMetadata, SendError, Undelivered};

use super::{
    hand::Hand,
    harness::{poll_once, to_t},
};

/// Room for three records or four.
const TIGHT: &[(&str, &str)] = &[
    ("buffer.memory", "8192"),
    ("batch.size", "0"),
    ("linger.ms", "0"),
];

const LINGER: &[(&str, &str)] = &[("linger.ms", "1000")];

#[test]
fn h160_a_send_that_is_dropped_is_sent_whole_or_not_at_all() {
    // It waits for its topic.
    let send = |producer: Producer| async move { producer.send(to_t("dropped")).await.map(drop) };
    let mut sent = [0, 0];
    drop_at_every_poll(
        || Hand::new(&[]),
        send,
        |mut hand, _, output| {
            let producer = hand.producer.clone();
            drop(hand.finish_call(producer.send(to_t("later"))).unwrap());
            let log = hand.finish();
            assert!(log == ["later"] || log == ["dropped", "later"], "{log:?}");
            assert!(output.is_none() || log.len() == 2);
            sent[log.len() - 1] += 1;
        },
    );
    assert!(sent[0] > 1 && sent[1] > 0, "{sent:?}");
}

#[test]
fn h160_many_records_that_are_dropped_are_sent_up_to_one_of_them() {
    let values: Vec<String> = (0..12).map(|i| format!("{i:0>1000}")).collect();
    let given = values.clone();
    let send_all = move |producer: Producer| {
        let values = given.clone();
        async move {
            let records = values.iter().map(|value| to_t(value));
            producer.send_all(records).await.unwrap().len()
        }
    };
    let mut sent = Vec::new();
    drop_at_every_poll(
        || Hand::warm(TIGHT),
        send_all,
        |hand, _, output| {
            let log = hand.finish();
            assert!(values.starts_with(&log));
            assert!(output.is_none_or(|count| count == log.len() && count == 12));
            sent.push(log.len());
        },
    );
    sent.sort_unstable();
    sent.dedup();
    assert!(
        sent.len() > 3,
        "it was dropped at several records: {sent:?}"
    );
}

#[test]
fn h160_a_callback_is_called_if_the_record_was_sent_and_freed_in_any_case() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let inner = Arc::clone(&calls);
    let send_with = move |producer: Producer| {
        let calls = Arc::clone(&inner);
        let callback = move |outcome: Outcome| calls.lock().unwrap().push(outcome.unwrap().offset);
        async move { producer.send_with(to_t("dropped"), callback).await.unwrap() }
    };
    let held = Arc::strong_count(&calls);
    drop_at_every_poll(
        || Hand::full(TIGHT).0,
        send_with,
        |hand, _, _| {
            let log = hand.finish();
            let sent = log.iter().position(|value| value == "dropped");
            let offset = sent.map(|offset| Some(offset as i64));
            let called = std::mem::take(&mut *calls.lock().unwrap());
            assert_eq!(called, Vec::from_iter(offset));
            assert_eq!(Arc::strong_count(&calls), held);
        },
    );
}

#[test]
fn h159_a_delivery_that_is_dropped_changes_nothing() {
    drop_at_every_poll(
        || Hand::warm(&[]),
        |producer| producer.try_send(to_t("v")).unwrap(),
        |hand, _, _| assert_eq!(hand.finish(), ["v"]),
    );
}

#[test]
fn h099_who_waits_behind_a_send_that_is_dropped_gets_its_turn() {
    let long = "x".repeat(4_000);
    let mut sent = [0, 0];
    for steps in 0..FAR {
        let (mut hand, filled) = Hand::full(TIGHT);
        let producer = hand.producer.clone();
        let mut first = Box::pin(producer.send(to_t(&long)));
        let mut second = Box::pin(producer.send(to_t("second")));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        (0..steps).for_each(|_| hand.step());
        drop(first);
        let ended = poll_once(second.as_mut());
        let has_ended = ended.is_ready();
        if ended.is_pending() {
            drop(hand.finish_call(second).unwrap());
        }
        let log = hand.finish();
        let behind: Vec<_> = log[filled..].iter().map(String::as_str).collect();
        assert!(
            behind == ["second"] || behind == [&*long, "second"],
            "{behind:?}"
        );
        sent[behind.len() - 1] += 1;
        if has_ended {
            break;
        }
    }
    assert!(sent[0] > 1 && sent[1] > 0, "{sent:?}");
}

#[test]
fn h107_a_flush_that_is_dropped_leaves_linger_as_it_was() {
    let world = || {
        let hand = Hand::warm(LINGER);
        drop(hand.producer.try_send(to_t("first")).unwrap());
        hand
    };
    let linger = Duration::from_secs(1);
    drop_at_every_poll(
        world,
        |producer| async move { producer.flush().await },
        |mut hand, polls, _| {
            let expected = if polls == 0 { linger } else { Duration::ZERO };
            assert_eq!(
                hand.written(1),
                expected,
                "a flush that began does its work"
            );
            let producer = hand.producer.clone();
            drop(producer.try_send(to_t("second")).unwrap());
            assert_eq!(hand.written(2), linger);
            assert_eq!(hand.finish(), ["first", "second"]);
        },
    );
}

#[test]
fn h113_a_close_that_is_dropped_goes_on() {
    let world = || {
        let hand = Hand::warm(LINGER);
        drop(hand.producer.try_send(to_t("first")).unwrap());
        hand
    };
    drop_at_every_poll(
        world,
        |producer| async move { producer.close(Duration::from_secs(3_600)).await },
        |mut hand, polls, _| {
            if polls > 0 {
                let late = hand.producer.try_send(to_t("late"));
                assert_eq!(late.unwrap_err(), SendError::Closed);
                assert_eq!(hand.written(1), Duration::ZERO);
                (0..10).for_each(|_| hand.step());
                assert!(hand.has_ended(), "by itself");
            }
            assert_eq!(hand.finish(), ["first"]);
        },
    );
}

#[test]
fn h113_the_last_handle_dropped_at_any_moment_loses_nothing() {
    for steps in 0..FAR {
        let mut hand = Hand::new(LINGER);
        let producer = hand.producer.clone();
        let mut send = Box::pin(producer.send(to_t("v")));
        let accepted = loop {
            if let Poll::Ready(delivery) = poll_once(send.as_mut()) {
                break delivery.unwrap();
            }
            hand.step();
        };
        (0..steps).for_each(|_| hand.step());
        let was_written = hand.log() == ["v"];
        drop(send);
        drop(producer);
        hand.drop_handle();
        let outcome = hand.finish_call(accepted);
        assert_eq!(outcome.unwrap().offset, Some(0));
        (0..10).for_each(|_| hand.step());
        assert!(hand.has_ended());
        assert_eq!(hand.log(), ["v"]);
        if was_written {
            return;
        }
    }
    panic!("it is never written");
}

#[test]
fn a_question_for_partitions_that_is_dropped_leaves_nothing_behind() {
    drop_at_every_poll(
        || Hand::new(&[]),
        |producer| async move { producer.partitions_for("t").await.unwrap().len() },
        |mut hand, _, _| {
            let producer = hand.producer.clone();
            let partitions = hand.finish_call(producer.partitions_for("t"));
            assert_eq!(partitions.unwrap().len(), 1);
            assert_eq!(hand.finish(), [""; 0]);
        },
    );
}

/// Whoever waits for anything when the driver goes.
#[test]
fn h162_a_driver_that_is_dropped_after_any_poll_leaves_nobody_waiting() {
    let gone = Fatal::DriverGone;
    let (mut refused, mut lost) = (0, 0);
    for steps in 0..FAR {
        let mut hand = Hand::full(TIGHT).0;
        let producer = hand.producer.clone();
        let (tell, told) = mpsc::channel();
        let mut sends: Vec<_> = ["a", "b"]
            .map(|value| Box::pin(producer.send(to_t(value))))
            .into();
        let callback = move |outcome: Outcome| tell.send(outcome).unwrap();
        let mut send_with = Box::pin(producer.send_with(to_t("c"), callback));
        let mut flush = Box::pin(producer.flush());
        let mut asks = Box::pin(producer.partitions_for("unknown"));
        for send in &mut sends {
            assert!(poll_once(send.as_mut()).is_pending());
        }
        assert!(poll_once(send_with.as_mut()).is_pending());
        assert!(poll_once(flush.as_mut()).is_pending());
        assert!(poll_once(asks.as_mut()).is_pending());
        (0..steps).for_each(|_| hand.step());
        hand.drop_driver();

        let (log, mut written) = (hand.log(), 0);
        for (send, value) in sends.iter_mut().zip(["a", "b"]) {
            let in_log = log.iter().any(|found| found == value);
            match ready(send.as_mut()) {
                Err(error) => {
                    assert_eq!(error, SendError::Fatal(gone));
                    assert!(!in_log);
                    refused += 1;
                }
                Ok(delivery) => match ready(delivery) {
                    Ok(place) => {
                        assert_eq!(log[place.offset.unwrap() as usize], value);
                        written += 1;
                    }
                    Err(Undelivered::MaybeWritten(_)) => lost += 1,
                    Err(Undelivered::NotWritten(_)) => assert!(!in_log),
                },
            }
        }
        let accepted = ready(send_with.as_mut()).is_ok();
        drop(send_with);
        assert_eq!(told.try_recv().is_ok(), accepted, "called once");
        assert_eq!(
            told.try_recv(),
            Err(TryRecvError::Disconnected),
            "and freed"
        );
        ready(flush.as_mut());
        // Found or not, what was found is no longer given out.
        let asked = ready(asks.as_mut());
        assert_eq!(asked.unwrap_err(), SendError::Fatal(gone));
        assert_eq!(
            ready(Box::pin(producer.send(to_t("d")))).unwrap_err(),
            SendError::Fatal(gone)
        );
        ready(Box::pin(producer.close(Duration::MAX)));
        if written == 2 {
            assert!(refused > 2 && lost > 0, "{refused} refused, {lost} lost");
            return;
        }
    }
    panic!("the calls do not end");
}

/// A close that waits when the driver goes ends with it.
#[test]
fn h162_a_close_ends_with_its_driver() {
    drop_at_every_poll(
        || Hand::full(TIGHT).0,
        |producer| async move { producer.close(Duration::MAX).await },
        |mut hand, _, _| {
            let producer = hand.producer.clone();
            let mut close = Box::pin(producer.close(Duration::MAX));
            let closed = poll_once(close.as_mut()).is_ready();
            hand.drop_driver();
            if !closed {
                ready(close);
            }
        },
    );
}

/// More happens in no call.
const FAR: usize = 500;

type Outcome = Result<RecordMetadata, Undelivered>;

/// Begins a call in a world of its own and drops it after its first, second, … poll, with one thing happening in between,
/// until it ends by itself; then the same with a call that is polled once and dropped a while later. Each time
/// `judge` has the world, the number of polls, and what the call gave if it had ended.
///
/// Nothing may keep a hold of the call's waker.
fn drop_at_every_poll<T, F: Future<Output = T>>(
    world: impl Fn() -> Hand,
    begin: impl Fn(Producer) -> F,
    mut judge: impl FnMut(Hand, usize, Option<T>),
) {
    let mut run = |polls: usize, then: usize| {
        let mut hand = world();
        let waits = Arc::new(Waits);
        let waker = Waker::from(Arc::clone(&waits));
        let mut call = Box::pin(begin(hand.producer.clone()));
        let mut output = None;
        for poll in 0..polls {
            if poll > 0 {
                hand.step();
            }
            let cx = &mut Context::from_waker(&waker);
            if let Poll::Ready(ended) = call.as_mut().poll(cx) {
                output = Some(ended);
                break;
            }
        }
        (0..then).for_each(|_| hand.step());
        drop(call);
        let has_ended = output.is_some();
        judge(hand, polls, output);
        drop(waker);
        assert_eq!(Arc::strong_count(&waits), 1);
        has_ended
    };
    let polls = (0..FAR).find(|&polls| run(polls, 0)).expect("it ends");
    assert!(polls > 2, "{polls} polls are no test");
    for steps in 1..=polls {
        run(1, steps);
    }
}

struct Waits;

impl Wake for Waits {
    fn wake(self: Arc<Self>) {}
}

/// What a future gives at once.
fn ready<F: Future + Unpin>(mut future: F) -> F::Output {
    match poll_once(Pin::new(&mut future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it still waits"),
    }
}
