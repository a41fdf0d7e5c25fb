//! `ottla simulate`: the same seeds give the same, whoever runs them.

use std::time::Duration;

use crate::process::{Ended, ottla};
#[cfg(target_os = "linux")]
use crate::process::{Ottla, wait_until};

#[test]
fn a_trace_is_the_same_to_the_byte() {
    let once = simulate(&["--trace", "7"]);
    assert_eq!((once.code, &*once.stderr), (Some(0), ""), "{once:?}");
    let lines: Vec<&str> = once.stdout.lines().collect();
    // More than a trial keeps by itself, from the first line on, which has the seed.
    assert!(
        lines.len() > 100 && lines[0].contains("seed 7: "),
        "{once:?}"
    );
    assert!(lines[lines.len() - 1].starts_with("digest "), "{once:?}");
    assert_eq!(simulate(&["--trace", "7"]).stdout, once.stdout);
    assert_ne!(simulate(&["--trace", "8"]).stdout, once.stdout);
}

#[test]
fn the_report_does_not_depend_on_the_jobs() {
    let alone = simulate(&["--seeds", "0..20", "--jobs", "1"]);
    assert_eq!((alone.code, &*alone.stderr), (Some(0), ""), "{alone:?}");
    let two = simulate(&["--seeds", "0..20", "--jobs", "2"]);
    assert_eq!(without_speed(&alone), without_speed(&two));
    let end = "20 seeds, 0..20: no rule is broken\n";
    assert!(alone.stdout.ends_with(end), "{alone:?}");
}

#[test]
fn the_digest_of_one_seed_is_that_of_its_trace() {
    let alone = simulate(&["--seeds", "7..8"]);
    let traced = simulate(&["--trace", "7"]);
    let digest = traced.stdout.lines().last().unwrap();
    let digest = digest.strip_prefix("digest ").unwrap();
    assert!(
        alone.stdout.contains(&format!("{digest}  digest\n")),
        "{alone:?}"
    );
}

#[test]
fn it_ends_when_the_time_is_over() {
    let ended = simulate(&["--seeds", "5..1000000000", "--for", "1"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    assert!(ended.after >= Duration::from_secs(1), "{ended:?}");
    let last = ended.stdout.lines().last().unwrap();
    assert!(last.contains(" seeds, 5.."), "{last}");
}

/// Nothing but the system tells from outside that it takes signals.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_it_with_a_report() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let ottla = Ottla::start(&["simulate", "--seeds", "0..1000000000"]);
        wait_until(|| "it takes no signals", || catches_hang_ups(ottla.id()));
        ottla.signal(signal);
        let ended = ottla.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stdout.contains(" seeds, 0.."), "{ended:?}");
    }
}

/// Whether a process has a handler of its own for SIGHUP, the last that it takes.
#[cfg(target_os = "linux")]
fn catches_hang_ups(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 != 0
}

#[test]
fn what_is_no_good_takes_one_line() {
    for (args, culprits) in [
        (&["--seeds", "9..3"][..], &["--seeds", "9..3", "A..B"][..]),
        (&["--seeds", "9"], &["--seeds", "A..B"]),
        (&["--jobs", "0"], &["--jobs", "0"]),
        (&["--for", "0"], &["--for", "0"]),
        (&["--trace", "x"], &["--trace", "x"]),
        (&["--trace", "1", "--jobs", "2"], &["--trace", "--jobs"]),
    ] {
        let ended = simulate(args);
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
}

fn simulate(args: &[&str]) -> Ended {
    ottla(&[&["simulate"], args].concat(), b"")
}

/// All lines but the one about how fast it was.
fn without_speed(ended: &Ended) -> Vec<&str> {
    let lines = ended.stdout.lines();
    lines.filter(|line| !line.contains(" seeds/s ")).collect()
}
