//! Lines whose batch is refused because of another line.

use std::io::Write;

use ottla_sim::{Api, Cluster, Fault, On, code};
use serde_json::{Value, json};

use crate::process::{Ended, Ottla, Scratch, ottla, wait_until_written};

/// A cluster that refuses records without a key, one by one.
fn compacted() -> Cluster {
    let cluster = Cluster::start(1).unwrap();
    cluster.with_model(|model| {
        model.create_topic("ottla", 1);
        model.set_compacted("ottla", true);
    });
    cluster
}

/// Numbers as keys and values; those in `bad` have no key.
fn lines(bad: &[usize]) -> String {
    let line = |n| match bad.contains(&n) {
        true => format!("{n}\n"),
        false => format!("{n}={n}\n"),
    };
    (1..=500).map(line).collect()
}

fn produce(cluster: &Cluster, how: &[&str]) -> Ended {
    let servers = cluster.bootstrap_servers();
    let args = [
        "produce",
        "--key-separator",
        "=",
        "--bootstrap-server",
        &servers,
    ];
    ottla(&[&args[..], how].concat(), b"")
}

fn values(cluster: &Cluster) -> Vec<usize> {
    let value = |bytes: &[u8]| str::from_utf8(bytes).unwrap().parse().unwrap();
    cluster.with_model(|model| {
        let log = model.log("ottla", 0);
        log.map(|record| value(&record.value.unwrap())).collect()
    })
}

#[test]
fn the_bad_ones_alone_are_not_written() {
    let bad = [17, 250, 500];
    let file = Scratch::file(lines(&bad));
    let good: Vec<usize> = (1..=500).filter(|n| !bad.contains(n)).collect();
    for (linger, batch_size, in_one_batch) in [("600000", "100000", true), ("0", "700", false)] {
        let cluster = compacted();
        let linger = format!("linger.ms={linger}");
        let batch_size = format!("batch.size={batch_size}");
        let how = [
            "--json",
            "-X",
            &linger,
            "-X",
            &batch_size,
            "-X",
            "delivery.timeout.ms=3600000",
        ];
        let ended = produce(&cluster, &[&how[..], &[file.path()]].concat());
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let report = ended.json();
        assert_eq!(
            (&report["written"], &report["not_written"]),
            (&497.into(), &3.into()),
            "{report}"
        );
        let places = bad.map(|n| format!("{}:{n}", file.path()));
        let error = &report["errors"][0];
        assert_eq!(
            (&error["records"], &error["lines"]),
            (&3.into(), &json!(places))
        );
        let reason = error["reason"].as_str().unwrap();
        assert!(
            reason.contains("INVALID_RECORD (87): Compacted topic"),
            "{reason}"
        );
        let mut written = values(&cluster);
        if in_one_batch {
            assert_eq!(cluster.with_model(|model| model.requests(Api::Produce)), 2);
        } else {
            // Those that were sent again stand behind others.
            written.sort_unstable();
        }
        assert_eq!(written, good);
    }
}

#[test]
fn they_are_sent_again_without_waiting_for_more_input() {
    let cluster = compacted();
    let servers = cluster.bootstrap_servers();
    let args = ["produce", "--json", "--key-separator", "="];
    let mut ottla = Ottla::start(&[&args[..], &["--bootstrap-server", &servers]].concat());
    let mut stdin = ottla.stdin();
    stdin.write_all(b"1=1\n2\n3=3\n").unwrap();
    wait_until_written(&cluster, 2);
    drop(stdin);
    assert_eq!(ottla.end().json()["written"], 2);
    assert_eq!(values(&cluster), [1, 3]);
}

#[test]
fn they_are_sent_again_once() {
    let cluster = compacted();
    cluster.with_model(|model| {
        for _ in 0..2 {
            let fault = Fault::RefuseRecords {
                code: code::INVALID_RECORD,
                records: vec![(0, Some("bad".to_owned()))],
                message: None,
            };
            model.inject(On::produce("ottla", 0), fault);
        }
    });
    let file = Scratch::file(lines(&[]));
    let how = [
        "--json",
        "-X",
        "linger.ms=600000",
        "-X",
        "delivery.timeout.ms=3600000",
    ];
    let ended = produce(&cluster, &[&how[..], &[file.path()]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let mates = "another record of the batch was refused with INVALID_RECORD (87)";
    let lost: Vec<(Value, Value, Value)> = ended.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["reason"].clone(),
                e["records"].clone(),
                e["lines"][0].clone(),
            )
        })
        .collect();
    let place = |n| Value::from(format!("{}:{n}", file.path()));
    let bad = "the broker answered INVALID_RECORD (87): bad";
    assert_eq!(
        lost,
        [
            (mates.into(), 498.into(), place(3)),
            (bad.into(), 2.into(), place(1))
        ]
    );
    assert_eq!(cluster.with_model(|model| model.requests(Api::Produce)), 2);
}

#[test]
fn people_are_told_where_the_bad_ones_are() {
    let cluster = compacted();
    let file = Scratch::file(lines(&[3, 4, 5, 6, 7, 8]));
    let ended = produce(&cluster, &[file.path()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let places = [3, 4, 5, 6, 7]
        .map(|n| format!("{}:{n}", file.path()))
        .join(", ");
    let line = ended.stdout.lines().nth(1).unwrap();
    assert!(
        line.starts_with("✗ 6 not written: the broker answered INVALID_RECORD"),
        "{line}"
    );
    assert!(line.ends_with(&format!(" ({places}, …)")), "{line}");
}
