//! Every adapter against a cluster over loopback: the same scenarios, written once.

mod blocking;
mod callbacks;
#[cfg(any(feature = "tokio", feature = "smol", feature = "blocking"))]
mod chaos;
mod drip;
mod dropping;
mod ending;
mod every_poll;
mod farewell;
#[cfg(all(unix, feature = "blocking"))]
mod forked;
mod hand;
mod harness;
mod holding_up;
#[cfg(feature = "tokio")]
mod only_tokio;
#[cfg(feature = "tokio")]
mod paused;
#[cfg(any(feature = "tokio", feature = "smol"))]
mod spawned;
mod waiting;
mod writing;

use std::{collections::BTreeSet, future::Future, time::Duration};

use ottla::{Config, Delivery, Producer, Record};

/// Each scenario on each adapter.
macro_rules! scenarios {
    ($($group:ident: $($name:ident)*;)*) => {
        #[cfg(feature = "tokio")]
        mod on_tokio {
            use super::{$($group),*, harness::{Tokio, within_a_minute}};
            $($(#[test] fn $name() { within_a_minute($group::$name::<Tokio>); })*)*
        }

        #[cfg(feature = "smol")]
        mod on_smol {
            use super::{$($group),*, harness::{Smol, within_a_minute}};
            $($(#[test] fn $name() { within_a_minute($group::$name::<Smol>); })*)*
        }

        #[cfg(feature = "blocking")]
        mod on_a_thread {
            use super::{$($group),*, harness::{Blocking, within_a_minute}};
            $($(#[test] fn $name() { within_a_minute($group::$name::<Blocking>); })*)*
        }

        mod on_a_loop_of_ones_own {
            use super::{$($group),*, drip::Drip, harness::within_a_minute};
            $($(#[test] fn $name() { within_a_minute($group::$name::<Drip>); })*)*
        }
    };
}

scenarios! {
    writing:
        records_are_written_as_they_were_given
        the_brokers_time_counts_where_the_topic_says_so
        without_acks_the_offset_is_unknown
        a_name_with_several_addresses_is_tried_through
        many_records_come_back_in_order
        what_is_too_large_together_comes_back_piece_by_piece
        threads_share_a_producer
        a_broker_restarts_in_the_middle
        a_lost_answer_is_no_duplicate
        a_link_that_is_half_open_is_left;
    waiting:
        h098_the_order_is_that_of_the_first_polls
        a_full_buffer_refuses_or_makes_wait
        many_records_are_taken_as_far_as_there_is_room
        an_unknown_topic_is_refused_or_waited_for
        what_can_never_be_sent_is_refused
        a_broker_that_refuses_is_named;
    blocking:
        every_call_has_a_blocking_form
        h108_a_callback_that_would_wait_gets_an_error
        h162_who_blocks_is_woken_when_the_driver_goes;
    dropping:
        h160_a_dropped_send_is_not_sent
        h160_a_record_whose_turn_came_is_sent_though_its_future_is_dropped
        h113_h159_dropped_deliveries_and_producers_lose_nothing;
    callbacks:
        h155_a_callback_that_panics_harms_nobody
        h164_users_code_runs_with_no_lock_held
        a_callback_may_use_the_producer
        callbacks_come_in_the_order_of_the_records;
    ending:
        a_silent_broker_does_not_hold_up_the_end
        a_flush_ends_the_linger_of_what_came_before
        close_waits_for_what_was_accepted
        h109_close_gives_up_in_time
        h161_what_is_on_the_way_is_purged_as_maybe_written
        h113_close_may_be_called_by_many
        h110_a_send_that_races_close_is_refused_or_has_its_outcome
        h162_a_runtime_that_is_shut_down_leaves_nobody_waiting;
    farewell:
        h169_what_was_written_without_acks_is_not_lost_at_close;
}

#[test]
fn handles_and_futures_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send>(_: T) {}
    fn futures(producer: &Producer) {
        sent(producer.send(Record::to("t")));
        sent(producer.send_with(Record::to("t"), |_| ()));
        sent(producer.send_all([Record::to("t")]));
        sent(producer.flush());
        sent(producer.partitions_for("t"));
        sent(producer.close(Duration::ZERO));
    }
    fn delivery<T: Send + Sync + Future + Unpin + 'static>() {}
    anywhere::<Producer>();
    delivery::<Delivery>();
    let _ = futures;
}

#[test]
fn a_clients_name_counts_up() {
    let names: BTreeSet<String> = (0..3)
        .map(|_| {
            let config = Config::builder()
                .bootstrap_servers("localhost:9092")
                .build()
                .unwrap();
            let (producer, _driver) =
                ottla::driver::Driver::new(config, drip::Sockets::new()).unwrap();
            producer.config().client_id().to_owned()
        })
        .collect();
    assert_eq!(names.len(), 3);
}
