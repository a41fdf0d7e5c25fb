//! `ottla` as a child process with a time limit.

use std::{
    fmt::Display,
    io::{self, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ottla_sim::Cluster;
use serde_json::Value;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// More than what is read and not sent yet can be: what a pipe holds, and what the program reads ahead of its sending.
pub(crate) const MORE_THAN_READ_AHEAD: usize = 1 << 20;
/// Three times what the program reads at once, which is as much as a pipe holds.
const THREE_BLOCKS: usize = 3 * (64 << 10);

/// A running `ottla`, killed when it is dropped.
pub(crate) struct Ottla {
    child: Child,
    start: Instant,
    /// `None` if its standard output goes elsewhere.
    stdout: Option<Stream>,
    stderr: Stream,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal did it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) after: Duration,
}

/// Runs `ottla` with this as its standard input.
pub(crate) fn ottla(args: &[&str], input: &[u8]) -> Ended {
    let mut ottla = Ottla::start(args);
    // It need not read all, or any, of it.
    let _ = ottla.stdin().write_all(input);
    ottla.end()
}

impl Ottla {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(command().args(args))
    }

    /// Starts a command whose standard output is read, unless that was sent elsewhere.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(Stream::read);
        let stderr = Stream::read(child.stderr.take().unwrap());
        Self {
            child,
            start: Instant::now(),
            stdout,
            stderr,
        }
    }

    /// Its standard input, for the one who asks first; it ends when that is dropped.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// What Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends it a signal, by the name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said this on standard output; returns all of that so far.
    pub(crate) fn wait_for_stdout(&self, words: &str) -> String {
        self.wait_for(self.stdout.as_ref().unwrap(), words)
    }

    /// Waits until it has said this on standard error.
    pub(crate) fn wait_for_stderr(&self, words: &str) -> String {
        self.wait_for(&self.stderr, words)
    }

    pub(crate) fn end(mut self) -> Ended {
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if self.start.elapsed() > LIMIT => {
                    panic!("still running: {}", self.stderr.text())
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let after = self.start.elapsed();
        let ended = Ended {
            code: status.code(),
            stdout: self.stdout.as_mut().map(Stream::end).unwrap_or_default(),
            stderr: self.stderr.end(),
            after,
        };
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }

    fn wait_for(&self, stream: &Stream, words: &str) -> String {
        wait_until(
            || format!("no {words:?} in {:?}", stream.text()),
            || stream.text().contains(words),
        );
        stream.text()
    }
}

/// `ottla` with pipes for its input and output.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Writes whole lines, and part of one more that is long. When this returns, the program has read the lines: it reads on
/// only after it has put by what it read, and the pipe does not hold the rest.
pub(crate) fn write_until_read(stdin: &mut ChildStdin, lines: &str) {
    stdin.write_all(lines.as_bytes()).unwrap();
    stdin.write_all(&vec![b'.'; THREE_BLOCKS]).unwrap();
}

/// Writes so many lines that the program has sent the first ones when this returns.
pub(crate) fn write_until_sent(stdin: &mut ChildStdin) {
    let lines = b"some line\n".repeat(MORE_THAN_READ_AHEAD / 10);
    stdin.write_all(&lines).unwrap();
}

/// Waits until this holds; `otherwise` is said if it does not happen.
pub(crate) fn wait_until<T: Display>(otherwise: impl Fn() -> T, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{}", otherwise());
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the partition 0 of the topic `ottla` has so many records.
pub(crate) fn wait_until_written(cluster: &Cluster, records: i64) {
    let written = || cluster.with_model(|model| model.high_watermark("ottla", 0));
    wait_until(
        || format!("{} of {records} records are written", written()),
        || written() >= records,
    );
}

impl Drop for Ottla {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The one line on standard output, which adds up.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        let report: Value = serde_json::from_str(&self.stdout).unwrap();
        let number = |name: &str| report[name].as_u64().unwrap();
        let sum = number("written") + number("not_written") + number("maybe_written");
        assert_eq!(number("records"), sum, "{report}");
        let in_all = |list: &str| -> u64 {
            let entries = report[list].as_array().unwrap();
            entries
                .iter()
                .map(|entry| entry["records"].as_u64().unwrap())
                .sum()
        };
        assert_eq!(in_all("partitions"), number("written"), "{report}");
        assert_eq!(
            in_all("errors"),
            number("not_written") + number("maybe_written"),
            "{report}"
        );
        assert!(
            report["topic"].is_string() && report["seconds"].is_f64(),
            "{report}"
        );
        report
    }
}

/// A folder of this process's own for one file, removed with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// The file with this content.
    pub(crate) fn file(content: impl AsRef<[u8]>) -> Self {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("ottla-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a child prints, read as it comes.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<io::Result<()>>>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer)? {
                    0 => return Ok(()),
                    got => to.lock().unwrap().extend_from_slice(&buffer[..got]),
                }
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn end(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap().unwrap();
        self.text()
    }
}
