//! A signal to end at any time: an orderly end, a report, an exit code of its own.

use std::{
    io::{self, Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    process::Stdio,
    sync::mpsc,
    thread,
    time::Duration,
};

use ottla_sim::Cluster;

use crate::process::{
    Ottla, command, wait_until, wait_until_written, write_until_read, write_until_sent,
};

const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];
/// With these only the signal ends it in the time that a test has.
const PATIENT: [&str; 4] = [
    "-X",
    "max.block.ms=3600000",
    "-X",
    "delivery.timeout.ms=3600000",
];

#[test]
fn in_the_middle_of_the_input() {
    for (signal, code) in SIGNALS {
        let mut ottla = Ottla::start(&["produce", "--json"]);
        let mut stdin = ottla.stdin();
        let (started, has_started) = mpsc::channel();
        let feeder = thread::spawn(move || {
            write_until_sent(&mut stdin);
            started.send(()).unwrap();
            while stdin.write_all(&b"some line\n".repeat(1000)).is_ok() {}
        });
        has_started.recv_timeout(Duration::from_secs(60)).unwrap();
        ottla.signal(signal);
        let ended = ottla.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let report = ended.json();
        assert!(report["written"].as_u64().unwrap() > 1000, "{report}");
        assert_eq!(report["verified"], true);
        for error in report["errors"].as_array().unwrap() {
            assert_eq!(error["reason"], "interrupted before it was sent");
        }
        feeder.join().unwrap();
    }
}

#[test]
fn h171_what_lingers_is_written() {
    for (signal, code) in SIGNALS {
        let cluster = Cluster::start(1).unwrap();
        let servers = cluster.bootstrap_servers();
        let lingering = ["--bootstrap-server", &servers, "-X", "linger.ms=600000"];
        let args = [&["produce", "--json"], &lingering[..], &PATIENT].concat();
        let mut ottla = Ottla::start(&args);
        let mut stdin = ottla.stdin();
        write_until_sent(&mut stdin);
        ottla.signal(signal);
        let ended = ottla.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let report = ended.json();
        let written = cluster.with_model(|model| model.high_watermark("ottla", 0));
        assert!(written > 1000 && report["written"] == written, "{report}");
        for error in report["errors"].as_array().unwrap() {
            assert_eq!(error["reason"], "interrupted before it was sent");
        }
    }
}

#[test]
fn while_nobody_types() {
    for (signal, code) in SIGNALS {
        let cluster = Cluster::start(1).unwrap();
        let servers = cluster.bootstrap_servers();
        let mut ottla = Ottla::start(&["produce", "--bootstrap-server", &servers]);
        let mut stdin = ottla.stdin();
        stdin.write_all(b"a line\nhalf a line").unwrap();
        wait_until_written(&cluster, 1);
        ottla.signal(signal);
        let ended = ottla.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stdout.contains("1 record written"), "{ended:?}");
    }
}

#[test]
fn while_no_broker_is_there() {
    let refusing = ["--json", "--bootstrap-server", "127.0.0.1:1"];
    let mut ottla = Ottla::start(&[&["produce"], &refusing[..], &PATIENT].concat());
    let mut stdin = ottla.stdin();
    write_until_read(&mut stdin, "a line\n");
    ottla.wait_for_stderr("refused");
    ottla.interrupt();
    let ended = ottla.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let report = ended.json();
    assert_eq!(
        (&report["records"], &report["not_written"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn while_a_broker_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let args = ["produce", "--json", "--bootstrap-server", &address];
    let mut ottla = Ottla::start(&[&args[..], &PATIENT].concat());
    let mut stdin = ottla.stdin();
    write_until_read(&mut stdin, "a line\n");
    let mut open = None;
    wait_until(
        || "nobody connects",
        || {
            open = silent.accept().ok();
            open.is_some()
        },
    );
    ottla.interrupt();
    let ended = ottla.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.json()["not_written"], 1);
}

/// A cluster that takes no record, and where to find it.
fn without_a_leader() -> (Cluster, String) {
    let cluster = Cluster::start(1).unwrap();
    cluster.with_model(|model| {
        model.create_topic("ottla", 1);
        model.remove_leader("ottla", 0);
    });
    let servers = cluster.bootstrap_servers();
    (cluster, servers)
}

#[test]
fn what_is_not_written_within_five_seconds_is_reported() {
    let (_cluster, servers) = without_a_leader();
    let args = ["produce", "--json", "--bootstrap-server", &servers];
    let mut ottla = Ottla::start(&[&args[..], &PATIENT].concat());
    let mut stdin = ottla.stdin();
    write_until_sent(&mut stdin);
    ottla.interrupt();
    ottla.wait_for_stderr("note: what was sent has up to 5 s to be written; Ctrl-C ends at once");
    let ended = ottla.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let report = ended.json();
    assert!(report["not_written"].as_u64().unwrap() > 1000, "{report}");
    assert_eq!(report["not_written"], report["records"]);
    let mut errors = report["errors"].as_array().unwrap().iter();
    let because = "the producer was closed; until then: ";
    let closed = errors.find(|error| error["reason"].as_str().unwrap().starts_with(because));
    assert_eq!(closed.unwrap()["lines"][0], "standard input:1");
}

#[test]
fn the_second_ctrl_c_ends_at_once() {
    let (_cluster, servers) = without_a_leader();
    // Standard output takes nothing, so that the report can't be what ends it.
    let (mut reader, full) = full_stream();
    let args = ["produce", "--json", "--bootstrap-server", &servers];
    let mut ottla = Ottla::spawn(
        command()
            .args(args)
            .args(PATIENT)
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(full))),
    );
    let mut stdin = ottla.stdin();
    write_until_sent(&mut stdin);
    ottla.signal("TERM");
    ottla.wait_for_stderr("Ctrl-C ends at once");
    ottla.interrupt();
    assert_eq!(ottla.end().code, Some(130));
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed).unwrap();
    assert!(printed.iter().all(|byte| *byte == b' '));
}

/// The two ends of a stream that has no room for another byte.
fn full_stream() -> (UnixStream, UnixStream) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    let error = loop {
        if let Err(error) = writer.write(b" ") {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    writer.set_nonblocking(false).unwrap();
    (reader, writer)
}

#[test]
fn other_signals_may_be_repeated() {
    let (cluster, servers) = without_a_leader();
    let args = ["produce", "--json", "--bootstrap-server", &servers];
    let mut ottla = Ottla::start(&[&args[..], &PATIENT].concat());
    let mut stdin = ottla.stdin();
    write_until_sent(&mut stdin);
    for signal in ["TERM", "TERM", "HUP"] {
        ottla.signal(signal);
    }
    ottla.wait_for_stderr("Ctrl-C ends at once");
    ottla.signal("TERM");
    drop(cluster);
    let ended = ottla.end();
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(ended.json()["records"].as_u64().unwrap() > 1000);
}

#[test]
fn h171_a_hang_up_that_is_ignored_at_the_start_stays_ignored() {
    let cluster = Cluster::start(1).unwrap();
    let servers = cluster.bootstrap_servers();
    let mut sh = std::process::Command::new("sh");
    // As nohup does it.
    sh.args([
        "-c",
        "trap '' HUP; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_ottla"),
    ])
    .args(["produce", "--json", "--bootstrap-server", &servers])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped());
    let mut ottla = Ottla::spawn(&mut sh);
    let mut stdin = ottla.stdin();
    stdin.write_all(b"before\n").unwrap();
    wait_until_written(&cluster, 1);
    ottla.signal("HUP");
    stdin.write_all(b"after\n").unwrap();
    wait_until_written(&cluster, 2);
    drop(stdin);
    let ended = ottla.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["written"], 2);
}

/// As with a terminal that has gone.
#[cfg(target_os = "linux")]
#[test]
fn a_report_that_can_not_be_printed_does_not_change_the_code_of_the_signal() {
    let cluster = Cluster::start(1).unwrap();
    let servers = cluster.bootstrap_servers();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let args = ["produce", "--json", "--bootstrap-server", &servers];
    let mut ottla = Ottla::spawn(command().args(args).stdout(full));
    let mut stdin = ottla.stdin();
    stdin.write_all(b"a line\n").unwrap();
    wait_until_written(&cluster, 1);
    ottla.signal("HUP");
    let ended = ottla.end();
    assert_eq!(ended.code, Some(129), "{ended:?}");
    assert!(
        ended.stderr.contains("error: standard output: "),
        "{ended:?}"
    );
}
