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
