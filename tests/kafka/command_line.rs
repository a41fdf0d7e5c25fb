//! `ottla produce` against a real Kafka.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::broker::Kafka;
use crate::consumer::read_back;
use crate::java::Java;
use crate::process::{Scratch, run};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);
const LINES: usize = 5_000;

/// Produces a file's lines, some of them odd, and reads them back in order.
pub(crate) fn produce(java: &Java) -> Result<(), String> {
    let kafka = Kafka::start(java, 1)?;
    kafka.create_topic("lines", 1, &[])?;
    let scratch = Scratch::new("lines").map_err(|e| e.to_string())?;
    let file = scratch.path("lines");
    let text: Vec<String> = (0..LINES).map(|n| line(n).0).collect();
    fs::write(&file, text.concat()).map_err(|e| e.to_string())?;

    let mut ottla = Command::new(binary()?);
    ottla.args(["produce", "--bootstrap-server", &kafka.bootstrap_servers()]);
    ottla.args([
        "--topic",
        "lines",
        "--key-separator",
        "=",
        "--header",
        "from=file",
    ]);
    let printed = run(ottla.arg("--json").arg(file), LIMIT)?;
    let report = String::from_utf8_lossy(&printed);
    for expected in [
        format!("\"records\":{LINES}"),
        format!("\"written\":{LINES}"),
        "\"not_written\":0".to_owned(),
        "\"maybe_written\":0".to_owned(),
    ] {
        if !report.contains(&expected) || report.lines().count() != 1 {
            return Err(format!("the report has no {expected}: {report}"));
        }
    }

    let mut expected = (0..LINES).map(|n| line(n).1);
    read_back(&kafka, "lines", |read| {
        let expected = expected.next().unwrap_or_default();
        match read.ends_with(expected.as_bytes()) {
            true => Ok(()),
            false => Err(format!(
                "expected {expected:?}, read {}",
                String::from_utf8_lossy(read)
            )),
        }
    })?;
    match expected.next() {
        None => Ok(()),
        Some(missing) => Err(format!("{missing:?} is missing")),
    }
}

/// A line of the file, and how the console consumer prints the record that it makes.
fn line(number: usize) -> (String, String) {
    let (line, record) = match number % 5 {
        0 => (format!("{number}"), format!("NULL|{number}")),
        1 => (String::new(), "NULL|".to_owned()),
        2 => (format!("={number}\r"), format!("|{number}\r")),
        3 => (format!("k{number}="), format!("k{number}|")),
        _ => (format!("k{number}=a=b"), format!("k{number}|a=b")),
    };
    (line + "\n", format!("|from:file|{record}"))
}

/// The binary `ottla` that was built into the same folder as this test.
fn binary() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|e| e.to_string())?;
    let profile = test.ancestors().nth(2).ok_or("a test lives in deps")?;
    let binary = profile.join("ottla");
    match binary.exists() {
        true => Ok(binary),
        false => Err("first build it: cargo build -p ottla-cli".to_owned()),
    }
}
