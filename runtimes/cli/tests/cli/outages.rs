//! Brokers that are not there, or not always.

use std::io::Write;

use ottla_sim::Cluster;

use crate::process::{Ottla, Scratch, ottla, wait_until_written};

const REFUSING: &str = "127.0.0.1:1";

#[test]
fn a_refused_connection_is_shown_while_it_may_still_come_up() {
    let how = ["--bootstrap-server", REFUSING, "-X", "max.block.ms=3600000"];
    let ottla = Ottla::start(&[&["produce"], &how[..]].concat());
    ottla.wait_for_stderr("warning: 127.0.0.1:1: connection refused\n");
}

#[test]
fn a_refused_connection_fails_in_time() {
    let how = ["--bootstrap-server", REFUSING, "-X", "max.block.ms=2000"];
    let ended = ottla(&[&["produce", "--json"], &how[..]].concat(), b"a\nb\nc\n");
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stderr, "warning: 127.0.0.1:1: connection refused\n",
        "the same reason is not repeated"
    );
    let report = ended.json();
    assert_eq!(
        (&report["records"], &report["not_written"]),
        (&3.into(), &3.into())
    );
    let reason = report["errors"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("max.block.ms") && reason.contains("refused"),
        "{reason}"
    );
    assert!(report["verified"].is_null());
}

#[test]
fn a_refused_connection_fails_without_a_line_too() {
    let args = [
        "produce",
        "--bootstrap-server",
        REFUSING,
        "-X",
        "max.block.ms=500",
    ];
    let ended = ottla(&args, b"");
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("error: max.block.ms ran out"),
        "{ended:?}"
    );
}

#[test]
fn one_server_that_answers_is_enough() {
    let cluster = Cluster::start(1).unwrap();
    let servers = format!("{REFUSING},{}", cluster.bootstrap_servers());
    let ended = ottla(
        &["produce", "--json", "--bootstrap-server", &servers],
        b"a\n",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["written"], 1);
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    let args = ["produce", "--bootstrap-server", "no-such-host.invalid:9092"];
    let ended = ottla(&[&args[..], &["-X", "max.block.ms=1000"]].concat(), b"a\n");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no-such-host.invalid"), "{ended:?}");
}

#[test]
fn a_broker_that_goes_and_comes_back_loses_nothing() {
    let cluster = Cluster::start(1).unwrap();
    let lines: Vec<String> = (0..300_000).map(|n| format!("{n}\n")).collect();
    let servers = cluster.bootstrap_servers();
    let mut ottla = Ottla::start(&["produce", "--json", "--bootstrap-server", &servers]);
    let mut stdin = ottla.stdin();
    for (n, part) in lines.chunks(100_000).enumerate() {
        stdin.write_all(part.concat().as_bytes()).unwrap();
        // Some of this part, and there is more to come.
        wait_until_written(&cluster, n as i64 * 100_000 + 1);
        cluster.stop_broker(1);
        if n == 0 {
            // It is said once in a while only.
            ottla.wait_for_stderr("connection refused");
        }
        cluster.start_broker(1).unwrap();
    }
    drop(stdin);
    let ended = ottla.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["written"], 300_000);
    cluster.with_model(|model| {
        let mut log = model.log("ottla", 0);
        for n in 0..300_000 {
            assert_eq!(log.next().unwrap().value.unwrap(), n.to_string().as_bytes());
        }
        assert!(log.next().is_none());
    });
}

#[test]
fn a_file_that_goes_away_is_reported_with_what_was_written() {
    let cluster = Cluster::start(1).unwrap();
    let servers = cluster.bootstrap_servers();
    let late = Scratch::file("never read\n");
    let mut ottla = Ottla::start(&[
        "produce",
        "--json",
        "--bootstrap-server",
        &servers,
        "-",
        late.path(),
    ]);
    let mut stdin = ottla.stdin();
    stdin.write_all(b"a\n").unwrap();
    wait_until_written(&cluster, 1);
    let path = late.path().to_owned();
    drop((late, stdin));
    let ended = ottla.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.json()["written"], 1);
    assert!(ended.stderr.contains(&path), "{ended:?}");
}
