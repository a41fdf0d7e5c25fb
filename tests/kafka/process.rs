//! Child processes that cannot hang: each has a time limit, and none outlives its owner.

use std::io::{BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fs, io, path::PathBuf};

/// Runs a command to its end and returns what it printed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Vec<u8>, String> {
    let mut process = Process::spawn(command, limit)?;
    let mut printed = Vec::new();
    process
        .stdout()
        .read_to_end(&mut printed)
        .map_err(|e| e.to_string())?;
    process.finish()?;
    Ok(printed)
}

/// A running command whose standard output is read as it comes.
pub(crate) struct Process {
    name: String,
    child: Arc<Mutex<Child>>,
    stdout: BufReader<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
    guard: Arc<Guard>,
}

struct Guard {
    deadline: Instant,
    over: AtomicBool,
    late: AtomicBool,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command, limit: Duration) -> Result<Self, String> {
        let name = format!("{command:?}");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let child = Arc::new(Mutex::new(child));
        let guard = Arc::new(Guard {
            deadline: Instant::now() + limit,
            over: AtomicBool::new(false),
            late: AtomicBool::new(false),
        });
        watch(child.clone(), guard.clone());
        Ok(Self {
            name,
            child,
            stdout: BufReader::with_capacity(1 << 20, stdout),
            complaints: Some(complaints),
            guard,
        })
    }

    pub(crate) fn stdout(&mut self) -> &mut BufReader<ChildStdout> {
        &mut self.stdout
    }

    /// The command's piped standard input, for the one who asks first.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        let stdin = lock(&self.child).stdin.take();
        stdin.expect("stdin is piped and taken once")
    }

    /// Waits for the end and turns any exit code but 0 into the end of what the command complained about.
    pub(crate) fn finish(mut self) -> Result<(), String> {
        let status = loop {
            let ended = lock(&self.child).try_wait().map_err(|e| e.to_string())?;
            match ended {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if status.success() {
            return Ok(());
        }
        let complaints = self.complaints.take().map(JoinHandle::join);
        let complaints = complaints.and_then(Result::ok).unwrap_or_default();
        let why = match self.guard.late.load(Ordering::Relaxed) {
            true => "ran out of time".to_owned(),
            false => status.to_string(),
        };
        Err(format!("{}: {why}\n{}", self.name, tail(&complaints)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.guard.over.store(true, Ordering::Relaxed);
        let mut child = lock(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Kills the child at its deadline, which ends its output and so wakes whoever reads it.
fn watch(child: Arc<Mutex<Child>>, guard: Arc<Guard>) {
    std::thread::spawn(move || {
        while !guard.over.load(Ordering::Relaxed) {
            if Instant::now() >= guard.deadline {
                guard.late.store(true, Ordering::Relaxed);
                let _ = lock(&child).kill();
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

fn lock(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    child.lock().expect("nothing panics while it holds a child")
}

/// The last lines of a text, for an error message.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A folder of one's own under `target/tmp`, removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("kafka-{name}-{}-{next}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
