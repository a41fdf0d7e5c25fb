//! A process that forks in the middle of its work.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use ottla::blocking::{self, BlockingDriver};

use super::harness::{AGES, cluster, log, poll_once, settings, to_t, within_a_minute};

#[test]
fn h163_a_child_that_drops_all_it_has_leaves_the_parents_links_alone() {
    within_a_minute(|| {
        let cluster = cluster(1);
        let settings = &mut settings(&cluster);
        settings.request_timeout(AGES).delivery_timeout(2 * AGES);
        let (producer, mut driver) = blocking::driver(settings.build().unwrap()).unwrap();
        let send = async { producer.send(to_t("before")).await.unwrap().await };
        assert_eq!(drive(&mut driver, send).unwrap().offset, Some(0));
        let lingers = producer.try_send(to_t("across")).unwrap();
        let links = producer.metrics().connections_made;

        // SAFETY: the child has this thread only, which holds no lock, uses nothing that other threads had in their
        // hands but the allocator, which is made for that, and leaves without running anybody's code.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            // SAFETY: these calls take numbers. The alarm ends a child that hangs or panics.
            unsafe { libc::alarm(60) };
            drop(driver);
            drop(producer);
            unsafe { libc::_exit(0) };
        }
        let mut status = -1;
        // SAFETY: the place for the status is ours.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "it came to its end");

        // Without its timer, or on a link that is gone, it would wait here.
        assert_eq!(drive(&mut driver, lingers).unwrap().offset, Some(1));
        let send = async { producer.send(to_t("after")).await.unwrap().await };
        assert_eq!(drive(&mut driver, send).unwrap().offset, Some(2));
        drive(&mut driver, producer.close(AGES));
        assert_eq!(log(&cluster, "t", 0), ["before", "across", "after"]);
        let metrics = producer.metrics();
        assert_eq!(metrics.connections_made, links);
        assert_eq!(metrics.batches_retried, 0);
    });
}

fn drive<T>(driver: &mut BlockingDriver, call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    loop {
        if let Poll::Ready(output) = poll_once(call.as_mut()) {
            return output;
        }
        driver.turn(Duration::from_millis(20));
    }
}
