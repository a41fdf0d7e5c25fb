//! `ottla broker` for other programs.

use std::net::TcpListener;

use crate::process::{Ottla, ottla};

#[test]
fn it_takes_what_is_produced_to_it_until_ctrl_c() {
    let broker = Ottla::start(&[
        "broker",
        "--listen",
        "127.0.0.1:0",
        "--brokers",
        "3",
        "--partitions",
        "5",
    ]);
    let line = broker.wait_for_stdout("\n");
    let servers = line.strip_prefix("listening on ").unwrap().trim_end();
    assert_eq!(servers.split(',').count(), 3, "{line}");
    assert!(
        servers
            .split(',')
            .all(|server| server.starts_with("127.0.0.1:")),
        "{line}"
    );

    for first in [0, 2] {
        let args = [
            "produce",
            "--bootstrap-server",
            servers,
            "--partition",
            "4",
            "--json",
        ];
        let ended = ottla(&args, b"a\nb\n");
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
        let report = ended.json();
        assert_eq!(report["partitions"][0]["partition"], 4);
        assert_eq!(report["partitions"][0]["first_offset"], first);
        assert!(report["verified"].is_null());
    }

    broker.interrupt();
    let ended = broker.end();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(ended.stdout, line, "one line is all");
}

#[test]
fn any_signal_to_end_ends_it_well() {
    for signal in ["INT", "TERM", "HUP"] {
        let broker = Ottla::start(&["broker", "--listen", "127.0.0.1:0"]);
        broker.wait_for_stdout("\n");
        broker.signal(signal);
        let ended = broker.end();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{signal}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = ottla(&["broker", "--listen", &address], b"");
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
    assert!(
        ended
            .stderr
            .starts_with(&format!("error: can't listen on {address}: ")),
        "{ended:?}"
    );
    assert_eq!(ended.stderr.lines().count(), 1);
}

#[test]
fn what_can_not_be_meant_is_named() {
    for (args, culprit) in [
        (["--listen", "nonsense"], "nonsense"),
        (["--listen", "::1"], "'::1'"),
        (["--listen", "[::1]"], "the port is missing"),
        (["--listen", "127.0.0.1:70000"], "127.0.0.1:70000"),
        (["--brokers", "0"], "--brokers"),
        (["--partitions", "x"], "--partitions"),
        (["--advertise", "0.0.0.0"], "--advertise"),
        (["--advertise", "a:x"], "--advertise"),
        (["--max-message-bytes", "0"], "--max-message-bytes"),
    ] {
        let ended = ottla(&[&["broker"], &args[..]].concat(), b"");
        assert_eq!(
            (ended.code, &*ended.stdout),
            (Some(2), ""),
            "{args:?}: {ended:?}"
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(culprit), "{ended:?}");
    }
}

#[test]
fn on_all_interfaces_a_client_reaches_it_at_each_of_them() {
    let broker = Ottla::start(&["broker", "--listen", "0.0.0.0:0", "--brokers", "2"]);
    let line = broker.wait_for_stdout("\n");
    let listening = line.strip_prefix("listening on ").unwrap();
    let (listening, told) = listening.split_once("; ").unwrap();
    assert_eq!(told.trim_end(), "each client is told the host it came to");
    // Another interface, as that of a container would be.
    let there = listening.replace("0.0.0.0", "127.0.0.2");
    let ended = ottla(&["produce", "--bootstrap-server", &there, "--json"], b"a\n");
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(ended.json()["written"], 1);
    broker.interrupt();
    assert_eq!(broker.end().code, Some(0));
}

#[test]
fn what_is_advertised_stands_in_the_first_line() {
    let args = ["broker", "--listen", "127.0.0.1:0", "--brokers", "2"];
    let args = [&args[..], &["--advertise", "kafka.example:19092"]].concat();
    let broker = Ottla::start(&args);
    let line = broker.wait_for_stdout("\n");
    let told = "; clients are told kafka.example:19092,kafka.example:19093\n";
    assert!(
        line.starts_with("listening on 127.0.0.1:") && line.ends_with(told),
        "{line}"
    );
    broker.interrupt();
    assert_eq!(broker.end().code, Some(0));
}

#[test]
fn records_beyond_a_megabyte_are_taken_where_the_broker_is_told_so() {
    let line = [vec![b'x'; 3_000_000], vec![b'\n']].concat();
    for (limit, code) in [("1048588", Some(1)), ("4000000", Some(0))] {
        let args = ["broker", "--listen", "127.0.0.1:0", "--max-message-bytes"];
        let broker = Ottla::start(&[&args[..], &[limit]].concat());
        let ready = broker.wait_for_stdout("\n");
        let servers = ready.strip_prefix("listening on ").unwrap().trim_end();
        let args = ["produce", "--bootstrap-server", servers, "-X"];
        let ended = ottla(&[&args[..], &["max.request.size=4000000"]].concat(), &line);
        assert_eq!(ended.code, code, "{limit}: {ended:?}");
        broker.interrupt();
        broker.end();
    }
}
