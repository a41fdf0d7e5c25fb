//! `ottla perf`: what it sends, and that its figures fit together. How fast it is, is not tested here.

use ottla_sim::{Api, Cluster, Fault, On};
use serde_json::Value;

use crate::process::{Ended, Ottla, Scratch, ottla, wait_until, wait_until_written};

const RUNTIMES: [&str; 3] = ["tokio", "smol", "blocking"];

#[test]
fn every_runtime_sends_all_from_every_thread() {
    let cluster = Cluster::builder().partitions(6).start().unwrap();
    for (runtime, threads) in RUNTIMES.into_iter().zip(["1", "2", "7"]) {
        let how = ["--runtime", runtime, "--threads", threads];
        let (ended, report) = perf(Some(&cluster), 50_000, 100, &how);
        assert_eq!(ended.code, Some(0), "{runtime}: {ended:?}");
        assert_eq!(count(&report, "written"), 50_000);
        assert_eq!(report["embedded"], false);
    }
    let end = |partition| cluster.with_model(|model| model.high_watermark("ottla", partition));
    assert_eq!((0..6).map(end).sum::<i64>(), 150_000);
}

#[test]
fn without_a_server_the_cluster_is_embedded() {
    for runtime in RUNTIMES {
        let (ended, report) = perf(
            None,
            1000,
            10,
            &["--runtime", runtime, "--topic", "letters"],
        );
        assert_eq!(ended.code, Some(0), "{runtime}: {ended:?}");
        assert_eq!(report["embedded"], true);
        assert_eq!(count(&report, "written"), 1000);
    }
}

#[test]
fn the_embedded_cluster_forgets_what_is_old() {
    let (_, report) = perf(None, 2500, 100_000, &[]);
    assert_eq!(count(&report, "written"), 2500);
    // A quarter of a gigabyte went through: 32 MiB are the producer's, 64 MiB the log's, and each is in its pieces.
    if let Some(peak) = report["max_rss_mb"].as_f64() {
        assert!(peak < 200.0, "{report}");
    }
}

#[test]
fn figures_fit_together() {
    let (_, report) = perf(None, 20_000, 50, &[]);
    let figure = |name: &str| report[name].as_f64().unwrap();
    let close = |a: f64, b: f64| (a - b).abs() <= 0.01 * b.abs().max(0.1);
    let rate = figure("records_per_second");
    assert!(close(rate, 20_000.0 / figure("seconds")), "{report}");
    let megabytes = rate * 50.0 / f64::from(1 << 20);
    assert!(close(figure("megabytes_per_second"), megabytes), "{report}");
    if cfg!(target_os = "linux") {
        let each = figure("cpu_seconds") * 1e9 / 20_000.0;
        assert!(close(figure("cpu_ns_per_record"), each), "{report}");
        assert!(figure("max_rss_mb") > 1.0, "{report}");
    }
    let names = ["p50", "p95", "p99", "p999", "max"];
    let latencies = names.map(|name| report["latency_ms"][name].as_f64().unwrap());
    assert!(latencies.is_sorted() && latencies[0] > 0.0, "{report}");
    let average = report["latency_ms"]["avg"].as_f64().unwrap();
    assert!(average > 0.0 && average <= latencies[4], "{report}");
}

#[test]
fn values_are_slices_of_the_payload_file() {
    let cluster = Cluster::start(1).unwrap();
    let file = Scratch::file("abcdefg");
    for threads in ["1", "3"] {
        let how = ["--payload-file", file.path(), "--threads", threads];
        perf(Some(&cluster), 300, 3, &how);
    }
    let log: Vec<_> = cluster.with_model(|model| model.log("ottla", 0).collect());
    let values = log.iter().map(|record| record.value.clone().unwrap());
    let mut values: Vec<_> = values.map(|value| value.to_vec()).collect();
    assert!(log.iter().all(|record| record.key.is_none()));
    let text = b"abcdefg".repeat(300);
    let mut slices: Vec<_> = text.chunks(3).take(300).map(<[u8]>::to_vec).collect();
    assert_eq!(values[..300], slices, "one thread keeps their order");
    let from_three = &mut values[300..];
    from_three.sort();
    slices.sort();
    assert_eq!(from_three, slices, "three threads send the same");
}

#[test]
fn a_rate_is_not_exceeded() {
    for (records, rate, threads) in [(200, "400", "2"), (100_000, "200000", "1")] {
        let how = ["--throughput", rate, "--threads", threads];
        let (_, report) = perf(None, records, 20, &how);
        let at_least = records as f64 / rate.parse::<f64>().unwrap();
        let seconds = report["seconds"].as_f64().unwrap();
        assert!(seconds >= at_least * 0.9, "{report}");
        assert_eq!(count(&report, "written"), records);
    }
}

#[test]
fn lines_are_those_of_kafkas_own_tool() {
    let endless = ["perf", "--num-records=4000000000", "--record-size=8"];
    let ottla = Ottla::start(&[&endless[..], &["--throughput=10"]].concat());
    ottla.wait_for_stdout("max latency.\n");
    ottla.interrupt();
    let ended = ottla.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let lines: Vec<String> = ended.stdout.lines().map(without_digits).collect();
    let (last, others) = lines.split_last().unwrap();
    let (usage, periodic) = others.split_last().unwrap();
    assert!(
        !periodic.is_empty() && usage.contains("CPU time"),
        "{ended:?}"
    );
    for line in periodic {
        assert_eq!(
            line,
            "# records sent, #.# records/sec (#.# MB/sec), #.# ms avg latency, #.# ms max latency."
        );
    }
    assert_eq!(
        last,
        "# records sent, #.# records/sec (#.# MB/sec), #.# ms avg latency, #.# ms max latency, \
         # ms #th, # ms #th, # ms #th, # ms #.#th."
    );
}

#[test]
fn with_json_lines_go_to_standard_error() {
    let (ended, _) = perf(None, 10, 0, &[]);
    assert!(ended.stderr.contains("10 records sent, "), "{ended:?}");
}

#[test]
fn what_is_no_good_takes_one_line() {
    let empty = Scratch::file("");
    for (args, culprits) in [
        (
            &["--payload-file", "no/such/file"][..],
            &["no/such/file"][..],
        ),
        (&["--payload-file", empty.path()], &[empty.path(), "empty"]),
        (&["--num-records", "0"], &["--num-records", "0"]),
        (&["--num-records", "-5"], &["-5"]),
        (
            &["--record-size", "2000000"],
            &["--record-size", "max.request.size"],
        ),
        (&["--throughput", "0"], &["--throughput", "-1"]),
        (&["--threads", "0"], &["--threads"]),
        (&["--runtime", "embassy"], &["--runtime", "smol"]),
        (&["--topic", "two words"], &["--topic"]),
        (&["-X", "lingr.ms=1"], &["linger.ms"]),
    ] {
        let mut line = vec!["perf", "--json"];
        for default in [["--num-records", "5"], ["--record-size", "5"]] {
            if !args.contains(&default[0]) {
                line.extend(default);
            }
        }
        let ended = ottla(&[&line, args].concat(), b"");
        assert_eq!(
            (ended.code, &*ended.stdout),
            (Some(2), ""),
            "{args:?}: {ended:?}"
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{args:?}: {ended:?}");
        for culprit in culprits {
            assert!(ended.stderr.contains(culprit), "{args:?}: {ended:?}");
        }
    }
    assert_eq!(ottla(&["perf"], b"").code, Some(2));
}

#[test]
fn without_a_broker_nothing_is_sent_and_the_reason_is_told() {
    let how = ["--bootstrap-server=127.0.0.1:1", "-Xmax.block.ms=300"];
    let (ended, report) = perf(None, 100, 10, &how);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(count(&report, "records"), 0);
    assert!(report["latency_ms"]["p99"].is_null() && report["cpu_ns_per_record"].is_null());
    assert!(
        ended.stderr.contains("error: ") && ended.stderr.contains("max.block.ms"),
        "{ended:?}"
    );
}

#[test]
fn records_that_are_not_written_are_counted_with_their_reason() {
    let cluster = Cluster::start(1).unwrap();
    cluster.with_model(|model| {
        model.create_topic("ottla", 1);
        model.remove_leader("ottla", 0);
    });
    let how = ["-Xdelivery.timeout.ms=1500", "-Xrequest.timeout.ms=1000"];
    let (ended, report) = perf(Some(&cluster), 1000, 10, &how);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(count(&report, "not_written"), 1000);
    assert!(
        ended.stderr.contains("error: 1000 not written: "),
        "{ended:?}"
    );
}

#[test]
fn a_signal_ends_it_with_a_report() {
    for (signal, code, how) in [
        ("INT", 130, &["--runtime=blocking"][..]),
        ("TERM", 143, &["--throughput=1", "--threads=3"]),
        ("HUP", 129, &["--throughput=1e-300"]),
    ] {
        let cluster = Cluster::start(1).unwrap();
        let ottla = endless(&cluster, how);
        wait_until_written(&cluster, 1);
        ottla.signal(signal);
        let ended = ottla.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let report = report(&ended);
        assert!(count(&report, "written") > 0, "{report}");
    }
}

#[test]
fn ctrl_c_gives_up_what_does_not_arrive() {
    let cluster = Cluster::start(1).unwrap();
    cluster.with_model(|model| {
        model.create_topic("ottla", 1);
        for _ in 0..100 {
            model.inject(On::AnyProduce, Fault::Silence);
        }
    });
    let ottla = endless(&cluster, &[]);
    wait_until(
        || "nothing is produced",
        || cluster.with_model(|model| model.requests(Api::Produce)) > 0,
    );
    ottla.interrupt();
    ottla.wait_for_stderr("note: what was sent has up to 4 s to be written; Ctrl-C ends at once");
    let ended = ottla.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let report = report(&ended);
    assert_eq!(count(&report, "written"), 0);
    assert!(count(&report, "maybe_written") > 0, "{report}");
}

/// More records than can be sent while a test runs.
fn endless(cluster: &Cluster, how: &[&str]) -> Ottla {
    let servers = format!("--bootstrap-server={}", cluster.bootstrap_servers());
    let numbers = ["--num-records=4000000000", "--record-size=1000"];
    let args = ["perf", "--json", &servers];
    Ottla::start(&[&args[..], &numbers, how].concat())
}

#[test]
fn produce_runs_on_every_runtime() {
    for runtime in RUNTIMES {
        let ended = ottla(&["produce", "--json", "--runtime", runtime], b"a\nb\n");
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{runtime}");
        let report = ended.json();
        assert_eq!(
            (count(&report, "written"), &report["verified"]),
            (2, &true.into())
        );
    }
}

/// Runs it with `--json`, and checks that its counts add up.
fn perf(cluster: Option<&Cluster>, records: u64, size: usize, how: &[&str]) -> (Ended, Value) {
    let servers =
        cluster.map(|cluster| format!("--bootstrap-server={}", cluster.bootstrap_servers()));
    let numbers = [
        format!("--num-records={records}"),
        format!("--record-size={size}"),
    ];
    let numbers = numbers.iter().chain(&servers).map(String::as_str);
    let args: Vec<&str> = ["perf", "--json"].into_iter().chain(numbers).collect();
    let ended = ottla(&[&args, how].concat(), b"");
    let report = report(&ended);
    (ended, report)
}

fn report(ended: &Ended) -> Value {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let outcomes = ["written", "not_written", "maybe_written"];
    let sum: u64 = outcomes.map(|name| count(&report, name)).iter().sum();
    assert_eq!(count(&report, "records"), sum, "{report}");
    report
}

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap()
}

/// The line with `#` for each row of digits.
fn without_digits(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars() {
        match c.is_ascii_digit() {
            true if shape.ends_with('#') => {}
            true => shape.push('#'),
            false => shape.push(c),
        }
    }
    shape
}
