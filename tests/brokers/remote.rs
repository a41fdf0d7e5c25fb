//! A cluster in a process of its own that does what it is told, line by line.

use std::io::{BufRead, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::process::Process;

const LIMIT: Duration = Duration::from_secs(60);

/// The cluster; it ends when this is dropped, and after a minute at the latest.
pub(crate) struct Remote {
    process: Process,
    input: ChildStdin,
    pub(crate) servers: String,
}

impl Remote {
    pub(crate) fn start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::piped());
        let mut process = Process::spawn(&mut command, LIMIT)?;
        let input = process.stdin();
        let mut remote = Self {
            process,
            input,
            servers: String::new(),
        };
        match remote.line()? {
            servers if servers.is_empty() => {
                drop(remote.input);
                remote.process.finish()?;
                Err(format!("{command:?} printed no address"))
            }
            servers => Ok(Self { servers, ..remote }),
        }
    }

    /// Has a command done, and gives its answer.
    pub(crate) fn tell(&mut self, command: &str) -> Result<String, String> {
        writeln!(self.input, "{command}").map_err(|e| format!("{command}: {e}"))?;
        let answer = self.line()?;
        match answer.strip_prefix("ok") {
            Some(answer) => Ok(answer.trim().to_owned()),
            None => Err(format!("{command}: {answer}")),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.process.stdout().read_line(&mut line);
        read.map_err(|e| e.to_string())?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}
