use super::*;
use crate::id::Topic;

const VALUE: [u8; 1000] = [7; 1000];

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn accumulator(batch_size: usize, linger_ms: u64) -> Accumulator {
    let mut accumulator = Accumulator::new(
        false,
        8_000,
        512,
        Duration::from_millis(linger_ms),
        Duration::from_secs(10),
    );
    accumulator.grow(3);
    for queue in &mut accumulator.queues {
        queue.size = batch_size;
    }
    accumulator
}

fn send(accumulator: &mut Accumulator, now: Instant, partition: u32, len: usize) -> Appended {
    send_with(accumulator, now, partition, len, || 0)
}

/// Sends while a batch may grow to `largest`, since its way is blocked.
fn send_with(
    accumulator: &mut Accumulator,
    now: Instant,
    partition: u32,
    len: usize,
    largest: impl FnOnce() -> usize,
) -> Appended {
    let record = record(len);
    let size = accumulator.queues[partition as usize].size;
    let plan = accumulator.plan(now, partition, &record, size, largest);
    accumulator.append(now, partition, &record, plan).unwrap()
}

fn record(len: usize) -> Record<'static> {
    Record {
        topic: Topic(0),
        partition: None,
        timestamp: 0,
        key: None,
        value: Some(&VALUE[..len]),
        headers: &[],
    }
}

fn release(accumulator: &mut Accumulator, batch: u32) -> usize {
    accumulator.end(batch);
    accumulator.tell(batch, true);
    let held = accumulator.reclaim(batch);
    accumulator.vacate(batch);
    held
}

#[test]
fn a_full_batch_is_ready_at_once_and_the_next_record_begins_another() {
    let mut a = accumulator(1500, 5);
    assert!(!send(&mut a, at(0), 0, 900).ready);
    let second = send(&mut a, at(0), 0, 900);
    assert!(
        second.ready && second.index == 0,
        "it did not fit, so the first is complete"
    );
    assert!(!send(&mut a, at(0), 0, 10).ready, "ready already");
    assert_eq!(a.ready_len(0), Some(a.batch(0).body.wire_len()));
    assert_eq!(a.take(0), Some(0));
    assert_eq!(a.take(0), None, "the second lingers");
}

#[test]
fn to_join_is_to_be_appended_as_planned() {
    const MOST: usize = 500;
    for largest in [0, 4_000] {
        let (mut joining, mut appending) = (accumulator(1500, 5), accumulator(1500, 5));
        let mut joined = 0;
        for (n, len) in (0..1_000).zip([10, 300, 0, 70, 900, 63, 64].into_iter().cycle()) {
            // Before batches are taken they come to the age at which they grow no more.
            let (now, partition) = (at(n * 100), n as u32 / 3 % 2);
            let expected = send_with(&mut appending, now, partition, len, || largest);
            match joining.join(now, partition, &record(len), MOST) {
                Some(got) => {
                    joined += 1;
                    assert!(got.bytes <= MOST);
                    assert_eq!(got, expected);
                }
                None => {
                    let got = send_with(&mut joining, now, partition, len, || largest);
                    assert_eq!(got, expected);
                }
            }
            let take = n % 70 == 69;
            for partition in 0..2 {
                let seen = |a: &Accumulator| (a.ready_len(partition), a.queued_bytes(partition));
                assert_eq!(seen(&joining), seen(&appending));
                while take && let Some(batch) = appending.take(partition) {
                    assert_eq!(joining.take(partition), Some(batch));
                    let body = |a: &Accumulator| a.batch(batch).body.records().concat();
                    assert_eq!(body(&joining), body(&appending));
                }
            }
        }
        assert!(joined > 500, "{joined} joined");
    }
}

#[test]
fn a_batch_lingers_and_takes_more_until_it_is_taken() {
    let mut a = accumulator(16_384, 5);
    assert_eq!(send(&mut a, at(0), 0, 10).lingers_until, Some(at(5)));
    assert_eq!(send(&mut a, at(2), 0, 10).lingers_until, None);
    assert_eq!(send(&mut a, at(3), 1, 10).lingers_until, Some(at(8)));
    assert_eq!(
        (a.lingered(at(4)), a.next_timeouts().0),
        (None, Some(at(5)))
    );
    assert_eq!(a.lingered(at(5)), Some(0));
    assert_eq!(a.lingered(at(5)), None);
    assert_eq!(send(&mut a, at(6), 0, 10).index, 2, "ready, and still open");
    let taken = a.take(0).unwrap();
    assert_eq!(a.batch(taken).body.count(), 3);
    assert_eq!(send(&mut a, at(6), 0, 10).index, 0);
}

#[test]
fn without_linger_every_batch_is_ready_with_its_first_record() {
    let mut a = accumulator(16_384, 0);
    assert!(send(&mut a, at(0), 0, 10).ready);
    assert!(!send(&mut a, at(0), 0, 10).ready);
    assert_eq!(a.next_timeouts().0, None);
    assert_eq!(a.take(0).map(|b| a.batch(b).body.count()), Some(2));
}

#[test]
fn h058_with_batch_size_0_every_record_has_a_batch() {
    let mut a = accumulator(0, 5);
    for _ in 0..3 {
        assert_eq!(send(&mut a, at(0), 0, 1000).index, 0);
    }
    let taken: Vec<u32> = core::iter::from_fn(|| a.take(0)).collect();
    let counts: Vec<u32> = taken.iter().map(|&b| a.batch(b).body.count()).collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn what_is_put_back_stands_where_it_was() {
    let mut a = accumulator(0, 5);
    for _ in 0..4 {
        send(&mut a, at(0), 0, 10);
    }
    let taken: Vec<u32> = core::iter::from_fn(|| a.take(0)).collect();
    for &batch in [taken[2], taken[0], taken[3], taken[1]].iter() {
        a.put_back(batch);
    }
    assert_eq!(core::iter::from_fn(|| a.take(0)).collect::<Vec<_>>(), taken);
}

#[test]
fn h037_the_deadline_counts_from_the_first_record() {
    let mut a = accumulator(16_384, 5);
    send(&mut a, at(100), 0, 10);
    send(&mut a, at(104), 0, 10);
    send(&mut a, at(50), 1, 10); // a clock that lags
    assert_eq!(a.expired(at(10_099)), None);
    assert_eq!(a.expired(at(10_100)), Some(0));
    assert_eq!(a.expired(at(10_100)), Some(1));
    assert_eq!(a.expired(at(10_100)), None);
}

#[test]
fn memory_is_given_back_to_the_byte_and_slots_are_used_again() {
    let mut a = accumulator(2000, 5);
    let first = send(&mut a, at(0), 0, 1000);
    let second = send(&mut a, at(0), 1, 100);
    let held = [0, 1].map(|b| a.batch(b).body.held(512));
    assert_eq!(held, [1024, 512]);
    assert_eq!(release(&mut a, 0), 1024);
    assert_eq!(release(&mut a, 1), 512);
    assert!(a.is_empty());
    assert_eq!(a.next_timeouts(), (None, None));
    let third = send(&mut a, at(0), 2, 1);
    assert!(third.batch.slot() < 2 && third.batch != first.batch && third.batch != second.batch);
}

#[test]
fn queued_bytes_are_those_that_are_not_taken() {
    let mut a = accumulator(16_384, 0);
    let bytes = send(&mut a, at(0), 0, 100).bytes;
    assert_eq!(a.queued_bytes(0), bytes);
    let batch = a.take(0).unwrap();
    assert_eq!(a.queued_bytes(0), 0);
    a.put_back(batch);
    assert_eq!(a.queued_bytes(0), bytes);
    a.end(batch);
    assert_eq!(a.queued_bytes(0), 0);
}

#[test]
fn h053_pieces_hold_no_more_than_the_whole_and_its_slot_lasts_as_long_as_they() {
    let mut a = accumulator(4000, 5);
    let sent: Vec<Appended> = (0..6).map(|_| send(&mut a, at(0), 0, 600)).collect();
    let (root, held) = (sent[0].batch, a.batch(0).body.held(512));
    let later = send(&mut a, at(1), 0, 1000).batch;
    let whole = a.take(0).unwrap();
    let halves = a.split(whole, 2000).unwrap();
    assert_eq!(halves.slots, [(0, 3), (2, 3)]);
    let quarters = a.split(2, 1000).unwrap();
    assert_eq!(quarters.slots, [(2, 1), (3, 1), (4, 1)]);

    let mut left = held - halves.freed - quarters.freed;
    for (slot, first) in [(3, 4), (0, 0), (4, 5), (2, 3)] {
        a.end(slot);
        let told = a.tell(slot, true);
        assert_eq!(
            (told.batch, told.first, told.last),
            (root, first, slot == 2)
        );
        left -= a.reclaim(slot);
        a.vacate(slot);
    }
    assert_eq!(left, 0);
    a.vacate(0);
    assert_eq!(a.live().collect::<Vec<_>>(), [later.slot() as u32]);
    assert_eq!(a.vacant.len(), 4);
}

#[test]
fn h048_pieces_keep_the_deadline_and_the_place_of_the_whole() {
    let mut a = accumulator(4000, 0);
    let _ = [0; 4].map(|_| send(&mut a, at(0), 0, 600));
    let whole = a.take(0).unwrap();
    send(&mut a, at(3), 0, 600);
    let pieces = a.split(whole, 0).unwrap().slots;
    assert!(
        pieces
            .iter()
            .all(|&(p, _)| a.batch(p).deadline == a.batch(whole).deadline)
    );
    assert_eq!(a.expired(at(9_999)), None);
    let expired: Vec<u32> = core::iter::from_fn(|| a.expired(at(10_000))).collect();
    assert_eq!(expired, pieces.iter().map(|p| p.0).collect::<Vec<_>>());
    for place in [2, 0, 3, 1] {
        a.put_back(pieces[place].0);
    }
    let order: Vec<u32> = core::iter::from_fn(|| a.take(0)).collect();
    assert_eq!(order[..4], expired, "and what was sent later comes last");
    assert_eq!(order.len(), 5);
}

#[test]
fn a_batch_whose_way_is_blocked_grows_and_is_taken_whole() {
    let mut a = accumulator(1500, 5);
    let asked = core::cell::Cell::new(0);
    let largest = || {
        asked.set(asked.get() + 1);
        usize::MAX
    };
    let sent = [(); 8].map(|()| send_with(&mut a, at(0), 0, 980, largest));
    let indexes = sent.map(|s| s.index);
    assert_eq!(indexes, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(!sent[0].ready && sent[1].ready, "full, it is ready at once");
    assert_eq!(asked.get(), 1, "asked once for the batch");
    assert!(!sent[0].full && sent[1..].iter().all(|s| s.full));
    assert_eq!(a.next_timeouts().0, None, "it lingers no more");

    let next = send_with(&mut a, at(0), 0, 980, || usize::MAX);
    assert_eq!(next.index, 0, "it has grown as far as it may");
    let grown = a.take(0).unwrap();
    assert_eq!(a.batch(grown).body.count(), 8);
    assert!(a.ready_len(0).is_none() && !next.full);
}

#[test]
fn a_batch_whose_way_is_free_has_its_size() {
    let mut a = accumulator(1500, 5);
    let sent = [(); 4].map(|()| send(&mut a, at(0), 0, 980).index);
    assert_eq!(sent, [0, 0, 0, 0]);
}

#[test]
fn a_batch_does_not_grow_beyond_what_was_learned() {
    let mut a = accumulator(1500, 5);
    let mut send = |largest| send_with(&mut a, at(0), 0, 980, || largest).index;
    assert_eq!([(); 4].map(|()| send(3_000)), [0, 1, 0, 1]);
    let mut a = accumulator(1500, 5);
    let sent = [2_000, 2_500, 500].map(|_| send_with(&mut a, at(0), 0, 700, || 8_000).index);
    assert_eq!(sent, [0, 1, 2]);
    a.limit_growth(0, 2_300);
    assert_eq!(send_with(&mut a, at(0), 0, 700, || 2_300).index, 0);
}

#[test]
fn h037_a_batch_grows_only_through_the_first_half_of_its_time() {
    let mut a = accumulator(1500, 5);
    send(&mut a, at(0), 0, 980);
    assert_eq!(send_with(&mut a, at(5_000), 0, 980, || 8_000).index, 1);
    assert_eq!(send_with(&mut a, at(5_001), 0, 980, || 8_000).index, 0);
}
