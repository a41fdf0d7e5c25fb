//! Lines become records.

use ottla_sim::{Cluster, LogRecord};

use crate::process::{Scratch, ottla};

const ODD_LINES: &[u8] = b"a\r\n\n\xff\x00\xfe\n k=v \nlast";

#[test]
fn a_file_goes_to_the_embedded_cluster_and_is_read_back() {
    let file = Scratch::file(ODD_LINES);
    let ended = ottla(&["produce", "--json", file.path()], b"");
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let report = ended.json();
    assert_eq!(report["topic"], "ottla");
    assert_eq!(report["records"], 5);
    assert_eq!(report["written"], 5);
    assert_eq!(report["verified"], true);
    assert_eq!(report["partitions"][0]["first_offset"], 0);
    assert_eq!(report["partitions"][0]["last_offset"], 4);
    assert_eq!(report["errors"].as_array().unwrap().len(), 0);
}

#[test]
fn the_report_for_people_is_short() {
    let ended = ottla(&["produce", "--topic", "letters"], ODD_LINES);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(
        lines[0].starts_with("✓ 5 records written to letters"),
        "{lines:?}"
    );
    assert!(lines[2].ends_with("5  0 – 4"), "{lines:?}");
    assert_eq!(
        lines[3],
        "✓ Read back from the embedded cluster and compared: the same."
    );
    assert_eq!(lines.len(), 4);
    assert!(
        !ended.stdout.contains('\x1b'),
        "no colours outside of a terminal"
    );
}

#[test]
fn lines_are_bytes() {
    let cluster = Cluster::start(1).unwrap();
    let ended = ottla(
        &[
            "produce",
            "--bootstrap-server",
            &cluster.bootstrap_servers(),
            "--json",
        ],
        ODD_LINES,
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["verified"], serde_json::Value::Null);
    let log = log(&cluster, "ottla", 0);
    let values: Vec<&[u8]> = log
        .iter()
        .map(|record| record.value.as_deref().unwrap())
        .collect();
    assert_eq!(
        values,
        [&b"a\r"[..], b"", b"\xff\x00\xfe", b" k=v ", b"last"]
    );
    assert!(
        log.iter()
            .all(|record| record.key.is_none() && record.headers.is_empty())
    );
}

#[test]
fn keys_headers_and_the_partition_are_as_asked_for() {
    let cluster = Cluster::builder().partitions(4).start().unwrap();
    let servers = cluster.bootstrap_servers();
    let args = [
        "produce",
        "--bootstrap-server",
        &servers,
        "--topic",
        "t",
        "--partition",
        "2",
    ];
    let more = [
        "--key-separator",
        "->",
        "--header",
        "h=1",
        "--header",
        "h=a=b",
        "--header",
        "e=",
    ];
    let ended = ottla(
        &[&args[..], &more].concat(),
        b"k->v->w\n->v\nk->\nno key\n->\n",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let log = log(&cluster, "t", 2);
    let pairs: Vec<_> = log
        .iter()
        .map(|r| (r.key.as_deref(), r.value.as_deref().unwrap()))
        .collect();
    let expected: [(Option<&[u8]>, &[u8]); 5] = [
        (Some(b"k"), b"v->w"),
        (Some(b""), b"v"),
        (Some(b"k"), b""),
        (None, b"no key"),
        (Some(b""), b""),
    ];
    assert_eq!(pairs, expected);
    for record in &log {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (&name[..], value.as_deref()))
            .collect();
        let expected: [(&[u8], Option<&[u8]>); 3] =
            [(b"h", Some(b"1")), (b"h", Some(b"a=b")), (b"e", Some(b""))];
        assert_eq!(headers, expected);
    }
}

#[test]
fn keyed_records_are_where_java_puts_them() {
    let cluster = Cluster::builder().partitions(7).start().unwrap();
    let lines: Vec<String> = (0..200).map(|n| format!("key-{n}={n}\n")).collect();
    let args = [
        "produce",
        "--bootstrap-server",
        &cluster.bootstrap_servers(),
        "--key-separator",
        "=",
    ];
    assert_eq!(ottla(&args, lines.concat().as_bytes()).code, Some(0));
    for partition in 0..7 {
        for record in log(&cluster, "ottla", partition) {
            let key = record.key.unwrap();
            assert_eq!(
                ottla::partition_for_key(&key, 7.try_into().unwrap()),
                partition
            );
        }
    }
}

#[test]
fn files_and_standard_input_follow_each_other() {
    let cluster = Cluster::start(1).unwrap();
    let (first, last) = (Scratch::file("1\n2"), Scratch::file("4\n"));
    let servers = cluster.bootstrap_servers();
    let args = [
        "produce",
        "--bootstrap-server",
        &servers,
        first.path(),
        "-",
        last.path(),
    ];
    let ended = ottla(&args, b"3");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let log = log(&cluster, "ottla", 0);
    assert_eq!(
        log.iter()
            .map(|r| r.value.as_deref().unwrap())
            .collect::<Vec<_>>(),
        [b"1", b"2", b"3", b"4"]
    );
}

#[test]
fn much_more_than_one_comparison_is_verified() {
    let lines: Vec<String> = (0..1_000_000)
        .map(|n| format!("{}={n} {:>40}\n", n % 999, n * 7))
        .collect();
    let args = [
        "produce",
        "--json",
        "--key-separator",
        "=",
        "--header",
        "a=b",
    ];
    let ended = ottla(&args, lines.concat().as_bytes());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let report = ended.json();
    assert_eq!(
        (&report["written"], &report["verified"]),
        (&1_000_000.into(), &true.into())
    );
    assert_eq!(report["partitions"].as_array().unwrap().len(), 3);
}

#[test]
fn nothing_is_fine_too() {
    let ended = ottla(&["produce", "--json"], b"");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    assert_eq!(
        (&report["records"], &report["verified"]),
        (&0.into(), &true.into())
    );
}

#[test]
fn without_offsets_nothing_is_said_to_be_verified() {
    let ended = ottla(&["produce", "--json", "-X", "acks=0"], b"a\nb\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    assert_eq!(
        (&report["written"], &report["verified"]),
        (&2.into(), &serde_json::Value::Null)
    );
    assert!(report["partitions"][0]["first_offset"].is_null());
}

#[test]
fn a_record_that_is_too_large_is_the_only_one_that_is_not_written() {
    let long = vec![b'x'; 3 << 20];
    let input = [b"a\n", &long[..], b"\nb\n", &long[..1_048_570], b"\nc\n"].concat();
    let ended = ottla(&["produce", "--json"], &input);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = ended.json();
    assert_eq!(
        (&report["written"], &report["not_written"]),
        (&3.into(), &2.into())
    );
    assert_eq!(report["verified"], true);
    let reason = report["errors"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("max.request.size=1048576"), "{reason}");
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    use std::process::{Command, Stdio};
    for args in [
        &["produce"][..],
        &["produce", "--json"],
        &["produce", "--help"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args(args).stdin(Stdio::null()).stdout(writer);
        let output = command
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!(
            (output.status.code(), &*output.stderr),
            (Some(0), &b""[..]),
            "{args:?}"
        );
    }
}

fn log(cluster: &Cluster, topic: &str, partition: i32) -> Vec<LogRecord> {
    cluster.with_model(|model| model.log(topic, partition).collect())
}

#[test]
fn the_embedded_cluster_takes_what_max_request_size_allows() {
    let line = [b'z'; 2_000_000];
    let args = ["produce", "--json", "-X", "max.request.size=3000000"];
    let ended = ottla(&args, &line);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["written"], 1);
}
