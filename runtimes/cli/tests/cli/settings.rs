//! Which setting wins.

use ottla_sim::Cluster;

use crate::process::{Scratch, ottla};

#[test]
fn the_command_line_beats_the_file() {
    let file = Scratch::file("# bytes\nmax.request.size = 200\n");
    let line = [b'x'; 150];
    let written = |more: &[&str]| {
        let args = ["produce", "--json", "--config", file.path()];
        ottla(&[&args[..], more].concat(), &line).json()["written"].clone()
    };
    assert_eq!(written(&["-X", "max.request.size=100"]), 0);
    assert_eq!(written(&["-X", "max.request.size=1000"]), 1);
    assert_eq!(
        written(&["-X", "max.request.size=1000", "-X", "max.request.size=100"]),
        0
    );
}

#[test]
fn servers_may_come_from_anywhere() {
    let cluster = Cluster::start(1).unwrap();
    let good = cluster.bootstrap_servers();
    let bad = "127.0.0.1:1";
    let (good_file, bad_file) = [good.as_str(), bad]
        .map(|servers| Scratch::file(format!("bootstrap.servers={servers}")))
        .into();
    let setting = |servers: &str| format!("bootstrap.servers={servers}");
    let (good_setting, bad_setting) = (setting(&good), setting(bad));
    for args in [
        &["--config", good_file.path()][..],
        &["-X", &good_setting],
        &["-X", &good_setting, "--config", bad_file.path()],
        &[
            "--bootstrap-server",
            &good,
            "-X",
            &bad_setting,
            "--config",
            bad_file.path(),
        ],
    ] {
        let before = cluster.with_model(|model| model.high_watermark("ottla", 0));
        let ended = ottla(&[&["produce", "--json"], args].concat(), b"one\n");
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        let report = ended.json();
        assert_eq!(
            (&report["written"], report["verified"].is_null()),
            (&1.into(), true)
        );
        assert_eq!(report["partitions"][0]["first_offset"], before);
    }
}

#[test]
fn a_properties_file_may_be_in_either_encoding() {
    for name in ["gr\u{fc}\u{df}e".as_bytes(), b"gr\xfc\xdfe"] {
        let file = Scratch::file([b"client.id=", name].concat());
        let ended = ottla(&["produce", "--config", file.path()], b"a\n");
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}
