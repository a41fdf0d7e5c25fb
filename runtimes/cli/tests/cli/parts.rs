//! Lines are cut into headers, key and value, of which some may be null.

use ottla_sim::{Cluster, LogRecord};

use crate::process::ottla;

/// What may be null.
type Part<'a> = Option<&'a [u8]>;
type Header<'a> = (&'a [u8], Part<'a>);

/// Produces the lines to a cluster of its own; gives the report and what is in the log.
fn produced(how: &[&str], lines: &[u8]) -> (serde_json::Value, Vec<LogRecord>) {
    let cluster = Cluster::start(1).unwrap();
    let args = [
        "produce",
        "--json",
        "--bootstrap-server",
        &cluster.bootstrap_servers(),
    ];
    let ended = ottla(&[&args[..], how].concat(), lines);
    assert_eq!(ended.stderr, "");
    let log = cluster.with_model(|model| model.log("ottla", 0).collect());
    (ended.json(), log)
}

fn keys_and_values(log: &[LogRecord]) -> Vec<(Part<'_>, Part<'_>)> {
    let records = log.iter();
    records
        .map(|r| (r.key.as_deref(), r.value.as_deref()))
        .collect()
}

#[test]
fn a_separator_may_be_escaped() {
    for (typed, bytes) in [
        (r"\t", "\t"),
        (r"\x1F", "\x1f"),
        (r"\\", "\\"),
        (r"\0", "\0"),
        (r"-\t-", "-\t-"),
    ] {
        let lines = format!("k{bytes}v{bytes}w\n");
        let (report, log) = produced(&["--key-separator", typed], lines.as_bytes());
        let value = format!("v{bytes}w");
        let expected = (Some(&b"k"[..]), Some(value.as_bytes()));
        assert_eq!(keys_and_values(&log), [expected], "{typed}");
        assert_eq!(report["notes"].as_array().unwrap().len(), 0, "{report}");
    }
}

#[test]
fn a_separator_that_is_in_no_line_is_noted() {
    let note = "--key-separator '->' is in no line: every key is null";
    let (report, log) = produced(&["--key-separator", "->"], b"a\nb\n");
    assert_eq!(report["notes"], serde_json::json!([note]));
    assert_eq!((&report["written"], log.len()), (&2.into(), 2));
    let ended = ottla(&["produce", "--key-separator", "->"], b"a\nb\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(&format!("? {note}.\n")), "{ended:?}");
}

#[test]
fn a_key_may_be_the_same_for_all_lines() {
    let (report, log) = produced(&["--key", "all"], b"a\nb\n");
    let all = Some(&b"all"[..]);
    assert_eq!(
        keys_and_values(&log),
        [(all, Some(&b"a"[..])), (all, Some(b"b"))]
    );
    assert_eq!(report["notes"], serde_json::json!([]));
    let (_, log) = produced(&["--key", "all", "--key-separator", "="], b"k=a\nb\n");
    let expected = [(Some(&b"k"[..]), Some(&b"a"[..])), (all, Some(b"b"))];
    assert_eq!(keys_and_values(&log), expected);
}

#[test]
fn a_value_may_be_null() {
    let how = ["--key-separator", "=", "--null-value", "NULL"];
    let (_, log) = produced(&how, b"k=NULL\nk=NULLs\nk=\nNULL=v\n");
    let k = Some(&b"k"[..]);
    let expected = [
        (k, None),
        (k, Some(&b"NULLs"[..])),
        (k, Some(b"")),
        (Some(b"NULL"), Some(b"v")),
    ];
    assert_eq!(keys_and_values(&log), expected);
    let (_, log) = produced(&["--key-separator", "=", "--null-value", ""], b"k=\n");
    assert_eq!(keys_and_values(&log), [(k, None)]);
}

#[test]
fn headers_may_be_in_the_line_as_javas_producer_has_them() {
    let how = ["--headers-delimiter", r"\t", "--key-separator", r"\t"];
    let more = ["-H", "all=1", "--null-value", "-"];
    let lines = b"h1:v1,h2:v2\tkey\tvalue\n\tkey\tvalue\nh:-,h::\tkey\t-\n";
    let (_, log) = produced(&[&how[..], &more].concat(), lines);
    let headers: Vec<Vec<Header<'_>>> = log
        .iter()
        .map(|record| {
            let headers = record.headers.iter();
            headers
                .map(|(name, value)| (&name[..], value.as_deref()))
                .collect()
        })
        .collect();
    let all = (&b"all"[..], Some(&b"1"[..]));
    assert_eq!(
        headers[0],
        [all, (b"h1", Some(b"v1")), (b"h2", Some(b"v2"))]
    );
    assert_eq!(headers[1], [all]);
    assert_eq!(headers[2], [all, (b"h", None), (b"h", Some(b":"))]);
    let key = Some(&b"key"[..]);
    let expected = [
        (key, Some(&b"value"[..])),
        (key, Some(b"value")),
        (key, None),
    ];
    assert_eq!(keys_and_values(&log), expected);
}

#[test]
fn null_values_and_headers_are_read_back_and_compared() {
    let how = [
        "--headers-delimiter",
        "|",
        "--key-separator",
        "=",
        "--null-value",
        "-",
    ];
    let lines = b"a:1,b:-|k=-\n|k=v\nk=\n-\n".repeat(1000);
    let ended = ottla(&[&["produce", "--json"], &how[..]].concat(), &lines);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let report = ended.json();
    assert_eq!(
        (&report["written"], &report["verified"]),
        (&4000.into(), &true.into())
    );
}

#[test]
fn a_line_with_a_bad_header_is_the_only_one_that_is_not_written() {
    let lines = b"a:1\tb\nnone\tb\n\xff:1\tb\na:1\tb\n";
    let (report, log) = produced(&["--headers-delimiter", r"\t"], lines);
    assert_eq!((&report["written"], log.len()), (&2.into(), 2));
    let errors = serde_json::json!([
        {
            "reason": "a header in the line has no \":\" behind its name",
            "records": 1,
            "lines": ["standard input:2"],
        },
        {
            "reason": "a header's name in the line is not UTF-8",
            "records": 1,
            "lines": ["standard input:3"],
        },
    ]);
    assert_eq!(report["errors"], errors);
}
