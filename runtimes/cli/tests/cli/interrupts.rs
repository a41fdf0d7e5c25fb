//! Ctrl-C at any time: an orderly end, a report, exit code 130.

use std::{
    io::Write,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use crate::process::Ottla;

/// What an orderly end may take, and some time for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(7);

#[test]
fn in_the_middle_of_the_input() {
    let mut ottla = Ottla::start(&["produce", "--json"]);
    let mut stdin = ottla.stdin();
    let feeder =
        thread::spawn(move || while stdin.write_all(&b"some line\n".repeat(1000)).is_ok() {});
    thread::sleep(Duration::from_millis(500));
    let pressed = Instant::now();
    ottla.interrupt();
    let ended = ottla.end();
    assert!(pressed.elapsed() < GRACE);
    assert_eq!((ended.code, &*ended.stderr), (Some(130), ""));
    let report = ended.json();
    assert!(report["written"].as_u64().unwrap() > 1000, "{report}");
    assert_eq!(report["verified"], true);
    for error in report["errors"].as_array().unwrap() {
        assert_eq!(error["reason"], "interrupted before it was sent");
    }
    feeder.join().unwrap();
}

#[test]
fn while_nobody_types() {
    let mut ottla = Ottla::start(&["produce"]);
    let mut stdin = ottla.stdin();
    stdin.write_all(b"a line\nhalf a line").unwrap();
    thread::sleep(Duration::from_millis(500));
    let pressed = Instant::now();
    ottla.interrupt();
    let ended = ottla.end();
    assert!(pressed.elapsed() < AT_ONCE);
    assert_eq!(ended.code, Some(130));
    assert!(ended.stdout.contains("1 record written"), "{ended:?}");
    drop(stdin);
}

#[test]
fn while_no_broker_is_there() {
    let mut ottla = Ottla::start(&["produce", "--json", "--bootstrap-server", "127.0.0.1:1"]);
    let mut stdin = ottla.stdin();
    stdin.write_all(b"a line\n").unwrap();
    ottla.wait_for_stderr("refused");
    let pressed = Instant::now();
    ottla.interrupt();
    let ended = ottla.end();
    assert!(pressed.elapsed() < AT_ONCE);
    assert_eq!(ended.code, Some(130));
    let report = ended.json();
    assert_eq!(
        (&report["records"], &report["not_written"]),
        (&1.into(), &1.into())
    );
    drop(stdin);
}

#[test]
fn while_a_broker_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut ottla = Ottla::start(&["produce", "--json", "--bootstrap-server", &address]);
    ottla.stdin().write_all(b"a line\n").unwrap();
    let _open = silent.accept().unwrap();
    let pressed = Instant::now();
    ottla.interrupt();
    let ended = ottla.end();
    assert!(pressed.elapsed() < GRACE);
    assert_eq!(ended.code, Some(130));
    assert_eq!(ended.json()["not_written"], 1);
}

#[test]
fn the_second_one_ends_at_once() {
    let cluster = ottla_sim::Cluster::start(1).unwrap();
    cluster.with_model(|model| model.create_topic("ottla", 1));
    let servers = cluster.bootstrap_servers();
    let mut ottla = Ottla::start(&["produce", "--json", "--bootstrap-server", &servers]);
    let mut stdin = ottla.stdin();
    stdin.write_all(b"written\n").unwrap();
    while cluster.with_model(|model| model.high_watermark("ottla", 0)) == 0 {
        assert!(ottla.has_run_for() < GRACE);
        thread::sleep(Duration::from_millis(2));
    }
    // Now there is something on its way that does not arrive.
    cluster.with_model(|model| model.remove_leader("ottla", 0));
    stdin.write_all(b"stuck\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    ottla.interrupt();
    thread::sleep(Duration::from_millis(500));
    let pressed = Instant::now();
    ottla.interrupt();
    let ended = ottla.end();
    assert!(pressed.elapsed() < AT_ONCE);
    assert_eq!((ended.code, &*ended.stdout), (Some(130), ""));
}

#[test]
fn what_does_not_arrive_within_five_seconds_is_reported() {
    let cluster = ottla_sim::Cluster::start(1).unwrap();
    cluster.with_model(|model| {
        model.create_topic("ottla", 1);
        model.remove_leader("ottla", 0);
    });
    let servers = cluster.bootstrap_servers();
    let mut ottla = Ottla::start(&["produce", "--json", "--bootstrap-server", &servers]);
    let mut stdin = ottla.stdin();
    stdin.write_all(b"stuck\nstuck too\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    let pressed = Instant::now();
    ottla.interrupt();
    let ended = ottla.end();
    assert!(pressed.elapsed() < GRACE);
    assert_eq!(ended.code, Some(130));
    let report = ended.json();
    assert_eq!(
        (&report["records"], &report["not_written"]),
        (&2.into(), &2.into()),
        "{report}"
    );
    drop(stdin);
}
