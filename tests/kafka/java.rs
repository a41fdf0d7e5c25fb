//! How Java programs are started: Kafka's own, and the small ones beside this file.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A Java runtime with Kafka's jars on its class path.
#[derive(Clone)]
pub(crate) struct Java {
    program: PathBuf,
    libs: PathBuf,
}

impl Java {
    /// `None` unless `OTTLA_KAFKA_LIBS` names the folder with Kafka's jars, as `tests/run` does.
    pub(crate) fn from_env() -> Option<Self> {
        let libs = PathBuf::from(std::env::var_os("OTTLA_KAFKA_LIBS")?);
        let program = match std::env::var_os("JAVA_HOME") {
            Some(home) => Path::new(&home).join("bin/java"),
            None => PathBuf::from("java"),
        };
        Some(Self { program, libs })
    }

    /// A main class out of Kafka's jars: optimising it would cost more than it gives.
    pub(crate) fn tool(&self, class: &str) -> Command {
        let mut command = self.short_lived("-Xmx256m");
        command.arg(class);
        command
    }

    /// A main class out of Kafka's jars that moves a lot of data.
    pub(crate) fn worker(&self, class: &str) -> Command {
        let mut command = self.command("-Xmx384m");
        command.arg(class);
        command
    }

    /// A Java source file beside this one, one of Kafka's nodes among them: these are started so often that their start
    /// counts for more than their speed.
    pub(crate) fn source(&self, file: &str) -> Command {
        let mut command = self.short_lived("-Xmx320m");
        command.arg(beside(file));
        command
    }

    fn short_lived(&self, heap: &str) -> Command {
        let mut command = self.command(heap);
        command.arg("-XX:TieredStopAtLevel=1");
        command
    }

    fn command(&self, heap: &str) -> Command {
        let mut log = std::ffi::OsString::from("-Dlog4j2.configurationFile=");
        log.push(beside("log4j2.properties"));
        let mut command = Command::new(&self.program);
        command.args([heap, "-XX:+UseSerialGC"]).arg(log);
        command.arg("-cp").arg(self.libs.join("*"));
        command
    }
}

fn beside(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/kafka").join(file)
}
