//! The null broker in a process of its own, on a processor of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, thread};

use crate::measure::pin;

/// A running broker; it ends when this is dropped.
pub(crate) struct Elsewhere {
    broker: Child,
    port: u16,
}

/// The processors of whom is measured, and of the broker.
pub(crate) const HERE: usize = 0;
pub(crate) const THERE: usize = 1;

impl Elsewhere {
    pub(crate) fn start(partitions: i32) -> Self {
        // A child runs where the thread that starts it may.
        let start = move || {
            pin(&[THERE]);
            Command::new(program())
                .arg(partitions.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        };
        let started = thread::spawn(start).join().expect("it does not panic");
        let mut broker = started
            .expect("the null broker is built: cargo build --release --package ottla-null-broker");
        let mut line = String::new();
        let output = broker.stdout.take().expect("it is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it prints its port");
        let port = line.trim().parse().expect("a port");
        Self { broker, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.broker.stdin.take());
        let _ = self.broker.wait();
    }
}

/// Beside this program.
fn program() -> PathBuf {
    let here = env::current_exe().expect("this program has a place");
    here.with_file_name("ottla-null-broker")
}
