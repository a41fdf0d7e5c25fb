//! What can't be meant: exit code 2, one line that names the culprit, and nothing is produced.

use crate::process::{Scratch, ottla};

#[test]
fn one_line_names_the_culprit() {
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    let unknown = Scratch::file("linger.ms=1\nlingr.ms=1\n");
    let broken = Scratch::file("a=1\nb=\\u12\n");
    for (args, culprits) in [
        (&["no/such/file"][..], &["no/such/file"][..]),
        (&[folder], &[folder, "directory"]),
        (
            &["-X", "lingr.ms=1"],
            &["lingr.ms", "did you mean linger.ms?"],
        ),
        (&["-X", "linger.ms=soon"], &["linger.ms", "soon"]),
        (&["-X", "linger.ms"], &["-X", "linger.ms", "NAME=VALUE"]),
        (
            &["-X", "acks=1", "-X", "enable.idempotence=true"],
            &["enable.idempotence", "acks=1"],
        ),
        (
            &["-X", "security.protocol=SSL"],
            &["security.protocol", "SSL"],
        ),
        (
            &["--bootstrap-server", "localhost"],
            &["bootstrap.servers", "localhost", "port"],
        ),
        (&["-X", "bootstrap.servers="], &["bootstrap.servers"]),
        (&["--config", "no.properties"], &["no.properties"]),
        (&["--config", unknown.path()], &[unknown.path(), "lingr.ms"]),
        (&["--config", broken.path()], &[broken.path(), "line 2"]),
        (&["--topic", "two words"], &["--topic", "two words"]),
        (&["--topic", ""], &["--topic", "empty"]),
        (&["--partition", "-1"], &["--partition", "-1"]),
        (&["--partition", "70000"], &["--partition", "70000"]),
        (
            &["--bootstrap-server", "::1"],
            &["bootstrap.servers", "\"::1\"", "[address]:port"],
        ),
        (&["--topik", "t"], &["--topik", "--topic"]),
    ] {
        is_refused(args, culprits);
    }
}

#[test]
fn what_can_be_no_part_of_a_line_is_named() {
    for (args, culprits) in [
        (
            &["--header", "name"][..],
            &["--header", "name", "NAME=VALUE"][..],
        ),
        (&["--key-separator", ""], &["--key-separator", "empty"]),
        (
            &["--key-separator", r"\q"],
            &["--key-separator", r"\q", r"\xHH"],
        ),
        (
            &["--key-separator", r"\n"],
            &["--key-separator", "line feed"],
        ),
        (
            &["--headers-delimiter", r"\x9"],
            &["--headers-delimiter", r"\x9"],
        ),
        (
            &["--headers-separator", ";"],
            &["required", "--headers-delimiter"],
        ),
    ] {
        is_refused(args, culprits);
    }
}

fn is_refused(args: &[&str], culprits: &[&str]) {
    let ended = ottla(&[&["produce", "--json"], args].concat(), b"a line\n");
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(2), ""),
        "{args:?}: {ended:?}"
    );
    assert_eq!(
        ended.stderr.lines().count(),
        1,
        "{args:?}: {}",
        ended.stderr
    );
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    for culprit in culprits {
        assert!(ended.stderr.contains(culprit), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_missing_file_is_noticed_before_others_are_sent() {
    let cluster = ottla_sim::Cluster::start(1).unwrap();
    let file = Scratch::file("a\n");
    let servers = cluster.bootstrap_servers();
    let ended = ottla(
        &[
            "produce",
            "--bootstrap-server",
            &servers,
            file.path(),
            "missing",
        ],
        b"",
    );
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(cluster.with_model(|model| model.topics().count()), 0);
}

#[test]
fn help_has_examples() {
    for command in [&["produce"][..], &["perf"], &["broker"], &["simulate"], &[]] {
        let ended = ottla(&[command, &["--help"]].concat(), b"");
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
        assert!(
            ended.stdout.contains("Examples:\n  ottla "),
            "{}",
            ended.stdout
        );
    }
    assert_eq!(ottla(&[], b"").code, Some(2));
}
