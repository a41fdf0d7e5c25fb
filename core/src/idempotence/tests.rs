use std::vec;

use super::*;

const FIRST: Identity = Identity {
    producer_id: 9,
    epoch: 0,
};
const BUMPED: Identity = Identity {
    producer_id: 9,
    epoch: 1,
};

const fn leader(broker: i32) -> Leadership {
    Leadership {
        broker,
        epoch: 0,
        topic_id: [1; 16],
        producer_id: 9,
    }
}

/// A partition whose leader has taken a batch already, with `count` batches of ten records on the way.
fn pipelined(count: u32) -> Sequences {
    let mut s = Sequences::new(Pipelining::Idempotent(5), SequenceGap::MaybeWritten);
    s.stamp(100, 10, Some(FIRST), leader(1));
    s.resolve(100, Attempt::Written).unwrap();
    for batch in 0..count {
        assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
        s.stamp(batch, 10, Some(FIRST), leader(1));
    }
    s
}

fn fate(s: &mut Sequences, batch: u32, attempt: Attempt) -> (Fate, bool) {
    let resolution = s.resolve(batch, attempt).unwrap();
    (resolution.fate, resolution.fault.is_some())
}

#[test]
fn h006_nothing_fresh_goes_to_the_new_leader_while_the_old_one_owes_an_answer() {
    let mut s = pipelined(2);
    assert_eq!(
        fate(&mut s, 0, Attempt::Refused { retry: true }),
        (Fate::Retry, false)
    );
    assert_eq!(s.next(Some(FIRST), leader(2)), Next::Retry(0));
    s.resend(0, leader(2));
    s.resolve(0, Attempt::Written).unwrap();
    assert_eq!(s.next(Some(FIRST), leader(2)), Next::Nothing);
    // The old one answers at last.
    let late = s.resolve(1, Attempt::OutOfOrder).unwrap();
    assert_eq!((late.fate, late.fault), (Fate::Retry, None));
    s.resend(1, leader(2));
    s.resolve(1, Attempt::Written).unwrap();
    assert_eq!(s.next(Some(FIRST), leader(2)), Next::Fresh);
}

#[test]
fn h006_what_went_to_one_that_leads_no_more_is_waited_for() {
    let mut s = pipelined(0);
    // Old news told of another leader for a while.
    assert_eq!(s.next(Some(FIRST), leader(2)), Next::Fresh);
    s.stamp(0, 10, Some(FIRST), leader(2));
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Nothing);
    s.resolve(0, Attempt::Refused { retry: true }).unwrap();
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Retry(0));
}

#[test]
fn h024_a_sequence_wraps_to_zero() {
    assert_eq!(sequence_after(i32::MAX - 2, 2), i32::MAX);
    assert_eq!(sequence_after(i32::MAX - 2, 3), 0);
    assert_eq!(sequence_after(i32::MAX, 5), 4);
}

#[test]
fn h007_a_second_batch_waits_until_the_leader_has_taken_one() {
    let mut s = Sequences::new(Pipelining::Idempotent(5), SequenceGap::MaybeWritten);
    s.stamp(0, 1, Some(FIRST), leader(1));
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Nothing);
    s.resolve(0, Attempt::Written);
    s.stamp(1, 1, Some(FIRST), leader(1));
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
    assert_eq!(
        s.next(Some(FIRST), leader(2)),
        Next::Nothing,
        "another leader has nothing of ours"
    );
}

#[test]
fn h030_five_batches_are_unresolved_at_most() {
    let mut s = pipelined(5);
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Nothing);
    fate(&mut s, 0, Attempt::Written);
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
}

#[test]
fn h003_a_retrying_partition_has_one_batch_on_the_way() {
    let mut s = pipelined(3);
    assert_eq!(
        fate(&mut s, 0, Attempt::Refused { retry: true }),
        (Fate::Retry, false)
    );
    assert_eq!(
        fate(&mut s, 1, Attempt::OutOfOrder),
        (Fate::Retry, false),
        "a consequence, not a gap"
    );
    assert_eq!(fate(&mut s, 2, Attempt::OutOfOrder), (Fate::Retry, false));
    for batch in 0..3 {
        assert_eq!(s.next(Some(FIRST), leader(1)), Next::Retry(batch));
        assert_eq!(
            s.resend(batch, leader(1)).base_sequence,
            10 + 10 * batch as i32,
            "the stamp stays"
        );
        assert_eq!(s.next(Some(FIRST), leader(1)), Next::Nothing);
        assert_eq!(
            fate(&mut s, batch, Attempt::Written),
            (Fate::Written, false)
        );
    }
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
}

#[test]
fn h019_a_gap_at_the_head_stamps_anew_only_what_is_surely_not_written() {
    let mut s = pipelined(3);
    fate(&mut s, 0, Attempt::Uncertain { retry: true });
    fate(&mut s, 1, Attempt::Refused { retry: true });
    fate(&mut s, 2, Attempt::Uncertain { retry: true });
    s.resend(0, leader(1));
    assert_eq!(
        fate(&mut s, 0, Attempt::OutOfOrder),
        (Fate::MaybeWritten, true)
    );
    assert_eq!(s.unstamp(), [1]);
    assert_eq!(
        s.strand().batches,
        [2],
        "a broker without state could take it before the other"
    );
    assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Fresh);
    let stamp = s.stamp(1, 10, Some(BUMPED), leader(1));
    assert_eq!((stamp.epoch, stamp.base_sequence), (1, 0));
}

#[test]
fn h019_what_is_on_the_way_behind_a_new_stamp_is_not_sent_again_under_its_old_one() {
    let mut s = pipelined(3);
    assert_eq!(fate(&mut s, 0, Attempt::OutOfOrder), (Fate::Requeue, true));
    assert_eq!((s.unstamp(), s.strand().batches), (vec![], vec![]));
    assert_eq!(
        fate(&mut s, 1, Attempt::Uncertain { retry: true }),
        (Fate::Retry, false)
    );
    assert_eq!(s.strand().batches, [1]);
    assert_eq!(fate(&mut s, 2, Attempt::OutOfOrder), (Fate::Requeue, true));
    assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Fresh);
}

#[test]
fn h019_what_is_before_a_new_stamp_is_still_asked_for() {
    let mut s = pipelined(3);
    fate(&mut s, 1, Attempt::Uncertain { retry: true });
    fate(&mut s, 2, Attempt::Refused { retry: true });
    fate(&mut s, 0, Attempt::Refused { retry: false });
    assert_eq!((s.unstamp(), s.strand().batches), (vec![2], vec![]));
    assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Retry(1));
}

#[test]
fn h007_what_a_leader_without_memory_took_another_before_is_not_sent_again() {
    let mut s = pipelined(3);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    assert_eq!(fate(&mut s, 1, Attempt::Written), (Fate::Written, false));
    let stranded = Stranded {
        batches: vec![0],
        fault: None,
    };
    assert_eq!(s.strand(), stranded, "it is surely not written");
    assert_eq!(fate(&mut s, 2, Attempt::Written), (Fate::Written, false));
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
    assert_eq!(s.stamp(3, 1, Some(FIRST), leader(1)).base_sequence, 40);
}

#[test]
fn h032_with_the_stranded_gone_nothing_is_left_to_show_whether_the_sequence_holds() {
    let mut s = pipelined(3);
    s.give_up(2);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    fate(&mut s, 2, Attempt::Uncertain { retry: true });
    fate(&mut s, 1, Attempt::Written);
    let stranded = Stranded {
        batches: vec![0],
        fault: Some(FIRST),
    };
    assert_eq!(s.strand(), stranded);
    assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Fresh);
}

#[test]
fn h006_an_older_leader_s_late_refusal_is_no_gap() {
    let mut s = pipelined(2);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    s.resend(0, leader(2));
    let moved = s.resolve(0, Attempt::Written).unwrap();
    assert_eq!(moved.fate, Fate::Written);
    assert_eq!(
        fate(&mut s, 1, Attempt::OutOfOrder),
        (Fate::Retry, false),
        "it missed the first batch, which the next leader has"
    );
    assert_eq!(s.next(Some(FIRST), leader(2)), Next::Retry(1));
    assert_eq!(s.resend(1, leader(2)).base_sequence, 20);
    let gap = s.resolve(1, Attempt::OutOfOrder).unwrap();
    assert_eq!((gap.fate, gap.fault), (Fate::Requeue, Some(FIRST)));
}

#[test]
fn h025_one_that_has_forgotten_us_is_a_fresh_leader_again() {
    let mut s = pipelined(2);
    s.acknowledged(7);
    assert_eq!(s.forgotten(-1), Attempt::Refused { retry: true });
    assert_eq!(s.forgotten(7), Attempt::OutOfOrder, "it is in the log");
    assert_eq!(s.forgotten(8), Attempt::Forgotten);
    assert_eq!(fate(&mut s, 0, Attempt::Forgotten), (Fate::Requeue, true));
    assert_eq!(fate(&mut s, 1, Attempt::Forgotten), (Fate::Requeue, true));
    s.stamp(0, 10, Some(BUMPED), leader(1));
    assert_eq!(
        s.next(Some(BUMPED), leader(1)),
        Next::Nothing,
        "it has nothing of ours"
    );
}

#[test]
fn h025_what_was_given_up_tells_that_we_are_forgotten_too() {
    let mut s = pipelined(2);
    s.give_up(0);
    s.give_up(1);
    assert_eq!(fate(&mut s, 0, Attempt::Forgotten), (Fate::GivenUp, false));
    assert_eq!(fate(&mut s, 1, Attempt::Forgotten), (Fate::GivenUp, true));
    s.stamp(2, 10, Some(BUMPED), leader(1));
    assert_eq!(
        s.next(Some(BUMPED), leader(1)),
        Next::Nothing,
        "it has nothing of ours"
    );
}

#[test]
fn h025_behind_a_given_up_batch_a_forgotten_one_is_stamped_anew_at_once() {
    let mut s = pipelined(2);
    s.give_up(0);
    assert_eq!(fate(&mut s, 0, Attempt::Forgotten), (Fate::GivenUp, false));
    assert_eq!(fate(&mut s, 1, Attempt::Forgotten), (Fate::Requeue, true));
}

#[test]
fn h025_what_follows_is_forgotten_only_after_the_head() {
    let mut s = pipelined(2);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    assert_eq!(fate(&mut s, 1, Attempt::Forgotten), (Fate::Retry, false));
}

#[test]
fn h022_an_epoch_ends_once() {
    assert_eq!(FIRST.after_fault(FIRST, false), Some(BUMPED));
    assert_eq!(BUMPED.after_fault(FIRST, false), Some(BUMPED));
    assert_eq!(FIRST.after_fault(FIRST, true), None, "the id is of no use");
}

#[test]
fn h010_what_follows_a_rejected_batch_is_stamped_anew() {
    let mut s = pipelined(3);
    assert_eq!(
        fate(&mut s, 0, Attempt::Refused { retry: false }),
        (Fate::NotWritten, true)
    );
    assert_eq!(s.unstamp(), [], "both are still on the way");
    assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Nothing);
    assert_eq!(fate(&mut s, 1, Attempt::OutOfOrder), (Fate::Requeue, true));
    assert_eq!(fate(&mut s, 2, Attempt::OutOfOrder), (Fate::Requeue, true));
    assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Fresh);
    assert_eq!(s.stamp(1, 10, Some(BUMPED), leader(1)).base_sequence, 0);
}

#[test]
fn h021_another_partition_keeps_its_stamps_until_they_are_resolved() {
    let mut s = pipelined(2);
    fate(&mut s, 0, Attempt::Uncertain { retry: true });
    fate(&mut s, 1, Attempt::Uncertain { retry: true });
    assert_eq!(s.unstamp(), [], "the fault was elsewhere");
    for (batch, base) in [(0, 10), (1, 20)] {
        assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Retry(batch));
        let stamp = s.resend(batch, leader(1));
        assert_eq!((stamp.epoch, stamp.base_sequence), (0, base));
        assert_eq!(s.next(Some(BUMPED), leader(1)), Next::Nothing);
        fate(&mut s, batch, Attempt::Written);
    }
    assert_eq!(s.stamp(2, 1, Some(BUMPED), leader(1)).base_sequence, 0);
}

#[test]
fn h032_after_an_expiry_on_the_way_a_later_success_shows_that_it_was_written() {
    let mut s = pipelined(2);
    assert_eq!(
        s.give_up(0),
        Resolution {
            fate: Fate::MaybeWritten,
            fault: None
        }
    );
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Nothing);
    assert_eq!(
        fate(&mut s, 0, Attempt::Uncertain { retry: true }),
        (Fate::GivenUp, false)
    );
    assert_eq!(
        fate(&mut s, 1, Attempt::Written),
        (Fate::Written, false),
        "no bump"
    );
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
}

#[test]
fn h032_after_an_expiry_on_the_way_the_failure_of_all_others_is_one_fault() {
    let mut s = pipelined(2);
    s.give_up(0);
    assert_eq!(
        fate(&mut s, 0, Attempt::Uncertain { retry: true }),
        (Fate::GivenUp, false)
    );
    assert_eq!(fate(&mut s, 1, Attempt::OutOfOrder), (Fate::Requeue, true));
    assert_eq!(s.unstamp(), []);
    assert_eq!(s.stamp(1, 10, Some(BUMPED), leader(1)).base_sequence, 0);
}

#[test]
fn h033_a_batch_that_waits_and_is_surely_not_written_ends_as_such_and_spends_its_range() {
    let mut s = pipelined(2);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    fate(&mut s, 1, Attempt::Refused { retry: true });
    assert_eq!(
        s.give_up(0),
        Resolution {
            fate: Fate::NotWritten,
            fault: Some(FIRST)
        }
    );
    assert_eq!(s.unstamp(), [1]);
}

#[test]
fn h050_pieces_cover_the_range_of_the_whole_before_what_follows() {
    let mut s = pipelined(3);
    fate(&mut s, 1, Attempt::OutOfOrder);
    assert_eq!(
        fate(&mut s, 0, Attempt::Refused { retry: true }),
        (Fate::Retry, false)
    );
    s.split(&[(0, 4), (7, 1), (8, 5)]);
    fate(&mut s, 2, Attempt::OutOfOrder);
    for (batch, base) in [(0, 10), (7, 14), (8, 15), (1, 20), (2, 30)] {
        assert_eq!(s.next(Some(FIRST), leader(1)), Next::Retry(batch));
        assert_eq!(s.resend(batch, leader(1)).base_sequence, base);
        assert_eq!(
            fate(&mut s, batch, Attempt::Written),
            (Fate::Written, false)
        );
    }
}

#[test]
fn h050_the_last_piece_is_no_retry_and_lets_fresh_ones_follow() {
    let mut s = pipelined(1);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    s.split(&[(0, 4), (7, 6)]);
    s.resend(0, leader(1));
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Nothing);
    fate(&mut s, 0, Attempt::Written);
    s.resend(7, leader(1));
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Fresh);
    assert_eq!(s.stamp(1, 10, Some(FIRST), leader(1)).base_sequence, 20);
}

#[test]
fn h032_a_piece_shows_that_the_one_before_it_was_written() {
    let mut s = pipelined(1);
    fate(&mut s, 0, Attempt::Refused { retry: true });
    s.split(&[(0, 4), (7, 6)]);
    s.resend(0, leader(1));
    fate(&mut s, 0, Attempt::Uncertain { retry: true });
    assert_eq!(s.give_up(0).fate, Fate::MaybeWritten);
    s.resend(7, leader(1));
    assert_eq!(fate(&mut s, 7, Attempt::Written), (Fate::Written, false));
    assert_eq!(
        s.next(Some(FIRST), leader(1)),
        Next::Fresh,
        "no gap is left"
    );
}

#[test]
fn h083_an_untouched_attempt_changes_nothing() {
    let mut s = pipelined(2);
    assert_eq!(fate(&mut s, 1, Attempt::Untouched), (Fate::Retry, false));
    assert_eq!(
        s.next(Some(FIRST), leader(1)),
        Next::Nothing,
        "the first is still on the way"
    );
    fate(&mut s, 0, Attempt::Written);
    assert_eq!(s.next(Some(FIRST), leader(1)), Next::Retry(1));
    assert_eq!(s.resend(1, leader(1)).base_sequence, 20);
    assert_eq!(
        s.next(Some(FIRST), leader(1)),
        Next::Fresh,
        "it counts as the first attempt"
    );
}

#[test]
fn java_s_way_stamps_the_uncertain_anew_too() {
    let mut s = Sequences::new(Pipelining::Idempotent(5), SequenceGap::Resend);
    s.stamp(0, 1, Some(FIRST), leader(1));
    fate(&mut s, 0, Attempt::Uncertain { retry: true });
    s.resend(0, leader(1));
    assert_eq!(fate(&mut s, 0, Attempt::OutOfOrder), (Fate::Requeue, true));
}

#[test]
fn h004_without_stamps_and_one_in_flight_nothing_overtakes() {
    let mut s = Sequences::new(Pipelining::Ordered, SequenceGap::MaybeWritten);
    assert_eq!(s.stamp(0, 1, None, leader(1)), Stamp::NONE);
    assert_eq!(s.next(None, leader(1)), Next::Nothing);
    s.give_up(0);
    assert_eq!(
        s.next(None, leader(1)),
        Next::Nothing,
        "muted until the answer comes or the link is gone"
    );
    assert_eq!(fate(&mut s, 0, Attempt::Written), (Fate::GivenUp, false));
    assert_eq!(s.next(None, leader(1)), Next::Fresh);
}

#[test]
fn h005_without_stamps_retries_go_first_and_others_need_not_wait() {
    let mut s = Sequences::new(Pipelining::Free, SequenceGap::MaybeWritten);
    for batch in 0..3 {
        assert_eq!(s.next(None, leader(1)), Next::Fresh);
        s.stamp(batch, 1, None, leader(1));
    }
    assert_eq!(
        fate(&mut s, 1, Attempt::Uncertain { retry: true }),
        (Fate::Retry, false)
    );
    assert_eq!(s.next(None, leader(1)), Next::Retry(1));
    assert_eq!(
        fate(&mut s, 0, Attempt::Refused { retry: false }),
        (Fate::NotWritten, false)
    );
    assert_eq!(vec![2, 1], {
        s.resend(1, leader(1));
        let mut left: Vec<_> = s.unresolved.iter().map(|u| u.batch).collect();
        left.reverse();
        left
    });
}

#[test]
fn h023_the_last_epoch_has_no_successor() {
    let last = Identity {
        producer_id: 1,
        epoch: i16::MAX,
    };
    assert_eq!(last.bumped(), None);
    assert_eq!(FIRST.bumped(), Some(BUMPED));
}
