//! `ottla` as a child process with a time limit.

use std::{
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

use serde_json::Value;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A running `ottla`, killed when it is dropped.
pub(crate) struct Ottla {
    child: Child,
    start: Instant,
    stdout: Stream,
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Stream::read(child.stdout.take().unwrap());
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
        let kill = format!("kill -INT {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until it has said this on standard output; returns all of that so far.
    pub(crate) fn wait_for_stdout(&self, words: &str) -> String {
        self.wait_for(&self.stdout, words)
    }

    /// Waits until it has said this on standard error.
    pub(crate) fn wait_for_stderr(&self, words: &str) -> String {
        self.wait_for(&self.stderr, words)
    }

    pub(crate) fn has_run_for(&self) -> Duration {
        self.start.elapsed()
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
            stdout: self.stdout.end(),
            stderr: self.stderr.end(),
            after,
        };
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended
    }

    fn wait_for(&self, stream: &Stream, words: &str) -> String {
        while self.start.elapsed() < LIMIT {
            let text = stream.text();
            if text.contains(words) {
                return text;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("no {words:?} in {:?}", stream.text())
    }
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
